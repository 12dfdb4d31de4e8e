"""Rules, kept: parsing a recurrence costs more than finding its next instant, and many schedules share one."""

from collections import OrderedDict
from collections.abc import Hashable, Mapping
from datetime import datetime
from typing import Any, Protocol

from fencepost.definitions import rule_of
from fencepost.errors import FencepostError
from fencepost.schedules import Rule, Rules, Schedule, Version


class Text(Protocol):
    """What is needed of a revision."""

    @property
    def definition(self) -> Mapping[str, Any]: ...


class RuleCache:
    """The `most` rules that were used last, by what they say."""

    def __init__(self, most: int = 20_000) -> None:
        self._most = most
        self._rules: OrderedDict[Hashable, Rule] = OrderedDict()

    def rules(self, schedule: Schedule, texts: Mapping[str, Text]) -> Rules:
        """The rules of a schedule's versions; `texts` holds the revisions of those that are not the newest."""
        return lambda version: self.rule(text_of(schedule, version, texts), schedule.created_at)

    def rule(self, definition: Mapping[str, Any], anchor: datetime) -> Rule:
        """The rule of a definition whose intervals count from `anchor`. Raises what parsing it raises."""
        recurrence, dst = definition["recurrence"], definition["dst"]
        # A cron rule is the same whenever it was made; the others may count from their anchor.
        counts_from = None if recurrence["type"] == "cron" else anchor
        key = (*recurrence.values(), definition["starts_at"], definition["ends_at"], *dst.values(), counts_from)
        if (known := self._rules.get(key)) is not None:
            self._rules.move_to_end(key)
            return known
        made = self._rules[key] = rule_of(definition, anchor)
        if len(self._rules) > self._most:
            self._rules.popitem(last=False)
        return made


def text_of(schedule: Schedule, version: Version, texts: Mapping[str, Text]) -> Mapping[str, Any]:
    """The definition that was in force under a version; `texts` as for `RuleCache.rules`. Raises FencepostError if it is not
    among them."""
    if version.revision_id == schedule.versions[-1].revision_id:
        return schedule.definition
    if version.revision_id not in texts:
        raise FencepostError(f"the text of version {version.no} is not on record")
    return texts[version.revision_id].definition
