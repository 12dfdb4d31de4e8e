"""Every interleaving of two senders over one mail, with one of them killed at any step, stopped for any time at any step, or one
answer lost, or Redis flushed at any moment (what is bounded: exploring.py)."""

import pytest

from tests.simulation.broken import FenceOff
from tests.simulation.exploring import Numbered, Scene, explore
from tests.simulation.plays import Cast
from tests.simulation.provider import Fate
from tests.simulation.watch import Violation

AGAIN = "single, sent again"
SCENES = {
    "accepted, and answered with an error": Scene(fate=Fate.ACCEPTED_ERROR),
    "accepted, and never answered": Scene(text=AGAIN, fate=Fate.ACCEPTED_SILENCE, faults=("kill S1",)),
    "put off": Scene(fate=Fate.THROTTLED, faults=("kill S1",)),
    "a lost answer under one token": Scene(tokens=(1, 1), faults=("mute S1",)),
    "a flushed fence": Scene(faults=("flush",)),
}


@pytest.mark.timeout(300)
@pytest.mark.parametrize("scene", SCENES.values(), ids=SCENES.keys())
def test_nothing_is_sent_twice_or_lost_whatever_comes_between(scene: Scene) -> None:
    assert explore(scene, most=20_000) > 500


class NoFence(Numbered, FenceOff):
    """Everybody may call."""


def test_the_exploration_finds_what_is_wrong_without_the_fence() -> None:
    with pytest.raises(Violation, match="by: S1, "):
        explore(Scene(cast=Cast(server=NoFence), fate=Fate.ACCEPTED_ERROR))
