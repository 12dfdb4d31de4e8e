"""Permits of what is limited: taken in batches, right before the calls that they are for."""

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import timedelta

from fencepost.caps import day_of
from fencepost.clock import Clock
from fencepost.coordination.caps import Caps
from fencepost.coordination.limits import Limiter, Wanted
from fencepost.errors import Unreachable
from fencepost.outages import Outages
from sender.health import Health
from sender.routes import Lane, Lanes

_AWAY_SECONDS = 0.25
_SEATED_AT_MOST = timedelta(minutes=10)
"""A mail holds its permit for far less."""


@dataclass(frozen=True, slots=True)
class Open:
    """The lanes whose mail goes on now: to a seat where there are no limits, or as many permits as it says; back to the database where
    the calls of the day are spent."""

    free: Collection[Lane]
    permits: dict[Lane, int]
    spent: Collection[Lane] = ()

    def lanes(self) -> list[Lane]:
        return [*self.free, *self.spent, *(lane for lane, count in self.permits.items() if count)]

    def use(self, lane: Lane) -> None:
        """A mail of this lane takes a seat."""
        if lane in self.permits:
            self.permits[lane] -= 1


class Permits:
    """Permits by lane. Belongs to the courier's thread."""

    def __init__(
        self, limiter: Limiter, caps: Caps, health: Health, lanes: Lanes, clock: Clock, outages: Outages
    ) -> None:
        self._limiter, self._caps, self._health, self._lanes = limiter, caps, health, lanes
        self._clock, self._outages = clock, outages
        self._not_before: dict[Lane, float] = {}
        self._limited: list[Lane] = []
        self._unused = Counter[str]()

    def open(self, waiting: Mapping[Lane, int], seats: int) -> Open:
        """The lanes of what waits whose mail may take one of so many seats. What a lane has permits for and does not use has to be
        put back."""
        self._give_back()
        sure = {lane: count for lane, count in waiting.items() if not self._health.is_unsure(lane[0])}
        spent = {lane for lane in sure if self._health.is_spent(lane[0])}
        # Of who is left alone nothing is called: its mail is let through, and handed back.
        self._limited = [
            lane for lane in sure.keys() - spent if self._is_limited(lane) and not self._health.is_left_alone(lane[0])
        ]
        permits = self._take({lane: sure[lane] for lane in self._limited}, seats)
        return Open(sure.keys() - spent - set(self._limited), permits, spent)

    def put_back(self, rest: Open) -> None:
        """What is left of it is not used."""
        for (provider, _), count in rest.permits.items():
            self._unused[provider] += count

    def not_used(self, provider: str) -> None:
        """A mail took a seat and was not called: another may have its place in the day. Its place in a rate is lost."""
        self._unused[provider] += 1

    def seconds_until(self, longest: float) -> float:
        """How long until there may be a permit for what waited last."""
        now = self._clock.steady()
        waits = [self._not_before[lane] - now for lane in self._limited if lane in self._not_before]
        return max(0.0, min([longest, *waits]))

    def _is_limited(self, lane: Lane) -> bool:
        return bool(self._lanes.rates(lane)) or self._caps.limits(lane[0])

    def _take(self, waiting: Mapping[Lane, int], most: int) -> dict[Lane, int]:
        now, wanted = self._clock.steady(), dict[Lane, int]()
        # What is over is nothing to wait for, and what is limited no more than now and then must not be remembered for ever.
        self._not_before = {lane: until for lane, until in self._not_before.items() if until > now}
        for lane, count in waiting.items():
            if lane not in self._not_before and (number := min(count, most - sum(wanted.values()))) > 0:
                wanted[lane] = number
        if not wanted:
            return {}
        try:
            answers = self._limiter.take_all(
                [Wanted(number, self._lanes.rates(lane)) for lane, number in wanted.items()]
            )
            permits = self._within_caps({lane: answer.permits for lane, answer in zip(wanted, answers, strict=True)})
        except Unreachable as error:
            self._outages.note(error)
            self._not_before.update(dict.fromkeys(wanted, now + _AWAY_SECONDS))
            return {}
        for lane, answer in zip(wanted, answers, strict=True):
            if answer.permits < wanted[lane]:
                self._not_before[lane] = now + answer.wait_seconds
        return permits

    def _within_caps(self, permits: Mapping[Lane, int]) -> dict[Lane, int]:
        """What the caps of the day leave of these. Raises Unreachable."""
        wanted = Counter[str]()
        for (provider, _), number in permits.items():
            wanted[provider] += number
        left = self._count(wanted)
        within = dict[Lane, int]()
        for lane, number in permits.items():
            within[lane] = min(number, left.get(lane[0], number))
            if lane[0] in left:
                left[lane[0]] -= within[lane]
        return within

    def _give_back(self) -> None:
        unused, self._unused = self._unused, Counter[str]()
        now = self._clock.now()
        if day_of(now - _SEATED_AT_MOST) != day_of(now):
            return  # it may have been taken of the day before
        try:
            self._count({name: -number for name, number in unused.items()})
        except Unreachable as error:
            # They may have been given back: a call too few today is better than one too many.
            self._outages.note(error)

    def _count(self, changes: Mapping[str, int]) -> dict[str, int]:
        """How many calls of today were granted, or given back, to those that have a cap. Raises Unreachable."""
        counted = self._caps.take({name: number for name, number in changes.items() if number}, self._clock.now())
        for name, (_, cap) in counted.items():
            self._health.counted(name, cap)
        return {name: number for name, (number, _) in counted.items()}
