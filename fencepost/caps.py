"""Daily caps: how many calls a provider may be made in one day, by all senders together. Pure.

A new sending domain or address is warmed up: its cap begins small and grows by the day, so that mailbox providers learn to know it.
Days are those of UTC.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from fencepost.settings import Account

_BEYOND_REASON = 10**9
"""A warm-up without an end would grow for ever."""


@dataclass(frozen=True, slots=True)
class Cap:
    """How one provider stood in its day."""

    most: int
    used: int

    @property
    def left(self) -> int:
        """How many more calls it may be made today."""
        return max(0, self.most - self.used)


def alarm(provider: str) -> str:
    """The kind of the alarm that a provider has had all its calls of today."""
    return f"cap.{provider}"


def day_of(now: datetime) -> date:
    """The day whose calls are counted now."""
    return now.astimezone(UTC).date()


def day_after(now: datetime) -> datetime:
    """When the next day begins, and its calls with it."""
    return datetime.combine(day_of(now) + timedelta(days=1), time(), UTC)


def most_on(account: Account, day: date) -> int | None:
    """The cap of this day; None: there is none."""
    limits = (account.max_per_day, _warmed_up(account, day))
    return min((limit for limit in limits if limit is not None), default=None)


def _warmed_up(account: Account, day: date) -> int | None:
    if account.warm_up_since is None:
        return None
    days = max(0, (day - account.warm_up_since).days)
    try:
        return int(min(_BEYOND_REASON, account.warm_up_first_day * account.warm_up_growth**days))
    except OverflowError:
        return _BEYOND_REASON
