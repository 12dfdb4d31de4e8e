"""From the definition that people send to a Rule, or to a sentence for each field that is wrong."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import islice
from typing import TypeVar, cast, get_args
from zoneinfo import ZoneInfo

from fencepost.clock import as_utc, iso
from fencepost.errors import Invalid, Problem
from fencepost.recurrence import cron, rrules
from fencepost.recurrence.calendar import Calendar
from fencepost.recurrence.cron import cron_series, read_fields
from fencepost.recurrence.intervals import Interval, read_at, read_every
from fencepost.recurrence.local import HORIZON, SECOND, Gap, Policy, Repeat, wall_at
from fencepost.recurrence.reading import invalid, read_choice, read_instant, read_text, refuse_unknown, whole_second
from fencepost.recurrence.rrules import Parts, last_instant, read_parts, with_defaults
from fencepost.recurrence.rules import Rule, RuleType, Series
from fencepost.recurrence.subdaily import SubDaily
from fencepost.recurrence.zones import read_zone, zone

T = TypeVar("T")

_NEVER = "This rule never comes. Choose times that the clock shows, on days that the calendar has."
_NEAR = timedelta(days=5 * 366)
"""How far COUNT may reach with FREQ=HOURLY and MINUTELY; counting further would take long."""


@dataclass(frozen=True, slots=True)
class _Frame:
    """What every kind of rule is read against."""

    zone: ZoneInfo
    policy: Policy
    anchor: datetime
    start: datetime
    """starts_at, else the anchor."""


def parse_rule(
    recurrence: Mapping[str, object],
    *,
    starts_at: datetime | str | None = None,
    ends_at: datetime | str | None = None,
    dst: Mapping[str, object] | None = None,
    anchor: datetime,
) -> Rule:
    """The rule of a definition, such as `{"type": "cron", "expression": "0 9 * * 1-5", "timezone": "Europe/Berlin"}`.

    `starts_at` and `ends_at` are inclusive, and aware (or RFC 3339 texts). `anchor` is the instant at which the schedule was
    made: intervals and recurrence rules count from `starts_at`, else from it, and a rule that is not due any more from then
    on is refused. The zone is UTC unless given. Raises Invalid, with one problem for each wrong field.
    """
    made = whole_second(as_utc(anchor))
    problems: list[Problem] = []
    policy = _gather(problems, lambda: _read_policy(dst)) or Policy()
    begin = _gather(problems, lambda: _read_bound(starts_at, "/starts_at", up=True))
    end = _gather(problems, lambda: _read_bound(ends_at, "/ends_at", up=False))
    if begin and end and end < begin:
        problems.append(Problem("/ends_at", f"This lies before starts_at. It must not be earlier than {iso(begin)}."))
    kind = _gather(problems, lambda: _read_type(recurrence))
    if kind is None:
        raise Invalid(*problems)
    known_zone = _gather(problems, lambda: _read_zone(recurrence))
    frame = _Frame(known_zone or zone("UTC"), policy, made, begin or made)
    rule = _gather(problems, lambda: _READERS[kind](recurrence, frame))
    if problems or rule is None:
        raise Invalid(*problems)
    rule = replace(rule, starts_at=begin, ends_at=end)
    _refuse_never(rule, since=max(made, frame.start) - SECOND)
    return rule


def _read_cron(recurrence: Mapping[str, object], frame: _Frame) -> Rule:
    pointer = "/recurrence/expression"
    expression = read_text(
        recurrence.get("expression"), pointer, wanted="five cron fields, such as 0 9 * * 1-5", longest=cron.LONGEST
    )
    series = cron_series(read_fields(expression, pointer), frame.zone, frame.policy)
    return replace(_bare("cron", frame, series), expression=expression)


def _read_interval(recurrence: Mapping[str, object], frame: _Frame) -> Rule:
    every = read_every(recurrence.get("every"), "/recurrence/every")
    return replace(_bare("interval", frame, Interval(every, frame.start)), every=every)


def _read_once(recurrence: Mapping[str, object], frame: _Frame) -> Rule:
    once = read_at(recurrence.get("at"), "/recurrence/at", frame.zone, frame.policy)
    return replace(_bare("once", frame, once), at=once.at)


def _read_rrule(recurrence: Mapping[str, object], frame: _Frame) -> Rule:
    pointer = "/recurrence/rule"
    text = read_text(
        recurrence.get("rule"), pointer, wanted="a rule such as FREQ=WEEKLY;BYDAY=MO;BYHOUR=9", longest=rrules.LONGEST
    )
    start = wall_at(frame.start, frame.zone)
    parts = with_defaults(read_parts(text, pointer), start)
    series = _rrule_series(parts, frame, pointer)
    last = last_instant(parts.until, frame.zone) if parts.until else None
    if parts.count:
        last = _last_of(parts, series, frame.start, pointer)
    return replace(_bare("rrule", frame, series), rule=text, last=last)


_READERS: Mapping[RuleType, Callable[[Mapping[str, object], _Frame], Rule]] = {
    "cron": _read_cron,
    "interval": _read_interval,
    "rrule": _read_rrule,
    "once": _read_once,
}
_FIELD_OF: Mapping[RuleType, str] = {"cron": "expression", "interval": "every", "rrule": "rule", "once": "at"}


def _bare(kind: RuleType, frame: _Frame, series: Series) -> Rule:
    policy = frame.policy
    return Rule(kind, frame.zone, frame.anchor, gap=policy.gap, repeat=policy.repeat, series=series)


def _rrule_series(parts: Parts, frame: _Frame, pointer: str) -> Series:
    if parts.sub_daily:
        return SubDaily(parts, frame.start, frame.zone)
    calendar = Calendar(parts, wall_at(frame.start, frame.zone))
    if not calendar.comes():
        raise invalid(pointer, _NEVER)
    return calendar.series(frame.zone, frame.policy)


def _last_of(parts: Parts, series: Series, start: datetime, pointer: str) -> datetime:
    """The instant at which COUNT is used up."""
    assert parts.count is not None
    horizon = start + (_NEAR if parts.sub_daily else HORIZON)
    last = None
    for instant in islice(series.after(start - SECOND), parts.count):
        if instant > horizon:
            raise invalid(
                pointer, f"COUNT={parts.count} would reach into the year {instant.year}. Choose a smaller one."
            )
        last = instant
    if last is None:
        raise invalid(pointer, _NEVER)
    return last


def _refuse_never(rule: Rule, since: datetime) -> None:
    """Raises Invalid for a rule without an instant after `since`, which lies before neither its making nor its start."""
    pointer = f"/recurrence/{_FIELD_OF[rule.type]}"
    first = next(rule.series.after(since), None)
    if rule.at is not None and first is None:
        limit = "starts_at" if rule.starts_at and rule.starts_at > rule.at else "now"
        raise invalid(pointer, f"{iso(rule.at)} lies before {limit}. A single run needs an instant to come.")
    if first is None:
        raise invalid(pointer, _NEVER)
    if rule.last is not None and first > rule.last:
        raise invalid(pointer, f"This rule never comes: its end was before its first instant to come, {iso(first)}.")
    if rule.ends_at is not None and first > rule.ends_at:
        raise invalid("/ends_at", f"The rule first comes at {iso(first)}, after its end. Choose a later ends_at.")


def _read_type(recurrence: Mapping[str, object]) -> RuleType:
    if not isinstance(recurrence, Mapping):
        raise invalid("/recurrence", 'This must be an object such as {"type": "interval", "every": "15m"}.')
    kind = cast(RuleType, read_choice(recurrence.get("type"), "/recurrence/type", get_args(RuleType)))
    refuse_unknown(recurrence, ("type", _FIELD_OF[kind], "timezone"), "/recurrence", f"a recurrence of type {kind}")
    return kind


def _read_zone(recurrence: Mapping[str, object]) -> ZoneInfo:
    pointer = "/recurrence/timezone"
    given = recurrence.get("timezone")
    if given is None:
        return zone("UTC")
    return read_zone(read_text(given, pointer, wanted="a time zone such as Europe/Berlin", longest=64), pointer)


def _read_policy(dst: Mapping[str, object] | None) -> Policy:
    if dst is None:
        return Policy()
    if not isinstance(dst, Mapping):
        raise invalid("/dst", 'This must be an object such as {"gap": "shift", "repeat": "first"}.')
    refuse_unknown(dst, ("gap", "repeat"), "/dst", "dst")
    gap = read_choice(dst.get("gap", "shift"), "/dst/gap", get_args(Gap))
    repeat = read_choice(dst.get("repeat", "first"), "/dst/repeat", get_args(Repeat))
    return Policy(cast(Gap, gap), cast(Repeat, repeat))


def _read_bound(value: object, pointer: str, *, up: bool) -> datetime | None:
    return None if value is None else whole_second(read_instant(value, pointer), up=up)


def _gather(problems: list[Problem], read: Callable[[], T]) -> T | None:
    """What `read` returns; where it refuses, its problems are added to the others'."""
    try:
        return read()
    except Invalid as refused:
        problems.extend(refused.problems)
        return None
