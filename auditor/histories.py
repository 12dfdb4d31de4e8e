"""Schedules with their rules: what the checks need of definitions, read and parsed once."""

from collections import OrderedDict
from collections.abc import Hashable, Iterable, Mapping
from datetime import datetime
from typing import Any

from auditor.auditing import History
from fencepost.definitions import rule_of
from fencepost.errors import FencepostError
from fencepost.schedules import Rule, Schedule, Version
from fencepost.store import Store
from fencepost.store.mongodb import Document

_MOST_RULES = 50_000
_MOST_WINDOWS = 20_000


class Histories:
    """Makes histories; keeps the rules that were used last, by what they say."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._rules: OrderedDict[Hashable, Rule] = OrderedDict()
        self._due: dict[tuple[Rule, datetime, datetime], bool] = {}

    def of(self, schedules: Iterable[Schedule]) -> dict[str, History]:
        """The histories of these, by id; older texts are read for those that were edited. Raises Unreachable."""
        every = list(schedules)
        older = {
            version.revision_id
            for schedule in every
            for version in schedule.versions
            if version.revision_id != schedule.versions[-1].revision_id
        }
        texts = self._store.audits.texts(older) if older else {}
        return {schedule.id: self._history(schedule, texts) for schedule in every}

    def may_be_due(self, row: Document, since: datetime, until: datetime) -> bool:
        """Whether a schedule as it is stored may have an instant in (since, until]; False is certain. Many share a rule and a
        window, so that this costs most of them one look. Raises what the arithmetic raises."""
        newest = row["versions"][-1]
        if newest["since"] > since:
            return True
        key = (self._rule(row["definition"], row["created_at"]), since, until)
        if (known := self._due.get(key)) is None:
            if len(self._due) >= _MOST_WINDOWS:
                self._due.clear()
            known = self._due[key] = next(key[0].instants(since, until), None) is not None
        return known

    def _history(self, schedule: Schedule, older: Mapping[str, Document]) -> History:
        texts = {**older, schedule.versions[-1].revision_id: schedule.definition}

        def text(version: Version) -> Mapping[str, Any]:
            if version.revision_id not in texts:
                raise FencepostError(f"the text of version {version.no} is not on record")
            return texts[version.revision_id]

        return History(
            schedule,
            lambda version: self._rule(text(version), schedule.created_at),
            lambda version: text(version).get("max_occurrences"),
        )

    def _rule(self, definition: Mapping[str, Any], anchor: datetime) -> Rule:
        recurrence, dst = definition["recurrence"], definition["dst"]
        counts_from = None if recurrence["type"] == "cron" else anchor
        key = (*recurrence.values(), definition["starts_at"], definition["ends_at"], *dst.values(), counts_from)
        if (known := self._rules.get(key)) is not None:
            self._rules.move_to_end(key)
            return known
        made = self._rules[key] = rule_of(definition, anchor)
        if len(self._rules) > _MOST_RULES:
            self._rules.popitem(last=False)
        return made
