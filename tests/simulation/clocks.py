"""Time in a simulation: milliseconds since its beginning, moved by whoever drives it."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

BEGINNING = datetime(2026, 3, 2, 9, tzinfo=UTC)


@dataclass(slots=True)
class Time:
    """The true time, which nobody in the simulation can read."""

    milliseconds: int = 0

    @property
    def instant(self) -> datetime:
        return BEGINNING + timedelta(milliseconds=self.milliseconds)


@dataclass(slots=True)
class SimulatedClock:
    """The clock of one machine: fencepost.clock.Clock. Its wall clock is off by a little; its steady clock counts from
    somewhere, at the right speed."""

    time: Time
    ahead_milliseconds: int = 0
    booted_milliseconds: int = 0

    def now(self) -> datetime:
        return BEGINNING + timedelta(milliseconds=self.time.milliseconds + self.ahead_milliseconds)

    def steady(self) -> float:
        return (self.time.milliseconds - self.booted_milliseconds) / 1000
