"""A rule as a sentence: one text for the API, the pages and the command line."""

from collections.abc import Sequence
from datetime import datetime

from fencepost.recurrence.cron import CronDays, read_cron_fields
from fencepost.recurrence.local import wall_at
from fencepost.recurrence.phrases import (
    WEEKDAYS,
    counted,
    day,
    day_and_time,
    days_of_month,
    days_of_week,
    duration,
    in_months,
    listed,
    numbers,
    ordinal,
    times,
)
from fencepost.recurrence.rrules import Parts, read_parts, with_defaults
from fencepost.recurrence.rules import Rule
from fencepost.recurrence.zones import city

_ALL_DAYS = tuple((day, 0) for day in range(7))
_DAYS_END = (23, 59, 59)
_PERIODS = {
    "YEARLY": "year",
    "MONTHLY": "month",
    "WEEKLY": "week",
    "DAILY": "day",
    "HOURLY": "hour",
    "MINUTELY": "minute",
}


def words(rule: Rule) -> str:
    """Such as `At 09:00 on the last Friday of the month, Berlin time`: English, on a 24-hour clock."""
    start = wall_at(rule.starts_at or rule.anchor, rule.timezone)
    if rule.expression is not None:
        said = _cron(rule.expression)
    elif rule.every is not None:
        said = f"Every {duration(rule.every)}, counted from {day_and_time(start)}"
    elif rule.rule is not None:
        said = _rrule(read_parts(rule.rule, ""), start) + _ending(rule)
    else:
        assert rule.at is not None
        at = wall_at(rule.at, rule.timezone)
        said = f"Once on {WEEKDAYS[at.weekday()]}, {day_and_time(at)}"
    name = city(rule.timezone)
    return f"{said}, {name if name == 'UTC' else name + ' time'}"


def _cron(expression: str) -> str:
    fields = read_cron_fields(expression)
    return _sentence(times(fields.hours, fields.minutes), _cron_days(fields.days, fields.months))


def _cron_days(days: CronDays, months: tuple[int, ...]) -> str:
    limited = months if len(months) < 12 else ()
    within = in_months(limited) if limited else "the month"
    in_these = f" in {in_months(limited)}" if limited else ""
    of_month = days_of_month(days.of_month, last_weekday=days.last_weekday) if days.limits_month_day else ""
    of_week = _week(days.of_week, limited) if days.limits_weekday else ""
    if of_month and of_week and days.both:
        return f"{days_of_week(days.of_week, 'the month')} falling on {of_month} of {within}"
    if of_month and of_week:
        return f"on {of_month} of {within} as well as {of_week}"
    if of_month:
        return f"on {of_month} of {within}"
    return of_week or (f"every day{in_these}" if in_these else "")


def _week(weekdays: Sequence[tuple[int, int]], months: tuple[int, ...], within: str = "the month") -> str:
    """Days of the week in these months (none: in all): `on the last Friday of June`, `on Friday in June`."""
    if not months:
        return days_of_week(weekdays, within)
    if all(nth for _, nth in weekdays):
        return days_of_week(weekdays, in_months(months))
    return f"{days_of_week(weekdays, within)} in {in_months(months)}"


def _rrule(parts: Parts, start: datetime) -> str:
    whole = with_defaults(parts, start)
    if parts.sub_daily:
        return _sub_daily(parts, whole, start)
    said = _sentence(times(whole.hours, whole.minutes, whole.seconds), _rrule_days(whole))
    if parts.positions:
        said += f", only the {listed([ordinal(position) for position in parts.positions])} of each {_PERIODS[parts.frequency]}"
    by_week = parts.weeks or (parts.frequency == "WEEKLY" and (parts.interval > 1 or parts.positions))
    return f"{said}, weeks beginning on {WEEKDAYS[parts.week_start]}" if by_week and parts.week_start else said


def _rrule_days(parts: Parts) -> str:
    """The days of a rule of DAILY or coarser. What DTSTART adds stands in the parts already."""
    unit = _PERIODS[parts.frequency]
    every = f"every {counted(parts.interval, unit)}" if parts.interval > 1 else ""
    limits = _limits(parts, "the year" if parts.frequency == "YEARLY" and not parts.months else "the month")
    if every and limits:
        if parts.frequency == "DAILY":
            return f"{every}, only {limits.removeprefix('every day ')}"
        return f"{every}, {limits}" if limits[0].isupper() else f"{every} {limits}"
    return every or limits


def _limits(parts: Parts, within: str) -> str:
    """What the BY parts leave of the days, all of them together."""
    months = in_months(parts.months) if parts.months else ""
    dated = [f"{days_of_month(parts.month_days)} of {months or 'the month'}"] if parts.month_days else []
    dated += [f"{days_of_month(parts.year_days)} of the year"] if parts.year_days else []
    all_days = tuple(parts.weekdays) == _ALL_DAYS and parts.interval == 1
    said = _week(parts.weekdays, () if dated else parts.months, within) if parts.weekdays and not all_days else ""
    for date in dated:
        said += f" falling on {date}" if said else f"on {date}"
    if parts.weeks:
        said += (
            f"{'' if said else 'every day'} of {'week' if len(parts.weeks) == 1 else 'weeks'} {numbers(parts.weeks)}"
        )
    if months and months not in said:
        said += f" in {months}" if said else f"every day in {months}"
    return said


def _sub_daily(parts: Parts, whole: Parts, start: datetime) -> str:
    said = f"Every {counted(parts.interval, _PERIODS[parts.frequency])}"
    if parts.minutes:
        said += f" at {'minute' if len(parts.minutes) == 1 else 'minutes'} {numbers(parts.minutes)}"
    exact = parts.interval == 1 and (parts.minutes or parts.frequency == "MINUTELY")
    if whole.seconds != (0,) and (exact or parts.seconds):
        said += f" at {'second' if len(whole.seconds) == 1 else 'seconds'} {numbers(whole.seconds)}"
    if parts.hours:
        said += f" in {'hour' if len(parts.hours) == 1 else 'hours'} {numbers(parts.hours)}"
    limits = _limits(parts, "the month")
    if limits:
        said += f", {limits}"
    return said if exact else f"{said}, counted from {day_and_time(start)}"


def _ending(rule: Rule) -> str:
    assert rule.rule is not None
    count = read_parts(rule.rule, "").count
    if count:
        return f", {counted(count, 'time')}" if count > 1 else ", one time"
    if rule.last is None:
        return ""
    last = wall_at(rule.last, rule.timezone)
    return f", until {day(last) if (last.hour, last.minute, last.second) == _DAYS_END else day_and_time(last)}"


def _sentence(time: str, days: str) -> str:
    """Joins both; what is said at fixed times without a day is said every day."""
    fixed = time.startswith("At ") and "of every hour" not in time
    if not days:
        return f"{time} every day" if fixed else time
    return f"{time} {days}" if fixed and not days[0].isupper() else f"{time}, {days}"
