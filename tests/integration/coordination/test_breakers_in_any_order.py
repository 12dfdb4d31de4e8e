"""The breakers' script under any sequence of reports from several senders: what holds whatever they report."""

from itertools import pairwise
from uuid import uuid4

from hypothesis import HealthCheck, given
from hypothesis import settings as bounds
from hypothesis import strategies as st

from fencepost.coordination.breakers import Breaker, Breakers
from fencepost.coordination.reports import Report
from fencepost.failover import BreakerState
from fencepost.settings import Settings

SENDERS = 3
OK, REFUSED, DOUBT = (
    Report(calls=1, succeeded=True),
    Report(calls=1, failures=1, refusals=1),
    Report(calls=1, failures=1, doubts=1),
)
WORDS = {
    "nothing": Report(),
    "well": OK,
    "refused": REFUSED,
    "doubt": DOUBT,
    "wrong key": Report(calls=1, failures=1, refusals=1, misconfigured=True),
    "wants": Report(wants=True),
    "gives back": Report(returns=True),
    "probe well": Report(calls=1, succeeded=True, probe="ok"),
    "probe failed": Report(calls=1, failures=1, refusals=1, probe="failed"),
    "probe spent": Report(calls=1, probe="spent"),
}
FAILS = {"refused", "doubt", "wrong key", "probe failed"}
ARROWS = {
    ("closed", "open"),
    ("open", "half_open"),
    ("open", "closed"),
    ("half_open", "open"),
    ("half_open", "recovering"),
    ("half_open", "closed"),
    ("recovering", "open"),
    ("recovering", "closed"),
}
"""docs/state-machines.md shows them."""

OFTEN = ["wants", "wants", "wrong key", "probe well", "gives back"]
"""What leads to where something may go wrong."""

reports = st.lists(st.tuples(st.integers(0, SENDERS - 1), st.sampled_from([*WORDS, *OFTEN])), min_size=30, max_size=60)


@bounds(max_examples=40, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
@given(story=reports)
def test_whatever_is_reported(settings: Settings, story: list[tuple[int, str]]) -> None:
    options = settings.failover.model_copy(
        # It may be tried again at the next look; a grant, and the way back, last for longer than this.
        update={"first_pause_seconds": 0.001, "longest_pause_seconds": 0.002, "return_doubles_seconds": 60}
    )
    senders = [Breakers(settings.redis, options, f"sender-{number}", 60) for number in range(SENDERS)]
    name = f"provider-{uuid4().hex}"
    try:
        before, holder = look(senders[0], name), None
        for who, word in story:
            read = senders[who].sync({name: WORDS[word]})[name]
            if before.state in (BreakerState.CLOSED, BreakerState.RECOVERING) and read.state is BreakerState.OPEN:
                assert word in FAILS, "only what failed opens it"
            if before.state is BreakerState.HALF_OPEN and read.state not in (BreakerState.HALF_OPEN, BreakerState.OPEN):
                assert (who, word) == (holder, "probe well"), "only the one that may find out closes it"
            seen = [look(each, name) for each in senders]
            assert len({each.state for each in seen[1:]}) == 1, "all see the same"
            if holder is not None and seen[-1].state is BreakerState.HALF_OPEN and who != holder:
                assert seen[holder].grant_seconds > 0, "who may find out is not deprived of it"
            granted = [number for number, each in enumerate(seen) if each.grant_seconds > 0]
            assert len(granted) <= 1, "one finds out at a time"
            holder = granted[0] if granted else None
            for each in seen:
                assert (each.share > 0) == (each.state in (BreakerState.CLOSED, BreakerState.RECOVERING))
            before = seen[-1]
        changes = [change for change in senders[0].changes() if change.provider == name]
        assert all(later.was == earlier.became for earlier, later in pairwise(changes)), "none is missing"
        assert {(change.was.value, change.became.value) for change in changes} <= ARROWS
        senders[1].recorded(changes)
    finally:
        for sender in senders:
            sender.close()


def look(breakers: Breakers, name: str) -> Breaker:
    return breakers.sync({name: Report()})[name]
