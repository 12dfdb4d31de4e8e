"""The scripts against a model of them: any sequence of claims, kills, losses of memory and new epochs.

The controls show that the comparison can see: a model in which one rule is missing must be told apart.
"""

from collections.abc import Iterator
from typing import NamedTuple

import pytest
from hypothesis import HealthCheck, Phase
from hypothesis import settings as bounds
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test
from redis import Redis

from fencepost.coordination.fences import Fence, FenceAnswer, FenceRequest, Verdict
from fencepost.coordination.redis_client import connect
from fencepost.settings import Settings
from tests.support.fence_model import KILLED, FenceModel

BOUNDS = bounds(
    max_examples=50,
    stateful_step_count=15,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.generate, Phase.shrink],
)
REAL, MODEL = 0, 1


class Row(NamedTuple):
    """What a request is made of; the epoch by when it was read (-1: last), the token by how far it is from the current."""

    shard: int
    delivery: str
    epoch: int
    token: int
    no: int
    attempt: str
    attempts: set[str]


ATTEMPTS = st.sampled_from(["a", "b", "c"])
ROWS = st.builds(
    Row,
    shard=st.integers(0, 1),
    delivery=st.sampled_from(["x", "y"]),
    epoch=st.sampled_from([-1] * 8 + [-2, 0]),
    token=st.sampled_from([0] * 8 + [-1, -(2**40)]),
    no=st.integers(1, 4),
    attempt=ATTEMPTS,
    attempts=st.sets(ATTEMPTS),
)


@pytest.fixture
def redis(settings: Settings) -> Iterator[Redis]:
    with connect(settings.redis) as client:
        yield client


@pytest.fixture
def fence(settings: Settings) -> Iterator[Fence]:
    fence = Fence(settings.redis)
    yield fence
    fence.close()


class Comparison(RuleBasedStateMachine):
    """The same calls to the real fence and to the model; their answers, in order, must be equal. Epochs have other names
    on both sides, so a row's is drawn by when it was read."""

    fence: Fence
    redis: Redis
    model_class: type[FenceModel]

    @initialize()
    def begin(self) -> None:
        self.redis.flushdb()
        self.model = self.model_class()
        self.epochs: list[tuple[str, str]] = [("other:x", "other:x")]
        self.token = 2**40 + 10
        self.read_epoch()

    @rule()
    def read_epoch(self) -> None:
        pair = self.fence.epoch(), self.model.epoch()
        known = [dict(self.epochs).get(pair[0]), {model: real for real, model in self.epochs}.get(pair[1])]
        assert known in ([None, None], [pair[1], pair[0]])
        if known == [None, None]:
            self.epochs.append(pair)

    @rule()
    def forget(self) -> None:
        self.redis.flushdb()
        self.model.forget()

    @rule(by=st.integers(1, 2**40))
    def hand_over(self, by: int) -> None:
        self.token += by

    @rule(
        calls=st.lists(
            st.tuples(st.sampled_from(["claim", "kill"]), st.lists(ROWS, min_size=1, max_size=3)), max_size=8
        )
    )
    def decide(self, calls: list[tuple[str, list[Row]]]) -> None:
        for verb, rows in calls:
            if verb == "claim":
                assert self.fence.claim(self._requests(rows, REAL)) == self.model.claim(self._requests(rows, MODEL))
            else:
                assert self.fence.kill(self._requests(rows, REAL)) == self.model.kill(self._requests(rows, MODEL))

    def _requests(self, rows: list[Row], side: int) -> list[FenceRequest]:
        return [
            FenceRequest(
                shard=row.shard,
                delivery_id=row.delivery,
                epoch=self.epochs[row.epoch][side],
                token=self.token + row.token,
                no=row.no,
                attempt=row.attempt,
                attempts=tuple(sorted(row.attempts)),
            )
            for row in rows
        ]


def compare(fence: Fence, redis: Redis, model_class: type[FenceModel], within: bounds = BOUNDS) -> None:
    machine = type("Bound", (Comparison,), {"fence": fence, "redis": redis, "model_class": model_class})
    run_state_machine_as_test(machine, settings=within)


def test_the_scripts_do_what_the_model_does(fence: Fence, redis: Redis) -> None:
    compare(fence, redis, FenceModel)


class ForeignPredecessorsGiveWay(FenceModel):
    def _may_pass(self, holder: str, request: FenceRequest) -> bool:
        return True


class KilledNumbersStand(FenceModel):
    def _may_pass(self, holder: str, request: FenceRequest) -> bool:
        return holder in request.attempts


class KillsWhatIsHeld(FenceModel):
    def _kill(self, request: FenceRequest) -> FenceAnswer:
        no, _ = self._records.get(request.delivery_id, (0, KILLED))
        return self._recorded(request, KILLED) if no == request.no else super()._kill(request)


class OwnRetryIsTaken(FenceModel):
    def _claim(self, request: FenceRequest) -> FenceAnswer:
        if self._records.get(request.delivery_id) == (request.no, request.attempt):
            return FenceAnswer(Verdict.TAKEN, request.no, request.attempt)
        return super()._claim(request)


class TokensAreNotRaised(FenceModel):
    def _checked(self, request: FenceRequest) -> FenceAnswer | None:
        answer = super()._checked(request)
        self._floors.clear()
        return answer


class FlushIsNotSeen(FenceModel):
    def forget(self) -> None:
        self._floors, self._records = {}, {}


@pytest.mark.parametrize(
    "broken",
    [
        ForeignPredecessorsGiveWay,
        KilledNumbersStand,
        KillsWhatIsHeld,
        OwnRetryIsTaken,
        TokensAreNotRaised,
        FlushIsNotSeen,
    ],
)
def test_a_model_without_one_of_the_rules_is_told_apart(
    fence: Fence, redis: Redis, broken: type[FenceModel], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(AssertionError):
        # As many as it takes, within reason: which examples come depends on what else this process has imported.
        compare(fence, redis, broken, bounds(BOUNDS, max_examples=2000, phases=[Phase.generate]))
