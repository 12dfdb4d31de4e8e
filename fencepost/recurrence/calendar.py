"""Recurrence rules of DAILY and coarser, expanded by dateutil on the wall clock."""

from collections.abc import Iterator, Mapping
from datetime import date, datetime, time, timedelta, tzinfo
from typing import Literal

from dateutil import rrule

from fencepost.recurrence.local import ELAPSED, LocalSeries, Policy
from fencepost.recurrence.rrules import Parts

_FREQUENCIES: Mapping[str, Literal[0, 1, 2, 3]] = {
    "YEARLY": rrule.YEARLY,
    "MONTHLY": rrule.MONTHLY,
    "WEEKLY": rrule.WEEKLY,
    "DAILY": rrule.DAILY,
}
_END_OF_TIME = range(9943, 9971)
"""28 years in a row: with no century between them and 9999, each pairing of a date with a weekday stands once in them."""


class Calendar:
    """The wall-clock times of a rule from `start` on (naive). `parts` must be complete (see rrules.with_defaults)."""

    def __init__(self, parts: Parts, start: datetime) -> None:
        self._parts = parts
        self._start = start

    def walls(self, begin: datetime) -> Iterator[datetime]:
        """From `begin` on, inclusive; lazily. For a rule that `comes`, else this searches to the year 9999."""
        return self._walls(self._start, begin)

    def series(self, zone: tzinfo, policy: Policy) -> LocalSeries:
        """When it is due. As for cron, `policy` holds unless the rule names every hour or every minute."""
        fixed = len(self._parts.hours) < 24 and len(self._parts.minutes) < 60
        return LocalSeries(self.walls, zone, policy if fixed else ELAPSED)

    def comes(self) -> bool:
        """Whether there is any such time within 28 years.

        dateutil can't be told where to stop a search that finds nothing, but it stops at the year 9999: so it is asked
        about the same calendar shortly before.
        """
        start = self._start
        for year in _END_OF_TIME:
            if year % 4 == start.year % 4:
                mirrored = start.replace(year=year)
                if mirrored.weekday() == start.weekday():
                    return next(self._walls(mirrored, mirrored), None) is not None
        raise AssertionError("28 years hold every calendar")

    def _walls(self, start: datetime, begin: datetime) -> Iterator[datetime]:
        begin = max(begin, start)
        try:
            for wall in self._rule(_period(self._parts, start.date(), begin.date())):
                if wall >= begin:
                    yield wall
        except (OverflowError, ValueError):  # beyond the year 9999
            return

    def _rule(self, first: date) -> rrule.rrule:
        parts = self._parts
        return rrule.rrule(
            _FREQUENCIES[parts.frequency],
            dtstart=datetime.combine(first, time()),
            interval=parts.interval,
            wkst=parts.week_start,
            bysetpos=parts.positions or None,
            bymonth=parts.months or None,
            bymonthday=parts.month_days or None,
            byyearday=parts.year_days or None,
            byweekno=parts.weeks or None,
            byweekday=_weekdays(parts) or None,
            byhour=parts.hours,
            byminute=parts.minutes,
            bysecond=parts.seconds,
        )


def _weekdays(parts: Parts) -> list[rrule.weekday]:
    """dateutil takes `MO,-1FR` for Mondays that are last Fridays. So where one has a number, all get theirs."""
    if not any(nth for _, nth in parts.weekdays):
        return [rrule.weekday(day) for day, _ in parts.weekdays]
    every = range(1, 6 if parts.months or parts.frequency == "MONTHLY" else 54)
    return [rrule.weekday(day, n) for day, nth in parts.weekdays for n in ((nth,) if nth else every)]


def _period(parts: Parts, start: date, begin: date) -> date:
    """The first day of the last period at or before `begin`, counted in steps of INTERVAL from the period of `start`.

    So no search begins in the year of DTSTART, and BYSETPOS always sees whole periods.
    """
    step = parts.interval
    if parts.frequency == "DAILY":
        return start + (begin - start) // timedelta(days=step) * timedelta(days=step)
    if parts.frequency == "WEEKLY":
        week = start - timedelta(days=(start.weekday() - parts.week_start) % 7)
        return week + (begin - week) // timedelta(weeks=step) * timedelta(weeks=step)
    if parts.frequency == "MONTHLY":
        months = (begin.year - start.year) * 12 + begin.month - start.month
        year, month = divmod(start.year * 12 + start.month - 1 + months // step * step, 12)
        return date(year, month + 1, 1)
    return date(start.year + (begin.year - start.year) // step * step, 1, 1)
