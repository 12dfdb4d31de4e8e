"""Schedules for tests: a definition with everything that need not be said, and a schedule that holds it."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from fencepost import ids
from fencepost.definitions import parse, rule_of
from fencepost.schedules import Rule, Schedule, Version

EVERY_FIVE_MINUTES = {"type": "cron", "expression": "*/5 * * * *", "timezone": "UTC"}


def at(text: str) -> datetime:
    """`2026-03-02 09:00` or `… 09:00:30`, in UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def definition(**changes: Any) -> dict[str, Any]:
    """A valid definition; `to` may be a list of addresses or how many."""
    to = changes.pop("to", ["ann@example.com"])
    recipients = [f"person{index}@example.com" for index in range(to)] if isinstance(to, int) else to
    message = {
        "from": "Fence Post <post@example.com>",
        "to": recipients,
        "subject": "Weekly figures",
        "text": "Here they are.",
        **changes.pop("message", {}),
    }
    return parse({"name": "Figures", "recurrence": EVERY_FIVE_MINUTES, "message": message, **changes})


def schedule(created: datetime, text: Mapping[str, Any] | None = None, *, shards: int = 64, **fields: Any) -> Schedule:
    """A schedule as the registry writes a new one."""
    schedule_id = ids.new_id(ids.SCHEDULE)
    text = text or definition()
    version = Version(1, created, ids.new_id(ids.REVISION))
    made = Schedule(
        id=schedule_id,
        owner_id="local",
        shard=ids.shard_of(schedule_id, shards),
        definition=text,
        versions=(version,),
        created_at=created,
        updated_at=created,
        next_run_at=rule_of(text, created).after(created),
    )
    return Schedule(**{name: getattr(made, name) for name in Schedule.__slots__} | fields)


class Texts:
    """The rules of a schedule's versions, by revision id: `texts.add(id, definition)`, `texts.rules`."""

    def __init__(self, first: Schedule) -> None:
        self._anchor = first.created_at
        self._texts: dict[str, Mapping[str, Any]] = {first.versions[0].revision_id: first.definition}

    def add(self, text: Mapping[str, Any]) -> str:
        revision_id = ids.new_id(ids.REVISION)
        self._texts[revision_id] = text
        return revision_id

    def text(self, version: Version) -> Mapping[str, Any]:
        return self._texts[version.revision_id]

    def rules(self, version: Version) -> Rule:
        return rule_of(self.text(version), self._anchor)
