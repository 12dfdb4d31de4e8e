"""What a schedule's due instants become: occurrences that run, or skips on record. Pure; decided once, inside W2."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import groupby

from fencepost import ids
from fencepost.overlaps import admitted, overlap_of
from fencepost.schedules import Rules, Schedule, Skip, SkipReason, Version, due_instants, next_instant

_JUST_BEFORE = timedelta(microseconds=1)
"""No edit lies so close before an instant: versions begin on milliseconds. With more, the version before an edit in that time would
be asked for its rule, although none of its instants can be due any more."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How much one pass does for one schedule (what is left comes in the next), and from when on an occurrence counts as
    found late."""

    instants: int = 10_000
    deliveries: int = 20_000
    grace: timedelta = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class Plan:
    """What one pass decides for one schedule: the instants to run with their versions, the skips, and how it stands after.
    `after_occurrence` names, for an instant that has to wait, the occurrence that has to end first."""

    schedule: Schedule
    runs: tuple[tuple[datetime, Version], ...]
    skips: tuple[Skip, ...]
    after: Schedule
    after_occurrence: Mapping[datetime, str] = field(default_factory=dict)


def plan(
    schedule: Schedule, rules: Rules, now: datetime, limits: Limits, open_occurrences: Collection[str] = ()
) -> Plan | None:
    """Plan all that is due by `now`, in one go; None if nothing is. Raises whatever the recurrence raises: the caller
    quarantines that one schedule. `open_occurrences` are its own with mail that is pending or sending, read after the
    schedule was; only a schedule that does not allow overlaps needs them."""
    if schedule.next_run_at is None or schedule.next_run_at > now:
        return None
    most = _most_instants(schedule, limits)
    found: list[tuple[datetime, Version]] = []
    for instant in due_instants(schedule, rules, schedule.next_run_at - _JUST_BEFORE, now):
        found.append(instant)
        if len(found) == most:
            break
    complete = len(found) < most
    decided = [
        (instant, version, _reason(schedule, instant, version, now, limits, complete)) for instant, version in found
    ]
    decided = _keep_latest(schedule, decided, limits, now)
    decided, waits = _without_overlaps(schedule, decided, open_occurrences)
    decided = _up_to_count(schedule, decided)
    runs = tuple((instant, version) for instant, version, reason in decided if reason is None)
    skips = _runs_of_skips(schedule, decided)
    last = decided[-1][0] if decided else schedule.next_run_at
    return Plan(schedule, runs, skips, _after(schedule, rules, last, len(runs), skips, now), waits)


def _most_instants(schedule: Schedule, limits: Limits) -> int:
    if schedule.definition["misfire"]["policy"] != "all":
        return limits.instants
    return max(1, min(limits.instants, limits.deliveries // len(schedule.definition["message"]["to"])))


_Decided = list[tuple[datetime, Version, SkipReason | None]]


def _reason(
    schedule: Schedule, instant: datetime, version: Version, now: datetime, limits: Limits, complete: bool
) -> SkipReason | None:
    if schedule.deleted:
        return SkipReason.DELETED
    if schedule.paused or not version.runs:
        return SkipReason.PAUSED
    late = now - instant
    if late <= limits.grace:
        return None
    misfire = schedule.definition["misfire"]
    if misfire["policy"] == "skip" or (misfire["policy"] == "latest" and not complete):
        return SkipReason.MISFIRE
    return SkipReason.WINDOW if late > timedelta(seconds=misfire["window_seconds"]) else None


def _keep_latest(schedule: Schedule, decided: _Decided, limits: Limits, now: datetime) -> _Decided:
    """Under `latest`, what was found late gives way to anything newer that runs."""
    if schedule.definition["misfire"]["policy"] != "latest":
        return decided
    newest = max((instant for instant, _, reason in decided if reason is None), default=None)
    return [
        (
            instant,
            version,
            SkipReason.MISFIRE if reason is None and instant != newest and now - instant > limits.grace else reason,
        )
        for instant, version, reason in decided
    ]


def _without_overlaps(
    schedule: Schedule, decided: _Decided, open_occurrences: Collection[str]
) -> tuple[_Decided, dict[datetime, str]]:
    """What runs gives way to what is open, as the policy says; and the occurrences that have to end first, by instant."""
    begin = schedule.next_run_at
    # What is open from next_run_at on was left by a plan that broke off: it is this one that decides about it.
    earlier = [one for one in open_occurrences if begin is not None and ids.instant_of(one) < begin]
    due = [instant for instant, _, reason in decided if reason is None]
    runs = admitted(overlap_of(schedule.definition), schedule.id, due, earlier)
    given_way: _Decided = [
        (instant, version, SkipReason.OVERLAP if reason is None and instant not in runs else reason)
        for instant, version, reason in decided
    ]
    return given_way, {instant: first for instant, first in runs.items() if first}


def _up_to_count(schedule: Schedule, decided: _Decided) -> _Decided:
    """Nothing after the last occurrence that `max_occurrences` allows."""
    left = schedule.definition.get("max_occurrences")
    if left is None:
        return decided
    left -= schedule.occurrence_count
    result: _Decided = []
    for item in decided:
        if left <= 0:
            break
        result.append(item)
        left -= item[2] is None
    return result


def _runs_of_skips(schedule: Schedule, decided: _Decided) -> tuple[Skip, ...]:
    """Skips in a row for one reason are one record; the first of them goes on with the record the schedule ended in."""
    earlier = schedule.skips[-1] if schedule.skips else None
    joins = earlier if earlier and earlier.last == schedule.last_run_at else None
    skips: list[Skip] = []
    for reason, group in groupby(decided, key=lambda item: item[2]):
        instants = [instant for instant, _, _ in group]
        if reason and joins and joins.reason == reason:
            skips.append(replace(joins, last=instants[-1], count=joins.count + len(instants)))
        elif reason:
            skips.append(Skip(instants[0], instants[-1], len(instants), reason))
        joins = None
    return tuple(skips)


def _after(
    schedule: Schedule, rules: Rules, last: datetime, runs: int, skips: tuple[Skip, ...], now: datetime
) -> Schedule:
    count = schedule.occurrence_count + runs
    limit = schedule.definition.get("max_occurrences")
    following = None if limit is not None and count >= limit else next_instant(schedule, rules, last)
    return replace(
        schedule,
        last_run_at=last,
        next_run_at=following,
        occurrence_count=count,
        skips=skips,
        finished_at=now if following is None else None,
    )
