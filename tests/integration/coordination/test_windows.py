"""Windows: never more than so many in any stretch of time for five that take at once, and all of them at once if need be."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from time import monotonic

import pytest

from fencepost.coordination.redis_client import connect
from fencepost.coordination.windows import Window, Windows
from fencepost.errors import Unreachable
from fencepost.settings import Settings, load
from tests.support.eventually import eventually
from tests.support.territory import Territory

TAKERS = 5


@pytest.fixture
def takers(settings: Settings) -> Iterator[list[Windows]]:
    made = [Windows(settings.redis) for _ in range(TAKERS)]
    yield made
    for each in made:
        each.close()


def taken(windows: Windows, window: Window, seconds: float) -> list[tuple[float, float]]:
    """When each was granted, as (not before, not after), to one who asks over and over for so long."""
    grants: list[tuple[float, float]] = []
    ends = monotonic() + seconds
    while (before := monotonic()) < ends:
        if windows.take("key", window).is_so:
            grants.append((before, monotonic()))
    return grants


def test_five_that_take_at_once_never_get_more_than_there_are_in_any_stretch(takers: list[Windows]) -> None:
    window, seconds = Window(30, seconds=0.5), 2.2
    with ThreadPoolExecutor(TAKERS) as pool:
        runs = [pool.submit(taken, each, window, seconds) for each in takers]
        grants = [grant for run in runs for grant in run.result()]
    ends = sorted(after for _, after in grants)
    within = [sum(1 for before, after in grants if before >= end - 0.5 and after <= end) for end in ends]
    assert max(within) <= 30
    assert len(grants) >= 30 * 4, "what is there is given: so many in each of four stretches"


def test_all_of_them_may_be_taken_at_once_and_it_says_how_many_are_left_and_when_there_is_another(
    takers: list[Windows],
) -> None:
    window = Window(3, seconds=60)
    found = [takers[number % TAKERS].take("some", window) for number in range(4)]
    assert [(each.is_so, each.left) for each in found] == [(True, 2), (True, 1), (True, 0), (False, 0)]
    assert all(50 < each.wait_seconds <= 60 for each in found)
    assert takers[0].take("other", window).is_so, "another's are another's"


def test_what_was_taken_comes_back_when_its_time_is_over(takers: list[Windows], settings: Settings) -> None:
    window = Window(2, seconds=0.2)
    assert [takers[0].take("short", window).is_so for _ in range(3)] == [True, True, False]
    eventually(lambda: takers[0].take("short", window).is_so)
    with connect(settings.redis) as redis:
        assert redis.llen("w:short") <= 2
        assert 0 < redis.pttl("w:short") < 2000


def test_fewer_than_before_count_from_now_on(takers: list[Windows]) -> None:
    for _ in range(5):
        assert takers[0].take("narrowed", Window(5, seconds=60)).is_so
    assert not takers[0].take("narrowed", Window(2, seconds=60)).is_so


def test_a_clock_of_redis_that_was_set_back_does_not_stop_everything(takers: list[Windows], settings: Settings) -> None:
    with connect(settings.redis) as redis:
        redis.lpush("w:back", f"{10**16}")
    assert takers[0].take("back", Window(1)).is_so


def test_a_redis_that_is_away_is_unreachable(territory: Territory) -> None:
    windows = Windows(load({**territory.variables, "FENCEPOST_REDIS__URL": "redis://127.0.0.1:1/0"}).redis)
    with pytest.raises(Unreachable):
        windows.take("any", Window(1))
    windows.close()
