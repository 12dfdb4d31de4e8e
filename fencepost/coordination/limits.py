"""Rate limits that hold across all processes: permits are taken from clocks in Redis (limits.lua)."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from math import ceil

from fencepost import settings
from fencepost.coordination.redis_client import connect, unreachable_if_it_fails
from fencepost.coordination.scripts import Script

_SAVED_UP = 0.05
"""The share of a limit that may be taken at once by who comes after a pause: enough for a sender that asks twenty times a second."""


@dataclass(frozen=True, slots=True)
class Rate:
    """No more than `most`, and one, in any `seconds` whatsoever."""

    most: float
    seconds: float = 1.0

    @property
    def burst(self) -> int:
        return max(1, int(self.most * _SAVED_UP))

    @property
    def interval_microseconds(self) -> int:
        """From one permit to the next. What a burst may add to a stretch of time is taken off the pace."""
        return ceil(self.seconds * 1_000_000 / (self.most - self.burst + 1))


@dataclass(frozen=True, slots=True)
class Wanted:
    """So many permits, each of which has to be free under all of these rates, by the names of what they limit."""

    permits: int
    rates: tuple[tuple[str, Rate], ...]


@dataclass(frozen=True, slots=True)
class Granted:
    """How many of the permits, and in how many seconds there may be another; 0 if all were granted."""

    permits: int
    wait_seconds: float


class Limiter:
    """The limits in one Redis database. May be used from several threads."""

    def __init__(self, config: settings.Redis) -> None:
        self._redis = connect(config)
        self._script = Script("limits.lua")

    def take(self, name: str, wanted: int, rate: Rate) -> Granted:
        """Permits of one limit. Those that are not used are lost. Raises Unreachable; then they may have been taken."""
        return self.take_all([Wanted(wanted, ((name, rate),))])[0]

    def take_all(self, requests: Sequence[Wanted]) -> list[Granted]:
        """The same for several in one round trip, each after the one before; one answer each, in order."""
        if not requests:
            return []
        names = [f"l:{name}" for request in requests for name, _ in request.rates]
        arguments = chain(*(_arguments(request) for request in requests))
        with unreachable_if_it_fails():
            answers = self._script.run(self._redis, names, list(arguments))
        return [Granted(int(permits), int(wait) / 1_000_000) for permits, wait in answers]

    def close(self) -> None:
        self._redis.close()


def _arguments(request: Wanted) -> list[int]:
    rates = [number for _, rate in request.rates for number in (rate.interval_microseconds, rate.burst)]
    return [request.permits, len(request.rates), *rates]
