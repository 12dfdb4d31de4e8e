"""Permits of one sender, on a real Redis and a clock that the test moves."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import cast

import pytest

from fencepost.caps import Cap
from fencepost.coordination.caps import Caps
from fencepost.coordination.limits import Limiter
from fencepost.outages import Outages
from fencepost.settings import load
from sender.health import Health
from sender.permits import Permits
from sender.routes import Lanes
from tests.support.territory import Territory

MAILGUN = ("mailgun", "")
JUST_BEFORE_MIDNIGHT = datetime(2026, 3, 2, 23, 59, 59, tzinfo=UTC)


class Moved:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self._now = JUST_BEFORE_MIDNIGHT

    def now(self) -> datetime:
        return self._now

    def steady(self) -> float:
        return self._now.timestamp()

    def move(self, seconds: float) -> None:
        self._now += timedelta(seconds=seconds)


class Well:
    """All providers are well; keeps what was counted of them last."""

    def __init__(self) -> None:
        self.caps: dict[str, Cap] = {}

    def is_unsure(self, _name: str) -> bool:
        return False

    def is_left_alone(self, _name: str) -> bool:
        return False

    def is_spent(self, name: str) -> bool:
        return name in self.caps and not self.caps[name].left

    def counted(self, name: str, cap: Cap) -> None:
        self.caps[name] = cap


@pytest.fixture
def clock() -> Moved:
    return Moved()


@pytest.fixture
def health() -> Well:
    return Well()


class Makes:
    """Makes permits under the limits of Mailgun that a test sets."""

    def __init__(self, territory: Territory, clock: Moved, health: Well) -> None:
        self._territory, self._clock, self._health = territory, clock, health
        self._opened: list[Limiter | Caps] = []

    def permits(self, **limits: int) -> Permits:
        given = {f"FENCEPOST_PROVIDERS__MAILGUN__{name.upper()}": str(most) for name, most in limits.items()}
        settings = load({**self._territory.variables, **given})
        limiter, caps = Limiter(settings.redis), Caps(settings.redis, settings.providers)
        self._opened += [limiter, caps]
        return Permits(limiter, caps, cast(Health, self._health), Lanes(settings), self._clock, Outages(self._clock))

    def close(self) -> None:
        for each in self._opened:
            each.close()


@pytest.fixture
def makes(territory: Territory, clock: Moved, health: Well) -> Iterator[Makes]:
    makes = Makes(territory, clock, health)
    yield makes
    makes.close()


def test_while_all_seats_are_taken_a_wait_that_is_over_keeps_nobody_awake(makes: Makes, clock: Moved) -> None:
    permits = makes.permits(max_per_second=1)
    assert permits.open({MAILGUN: 5}, 5).permits == {MAILGUN: 1}
    assert 0 < permits.seconds_until(10) <= 1
    clock.move(5)
    assert permits.seconds_until(10) == 0, "there may be one now"
    assert permits.open({MAILGUN: 4}, 0).permits == {}
    assert permits.seconds_until(10) == 10


def test_what_was_not_used_is_given_back_to_its_own_day_alone(makes: Makes, clock: Moved, health: Well) -> None:
    permits = makes.permits(max_per_day=3)
    assert permits.open({MAILGUN: 1}, 5).permits == {MAILGUN: 1}
    permits.not_used("mailgun")
    permits.open({}, 5)
    assert health.caps["mailgun"] == Cap(3, 0)

    assert permits.open({MAILGUN: 1}, 5).permits == {MAILGUN: 1}
    clock.move(10)  # into the next day
    assert permits.open({MAILGUN: 2}, 5).permits == {MAILGUN: 2}
    permits.not_used("mailgun")
    assert permits.open({MAILGUN: 5}, 5).permits == {MAILGUN: 1}
    assert health.caps["mailgun"] == Cap(3, 3)
