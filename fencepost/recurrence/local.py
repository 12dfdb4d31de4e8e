"""From wall-clock times to instants, through the nights on which a clock is moved.

A zone's time is a row of stretches with one offset each. Where a stretch opens later on the wall clock than the one before
it closed there is a gap: those times never come. Where it opens earlier they come a second time.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache
from itertools import pairwise
from typing import Literal

Gap = Literal["shift", "skip"]
Repeat = Literal["first", "second", "both"]

Walls = Callable[[datetime], Iterator[datetime]]
"""Ascending wall-clock times (naive, whole seconds) of a rule, from the given one on (inclusive), lazily."""

SECOND = timedelta(seconds=1)
HORIZON = timedelta(days=50 * 366)
"""A rule without an instant for this long never comes again. 29 February on a given weekday is at most 40 years off."""
LATEST = datetime(9990, 1, 1, tzinfo=UTC)
"""Nothing is due from here on: datetime ends soon after."""

_PROBE = timedelta(days=3)  # since 1970 no zone has changed its clocks twice within this


@dataclass(frozen=True, slots=True)
class Policy:
    """What becomes of wall-clock times that do not exist, and of those that come twice."""

    gap: Gap = "shift"
    repeat: Repeat = "first"


ELAPSED = Policy("skip", "both")
"""For rules that follow elapsed time: every instant whose wall clock matches, and no other."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """From `start` up to (not including) `end` (UTC) the wall clock is UTC + `offset`.

    `opens` and `closes` are what it shows at both ends; `before` is what it showed up to `start`, `then` what it shows from
    `end` on. `before` < `opens` is a gap; `before` > `opens` a repetition.
    """

    start: datetime
    end: datetime
    offset: timedelta
    before: datetime
    opens: datetime
    closes: datetime
    then: datetime


def wall_at(instant: datetime, zone: tzinfo) -> datetime:
    """What the clock on the wall shows: naive."""
    return instant.astimezone(zone).replace(tzinfo=None)


def stretches(zone: tzinfo, instant: datetime) -> Iterator[Stretch]:
    """The stretch that holds `instant`, and all that follow up to LATEST."""
    for year in range(instant.year, LATEST.year):
        for stretch in _stretches_of(zone, year):
            if stretch.end > instant:
                yield stretch


def resolve(walls: Walls, zone: tzinfo, after: datetime, policy: Policy) -> Iterator[datetime]:
    """The instants (UTC, ascending) strictly after `after` at which the wall-clock times `walls` come, under `policy`.

    Ends after HORIZON without any.
    """
    first = after + SECOND
    last_seen = after
    times: Iterator[datetime] = iter(())
    time: datetime | None = None
    reached: datetime | None = None  # `time` is the first of `walls` from here on
    for stretch in stretches(zone, first):
        if stretch.start > last_seen + HORIZON:
            return
        gap_is_due = policy.gap == "shift" and stretch.before < stretch.opens and stretch.start >= first
        begin = stretch.before if gap_is_due else max(stretch.opens, _shifted(first, stretch.offset))
        if policy.repeat == "first":
            begin = max(begin, stretch.before)
        stop = min(stretch.closes, stretch.then) if policy.repeat == "second" else stretch.closes
        if reached is None or begin < reached:
            times = walls(begin)
            time = next(times, None)
        while time is not None and time < begin:
            time = next(times, None)
        if gap_is_due and time is not None and time < stretch.opens:
            last_seen = stretch.start
            yield stretch.start
            while time is not None and time <= stretch.opens:
                time = next(times, None)
        while time is not None and time < stop:
            last_seen = _instant(time, stretch.offset)
            yield last_seen
            time = next(times, None)
        if time is None:
            return
        reached = max(begin, stop)


@dataclass(frozen=True, slots=True)
class LocalSeries:
    """The instants of wall-clock times in a zone, under a policy."""

    walls: Walls
    zone: tzinfo
    policy: Policy

    def after(self, instant: datetime) -> Iterator[datetime]:
        return resolve(self.walls, self.zone, instant, self.policy)

    def moved(self, instant: datetime) -> bool:
        """Whether a time that does not exist was moved to `instant`."""
        stretch = next(stretches(self.zone, instant))
        if self.policy.gap == "skip" or stretch.start != instant or stretch.before >= stretch.opens:
            return False
        time = next(self.walls(stretch.before), None)
        return time is not None and time < stretch.opens


def is_repeated(instant: datetime, zone: tzinfo) -> bool:
    """Whether the wall clock shows this time twice, now or at the other pass."""
    wall = wall_at(instant, zone)
    first, second = _both(wall, zone)
    return first < second


def instants_of(wall: datetime, zone: tzinfo) -> tuple[datetime, ...]:
    """When the wall clock shows `wall`: one instant; two where it comes twice; none where it is skipped."""
    first, second = _both(wall, zone)
    return (first,) if first == second else (first, second) if first < second else ()


def first_after_gap(wall: datetime, zone: tzinfo) -> datetime:
    """The first valid instant after the gap that `wall` lies in."""
    _, inside = sorted(_both(wall, zone))
    return next(stretches(zone, inside)).start


def _both(wall: datetime, zone: tzinfo) -> tuple[datetime, datetime]:
    aware = wall.replace(tzinfo=zone)
    return aware.replace(fold=0).astimezone(UTC), aware.replace(fold=1).astimezone(UTC)


def _shifted(instant: datetime, offset: timedelta) -> datetime:
    return instant.replace(tzinfo=None) + offset


def _instant(wall: datetime, offset: timedelta) -> datetime:
    return (wall - offset).replace(tzinfo=UTC)


@lru_cache(maxsize=8192)
def _stretches_of(zone: tzinfo, year: int) -> tuple[Stretch, ...]:
    """The stretches of a UTC year, cut at its ends (where, as a rule, the clock does not change)."""
    begin, end = datetime(year, 1, 1, tzinfo=UTC), datetime(year + 1, 1, 1, tzinfo=UTC)
    edges = [begin, *_transitions(zone, begin, end), end]
    return tuple(_stretch(zone, *edge) for edge in pairwise(edges))


def _stretch(zone: tzinfo, start: datetime, end: datetime) -> Stretch:
    offset = _offset(zone, start)
    return Stretch(
        start=start,
        end=end,
        offset=offset,
        before=_shifted(start, _offset(zone, start - SECOND)),
        opens=_shifted(start, offset),
        closes=_shifted(end, offset),
        then=_shifted(end, _offset(zone, end)),
    )


def _transitions(zone: tzinfo, begin: datetime, end: datetime) -> Iterator[datetime]:
    """The instants within (begin, end) from which on another offset holds; zoneinfo does not tell them."""
    left = begin
    while left < end:
        right = min(left + _PROBE, end - SECOND)
        before = _offset(zone, left)
        if before != _offset(zone, right):
            seconds = range(int((right - left).total_seconds()) + 1)
            origin = left
            changed = bisect_right(seconds, 0, key=lambda s: int(_offset(zone, origin + s * SECOND) != before))
            yield left + changed * SECOND
        left = right if right < end - SECOND else end


def _offset(zone: tzinfo, instant: datetime) -> timedelta:
    offset = instant.astimezone(zone).utcoffset()
    assert offset is not None
    return offset
