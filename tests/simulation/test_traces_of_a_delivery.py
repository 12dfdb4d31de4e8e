"""The shortest traces that a model check of the protocol found for one delivery, each with one rule taken out: with the rule all
is well, without it the same steps send twice, lie or get stuck.

Three traces of an earlier design are not here (a release that comes late, a rescuer's own record left behind, an epoch that is
rebuilt): nothing is ever released or rebuilt any more, so there is no rule to take out. What the first two found is that no
number may pass twice and none may be in the way, which the fence's own model is compared for.
"""

import math
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from fencepost.coordination.fences import FenceRequest
from fencepost.deliveries import OutcomeKind
from fencepost.reconciliation import Window
from fencepost.settlements import Settlement
from sender import effects
from sender.effects import Decisions
from sender.passes import Claimed
from tests.simulation.broken import FlushIsNotSeen, SettlesByAttempt
from tests.simulation.leases import Leases
from tests.simulation.performing import Options
from tests.simulation.plays import SHARD, Cast, Given, Stage, Thread
from tests.simulation.provider import Fate
from tests.simulation.redis import Server
from tests.simulation.sender import Sender
from tests.simulation.steps import Steps, at_once
from tests.simulation.watch import Violation
from tests.support.fence_model import FenceModel

WINDOW_SECONDS = 14
DEADLINE_SECONDS = 12


def first_claim(stage: Stage) -> Thread:
    """The first mail is due; S1 plans and claims it."""
    stage.at(2)
    thread = stage.run_pass(stage.s1)
    assert thread
    return thread


def both(
    trace: Callable[[Stage], None], broken: Cast, wrong: str, right: Cast | None = None, text: str = "even"
) -> None:
    """The same steps with the rule, and without: then this is wrong."""
    trace(Stage(right or Cast(), text))
    with pytest.raises(Violation, match=wrong):
        trace(Stage(broken, text))


def test_1_claim_and_kill_carry_the_epoch_of_the_row() -> None:
    def trace(stage: Stage) -> None:
        a1 = first_claim(stage).until("W5")
        stage.redis.master.forget()
        a1.until("answer")
        stage.wait(DEADLINE_SECONDS)
        stage.decide()
        at_once(stage.s2.rescue_abandoned())
        stage.send(stage.s2)
        stage.settle_all(50, [stage.s2])
        assert stage.accepted() == 1

    both(trace, Cast(server=FlushIsNotSeen), "is pending again, though")


def test_2_a_settlement_is_guarded_by_attempt_and_state() -> None:
    def trace(stage: Stage) -> None:
        a1 = first_claim(stage).until("W4")
        stage.wait(DEADLINE_SECONDS)
        at_once(stage.s2.rescue_abandoned())
        assert stage.row["state"] == "pending"
        assert at_once(stage.registry.cancel(stage.row["_id"]))
        a1.go()
        stage.send(stage.s1)
        assert (stage.row["state"], stage.accepted()) == ("cancelled", 0)

    both(trace, Cast(deliveries=SettlesByAttempt), "goes back from cancelled to pending")


class NeverLate(Sender):
    """W5 does not look at the attempt's own deadline."""

    def deliver(self, item: Claimed) -> Steps[None]:
        yield from super().deliver(replace(item, deadline_steady=math.inf))


def taken_and_sent_again(stage: Stage) -> None:
    """S2 finds that the fence let the attempt call, waits for the settling window, and has it sent again."""
    at_once(stage.s2.rescue_abandoned())
    assert stage.row["state"] == "unknown"
    stage.wait(WINDOW_SECONDS)
    at_once(stage.s2.reconcile())
    stage.send(stage.s2)


def test_3_the_last_check_looks_at_the_attempts_own_deadline() -> None:
    def trace(stage: Stage) -> None:
        a1 = first_claim(stage).until("W5")
        stage.wait(DEADLINE_SECONDS)
        taken_and_sent_again(stage)
        a1.until("answer")
        stage.decide()
        assert stage.accepted() == 1

    both(trace, Cast(sender=NeverLate), "accepted twice", text="resend")


class ShardsAreNotLookedAt(Given):
    """W5 looks at the process's lease alone."""

    def may_call(self, shard: int, token: int, until: float) -> bool:
        return True


def test_4_the_last_check_looks_at_the_shards_own_token() -> None:
    patient = Options(attempt_seconds=60)

    def trace(stage: Stage) -> None:
        a1 = first_claim(stage).until("W5")
        stage.give(stage.s1, 0)
        stage.give(stage.s2, 2)
        taken_and_sent_again(stage)
        a1.until("answer")
        stage.decide()
        assert stage.accepted() == 1

    both(
        trace,
        Cast(leases=ShardsAreNotLookedAt, options=patient),
        "accepted twice",
        Cast(options=patient),
        text="resend",
    )


class FailsOverWithinAnAttempt(Sender):
    """What one provider puts off, another is asked for at once, under the same attempt."""

    def delivering(self, item: Claimed) -> Decisions[Settlement]:
        decisions = super().delivering(item)
        answer: Any = None
        while True:
            try:
                effect = decisions.send(answer)
            except StopIteration as stop:
                settlement: Settlement = stop.value
                return settlement
            answer = yield effect
            if isinstance(effect, effects.Call) and answer.kind is OutcomeKind.THROTTLED:
                answer = yield effects.Call("another", effect.mail)


def test_5_fail_over_is_a_new_attempt() -> None:
    def trace(stage: Stage) -> None:
        a1 = first_claim(stage).until("W6")
        stage.fate = Fate.THROTTLED
        a1.until("answer").step()
        stage.fate = Fate.ACCEPTED_ERROR
        a1.go()
        stage.decide()
        stage.fate = Fate.ACCEPTED
        stage.settle_all(50, [stage.s1])
        assert stage.accepted() == 1

    both(trace, Cast(sender=FailsOverWithinAnAttempt), "calls twice", text="resend")


def test_6_a_record_never_vanishes_alone() -> None:
    def trace(stage: Stage, *, evicts: bool) -> None:
        a1 = first_claim(stage).until("W5")
        if evicts:
            stage.redis.master.lose(stage.row["_id"])
        a1.until("answer")
        stage.wait(DEADLINE_SECONDS)
        stage.decide()
        at_once(stage.s2.rescue_abandoned())
        stage.settle_all(50, [stage.s2])
        assert stage.accepted() == 1

    trace(Stage(Cast()), evicts=False)
    with pytest.raises(Violation, match="is pending again, though"):
        trace(Stage(Cast()), evicts=True)


class StrangersGiveWay(Server):
    """A lower number gives way whoever holds it."""

    def _may_pass(self, holder: str, request: FenceRequest) -> bool:
        return True


def test_7_only_attempts_of_the_rows_own_history_give_way() -> None:
    def trace(stage: Stage) -> None:
        a1 = first_claim(stage)
        pending = {
            **stage.row,
            "state": "pending", "attempt_no": 0, "attempt_id": None, "attempts": [], "token": 0, "claim_id": None,
        }  # fmt: skip
        a1.until("answer")
        stage.watch.restore(pending)  # type: ignore[arg-type]
        stage.decide()
        a2 = stage.run_pass(stage.s2)
        assert a2
        a2.until("W4").step_and_lose_the_reply()
        stage.wait(DEADLINE_SECONDS)
        a2.go()
        assert stage.row["state"] == "pending"
        stage.settle_all(50, [stage.s2])
        assert (stage.accepted(), stage.row["state"]) == (1, "accepted")

    both(trace, Cast(server=StrangersGiveWay), "accepted twice")


class BareRevisions(Leases):
    """A token is etcd's revision, whichever life of etcd it comes from."""

    def token(self, generation: int, revision: int) -> int:
        return revision


def test_8_a_token_counts_the_lives_of_etcd() -> None:
    def hold(stage: Stage, sender: Sender) -> None:
        sender.leases._lease = None
        at_once(sender.leases._beat())
        while at_once(sender.leases.look()):
            pass

    def trace(stage: Stage) -> None:
        for _ in range(5):
            hold(stage, stage.s1)
            stage.etcd.hand_over(SHARD)
        hold(stage, stage.s1)
        a1 = first_claim(stage).until("W5")
        stage.wait(DEADLINE_SECONDS)
        a1.go()
        assert stage.row["state"] == "pending"
        stage.etcd.lose_data()
        hold(stage, stage.s2)
        for _ in range(3):
            stage.wait(1)
            stage.send(stage.s2)
        if stage.row["state"] != "accepted":
            raise Violation("NO PROGRESS")

    both(trace, Cast(leases=BareRevisions), "NO PROGRESS", Cast(leases=Leases))


def test_19_residual_a_stall_between_the_last_check_and_the_socket_that_outlasts_the_window() -> None:
    def trace(stage: Stage) -> None:
        a1 = first_claim(stage).until("W6")
        stage.wait(DEADLINE_SECONDS)
        taken_and_sent_again(stage)
        a1.until("answer")
        stage.decide()

    resend = Stage(Cast(), "resend")
    trace(resend)
    assert resend.accepted() == 2, "the residual that docs/guarantees.md states"
    assert resend.watch.excused(resend.row)
    hold = Stage(Cast(), "even")
    trace(hold)
    assert hold.accepted() == 1, "`hold` needs no clock"


def test_20_residual_clocks_that_lie() -> None:
    def trace(stage: Stage) -> None:
        a1 = first_claim(stage).until("W5")
        stage.wait(DEADLINE_SECONDS)
        # The steady clock of S1 has stood still meanwhile.
        stage.s1.clock.booted_milliseconds += (DEADLINE_SECONDS + WINDOW_SECONDS) * 1000
        taken_and_sent_again(stage)
        a1.until("answer")
        stage.decide()

    with pytest.raises(Violation, match="accepted twice"):
        trace(Stage(Cast(), "resend"))
    hold = Stage(Cast(), "even")
    trace(hold)
    assert hold.accepted() == 1, "`hold` needs no clock"


def test_the_window_of_these_plays_is_longer_than_that_of_the_senders() -> None:
    window: Window = Options().window
    assert window.settling < timedelta(seconds=WINDOW_SECONDS)
    assert issubclass(StrangersGiveWay, FenceModel)
