"""Schedules with their rules: what the checks need of definitions, read and parsed once."""

from collections.abc import Iterable, Mapping
from datetime import datetime

from auditor.auditing import History
from fencepost.rules import RuleCache, text_of
from fencepost.schedules import Rule, Schedule
from fencepost.store import Store
from fencepost.store.mongodb import Document
from fencepost.store.revisions import Revision

_MOST_RULES = 50_000
_MOST_WINDOWS = 20_000


class Histories:
    """Makes histories; keeps the rules that were used last, by what they say."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._rules = RuleCache(_MOST_RULES)
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
        key = (self._rules.rule(row["definition"], row["created_at"]), since, until)
        if (known := self._due.get(key)) is None:
            if len(self._due) >= _MOST_WINDOWS:
                self._due.clear()
            known = self._due[key] = next(key[0].instants(since, until), None) is not None
        return known

    def _history(self, schedule: Schedule, older: Mapping[str, Revision]) -> History:
        return History(
            schedule,
            self._rules.rules(schedule, older),
            lambda version: text_of(schedule, version, older).get("max_occurrences"),
        )
