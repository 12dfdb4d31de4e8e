"""Permits of what is limited: taken in batches, right before the calls that they are for."""

from collections.abc import Iterable, Mapping

from fencepost.clock import Clock
from fencepost.coordination.limits import Limiter, Wanted
from fencepost.errors import Unreachable
from fencepost.outages import Outages
from sender.routes import Lane, Lanes

_AWAY_SECONDS = 0.25


class Permits:
    """Permits by lane. Belongs to the courier's thread."""

    def __init__(self, limiter: Limiter, lanes: Lanes, clock: Clock, outages: Outages) -> None:
        self._limiter, self._lanes, self._clock, self._outages = limiter, lanes, clock, outages
        self._not_before: dict[Lane, float] = {}

    def limits(self, lane: Lane) -> bool:
        """Whether the mail of this lane needs permits."""
        return bool(self._lanes.rates(lane))

    def take(self, waiting: Mapping[Lane, int], most: int) -> dict[Lane, int]:
        """Permits for what waits in lanes that are limited, `most` at all. Those that are not used are lost."""
        now, wanted = self._clock.steady(), dict[Lane, int]()
        for lane, count in waiting.items():
            if now >= self._not_before.get(lane, 0.0) and (number := min(count, most - sum(wanted.values()))) > 0:
                wanted[lane] = number
        if not wanted:
            return {}
        try:
            answers = self._limiter.take_all(
                [Wanted(number, self._lanes.rates(lane)) for lane, number in wanted.items()]
            )
        except Unreachable as error:
            self._outages.note(error)
            self._not_before.update(dict.fromkeys(wanted, now + _AWAY_SECONDS))
            return {}
        # What is limited no more than now and then must not be remembered for ever.
        self._not_before = {lane: until for lane, until in self._not_before.items() if until > now}
        for lane, answer in zip(wanted, answers, strict=True):
            if answer.permits < wanted[lane]:
                self._not_before[lane] = now + answer.wait_seconds
        return {lane: answer.permits for lane, answer in zip(wanted, answers, strict=True)}

    def seconds_until(self, lanes: Iterable[Lane], longest: float) -> float:
        """How long until there may be a permit for one of these."""
        now = self._clock.steady()
        return max(0.0, min([longest, *(self._not_before[lane] - now for lane in lanes if lane in self._not_before)]))
