"""Random runs of the senders' own decisions: nothing sent twice, nothing lost, nothing that was not due; and proof that a run
can see what is wrong, and that runs meet what they are about."""

from collections import Counter

import pytest

from tests.simulation.__main__ import story
from tests.simulation.broken import BROKEN
from tests.simulation.runs import Variant, run

SEEDS = range(1, 2001)
PART = 250


@pytest.mark.parametrize("first", SEEDS[::PART])
def test_no_seed_finds_a_violation(first: int) -> None:
    for seed in range(first, first + PART):
        outcome = run(seed)
        assert outcome.violation is None, story(outcome)


def test_a_seed_is_the_same_run_every_time() -> None:
    first, again = (run(7, tell=True) for _ in range(2))
    assert first.story == again.story
    assert first.story


@pytest.mark.parametrize("broken", BROKEN.values(), ids=BROKEN.keys())
def test_a_broken_part_is_caught(broken: Variant) -> None:
    assert any(run(seed, broken).violation for seed in range(1, 401))


def test_runs_meet_every_answer_of_the_fence_every_arrow_and_fail_over() -> None:
    met = Counter[str]()
    for seed in range(1, 301):
        met.update(run(seed).seen)
    answers = {f"{verb} {answer}" for verb in ("claim", "kill") for answer in ("OK", "EPOCH", "STALE")}
    arrows = {
        "pending -> cancelled",
        "pending -> sending",
        "pending -> accepted",
        "sending -> accepted",
        "sending -> failed",
        "sending -> pending",
        "sending -> unknown",
        "unknown -> accepted",
        "unknown -> held",
        "unknown -> pending",
        "held -> accepted",
        "held -> pending",
        "held -> cancelled",
    }
    assert met.keys() >= answers | arrows | {"kill TAKEN", "asked of another provider"}
