"""The oracle's reading of RFC 5545: does a rule mean this minute? COUNT and UNTIL are not its business."""

import calendar
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from functools import cache
from itertools import product
from zoneinfo import ZoneInfo

from tests.unit.recurrence.matcher import Meaning

_DAYS = ["MO", "TU", "WE", "TH", "FR", "SA", "SU"]
_HOUR, _MINUTE = timedelta(hours=1), timedelta(minutes=1)

Parts = dict[str, list[str]]


def rrule(text: str, start: datetime, zone: ZoneInfo) -> Meaning:
    """The rule with DTSTART at `start`, a whole minute."""
    parts = {name: value.split(",") for name, _, value in (part.partition("=") for part in text.split(";"))}
    first = start.astimezone(zone).replace(tzinfo=None)
    if parts["FREQ"][0] in ("HOURLY", "MINUTELY"):
        return _sub_daily(parts, start, first)
    hours = _numbers(parts, "BYHOUR") or {first.hour}
    minutes = _numbers(parts, "BYMINUTE") or {first.minute}
    positions = _numbers(parts, "BYSETPOS")

    @cache
    def on(day: date) -> bool:
        return _in_step(parts, day, first.date()) and _allowed(parts, day, first.date())

    @cache
    def chosen(begin: date) -> set[datetime]:
        days = [day for day in _period(parts, begin) if _allowed(parts, day, first.date())]
        times = [
            datetime.combine(day, time(hour, minute))
            for day, hour, minute in product(days, sorted(hours), sorted(minutes))
        ]
        return {times[place - 1 if place > 0 else place] for place in positions if abs(place) <= len(times)}

    def also(at: datetime, wall: datetime) -> bool:
        return wall >= first and (not positions or wall in chosen(_begin(parts, wall.date())))

    return Meaning(hours, minutes, on, len(hours) < 24 and len(minutes) < 60, also)


def _sub_daily(parts: Parts, start: datetime, first: datetime) -> Meaning:
    """Periods of elapsed time; an hour with BYMINUTE begins where the wall clock's hour did at DTSTART."""
    minutes = _numbers(parts, "BYMINUTE")
    hourly = parts["FREQ"] == ["HOURLY"]
    unit = _HOUR if hourly else _MINUTE
    base = start - first.minute * _MINUTE if hourly and minutes else start
    step = int(parts.get("INTERVAL", ["1"])[0])

    def also(at: datetime, wall: datetime) -> bool:
        period, rest = divmod(at - base, unit)
        return at >= start and period % step == 0 and (bool(minutes) or not rest)

    @cache
    def on(day: date) -> bool:
        return _allowed(parts, day, first.date())

    return Meaning(_numbers(parts, "BYHOUR") or set(range(24)), minutes or set(range(60)), on, fixed=False, also=also)


def _numbers(parts: Parts, name: str) -> set[int]:
    return {int(item) for item in parts.get(name, [])}


def _allowed(parts: Parts, day: date, first: date) -> bool:
    """Whether the BY parts let this day through, with what they take from DTSTART."""
    frequency = parts["FREQ"][0]
    length = calendar.monthrange(day.year, day.month)[1]
    days_of_year = 366 if calendar.isleap(day.year) else 365
    month_days = _numbers(parts, "BYMONTHDAY")
    months = _numbers(parts, "BYMONTH")
    weekdays = parts.get("BYDAY", [])
    if not {"BYDAY", "BYMONTHDAY", "BYYEARDAY", "BYWEEKNO"} & set(parts):
        if frequency == "YEARLY":
            months, month_days = months or {first.month}, {first.day}
        if frequency == "MONTHLY":
            month_days = {first.day}
        if frequency == "WEEKLY":
            weekdays = [_DAYS[first.weekday()]]
    year_day = day.timetuple().tm_yday
    return (
        (not months or day.month in months)
        and (not month_days or bool({day.day, day.day - length - 1} & month_days))
        and ("BYYEARDAY" not in parts or bool({year_day, year_day - days_of_year - 1} & _numbers(parts, "BYYEARDAY")))
        and ("BYWEEKNO" not in parts or _in_week(day, _numbers(parts, "BYWEEKNO")))
        and (not weekdays or any(_is(parts, day, item) for item in weekdays))
    )


def _in_week(day: date, weeks: set[int]) -> bool:
    """Weeks from Monday. A week that reaches over New Year counts by its number on both sides of it."""
    year, week, _ = day.isocalendar()
    weeks_of_year = date(year, 12, 28).isocalendar()[1]
    return week in weeks or week - weeks_of_year - 1 in weeks


def _is(parts: Parts, day: date, item: str) -> bool:
    if day.weekday() != _DAYS.index(item[-2:]):
        return False
    nth = int(item[:-2] or 0)
    if not nth:
        return True
    if parts["FREQ"] == ["MONTHLY"] or "BYMONTH" in parts:
        place, length = day.day, calendar.monthrange(day.year, day.month)[1]
    else:
        place, length = day.timetuple().tm_yday, 366 if calendar.isleap(day.year) else 365
    return nth in ((place - 1) // 7 + 1, -((length - place) // 7 + 1))


def _in_step(parts: Parts, day: date, first: date) -> bool:
    step = int(parts.get("INTERVAL", ["1"])[0])
    frequency = parts["FREQ"][0]
    begin, origin = _begin(parts, day), _begin(parts, first)
    if frequency == "YEARLY":
        return (begin.year - origin.year) % step == 0
    if frequency == "MONTHLY":
        return ((begin.year - origin.year) * 12 + begin.month - origin.month) % step == 0
    return (begin - origin).days // (7 if frequency == "WEEKLY" else 1) % step == 0


def _begin(parts: Parts, day: date) -> date:
    """The first day of the period that `day` lies in."""
    frequency = parts["FREQ"][0]
    if frequency == "YEARLY":
        return day.replace(month=1, day=1)
    if frequency == "MONTHLY":
        return day.replace(day=1)
    if frequency == "WEEKLY":
        return day - timedelta(days=(day.weekday() - _DAYS.index(parts.get("WKST", ["MO"])[0])) % 7)
    return day


def _period(parts: Parts, begin: date) -> Iterator[date]:
    day = begin
    while _begin(parts, day) == begin:
        yield day
        day += timedelta(days=1)
