"""Pieces of sentences about times and days, alike for cron and recurrence rules.

Every phrase says what the sets of hours, minutes and days really are: `*/45` is not "every 45 minutes" but minutes 0 and 45.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import pairwise, product

WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
MONTHS = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip
_ORDINALS = ("first", "second", "third", "fourth", "fifth")
_MOST_TIMES = 6
_HOURS, _MINUTES = 24, 60


def listed(items: Sequence[str]) -> str:
    """`a, b and c`."""
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} and {items[-1]}"


def numbers(values: Sequence[int]) -> str:
    """`1 to 7 and 15`."""
    return listed([str(low) if low == high else f"{low} to {high}" for low, high in _runs(values)])


def counted(number: int, unit: str) -> str:
    """`hour`, `2 hours`."""
    return unit if number == 1 else f"{number} {unit}s"


def ordinal(number: int) -> str:
    """`first`, `2nd last`, `last`, `20th`."""
    if number == -1:
        return "last"
    if number < 0:
        return f"{_short_ordinal(-number)} last"
    return _ORDINALS[number - 1] if number <= len(_ORDINALS) else _short_ordinal(number)


def day(wall: datetime) -> str:
    """`1 December 2026`."""
    return f"{wall.day} {MONTHS[wall.month - 1]} {wall.year}"


def day_and_time(wall: datetime) -> str:
    """`1 December 2026 at 09:00`."""
    return f"{day(wall)} at {_clock(wall.hour, wall.minute, wall.second)}"


def duration(length: timedelta) -> str:
    """`15 minutes`, `week`, `90 seconds`: in the largest unit that divides it."""
    seconds = int(length.total_seconds())
    for unit, size in (("week", 604_800), ("day", 86_400), ("hour", 3_600), ("minute", 60)):
        if seconds % size == 0:
            return counted(seconds // size, unit)
    return counted(seconds, "second")


def times(hours: Sequence[int], minutes: Sequence[int], seconds: Sequence[int] = (0,)) -> str:
    """`At 09:00 and 17:00`, `Every 5 minutes from 09:00 to 17:55`: each hour with each minute."""
    if len(hours) * len(minutes) * len(seconds) <= _MOST_TIMES:
        return f"At {listed([_clock(*time) for time in product(hours, minutes, seconds)])}"
    at_seconds = "" if tuple(seconds) == (0,) else f" at {_plural('second', seconds)}"
    return (_times_of_all_hours(minutes) if len(hours) == _HOURS else _times_of(hours, minutes)) + at_seconds


def days_of_week(weekdays: Sequence[tuple[int, int]], within: str) -> str:
    """`Monday through Friday`, `on Saturday and Sunday`, `on the last Friday of the month`; `within` is `the month`."""
    plain = sorted(day for day, nth in weekdays if not nth)
    nths = [f"the {ordinal(nth)} {WEEKDAYS[day]}" for day, nth in sorted(weekdays, key=_from_first) if nth]
    if not nths and plain == list(range(plain[0], plain[-1] + 1)) and len(plain) > 2:
        return f"{WEEKDAYS[plain[0]]} through {WEEKDAYS[plain[-1]]}"
    names = [WEEKDAYS[number] for number in plain]
    return f"on {listed(names + nths)}" + (f" of {within}" if nths else "")


def days_of_month(days: Sequence[int], *, last_weekday: bool = False) -> str:
    """`day 1`, `days 1 and 15`, `the last day`: 1 to 31, or -1 and below counted from the end."""
    forward = sorted(day for day in days if day > 0)
    items = []
    if len(forward) > 4 and len(steps := {b - a for a, b in pairwise(forward)}) == 1 and steps != {1}:
        items.append(f"every {_short_ordinal(steps.pop())} day from day {forward[0]} to day {forward[-1]}")
    elif forward:
        items.append(_plural("day", forward))
    items += [f"the {ordinal(day)} day" for day in sorted((day for day in days if day < 0), reverse=True)]
    if last_weekday:
        items.append("the last weekday")
    return listed(items)


def in_months(months: Sequence[int]) -> str:
    """`January and June`, `January to March`."""
    names = [
        MONTHS[low - 1] if low == high else f"{MONTHS[low - 1]} to {MONTHS[high - 1]}" for low, high in _runs(months)
    ]
    return listed(names)


def _times_of_all_hours(minutes: Sequence[int]) -> str:
    step = _even_step(minutes)
    if step is None:
        return f"At {_plural('minute', minutes)} of every hour"
    if step == _MINUTES:
        return "Every hour" if minutes[0] == 0 else f"At minute {minutes[0]} of every hour"
    return f"Every {counted(step, 'minute')}" + (f", from minute {minutes[0]} of the hour on" if minutes[0] else "")


def _times_of(hours: Sequence[int], minutes: Sequence[int]) -> str:
    step = _even_step(minutes)
    gaps = {later - earlier for earlier, later in pairwise(hours)} or {1}
    span = f"from {_clock(hours[0], minutes[0])} to {_clock(hours[-1], minutes[-1])}"
    if len(minutes) == 1 and len(gaps) == 1:
        return f"Every {counted(gaps.pop(), 'hour')} {span}"
    if step is not None and step < _MINUTES:
        every = f"Every {counted(step, 'minute')}"
        return f"{every} {span}" if gaps == {1} else f"{every} of {_plural('hour', hours)}"
    return f"At {_plural('minute', minutes)} of {_plural('hour', hours)}"


def _even_step(minutes: Sequence[int]) -> int | None:
    """The step at which these minutes go on for ever, over the full hour too; None: they are not even."""
    step = _MINUTES // len(minutes)
    even = _MINUTES % len(minutes) == 0 and list(minutes) == list(range(minutes[0], _MINUTES, step))
    return step if even else None


def _runs(values: Sequence[int]) -> list[tuple[int, int]]:
    """Neighbours as (first, last): runs of three and more are one, shorter ones stay single."""
    runs: list[list[int]] = []
    for value in sorted(set(values)):
        if runs and value == runs[-1][-1] + 1:
            runs[-1].append(value)
        else:
            runs.append([value])
    return [pair for run in runs for pair in ([(run[0], run[-1])] if len(run) > 2 else [(one, one) for one in run])]


def _plural(unit: str, values: Sequence[int]) -> str:
    return f"{unit if len(values) == 1 else unit + 's'} {numbers(values)}"


def _clock(hour: int, minute: int, second: int = 0) -> str:
    return f"{hour:02}:{minute:02}" + (f":{second:02}" if second else "")


def _short_ordinal(number: int) -> str:
    ending = "th" if 10 < number % 100 < 14 else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"


def _from_first(weekday: tuple[int, int]) -> tuple[bool, int, int]:
    day, nth = weekday
    return nth < 0, nth, day
