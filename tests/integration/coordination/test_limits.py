"""Rate limits: exact for five that take permits at once, and nothing is saved up."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from time import monotonic

import pytest

from fencepost.coordination.limits import Limiter, Rate, Wanted
from fencepost.coordination.redis_client import connect
from fencepost.errors import Unreachable
from fencepost.settings import Settings, load
from tests.support.eventually import eventually
from tests.support.territory import Territory

LIMITERS = 5


@pytest.fixture
def limiters(settings: Settings) -> Iterator[list[Limiter]]:
    made = [Limiter(settings.redis) for _ in range(LIMITERS)]
    yield made
    for limiter in made:
        limiter.close()


def taken(limiter: Limiter, rate: Rate, batch: int, seconds: float) -> list[tuple[float, float]]:
    """When each permit was granted, as (not before, not after), by one who asks over and over for so long."""
    grants: list[tuple[float, float]] = []
    ends = monotonic() + seconds
    while (before := monotonic()) < ends:
        granted = limiter.take("mailgun", batch, rate)
        grants += [(before, monotonic())] * granted.permits
    return grants


def most_within(grants: list[tuple[float, float]], seconds: float) -> int:
    """How many were certainly granted within so long of each other, at most."""
    ends = sorted(after for _, after in grants)
    return max(sum(1 for before, after in grants if before >= end - seconds and after <= end) for end in ends)


@pytest.mark.parametrize(("per_second", "batch"), [(20, 1), (200, 50)])
def test_five_that_take_at_once_never_get_more_than_the_limit_and_one_in_any_second(
    limiters: list[Limiter], per_second: int, batch: int
) -> None:
    rate, seconds = Rate(per_second), 2.5
    with ThreadPoolExecutor(LIMITERS) as pool:
        runs = [pool.submit(taken, limiter, rate, batch, seconds) for limiter in limiters]
        grants = [grant for run in runs for grant in run.result()]
    assert most_within(grants, 1.0) <= per_second + 1
    assert len(grants) <= per_second * seconds * 1.1 + 1
    assert len(grants) >= per_second * seconds * 0.8, "what is there is given"


def test_what_nobody_took_is_not_saved_up(limiters: list[Limiter]) -> None:
    rate = Rate(1, seconds=0.2)
    assert limiters[0].take("quiet", 1, rate).permits == 1
    began = monotonic()
    eventually(lambda: monotonic() - began > 0.7)
    assert limiters[0].take("quiet", 100, rate).permits == 1


def test_it_says_when_there_is_another(limiters: list[Limiter]) -> None:
    rate = Rate(1, seconds=60)
    assert limiters[0].take("slow", 1, rate).wait_seconds == 0
    refused = limiters[1].take("slow", 1, rate)
    assert refused.permits == 0
    assert 50 < refused.wait_seconds <= 60


def test_a_permit_under_several_limits_is_taken_of_all_or_of_none(limiters: list[Limiter]) -> None:
    narrow, wide = ("narrow", Rate(2, seconds=60)), ("wide", Rate(40, seconds=60))
    both, alone = Wanted(5, (narrow, wide)), Wanted(5, (wide,))
    first, second, third = limiters[0].take_all([both, both, alone])
    assert (first.permits, second.permits) == (1, 0)
    assert third.permits == 1, "a burst of two, one of which went to who needed both"
    assert limiters[0].take_all([]) == []


def test_a_clock_of_redis_that_was_set_back_does_not_stop_everything(
    limiters: list[Limiter], settings: Settings
) -> None:
    with connect(settings.redis) as redis:
        redis.set("l:back", f"{10**16}")
    assert limiters[0].take("back", 1, Rate(10)).wait_seconds < 1


def test_a_redis_that_is_away_is_unreachable(territory: Territory) -> None:
    limiter = Limiter(load({**territory.variables, "FENCEPOST_REDIS__URL": "redis://127.0.0.1:1/0"}).redis)
    with pytest.raises(Unreachable):
        limiter.take("any", 1, Rate(1))
    limiter.close()
