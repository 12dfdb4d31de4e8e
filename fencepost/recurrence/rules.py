"""A recurrence: the rule by which a schedule is due, and the instants that follow from it."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal, Protocol
from zoneinfo import ZoneInfo

from fencepost.clock import as_utc
from fencepost.recurrence.local import LATEST, SECOND, Gap, Repeat

RuleType = Literal["cron", "interval", "rrule", "once"]


class Series(Protocol):
    """The instants of a rule, whatever bounds the schedule sets."""

    def after(self, instant: datetime) -> Iterator[datetime]:
        """Strictly after `instant` (a whole second), ascending, UTC; lazily. Ends when none comes any more."""
        ...

    def moved(self, instant: datetime) -> bool:
        """Whether the wall-clock time of this instant did not exist, so that it was moved here."""
        ...


@dataclass(frozen=True)
class Rule:
    """When a schedule is due. Made by `parse_rule`; hashable, immutable, safe to share between threads.

    Of `expression`, `every`, `rule` and `at` one is set, by `type`. All instants are UTC and whole seconds.
    """

    type: RuleType
    timezone: ZoneInfo
    anchor: datetime
    """What an interval and a rule's DTSTART count from, unless there is a starts_at."""
    expression: str | None = None
    """cron, as written."""
    every: timedelta | None = None
    rule: str | None = None
    """RFC 5545, as written."""
    at: datetime | None = None
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    gap: Gap = "shift"
    repeat: Repeat = "first"
    last: datetime | None = None
    """The last instant that UNTIL or COUNT allow; None: neither is given."""
    series: Series = field(compare=False, repr=False, kw_only=True)

    def after(self, instant: datetime) -> datetime | None:
        """The first due instant strictly after `instant` (aware); None: it is never due again."""
        return next(self.instants(instant), None)

    def instants(self, after: datetime, until: datetime | None = None) -> Iterator[datetime]:
        """The due instants strictly after `after`, up to and including `until`; ascending, lazily, endless if the rule is."""
        begin = as_utc(after).replace(microsecond=0)
        if self.starts_at is not None:
            begin = max(begin, self.starts_at - SECOND)
        bounds = (until and as_utc(until), self.ends_at, self.last)
        end = min((bound for bound in bounds if bound is not None), default=LATEST)
        if begin >= LATEST:
            return
        for instant in self.series.after(begin):
            if instant > end:
                return
            yield instant

    def includes(self, instant: datetime) -> bool:
        """Whether the rule is due exactly then."""
        return instant.microsecond == 0 and self.after(instant - SECOND) == instant
