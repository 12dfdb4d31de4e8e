"""Clocks. Every instant in Fencepost is an aware UTC datetime; what has to outlive a clock step counts seconds since boot."""

import time
from datetime import UTC, datetime
from typing import Protocol

# CLOCK_BOOTTIME goes on while the machine sleeps, so a lease that ran out in a suspended laptop is seen to have run
# out. Where the system has none (macOS), CLOCK_MONOTONIC is the nearest.
_STEADY = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


class Clock(Protocol):
    """What the decisions need of time."""

    def now(self) -> datetime:
        """The wall clock: an aware datetime in UTC."""
        ...

    def steady(self) -> float:
        """Seconds that never step or stop; only differences within one process mean anything."""
        ...


class SystemClock:
    """The clock of the machine."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def steady(self) -> float:
        return time.clock_gettime(_STEADY)


def as_utc(instant: datetime) -> datetime:
    """The same instant in UTC. Raises ValueError for a naive datetime: its zone would be a guess."""
    if instant.tzinfo is None:
        raise ValueError("an instant needs a zone offset, such as 2026-03-29T09:00:00Z")
    return instant.astimezone(UTC)


def iso(instant: datetime) -> str:
    """RFC 3339 in UTC with a Z; fractions of a second only where there are any."""
    text = as_utc(instant).isoformat(timespec="milliseconds" if instant.microsecond else "seconds")
    return text.replace("+00:00", "Z")
