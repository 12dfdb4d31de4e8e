"""Recurrence rules of RFC 5545, read part by part.

`calendar.py` expands DAILY and coarser ones, `subdaily.py` HOURLY and MINUTELY. DTSTART is not part of the rule: it is the
schedule's starts_at, or the instant at which it was made. COUNT and UNTIL become one last instant.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, time, timedelta, tzinfo
from typing import Literal, get_args

from fencepost.errors import Invalid, Problem
from fencepost.recurrence.local import first_after_gap, instants_of

Frequency = Literal["YEARLY", "MONTHLY", "WEEKLY", "DAILY", "HOURLY", "MINUTELY"]
LONGEST = 1000
DAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")

_MOST_COUNT = 1000
_MOST_INTERVAL = 100_000
_RANGES: Mapping[str, tuple[int, int]] = {
    "BYMONTH": (1, 12),
    "BYMONTHDAY": (-31, 31),
    "BYYEARDAY": (-366, 366),
    "BYWEEKNO": (-51, 51),  # dateutil takes the first days of some Januaries for week 53; -1 is the last week
    "BYHOUR": (0, 23),
    "BYMINUTE": (0, 59),
    "BYSECOND": (0, 59),
    "BYSETPOS": (-366, 366),
}
_ORDER = ("FREQ", "INTERVAL", "COUNT", "UNTIL", "WKST", "BYDAY", *_RANGES)
_DAY = re.compile(r"([+-]?\d{1,2})?(MO|TU|WE|TH|FR|SA|SU)")
_UNTIL = re.compile(r"\d{8}(T\d{6}Z?)?")


@dataclass(frozen=True, slots=True)
class Parts:
    """A recurrence rule. An empty tuple is a part that was not given.

    `weekdays` are (number 0 to 6 from Monday, n-th or 0 for every one). `until`: UTC; a local time until it was resolved.
    """

    frequency: Frequency
    interval: int = 1
    count: int | None = None
    until: str | None = None
    week_start: int = 0
    weekdays: tuple[tuple[int, int], ...] = ()
    months: tuple[int, ...] = ()
    month_days: tuple[int, ...] = ()
    year_days: tuple[int, ...] = ()
    weeks: tuple[int, ...] = ()
    hours: tuple[int, ...] = ()
    minutes: tuple[int, ...] = ()
    seconds: tuple[int, ...] = ()
    positions: tuple[int, ...] = ()

    @property
    def sub_daily(self) -> bool:
        return self.frequency in ("HOURLY", "MINUTELY")


def read_parts(text: str, pointer: str) -> Parts:
    """The rule as written, with or without `RRULE:` in front. Raises Invalid with every part that is wrong."""
    given = _split(text.strip().upper().removeprefix("RRULE:"), pointer)
    problems: list[Problem] = []
    frequency = _frequency(given, pointer)
    numbers = {name: _numbers(given[name], name, problems, pointer) for name in _RANGES if name in given}
    parts = Parts(
        frequency=frequency,
        interval=_number(given, "INTERVAL", _MOST_INTERVAL, problems, pointer) or 1,
        count=_number(given, "COUNT", _MOST_COUNT, problems, pointer),
        until=_until_text(given.get("UNTIL"), problems, pointer),
        week_start=_week_start(given.get("WKST", "MO"), problems, pointer),
        weekdays=_weekdays(given.get("BYDAY"), problems, pointer),
        months=numbers.get("BYMONTH", ()),
        month_days=numbers.get("BYMONTHDAY", ()),
        year_days=numbers.get("BYYEARDAY", ()),
        weeks=numbers.get("BYWEEKNO", ()),
        hours=numbers.get("BYHOUR", ()),
        minutes=numbers.get("BYMINUTE", ()),
        seconds=numbers.get("BYSECOND", ()),
        positions=numbers.get("BYSETPOS", ()),
    )
    problems += [Problem(pointer, detail) for detail in _contradictions(parts)]
    if problems:
        raise Invalid(*problems)
    return parts


def with_defaults(parts: Parts, start: datetime) -> Parts:
    """The rule with everything written out that RFC 5545 takes from DTSTART (`start`: wall-clock time)."""
    days = parts.weekdays or parts.month_days or parts.year_days or parts.weeks
    if not days and parts.frequency == "YEARLY":
        parts = replace(parts, months=parts.months or (start.month,), month_days=(start.day,))
    elif not days and parts.frequency == "MONTHLY":
        parts = replace(parts, month_days=(start.day,))
    elif not days and parts.frequency == "WEEKLY":
        parts = replace(parts, weekdays=((start.weekday(), 0),))
    if not parts.sub_daily:
        parts = replace(parts, hours=parts.hours or (start.hour,), minutes=parts.minutes or (start.minute,))
    return replace(parts, seconds=parts.seconds or (start.second,))


def last_instant(until: str, zone: tzinfo) -> datetime:
    """UNTIL as the last instant that counts: UTC with a Z, else in the rule's zone; a date alone lasts to its end."""
    if until.endswith("Z"):
        return datetime.strptime(until, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    wall = datetime.strptime(until[:8], "%Y%m%d")  # noqa: DTZ007 - a wall-clock time
    wall += timedelta(days=1, seconds=-1) if len(until) == 8 else _time_of(until)
    shown = instants_of(wall, zone)
    return shown[-1] if shown else first_after_gap(wall, zone)


def _time_of(until: str) -> timedelta:
    at = time.fromisoformat(until[9:])
    return timedelta(hours=at.hour, minutes=at.minute, seconds=at.second)


def _split(text: str, pointer: str) -> dict[str, str]:
    given: dict[str, str] = {}
    for part in text.rstrip(";").split(";"):
        name, equals, value = (piece.strip() for piece in part.partition("="))
        if name.startswith("DTSTART"):
            raise _wrong(pointer, "DTSTART does not belong into the rule: set starts_at.")
        if not equals or not value:
            raise _wrong(
                pointer, f"“{part[:60]}” is not a part of a rule. Write FREQ=WEEKLY;BYDAY=MO;BYHOUR=9;BYMINUTE=0."
            )
        if name not in _ORDER:
            raise _wrong(pointer, f"{name[:60]} is not known. A rule takes {', '.join(_ORDER)}.")
        if name in given:
            raise _wrong(
                pointer, f"{name} is given twice. Use one, with a list: {name}={given[name][:40]},{value[:40]}."
            )
        given[name] = value
    return given


def _frequency(given: Mapping[str, str], pointer: str) -> Frequency:
    value = given.get("FREQ", "")
    for frequency in get_args(Frequency):
        if frequency == value:
            found: Frequency = frequency
            return found
    if value == "SECONDLY":
        raise _wrong(pointer, "Mail is not sent every second. Use FREQ=MINUTELY or a coarser one.")
    raise _wrong(pointer, f"FREQ must be one of {', '.join(get_args(Frequency))}.")


def _number(given: Mapping[str, str], name: str, most: int, problems: list[Problem], pointer: str) -> int | None:
    text = given.get(name)
    if text is None:
        return None
    if re.fullmatch(r"[0-9]{1,9}", text) and 1 <= int(text) <= most:
        return int(text)
    hint = "; for more, use max_occurrences" if name == "COUNT" else ""
    problems.append(Problem(pointer, f"{name} must be a whole number from 1 to {most}{hint}."))
    return None


def _numbers(text: str, name: str, problems: list[Problem], pointer: str) -> tuple[int, ...]:
    low, high = _RANGES[name]
    items = text.split(",")
    numbers = sorted({int(item) for item in items if re.fullmatch(r"[+-]?[0-9]{1,3}", item)})
    readable = all(re.fullmatch(r"[+-]?[0-9]{1,3}", item) for item in items)
    if not readable or not all(low <= number <= high and (number or low >= 0) for number in numbers):
        span = f"from {low} to {high}" if low >= 0 else f"from 1 to {high}, or -1 to {low} counted from the end"
        problems.append(Problem(pointer, f"{name} takes whole numbers {span}, separated by commas."))
        return ()
    return tuple(numbers)


def _weekdays(text: str | None, problems: list[Problem], pointer: str) -> tuple[tuple[int, int], ...]:
    if text is None:
        return ()
    days = []
    for item in text.split(","):
        found = _DAY.fullmatch(item)
        if not found or (found[1] is not None and not 1 <= abs(int(found[1])) <= 53):
            problems.append(
                Problem(pointer, f"BYDAY can't take “{item[:20]}”. Write MO, TU, WE, TH, FR, SA, SU, 2MO or -1FR.")
            )
            return ()
        days.append((DAYS.index(found[2]), int(found[1] or 0)))
    return tuple(sorted(set(days)))


def _week_start(text: str, problems: list[Problem], pointer: str) -> int:
    if text in DAYS:
        return DAYS.index(text)
    problems.append(Problem(pointer, f"WKST must be one of {', '.join(DAYS)}."))
    return 0


def _until_text(text: str | None, problems: list[Problem], pointer: str) -> str | None:
    if text is None:
        return None
    try:
        if not _UNTIL.fullmatch(text):
            raise ValueError(text)
        datetime.fromisoformat(text)
    except ValueError:
        problems.append(Problem(pointer, "UNTIL takes a date or an instant: UNTIL=20261231 or UNTIL=20261231T230000Z."))
        return None
    return text


def _contradictions(parts: Parts) -> list[str]:
    """What RFC 5545 (3.3.10) forbids together, and what we leave out."""
    frequency = parts.frequency
    found = []
    if parts.count and parts.until:
        found.append("COUNT and UNTIL exclude each other: leave one out.")
    if parts.weeks and frequency != "YEARLY":
        found.append("BYWEEKNO goes with FREQ=YEARLY only.")
    if parts.year_days and frequency != "YEARLY":
        found.append("BYYEARDAY goes with FREQ=YEARLY only.")
    if parts.month_days and frequency == "WEEKLY":
        found.append("BYMONTHDAY does not go with FREQ=WEEKLY: use FREQ=MONTHLY or DAILY.")
    if any(nth for _, nth in parts.weekdays):
        if frequency not in ("MONTHLY", "YEARLY"):
            found.append(f"BYDAY takes a number (such as 2MO) with FREQ=MONTHLY or YEARLY only, not with {frequency}.")
        most = 5 if parts.months or frequency == "MONTHLY" else 53
        if any(abs(nth) > most for _, nth in parts.weekdays):
            found.append(f"BYDAY counts at most {most} of a weekday in a {'month' if most == 5 else 'year'}.")
        if parts.weeks:
            found.append("BYDAY takes no number together with BYWEEKNO.")
    by_anything = any(
        (parts.weekdays, parts.months, parts.month_days, parts.year_days, parts.weeks, parts.hours, parts.minutes)
    )
    if parts.positions and (parts.sub_daily or not by_anything):
        found.append("BYSETPOS picks from other BY parts of a rule with FREQ=DAILY or coarser.")
    return found


def _wrong(pointer: str, detail: str) -> Invalid:
    return Invalid(Problem(pointer, detail))
