"""Cron expressions of five fields, read and walked by cronsim.

As in Debian's cron: day of month and day of week must both match where one of them starts with `*`, else either. cronsim
adds L and LW (last day, last weekday of the month), 5L (last Friday) and 1#2 (second Monday).
"""

import re
from bisect import bisect_left
from collections.abc import Iterator
from copy import copy
from dataclasses import dataclass
from datetime import datetime, time, timedelta, tzinfo
from functools import lru_cache

from cronsim import CronSim, CronSimError

from fencepost.errors import Invalid, Problem
from fencepost.recurrence.local import ELAPSED, SECOND, LocalSeries, Policy

LONGEST = 400
ALIASES = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}

_FIELDS = (
    ("minute", "0 to 59"),
    ("hour", "0 to 23"),
    ("day of month", "1 to 31, L (the last day) or LW (the last weekday)"),
    ("month", "1 to 12 or JAN to DEC"),
    ("day of week", "0 to 7 (0 and 7 are Sunday), SUN to SAT, 5L (the last Friday) or 1#2 (the second Monday)"),
)
_CHARACTERS = re.compile(r"[0-9A-Za-z*,/#\- \t]+")
_STEPPED_SPAN = re.compile(r"(\w+)-(\w+)/\d+")
_DAY_NAMES, _MONTH_NAMES = "SUN MON TUE WED THU FRI SAT", "- JAN FEB MAR APR MAY JUN JUL AUG SEP OCT NOV DEC"
_NUMBERS = {name: str(n or "") for names in (_DAY_NAMES, _MONTH_NAMES) for n, name in enumerate(names.split())}
_DAY, _ANY_DAY = timedelta(days=1), datetime(2024, 1, 1)  # noqa: DTZ001 - a wall-clock time


def cron_series(fields: str, zone: tzinfo, policy: Policy) -> LocalSeries:
    """When five fields (see `read_fields`) are due in a zone.

    `policy` holds for a rule whose hour and minute are fixed: neither field has a `*` or names every value. The others follow
    elapsed time: they are due whenever the clock shows a time that matches.
    """
    parsed = _parsed(fields)
    minute, hour, *days = fields.split()
    midnights = _parsed(" ".join(("0", "0", *days)))
    times = _times(tuple(sorted(parsed.hours)), tuple(sorted(parsed.minutes)))

    def walls(begin: datetime) -> Iterator[datetime]:
        # Every day that matches has the same times, so cronsim, which goes by the minute, is asked for days alone.
        walk = copy(midnights)
        midnight = datetime.combine(begin, time())
        walk.dt = midnight - SECOND
        try:
            for day in walk:
                start = bisect_left(times, begin - day) if day == midnight else 0
                for number in range(start, len(times)):
                    yield day + times[number]
                walk.dt = day + _DAY - SECOND
        except OverflowError:  # beyond the year 9999
            return

    fixed = "*" not in minute + hour and len(parsed.minutes) < 60 and len(parsed.hours) < 24
    return LocalSeries(walls, zone, policy if fixed else ELAPSED)


@dataclass(frozen=True, slots=True)
class CronDays:
    """The days of a cron expression. `of_month`: 1 to 31, and -1 for L; `of_week`: (0 to 6 from Monday, n-th or 0 for each)."""

    of_month: tuple[int, ...]
    last_weekday: bool
    of_week: tuple[tuple[int, int], ...]
    both: bool
    """Both must match; else either is enough, and one that allows every day makes it every day."""

    @property
    def limits_month_day(self) -> bool:
        return len(self.of_month) < 31 and (self.both or self._every_weekday is False)

    @property
    def limits_weekday(self) -> bool:
        return not self._every_weekday and (self.both or len(self.of_month) < 31)

    @property
    def _every_weekday(self) -> bool:
        return {(day, 0) for day in range(7)} <= set(self.of_week)


@dataclass(frozen=True, slots=True)
class CronFields:
    """What an expression names, as sorted values."""

    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    days: CronDays
    months: tuple[int, ...]


def read_cron_fields(expression: str) -> CronFields:
    """The values behind an expression that was accepted."""
    parsed = _parsed(read_fields(expression, ""))
    month_days = {-1 if day == CronSim.LAST else day for day in parsed.days if day != CronSim.LAST_WEEKDAY}
    return CronFields(
        minutes=tuple(sorted(parsed.minutes)),
        hours=tuple(sorted(parsed.hours)),
        days=CronDays(
            of_month=tuple(sorted(month_days)),
            last_weekday=CronSim.LAST_WEEKDAY in parsed.days,
            of_week=tuple(sorted({_weekday(item) for item in parsed.weekdays})),
            both=parsed.day_and,
        ),
        months=tuple(sorted(parsed.months)),
    )


def read_fields(expression: str, pointer: str) -> str:
    """The five fields of an expression or of an alias such as @daily, in capitals, with single spaces."""
    text = " ".join(expression.split())
    if text.startswith("@"):
        if text.lower() not in ALIASES:
            raise _wrong(pointer, f"“{text}” is not known. Use {', '.join(ALIASES)}, or five fields.")
        return ALIASES[text.lower()]
    fields = text.upper().split()
    if len(fields) == len(_FIELDS) + 1:
        raise _wrong(
            pointer, "Six fields were given. Use five, without seconds: minute, hour, day, month, day of week."
        )
    if len(fields) != len(_FIELDS):
        raise _wrong(
            pointer,
            f"A cron expression has five fields (minute, hour, day of month, month, day of week), such as"
            f" 0 9 * * 1-5; this one has {len(fields)}.",
        )
    _check_each(fields, pointer)
    canonical = " ".join(_without_idle_steps(field) for field in fields)
    if not comes(canonical):
        raise _wrong(pointer, f"“{text}” never comes: no year has such a day. Choose a day that the months have.")
    return canonical


def comes(fields: str) -> bool:
    """Whether any wall-clock time at all matches."""
    try:
        return next(copy(_parsed(fields)), None) is not None
    except CronSimError:
        return False


def _weekday(item: int | tuple[int, int]) -> tuple[int, int]:
    day, nth = (item, 0) if isinstance(item, int) else item
    return (day - 1) % 7, -1 if nth == CronSim.LAST else nth


@lru_cache(maxsize=1024)
def _times(hours: tuple[int, ...], minutes: tuple[int, ...]) -> tuple[timedelta, ...]:
    """The times of a day, in order."""
    return tuple(timedelta(hours=hour, minutes=minute) for hour in hours for minute in minutes)


def _check_each(fields: list[str], pointer: str) -> None:
    """Raises Invalid, naming the fields that can't be read by themselves."""
    wrong = []
    for place, (field, (name, takes)) in enumerate(zip(fields, _FIELDS, strict=True)):
        alone = ["*"] * len(_FIELDS)
        alone[place] = field
        if not _CHARACTERS.fullmatch(field) or not _readable(" ".join(alone)):
            wrong.append(
                Problem(pointer, f"The {name} “{field}” can't be read. It takes {takes}, *, lists, ranges, steps.")
            )
    if wrong:
        raise Invalid(*wrong)


def _without_idle_steps(field: str) -> str:
    """`5` for `5-5/2`: cronsim takes the step of a range of one value up to the end of the field."""
    items = []
    for item in field.split(","):
        span = _STEPPED_SPAN.fullmatch(item)
        alone = span is not None and _NUMBERS.get(span[1], span[1].lstrip("0")) == _NUMBERS.get(
            span[2], span[2].lstrip("0")
        )
        items.append(span[1] if span and alone else item)
    return ",".join(items)


def _readable(fields: str) -> bool:
    try:
        _parsed(fields)
    except (CronSimError, AssertionError, TypeError, ValueError):
        return False
    return True


@lru_cache(maxsize=1024)
def _parsed(fields: str) -> CronSim:
    return CronSim(fields, _ANY_DAY)


def _wrong(pointer: str, detail: str) -> Invalid:
    return Invalid(Problem(pointer, detail))
