"""CLAIM, KILL and EPOCH: every branch of the protocol, on Redis and on the model that stands in for it."""

from collections.abc import Callable, Iterator
from typing import Protocol

import pytest

from fencepost.coordination.fences import Fence, FenceAnswer, FenceRequest, Verdict
from fencepost.coordination.redis_client import connect
from fencepost.coordination.tokens import Token
from tests.support.fence_model import FenceModel

OK, STALE, EPOCH, KILLED, TAKEN = Verdict.OK, Verdict.STALE, Verdict.EPOCH, Verdict.KILLED, Verdict.TAKEN
TOKEN = Token(5, 7).number


class AnyFence(Protocol):
    def epoch(self) -> str: ...
    def claim(self, requests: list[FenceRequest], /) -> list[FenceAnswer]: ...
    def kill(self, requests: list[FenceRequest], /) -> list[FenceAnswer]: ...


Forgets = Callable[[], object]
"""Makes the fence lose its memory."""


@pytest.fixture(params=["redis", "model"])
def both(request: pytest.FixtureRequest) -> Iterator[tuple[AnyFence, Forgets]]:
    if request.param == "model":
        model = FenceModel()
        yield model, model.forget
        return
    config = request.getfixturevalue("settings").redis
    fence = Fence(config)
    with connect(config) as client:
        yield fence, client.flushdb
    fence.close()


@pytest.fixture
def fence(both: tuple[AnyFence, Forgets]) -> AnyFence:
    return both[0]


@pytest.fixture
def forget(both: tuple[AnyFence, Forgets]) -> Forgets:
    return both[1]


@pytest.fixture
def epoch(fence: AnyFence) -> str:
    return fence.epoch()


def claim(
    fence: AnyFence, epoch: str, no: int, attempt: str, attempts: str = "", *, token: int = TOKEN, shard: int = 3
) -> FenceAnswer:
    history = (*attempts.split(), attempt)
    return fence.claim([FenceRequest(shard, "eml_1", epoch, token, no, attempt, history)])[0]


def kill(fence: AnyFence, epoch: str, no: int, attempts: str = "", *, token: int = TOKEN) -> FenceAnswer:
    return fence.kill([FenceRequest(3, "eml_1", epoch, token, no, "", tuple(attempts.split()))])[0]


# CLAIM


def test_the_first_claim_of_a_number_is_ok(fence: AnyFence, epoch: str) -> None:
    assert claim(fence, epoch, 1, "a1") == FenceAnswer(OK, 1, "a1")


def test_a_claim_asked_again_is_ok_again(fence: AnyFence, epoch: str) -> None:
    claim(fence, epoch, 1, "a1")
    assert claim(fence, epoch, 1, "a1") == FenceAnswer(OK, 1, "a1")


def test_a_number_that_was_killed_can_never_claim(fence: AnyFence, epoch: str) -> None:
    kill(fence, epoch, 1)
    assert claim(fence, epoch, 1, "a1") == FenceAnswer(KILLED, 1, "killed")


def test_a_number_that_another_attempt_holds_is_taken(fence: AnyFence, epoch: str) -> None:
    claim(fence, epoch, 1, "a1")
    assert claim(fence, epoch, 1, "b1", "a1") == FenceAnswer(TAKEN, 1, "a1")


def test_a_number_that_was_passed_can_never_claim(fence: AnyFence, epoch: str) -> None:
    claim(fence, epoch, 2, "a2")
    assert claim(fence, epoch, 1, "a1", "a2") == FenceAnswer(TAKEN, 2, "a2")
    kill(fence, epoch, 3, "a2")
    assert claim(fence, epoch, 2, "a2") == FenceAnswer(TAKEN, 3, "killed")


def test_a_lower_number_of_the_rows_own_history_gives_way_to_a_claim(fence: AnyFence, epoch: str) -> None:
    claim(fence, epoch, 1, "a1")
    assert claim(fence, epoch, 3, "a3", "a1 a2") == FenceAnswer(OK, 3, "a3")
    assert claim(fence, epoch, 1, "a1") == FenceAnswer(TAKEN, 3, "a3")


def test_a_lower_number_that_was_killed_gives_way_to_a_claim(fence: AnyFence, epoch: str) -> None:
    kill(fence, epoch, 1)
    assert claim(fence, epoch, 2, "a2") == FenceAnswer(OK, 2, "a2")


def test_a_lower_number_that_the_row_does_not_know_gives_no_way_to_a_claim(fence: AnyFence, epoch: str) -> None:
    claim(fence, epoch, 1, "a1")
    assert claim(fence, epoch, 2, "b2", "b1 a11 a a1x xa1") == FenceAnswer(TAKEN, 1, "a1")


def test_numbers_are_compared_as_numbers(fence: AnyFence, epoch: str) -> None:
    claim(fence, epoch, 9, "a9")
    assert claim(fence, epoch, 10, "a10", "a9") == FenceAnswer(OK, 10, "a10")
    assert claim(fence, epoch, 9, "a9") == FenceAnswer(TAKEN, 10, "a10")


# KILL


def test_a_number_that_nobody_claimed_dies(fence: AnyFence, epoch: str) -> None:
    assert kill(fence, epoch, 1) == FenceAnswer(OK, 1, "killed")


def test_a_kill_asked_again_is_ok_again(fence: AnyFence, epoch: str) -> None:
    kill(fence, epoch, 1)
    assert kill(fence, epoch, 1) == FenceAnswer(OK, 1, "killed")


def test_a_number_that_an_attempt_holds_can_not_be_killed(fence: AnyFence, epoch: str) -> None:
    claim(fence, epoch, 1, "a1")
    assert kill(fence, epoch, 1, "a1") == FenceAnswer(TAKEN, 1, "a1")
    assert claim(fence, epoch, 1, "a1").verdict is OK


def test_a_number_that_was_passed_can_not_be_killed(fence: AnyFence, epoch: str) -> None:
    claim(fence, epoch, 2, "a2")
    assert kill(fence, epoch, 1, "a1 a2") == FenceAnswer(TAKEN, 2, "a2")
    kill(fence, epoch, 3, "a2")
    assert kill(fence, epoch, 2, "a1 a2") == FenceAnswer(TAKEN, 3, "killed")


def test_a_lower_number_of_the_rows_own_history_gives_way_to_a_kill(fence: AnyFence, epoch: str) -> None:
    claim(fence, epoch, 1, "a1")
    assert kill(fence, epoch, 2, "a1 a2") == FenceAnswer(OK, 2, "killed")
    assert claim(fence, epoch, 2, "a2", "a1") == FenceAnswer(KILLED, 2, "killed")


def test_a_lower_number_that_was_killed_gives_way_to_a_kill(fence: AnyFence, epoch: str) -> None:
    kill(fence, epoch, 1)
    assert kill(fence, epoch, 2) == FenceAnswer(OK, 2, "killed")


def test_a_lower_number_that_the_row_does_not_know_gives_no_way_to_a_kill(fence: AnyFence, epoch: str) -> None:
    claim(fence, epoch, 1, "a1")
    assert kill(fence, epoch, 2, "b1 b2") == FenceAnswer(TAKEN, 1, "a1")


# The token


def test_a_token_below_the_highest_of_its_shard_is_stale_and_decides_nothing(fence: AnyFence, epoch: str) -> None:
    claim(fence, epoch, 1, "a1", token=TOKEN + 1)
    assert claim(fence, epoch, 2, "a2", "a1") == FenceAnswer(STALE, TOKEN + 1, "")
    assert kill(fence, epoch, 2, "a1") == FenceAnswer(STALE, TOKEN + 1, "")
    assert claim(fence, epoch, 1, "a1", token=TOKEN + 1) == FenceAnswer(OK, 1, "a1")


def test_a_kill_raises_the_highest_token_too(fence: AnyFence, epoch: str) -> None:
    kill(fence, epoch, 1, token=TOKEN + 1)
    assert claim(fence, epoch, 2, "a2").verdict is STALE


def test_a_claim_that_is_refused_raises_the_highest_token_all_the_same(fence: AnyFence, epoch: str) -> None:
    claim(fence, epoch, 1, "a1")
    assert claim(fence, epoch, 1, "b1", token=TOKEN + 1).verdict is TAKEN
    assert claim(fence, epoch, 1, "a1").verdict is STALE


def test_a_row_of_another_epoch_does_not_raise_the_highest_token(fence: AnyFence, epoch: str) -> None:
    assert claim(fence, "old", 1, "a1", token=TOKEN + 1).verdict is EPOCH
    assert claim(fence, epoch, 1, "a1").verdict is OK


def test_a_new_generation_outranks_every_revision_of_the_old_one(fence: AnyFence, epoch: str) -> None:
    old, new = Token(1, 2**40 - 1).number, Token(2, 1).number
    claim(fence, epoch, 1, "a1", token=old)
    assert claim(fence, epoch, 2, "a2", "a1", token=new).verdict is OK
    assert claim(fence, epoch, 3, "a3", "a1 a2", token=old) == FenceAnswer(STALE, new, "")


def test_the_largest_tokens_are_told_apart(fence: AnyFence, epoch: str) -> None:
    largest = Token(2**13 - 1, 2**40 - 1).number
    claim(fence, epoch, 1, "a1", token=largest)
    assert claim(fence, epoch, 2, "a2", "a1", token=largest - 1) == FenceAnswer(STALE, largest, "")
    assert claim(fence, epoch, 2, "a2", "a1", token=largest).verdict is OK


def test_each_shard_has_its_own_highest_token(fence: AnyFence, epoch: str) -> None:
    claim(fence, epoch, 1, "a1", token=TOKEN + 1)
    assert claim(fence, epoch, 2, "a2", "a1", shard=4).verdict is OK


# The epoch


def test_the_epoch_stays_while_the_fence_remembers(fence: AnyFence, epoch: str) -> None:
    claim(fence, epoch, 1, "a1")
    assert fence.epoch() == epoch


def test_a_row_that_remembers_another_epoch_is_not_decided(fence: AnyFence, epoch: str) -> None:
    run_id = epoch.partition(":")[0]
    for foreign in (f"{run_id}:other", f"{epoch}x", "", "other:nonce"):
        assert claim(fence, foreign, 1, "a1") == FenceAnswer(EPOCH, 0, "")
        assert kill(fence, foreign, 1) == FenceAnswer(EPOCH, 0, "")
    assert claim(fence, epoch, 1, "a1").verdict is OK


def test_a_fence_that_lost_its_memory_decides_nothing_of_before(fence: AnyFence, epoch: str, forget: Forgets) -> None:
    claim(fence, epoch, 1, "a1")
    forget()
    # Nobody has made a new epoch yet, and after somebody did: the rows of before stay undecided.
    assert kill(fence, epoch, 1, "a1") == FenceAnswer(EPOCH, 0, "")
    assert claim(fence, epoch, 1, "a1") == FenceAnswer(EPOCH, 0, "")
    fresh = fence.epoch()
    assert fresh != epoch
    assert kill(fence, epoch, 1, "a1") == FenceAnswer(EPOCH, 0, "")
    assert claim(fence, fresh, 2, "a2", "a1").verdict is OK


# Many at once


def test_a_batch_is_answered_in_order_and_each_on_its_own(fence: AnyFence, epoch: str) -> None:
    kill(fence, epoch, 1)
    many = [
        FenceRequest(number % 7, f"eml_{number}", epoch, TOKEN, 1, f"a{number}", (f"a{number}",))
        for number in range(350)
    ]
    answers = fence.claim(many)
    assert answers[1] == FenceAnswer(KILLED, 1, "killed")
    assert [answer.attempt for answer in answers[:1] + answers[2:]] == [f"a{at}" for at in range(350) if at != 1]
    assert fence.claim(many) == answers
    assert {answer.verdict for answer in fence.kill(many[2:])} == {TAKEN}


def test_one_call_decides_rows_of_several_epochs_each_by_its_own(fence: AnyFence, epoch: str) -> None:
    rows = [
        FenceRequest(shard, f"eml_{shard}", row_epoch, TOKEN, 1, f"a{shard}", (f"a{shard}",))
        for shard, row_epoch in enumerate([epoch, "old", epoch])
    ]
    assert [answer.verdict for answer in fence.claim(rows)] == [OK, EPOCH, OK]


def test_the_same_delivery_twice_in_a_batch_is_decided_one_after_the_other(fence: AnyFence, epoch: str) -> None:
    attempts = [FenceRequest(3, "eml_1", epoch, TOKEN, 1, attempt, (attempt,)) for attempt in ("a1", "b1")]
    assert fence.claim(attempts) == [FenceAnswer(OK, 1, "a1"), FenceAnswer(TAKEN, 1, "a1")]


def test_an_empty_batch_is_an_empty_answer(fence: AnyFence) -> None:
    assert fence.claim([]) == []
    assert fence.kill([]) == []


# The breaker's memory of contents


def test_whoever_comes_second_with_a_content_is_told_who_was_first(fence: AnyFence, epoch: str) -> None:
    def ask(delivery: str, content: str) -> FenceAnswer:
        return fence.claim([FenceRequest(3, delivery, epoch, TOKEN, 1, "a1", ("a1",), content, f"{delivery} 1")])[0]

    assert ask("eml_1", "one") == FenceAnswer(OK, 1, "a1", "eml_1 1")
    assert ask("eml_2", "one") == FenceAnswer(OK, 1, "a1", "eml_1 1")
    assert ask("eml_1", "one").copy_of == "eml_1 1", "asked again it says the same"
    assert ask("eml_3", "two").copy_of == "eml_3 1"
    assert ask("eml_4", "").copy_of == "", "nothing was asked"


def test_the_fences_answers_do_not_hang_on_the_content(fence: AnyFence, epoch: str) -> None:
    kill(fence, epoch, 1)
    mixed = [
        FenceRequest(3, "eml_1", epoch, TOKEN, 1, "a1", ("a1",), "one", "eml_1 1"),
        FenceRequest(3, "eml_2", "old", TOKEN, 1, "a1", ("a1",)),
        FenceRequest(3, "eml_3", epoch, TOKEN, 1, "a1", ("a1",), "one", "eml_3 1"),
    ]
    answers = fence.claim(mixed)
    assert [(answer.verdict, answer.copy_of) for answer in answers] == [
        (KILLED, "eml_1 1"),
        (EPOCH, ""),
        (OK, "eml_1 1"),
    ]
