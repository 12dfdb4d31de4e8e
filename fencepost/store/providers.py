"""The collections `providers`, what people chose for each of them, and `provider_changes`, what became of each and why."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from pymongo import ASCENDING, DESCENDING, IndexModel
from pymongo.database import Database

from fencepost import ids
from fencepost.store.mongodb import Document, answering, insert_missing

CHANGE_INDEXES = [
    IndexModel([("provider", ASCENDING), ("at", DESCENDING)], name="of_provider"),
    IndexModel([("purge_at", ASCENDING)], name="purge", expireAfterSeconds=0),
]
_KEPT = timedelta(days=90)


@dataclass(frozen=True, slots=True)
class Choice:
    """What people chose for a provider."""

    weight: float | None = None
    """None: as it is set."""
    enabled: bool = True
    """False: it is switched off, and gets no new attempt."""


@dataclass(frozen=True, slots=True)
class ProviderChange:
    """Something that became of a provider. `kind` is `breaker`, `weight`, `enabled` or `webhook`; `was` and `became` are its
    states, numbers (empty: as it is set), `true` and `false`, or the address that was registered there."""

    id: str
    provider: str
    kind: str
    was: str
    became: str
    reason: str
    at: datetime
    by: str


@dataclass(frozen=True, slots=True)
class ProviderRecords:
    """Choices are the registry's to write; changes of breakers are the senders'."""

    database: Database[Document]

    def choices(self) -> dict[str, Choice]:
        """What people chose, for those of which they did, by name."""
        with answering():
            return {row["_id"]: Choice(row["weight"], row["enabled"]) for row in self.database.providers.find()}

    def choose(self, name: str, change: dict[str, Any], by: str, why: str, now: datetime) -> Choice:
        """Write `weight`, `enabled` or both, and put what differs on record; the choice that stands. The record comes first: if
        the process dies in between, it tells of a change that was not made, and never the other way round."""
        before = self.choices().get(name, Choice())
        fields = {"weight": before.weight, "enabled": before.enabled}
        differing = {field: value for field, value in change.items() if value != fields[field]}
        self.record(
            [
                ProviderChange(ids.new_id(ids.CHANGE), name, field, _text(fields[field]), _text(value), why, now, by)
                for field, value in differing.items()
            ]
        )
        chosen = {**fields, **differing}
        with answering():
            self.database.providers.update_one(
                {"_id": name}, {"$set": {**chosen, "updated_at": now}, "$setOnInsert": {"created_at": now}}, upsert=True
            )
        return Choice(chosen["weight"], chosen["enabled"])

    def record(self, changes: Sequence[ProviderChange]) -> None:
        """Put these on record; those that are there already stay as they are."""
        rows: list[Document] = [
            {
                "_id": change.id,
                "provider": change.provider,
                "kind": change.kind,
                "was": change.was,
                "became": change.became,
                "reason": change.reason,
                "at": change.at,
                "by": change.by,
                "purge_at": change.at + _KEPT,
            }
            for change in changes
        ]
        if rows:
            insert_missing(self.database.provider_changes, rows)

    def changes(self, name: str, most: int) -> list[ProviderChange]:
        """What became of a provider, the newest first."""
        with answering():
            rows = self.database.provider_changes.find({"provider": name}).sort([("at", -1), ("_id", -1)]).limit(most)
            return [
                ProviderChange(
                    row["_id"],
                    row["provider"],
                    row["kind"],
                    row["was"],
                    row["became"],
                    row["reason"],
                    row["at"],
                    row["by"],
                )
                for row in rows
            ]

    def registered_at(self, name: str, url: str) -> datetime | None:
        """When this address was last registered there; None: not within what is on record."""
        wanted = {"provider": name, "kind": "webhook", "became": url}
        with answering():
            row = self.database.provider_changes.find_one(wanted, sort=[("at", -1)])
            return row["at"] if row else None


def _text(value: object) -> str:
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)
