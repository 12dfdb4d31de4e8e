"""W4 to W7 step by step: what follows each answer of the fence, each refusal of trust and each outcome of a call."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from fencepost import ids
from fencepost.attachments import by_id
from fencepost.coordination.fences import FenceAnswer, Verdict
from fencepost.deliveries import Delivery, Outcome, OutcomeKind, State
from fencepost.errors import Invalid, Problem
from fencepost.failover import UNFIT
from fencepost.messages import Renderer
from fencepost.occurrences import TOGETHER
from fencepost.settlements import Settlement
from fencepost.unsubscribing import Links
from sender.delivering import Patience, deliver, nowhere
from sender.effects import AskFence, Call, CheckTrust, DropShard, Effect, Freeze, ReadFiles, RenewEpoch, Settle
from sender.passes import Claimed
from tests.support.rows import planned, sending
from tests.support.schedules import definition, schedule

PATIENCE = Patience(call_seconds=8, retry_base_seconds=2, retry_cap_seconds=600)
LINKS = Links("http://127.0.0.1:5000", b"a secret")
OK = FenceAnswer(Verdict.OK, 1, "att_1")
ACCEPTED = Outcome(OutcomeKind.ACCEPTED, "Queued.", receipt="<1@mg>", status=200)


@dataclass
class ManualClock:
    """A clock that a test moves."""

    seconds: float = 1000.0

    def now(self) -> datetime:
        return datetime(2026, 3, 2, tzinfo=UTC) + timedelta(seconds=self.seconds)

    def steady(self) -> float:
        return self.seconds


@dataclass
class World:
    """Answers effects; `effects` is what was asked, in order."""

    fence: list[FenceAnswer | None] = field(default_factory=lambda: [OK])
    trusted: bool = True
    outcome: Outcome | Exception = ACCEPTED
    clock: ManualClock = field(default_factory=ManualClock)
    before: Callable[[Effect], None] = lambda _effect: None
    frozen: bool = True
    """Whether a schedule can be frozen."""
    copy_slot: timedelta | None = None
    files: dict[str, bytes] | None = field(default_factory=dict)
    effects: list[Effect] = field(default_factory=list)
    moves_on: Callable[[Delivery], bool] = nowhere

    def run(self, **changes: Any) -> Settlement:
        at = datetime(2026, 3, 2, 9, tzinfo=UTC)
        text, _ = by_id(definition(**changes), {}, 1_000_000, "")
        [row] = planned(schedule(at, text), at)[1]
        item = Claimed(sending(row), Renderer(text), self.clock.seconds + 30, self.copy_slot)
        decisions = deliver(item, PATIENCE, LINKS, self.clock, 0.5, self.moves_on)
        effect = next(decisions)
        while True:
            self.effects.append(effect)
            self.before(effect)
            answer = self._answer(effect)
            try:
                effect = decisions.throw(answer) if isinstance(answer, Exception) else decisions.send(answer)
            except StopIteration as stop:
                settlement: Settlement = stop.value
                return settlement

    def _answer(self, effect: Effect) -> Any:
        match effect:
            case AskFence():
                return self.fence.pop(0) if self.fence else None
            case CheckTrust():
                return self.trusted
            case Freeze():
                return self.frozen
            case ReadFiles():
                return self.files
            case Call():
                return self.outcome
        return True

    @property
    def kinds(self) -> list[str]:
        return [type(effect).__name__ for effect in self.effects]


def test_an_accepted_mail_passes_the_fence_the_trust_check_and_one_call() -> None:
    world = World()
    settlement = world.run()
    assert world.kinds == ["AskFence", "CheckTrust", "Call", "Settle"]
    assert (settlement.state, settlement.receipt) == (State.ACCEPTED, "<1@mg>")
    assert {"fence", "fenced_at", "called_at", "ended_at", "outcome", "detail", "status"} <= settlement.attempt.keys()


@pytest.mark.parametrize(
    ("verdict", "beside"), [(Verdict.STALE, DropShard), (Verdict.EPOCH, RenewEpoch), (Verdict.KILLED, None)]
)
def test_a_refusal_calls_nobody_and_hands_the_mail_back(verdict: Verdict, beside: type[Effect] | None) -> None:
    world = World(fence=[FenceAnswer(verdict, 9, "killed")])
    settlement = world.run()
    assert "Call" not in world.kinds
    assert (settlement.state, settlement.attempt["fence"]) == (State.PENDING, verdict.value)
    assert settlement.not_before is None
    assert [type(effect) for effect in world.effects[1:-1]] == ([beside] if beside else [])


def test_a_record_held_by_another_makes_the_mail_unknown_and_adopts_the_holder() -> None:
    world = World(fence=[FenceAnswer(Verdict.TAKEN, 4, "att_other")])
    settlement = world.run()
    assert "Call" not in world.kinds
    assert (settlement.state, settlement.adopt) == (State.UNKNOWN, (4, "att_other"))


def test_a_lost_answer_of_the_fence_is_asked_for_again_with_the_same_request() -> None:
    world = World(fence=[None, None, OK])
    assert world.run().state is State.ACCEPTED
    asked = [effect.request for effect in world.effects if isinstance(effect, AskFence)]
    assert len(asked) == 3
    assert len(set(asked)) == 1


def test_a_fence_that_never_answers_hands_the_mail_back_before_its_deadline() -> None:
    world = World(fence=[])

    def time_passes(_effect: Effect) -> None:
        world.clock.seconds += 5

    world.before = time_passes
    settlement = world.run()
    assert settlement.state is State.PENDING
    assert world.clock.seconds < 1000 + 30 + 5
    assert "Call" not in world.kinds


def test_without_trust_nothing_is_called() -> None:
    world = World(trusted=False)
    assert world.run().state is State.PENDING
    assert "Call" not in world.kinds


def test_an_attempt_too_close_to_its_deadline_does_not_call() -> None:
    world = World()

    def stall_at_the_fence(effect: Effect) -> None:
        if isinstance(effect, CheckTrust):
            world.clock.seconds += 25

    world.before = stall_at_the_fence
    assert world.run().state is State.PENDING
    assert "Call" not in world.kinds


@pytest.mark.parametrize(
    ("kind", "state"),
    [
        (OutcomeKind.REJECTED, State.FAILED),
        (OutcomeKind.THROTTLED, State.PENDING),
        (OutcomeKind.UNAVAILABLE, State.PENDING),
        (OutcomeKind.UNKNOWN, State.UNKNOWN),
    ],
)
def test_each_outcome_has_its_state(kind: OutcomeKind, state: State) -> None:
    settlement = World(outcome=Outcome(kind, "As it was said.")).run()
    assert (settlement.state, settlement.reason) == (state, "As it was said.")


def test_a_stated_wait_is_honoured() -> None:
    world = World(outcome=Outcome(OutcomeKind.THROTTLED, "Slower.", retry_after_seconds=120))
    settlement = world.run()
    assert settlement.not_before is not None
    assert settlement.not_before >= world.clock.now() + timedelta(seconds=120)


def test_a_mail_the_provider_can_not_take_fails_without_a_call_on_record() -> None:
    settlement = World(outcome=Invalid(Problem("/to", "too many"))).run()
    assert settlement.state is State.FAILED
    assert "called_at" not in settlement.attempt


def test_a_mail_that_one_provider_can_not_take_goes_to_another_that_may() -> None:
    world = World(
        outcome=Invalid(Problem("/to", "too many")), moves_on=lambda row: row["attempts"][-1]["outcome"] == UNFIT
    )
    settlement = world.run()
    assert (settlement.state, settlement.attempt["outcome"]) == (State.PENDING, UNFIT)
    assert "called_at" not in settlement.attempt
    assert settlement.not_before == world.clock.now()


def test_a_mail_that_can_not_be_written_fails_before_the_fence() -> None:
    world = World()
    at = datetime(2026, 3, 2, 9, tzinfo=UTC)
    [row] = planned(schedule(at, definition()), at)[1]
    item = Claimed({**sending(row), "recipient": "gone@example.com"}, Renderer(definition()), world.clock.seconds + 30)
    effect = next(deliver(item, PATIENCE, LINKS, world.clock, 0.5))
    assert isinstance(effect, Settle)
    assert effect.settlement.state is State.FAILED


def test_a_joint_mail_goes_to_all_at_once() -> None:
    at = datetime(2026, 3, 2, 9, tzinfo=UTC)
    text = definition(to=3, together=True)
    [row] = planned(schedule(at, text), at)[1]
    assert row["recipient"] == TOGETHER
    assert len(Renderer(text).mail(row["_id"], 1, TOGETHER).to) == 3


FIRST = ids.delivery_id("occ_of_a_bug", datetime(2026, 3, 2, 9, tzinfo=UTC), "ann@example.com")
COPY = FenceAnswer(Verdict.OK, 1, "att_1", copy_of=f"{FIRST} 1")


def test_a_copy_is_held_uncalled_and_its_schedule_frozen() -> None:
    world = World(fence=[COPY], copy_slot=timedelta(minutes=10))
    settlement = world.run()
    assert world.kinds == ["AskFence", "Freeze", "Settle"]
    assert (settlement.state, settlement.attempt["copy_of"]) == (State.HELD, FIRST)
    assert FIRST in (settlement.reason or "")
    asked = world.effects[0]
    assert isinstance(asked, AskFence)
    assert asked.request.content
    assert asked.request.mark.startswith(asked.request.delivery_id)


def test_a_copy_waits_while_the_freeze_can_not_be_put_on_record() -> None:
    world = World(fence=[COPY], copy_slot=timedelta(minutes=10), frozen=False)
    assert world.run().state is State.PENDING
    assert "Call" not in world.kinds


def test_a_refusal_of_the_fence_goes_before_the_breaker() -> None:
    world = World(fence=[replace(COPY, verdict=Verdict.TAKEN)], copy_slot=timedelta(minutes=10))
    assert world.run().state is State.UNKNOWN
    assert "Freeze" not in world.kinds


def test_what_is_not_the_breakers_business_asks_for_no_content() -> None:
    world = World()
    world.run()
    asked = world.effects[0]
    assert isinstance(asked, AskFence)
    assert not asked.request.content


HELLO = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"
WITH_FILE = {"message": {"attachments": [{"filename": "a.txt", "content": "aGVsbG8="}]}}


def test_files_are_read_before_the_fence_and_are_in_the_mail_that_goes() -> None:
    world = World(files={HELLO: b"hello"})
    assert world.run(**WITH_FILE).state is State.ACCEPTED
    assert world.kinds == ["ReadFiles", "AskFence", "CheckTrust", "Call", "Settle"]
    asked, call = world.effects[0], world.effects[3]
    assert isinstance(asked, ReadFiles)
    assert (asked.owner_id, asked.ids) == ("local", {HELLO})
    assert isinstance(call, Call)
    assert [each.content for each in call.mail.attachments] == [b"hello"]


def test_a_file_that_is_not_on_record_fails_its_mail_before_the_fence_and_says_which() -> None:
    world = World()
    settlement = world.run(**WITH_FILE)
    assert world.kinds == ["ReadFiles", "Settle"]
    assert (settlement.state, settlement.reason) == (
        State.FAILED,
        "Its attachment a.txt is not on record any more.",
    )


def test_files_that_can_not_be_read_now_put_their_mail_off_a_little() -> None:
    world = World(files=None)
    settlement = world.run(**WITH_FILE)
    assert world.kinds == ["ReadFiles", "Settle"]
    assert settlement.state is State.PENDING
    assert settlement.not_before == world.clock.now() + timedelta(seconds=PATIENCE.retry_base_seconds)
