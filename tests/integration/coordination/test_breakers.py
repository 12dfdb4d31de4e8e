"""The breakers in Redis: opened by one and obeyed by all, one probe among many, each change told until it is on record."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from fencepost.coordination.breakers import Breakers
from fencepost.coordination.redis_client import connect
from fencepost.coordination.reports import Report
from fencepost.failover import BreakerState
from fencepost.settings import Settings
from tests.support.eventually import eventually

SENDERS = 8
GRANT_SECONDS = 5
NAME = "mailgun"
NOTHING = Report()
WRONG_KEY = Report(calls=1, failures=1, refusals=1, misconfigured=True, reason="401: Forbidden")


@pytest.fixture
def breakers(settings: Settings) -> Iterator[list[Breakers]]:
    options = settings.failover.model_copy(
        update={"first_pause_seconds": 0.2, "return_start_percent": 50, "return_doubles_seconds": 0.2}
    )
    made = [Breakers(settings.redis, options, f"sender-{number}", GRANT_SECONDS) for number in range(SENDERS)]
    yield made
    for each in made:
        each.close()


def state(breakers: Breakers, report: Report = NOTHING) -> BreakerState:
    return breakers.sync({NAME: report})[NAME].state


def test_what_one_opens_is_open_for_the_next_who_reads(breakers: list[Breakers]) -> None:
    assert state(breakers[0]) is BreakerState.CLOSED
    assert state(breakers[0], WRONG_KEY) is BreakerState.OPEN
    read = breakers[1].sync({NAME: NOTHING})[NAME]
    assert (read.state, read.reason, read.share) == (BreakerState.OPEN, "401: Forbidden", 0)


def test_a_wait_that_one_was_asked_for_is_known_to_all(breakers: list[Breakers]) -> None:
    breakers[0].sync({NAME: Report(calls=1, wait_seconds=60)})
    assert 50 < breakers[1].sync({NAME: NOTHING})[NAME].wait_seconds <= 60


def test_one_of_many_that_race_may_find_out_and_traffic_returns(breakers: list[Breakers]) -> None:
    state(breakers[0], WRONG_KEY)
    wants = Report(wants=True)
    eventually(lambda: breakers[0].sync({NAME: NOTHING})[NAME].retry_seconds <= 0)
    with ThreadPoolExecutor(SENDERS) as pool:
        grants = [found[NAME].grant_seconds for found in pool.map(lambda each: each.sync({NAME: wants}), breakers)]
    assert sum(grant > 0 for grant in grants) == 1
    holder = next(each for each, grant in zip(breakers, grants, strict=True) if grant)
    assert state(holder, Report(returns=True)) is BreakerState.HALF_OPEN
    other = next(each for each in breakers if each is not holder)
    assert other.sync({NAME: wants})[NAME].grant_seconds > 0, "it was given back"
    assert state(other, Report(calls=1, succeeded=True, probe="ok")) is BreakerState.RECOVERING
    assert eventually(lambda: state(holder) is BreakerState.CLOSED)


def test_changes_are_told_alike_to_all_until_one_has_them_on_record(breakers: list[Breakers]) -> None:
    state(breakers[0], WRONG_KEY)
    [change] = breakers[0].changes()
    assert breakers[1].changes() == [change]
    assert (change.was, change.became, change.who) == (BreakerState.CLOSED, BreakerState.OPEN, "sender-0")
    breakers[1].recorded([change])
    breakers[0].recorded([change])
    assert breakers[0].changes() == []


def test_doubts_open_it_only_in_a_row(breakers: list[Breakers]) -> None:
    doubts = Report(calls=5, failures=5, doubts=5, reason="no answer")
    assert state(breakers[0], doubts) is BreakerState.CLOSED
    assert state(breakers[1], Report(calls=50, succeeded=True)) is BreakerState.CLOSED
    assert state(breakers[0], doubts) is BreakerState.CLOSED
    assert state(breakers[1], doubts) is BreakerState.OPEN


def test_a_clock_of_redis_that_was_set_back_does_not_stop_everything(
    breakers: list[Breakers], settings: Settings
) -> None:
    """Whatever an instant of its own says, none lies further ahead than it can."""
    state(breakers[0], WRONG_KEY)
    with connect(settings.redis) as redis:
        # What Redis holds after its clock was set back by an hour.
        redis.hincrbyfloat(f"b:{NAME}", "retry", 3_600_000)
        redis.hincrbyfloat(f"b:{NAME}", "since", 3_600_000)
        assert breakers[1].sync({NAME: NOTHING})[NAME].retry_seconds <= settings.failover.longest_pause_seconds
        redis.hset(f"b:{NAME}", "retry", 0)
        assert breakers[0].sync({NAME: Report(wants=True)})[NAME].grant_seconds > 0
        redis.hincrbyfloat(f"b:{NAME}", "grant_ends", 3_600_000)
        assert 0 < breakers[0].sync({NAME: NOTHING})[NAME].grant_seconds <= GRANT_SECONDS
        assert state(breakers[0], Report(calls=1, succeeded=True, probe="ok")) is BreakerState.RECOVERING
        redis.hincrbyfloat(f"b:{NAME}", "since", 3_600_000)
        assert breakers[0].sync({NAME: NOTHING})[NAME].share >= 0.5
        redis.hincrbyfloat(f"b:{NAME}", "since", 3_600_000)
        assert state(breakers[0], Report(calls=1, failures=1, refusals=1, reason="500")) is BreakerState.OPEN, (
            "it is news"
        )
    assert eventually(lambda: state(breakers[1], Report(wants=True)) is BreakerState.HALF_OPEN)


def test_a_probe_that_nobody_has_mail_for_any_more_is_forgotten(breakers: list[Breakers], settings: Settings) -> None:
    state(breakers[0], WRONG_KEY)
    eventually(lambda: state(breakers[0], Report(wants=True)) is BreakerState.HALF_OPEN)
    assert state(breakers[0], Report(returns=True)) is BreakerState.HALF_OPEN
    with connect(settings.redis) as redis:
        redis.hincrbyfloat(f"b:{NAME}", "retry", -601_000)
    assert state(breakers[1]) is BreakerState.CLOSED, "or its alarm would stand for ever"
