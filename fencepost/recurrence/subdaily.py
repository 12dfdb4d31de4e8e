"""Recurrence rules of HOURLY and MINUTELY: elapsed time from DTSTART, with conditions on the wall clock.

dateutil counts these on the wall clock, which loses an hour in one night and repeats one in another. Counted in UTC they are
arithmetic: a period begins INTERVAL elapsed hours (minutes) after the one before; the BY parts ask what the clock on the
wall shows in it. BYMINUTE under HOURLY names minutes of the wall clock within the hour that begins with the period.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta, tzinfo

from fencepost.recurrence.local import LATEST, wall_at
from fencepost.recurrence.rrules import Parts

_HOUR, _MINUTE, _DAY = timedelta(hours=1), timedelta(minutes=1), timedelta(days=1)
_MOST_STEPS = 4_000
"""How far the search for the next instant goes before a rule counts as never coming again: in periods, or whole days, hours
and minutes that are passed over at once. 29 February is 2,920 days off at most."""


class SubDaily:
    """When a rule with FREQ=HOURLY or MINUTELY is due. `start` is DTSTART, in UTC."""

    def __init__(self, parts: Parts, start: datetime, zone: tzinfo) -> None:
        self._parts = parts
        self._start = start
        self._zone = zone
        self._names_minutes = parts.frequency == "HOURLY" and bool(parts.minutes)
        self._unit = _HOUR if parts.frequency == "HOURLY" else _MINUTE
        self._step = parts.interval * self._unit
        wall = wall_at(start, zone)
        self._base = start - timedelta(minutes=wall.minute if self._names_minutes else 0, seconds=wall.second)

    def after(self, instant: datetime) -> Iterator[datetime]:
        number = max(0, (instant - self._base) // self._step)
        last = (LATEST - self._base) // self._step
        steps = 0
        while steps < _MOST_STEPS and number <= last:
            steps += 1
            period = self._base + number * self._step
            resume = self._next_chance(period)
            if resume is not None:
                number = max(number + 1, (resume - self._base) // self._step)
                continue
            for due in self._due_within(period):
                if due > instant and due >= self._start:
                    steps = 0
                    yield due
            number += 1

    def moved(self, instant: datetime) -> bool:  # noqa: ARG002
        return False

    def _next_chance(self, period: datetime) -> datetime | None:
        """Where the day, the hour or the minute of this period does not count: the start of the next one that may. None:
        look into it."""
        wall = wall_at(period, self._zone)
        reaches = wall_at(period + self._unit - timedelta(seconds=1), self._zone) if self._names_minutes else wall
        if not self._day_counts(wall.date()) and not self._day_counts(reaches.date()):
            return datetime.combine(wall.date() + _DAY, time(), self._zone).astimezone(UTC)
        hours, minutes = self._parts.hours, self._parts.minutes
        if hours and wall.hour not in hours and reaches.hour not in hours:
            pause = 60 - wall.minute
        elif minutes and not self._names_minutes and wall.minute not in minutes:
            pause = min((minute - wall.minute) % 60 for minute in minutes)
        else:
            return None
        # The clock may change in between: Goose Bay's did at 00:01.
        resume = period + pause * _MINUTE
        return resume if wall_at(resume, self._zone) == wall + pause * _MINUTE else None

    def _due_within(self, period: datetime) -> Iterator[datetime]:
        parts = self._parts
        for minute in self._minutes_to_try(period):
            at = period + minute * _MINUTE
            wall = wall_at(at, self._zone)
            if (
                (not parts.minutes or wall.minute in parts.minutes)
                and (not parts.hours or wall.hour in parts.hours)
                and self._day_counts(wall.date())
            ):
                yield from (at + timedelta(seconds=second) for second in parts.seconds)

    def _minutes_to_try(self, period: datetime) -> Sequence[int]:
        """Minutes after the start of the period: all of them only where the clock changes within it."""
        if not self._names_minutes:
            return (0,)
        wall = wall_at(period, self._zone)
        if wall_at(period + 59 * _MINUTE, self._zone) != wall + 59 * _MINUTE:
            return range(60)
        return sorted((minute - wall.minute) % 60 for minute in self._parts.minutes)

    def _day_counts(self, day: date) -> bool:
        parts = self._parts
        if parts.months and day.month not in parts.months:
            return False
        if parts.weekdays and (day.weekday(), 0) not in parts.weekdays:
            return False
        if not parts.month_days or day.day in parts.month_days:
            return True
        next_month = (day.replace(day=28) + timedelta(days=4)).replace(day=1)
        return (day - next_month).days in parts.month_days
