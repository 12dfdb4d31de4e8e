"""An oracle for recurrences: it walks time minute by minute and asks of each whether the rule means it.

Written from cron's manual and RFC 5545, with zoneinfo alone: it shares no code with what it judges, nor with the libraries
behind that. It is slow and simple on purpose.
"""

import calendar
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cache
from importlib import resources
from itertools import product
from zoneinfo import ZoneInfo

MINUTE = timedelta(minutes=1)
_LONGEST_REPEAT = 3 * 60  # minutes; Antarctica/Troll's two hours are the longest
_MONTHS = ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"]
_CRON_DAYS = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"]


@cache
def zone_of(name: str) -> ZoneInfo:
    """From the pinned package, whatever the machine has."""
    with resources.files("tzdata").joinpath("zoneinfo", *name.split("/")).open("rb") as data:
        return ZoneInfo.from_file(data, key=name)


@dataclass(slots=True)
class Minute:
    """A minute of UTC, and what the clock on the wall makes of it."""

    at: datetime
    wall: datetime
    skipped: list[datetime]
    """Times of the wall clock that would have come between the minute before and this one."""
    seen_before: bool
    comes_again: bool


class Window:
    """A row of minutes, to be asked for by what the clock on the wall shows."""

    def __init__(self, zone: ZoneInfo, begin: datetime, count: int) -> None:
        self.begin, self.end = begin, begin + (count - 1) * MINUTE
        self.by_time: dict[tuple[int, int], list[Minute]] = {}
        self.after_gaps: list[Minute] = []
        for minute in _walk(zone, begin, count):
            self.by_time.setdefault((minute.wall.hour, minute.wall.minute), []).append(minute)
            if minute.skipped:
                self.after_gaps.append(minute)


def _walk(zone: ZoneInfo, begin: datetime, count: int) -> Iterator[Minute]:
    instants = [begin + number * MINUTE for number in range(-_LONGEST_REPEAT, count + _LONGEST_REPEAT)]
    walls = [instant.astimezone(zone).replace(tzinfo=None) for instant in instants]
    last_place = {wall: place for place, wall in enumerate(walls)}
    seen = set(walls[:_LONGEST_REPEAT])
    for place in range(_LONGEST_REPEAT, _LONGEST_REPEAT + count):
        wall, expected = walls[place], walls[place - 1] + MINUTE
        missing = (
            [expected + number * MINUTE for number in range((wall - expected) // MINUTE)] if wall > expected else []
        )
        yield Minute(instants[place], wall, missing, wall in seen, last_place[wall] > place)
        seen.add(wall)


def always(at: datetime, wall: datetime) -> bool:
    return True


@dataclass
class Meaning:
    """What a rule means: these hours and minutes of the wall clock, on some days, under one more condition."""

    hours: set[int]
    minutes: set[int]
    day: Callable[[date], bool]
    fixed: bool
    """Whether what a schedule says of gaps and repetitions applies to it."""
    also: Callable[[datetime, datetime], bool] = always

    def wants(self, at: datetime, wall: datetime) -> bool:
        return wall.hour in self.hours and wall.minute in self.minutes and self.day(wall.date()) and self.also(at, wall)


def due(meaning: Meaning, window: Window, gap: str, repeat: str) -> list[datetime]:
    """The minutes of the window at which a rule of this meaning is due."""
    if not meaning.fixed:
        gap, repeat = "skip", "both"
    shown = [minute for time in product(meaning.hours, meaning.minutes) for minute in window.by_time.get(time, ())]
    found = {
        minute.at
        for minute in shown
        if not (repeat == "first" and minute.seen_before)
        and not (repeat == "second" and minute.comes_again)
        and meaning.wants(minute.at, minute.wall)
    }
    if gap == "shift":
        found |= {
            minute.at for minute in window.after_gaps if any(meaning.wants(minute.at, wall) for wall in minute.skipped)
        }
    return sorted(found)


def cron(text: str) -> Meaning:
    """Five fields, as the manual of Debian's cron has them, with L, LW, 5L and 1#2."""
    minute, hour, of_month, month, of_week = text.upper().split()
    hours, minutes_ = _values(hour, 0, 23), _values(minute, 0, 59)
    months = _values(month, 1, 12, _MONTHS)
    both = of_month.startswith("*") or of_week.startswith("*")

    @cache
    def on(day: date) -> bool:
        if day.month not in months:
            return False
        by_month = any(_month_day(day, item) for item in of_month.split(","))
        by_week = any(_week_day(day, item) for item in of_week.split(","))
        return by_month and by_week if both else by_month or by_week

    fixed = "*" not in minute + hour and len(hours) < 24 and len(minutes_) < 60
    return Meaning(hours, minutes_, on, fixed)


def _values(text: str, low: int, high: int, names: list[str] | None = None) -> set[int]:
    def number(word: str) -> int:
        return names.index(word) + low if names and word in names else int(word)

    found: set[int] = set()
    for item in text.split(","):
        span, _, step = item.partition("/")
        if span == "*":
            first, last = low, high
        elif "-" in span:
            first, last = (number(word) for word in span.split("-"))
        else:
            first = number(span)
            last = high if step else first
        found.update(range(first, last + 1, int(step or 1)))
    return found


def _month_day(day: date, item: str) -> bool:
    length = calendar.monthrange(day.year, day.month)[1]
    if item == "L":
        return day.day == length
    if item == "LW":
        weekdays = [number for number in range(1, length + 1) if date(day.year, day.month, number).weekday() < 5]
        return day.day == weekdays[-1]
    return day.day in _values(item, 1, 31)


def _week_day(day: date, item: str) -> bool:
    number = day.isoweekday() % 7
    if item.endswith("L"):
        return number == int(item[:-1]) % 7 and (day + timedelta(days=7)).month != day.month
    if "#" in item:
        word, nth = item.split("#")
        wanted = _CRON_DAYS.index(word) if word in _CRON_DAYS else int(word) % 7
        return number == wanted and (day.day - 1) // 7 + 1 == int(nth)
    return number in {value % 7 for value in _values(item, 0, 7, _CRON_DAYS)}


def interval(every: timedelta, base: datetime) -> Meaning:
    def counts(at: datetime, wall: datetime) -> bool:
        return at >= base and (at - base) % every == timedelta(0)

    return Meaning(set(range(24)), set(range(60)), lambda day: True, fixed=False, also=counts)


def once(wall: datetime) -> Meaning:
    return Meaning({wall.hour}, {wall.minute}, lambda day: day == wall.date(), fixed=True)
