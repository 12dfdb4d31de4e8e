"""Rescue: what may be said of a delivery whose owner is gone."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from fencepost.coordination.fences import FenceAnswer, Verdict
from fencepost.deliveries import Delivery, State
from fencepost.settlements import Settlement
from sender.effects import DropShard, Effect, Kill, SettleAll
from sender.rescuing import rescue
from tests.support.rows import now, planned, sending
from tests.support.schedules import definition, schedule

MEMORY = timedelta(days=3)


def lost(count: int = 1, **changes: Any) -> list[Delivery]:
    at = datetime(2026, 3, 2, 9, tzinfo=UTC)
    return [{**sending(row), **changes} for row in planned(schedule(at, definition(to=count)), at)[1]]  # type: ignore[typeddict-item]


def run(rows: list[Delivery], answers: list[FenceAnswer]) -> tuple[list[Settlement], list[Effect]]:
    decisions = rescue(rows, {rows[0]["shard"]: 9}, now(), MEMORY)
    asked: list[Effect] = []
    try:
        effect = next(decisions)
        while True:
            asked.append(effect)
            effect = decisions.send(answers if isinstance(effect, Kill) else [])
    except StopIteration as stop:
        settlements: list[Settlement] = stop.value
        return settlements, asked


@pytest.mark.parametrize(
    ("verdict", "state"), [(Verdict.OK, State.PENDING), (Verdict.TAKEN, State.UNKNOWN), (Verdict.EPOCH, State.UNKNOWN)]
)
def test_each_answer_of_the_fence_decides(verdict: Verdict, state: State) -> None:
    [settlement], _ = run(lost(), [FenceAnswer(verdict, 1, "killed")])
    assert settlement.state is state
    assert settlement.allowed_from == (State.SENDING,)


def test_a_stale_rescuer_writes_nothing_and_drops_the_shard() -> None:
    settlements, asked = run(lost(), [FenceAnswer(Verdict.STALE, 99, "")])
    assert settlements == []
    assert any(isinstance(effect, DropShard) for effect in asked)
    assert not any(isinstance(effect, SettleAll) for effect in asked)


def test_the_fence_is_asked_with_the_rows_own_epoch_and_number_and_our_token() -> None:
    rows = lost()
    _, [kill, _] = run(rows, [FenceAnswer(Verdict.OK, 1, "killed")])
    assert isinstance(kill, Kill)
    [request] = kill.requests
    assert (request.epoch, request.no, request.token) == (rows[0]["epoch"], 1, 9)
    assert request.attempts == (rows[0]["attempt_id"],)


def test_what_the_fence_may_have_forgotten_is_unknown_without_asking() -> None:
    [settlement], asked = run(lost(deadline=now() - MEMORY - timedelta(hours=1)), [])
    assert settlement.state is State.UNKNOWN
    assert not any(isinstance(effect, Kill) for effect in asked)
