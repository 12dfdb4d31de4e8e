"""A sender is lost right before or after each of its steps, while another is there: nothing twice, nothing lost, and unknown
only where the call may have been made."""

from collections import Counter
from collections.abc import Callable, Mapping

import pytest

from fencepost.failpoints import STEPS
from tests.support.eventually import eventually
from tests.support.nursery import Sender
from tests.support.world import World

SEATS = 20
SHARDS = len(STEPS) + 1
"""One for each sender."""
BEFORE_THE_FENCE = {"W1.before", "W1.after", "W2.before", "W2.after", "W3.before", "W3.after", "W4.before"}


@pytest.mark.parametrize("side", ["before", "after"])
def test_a_sender_killed_at_any_step(world: World, side: str) -> None:
    victims, _ = lose_one_at_each_step(world, side, "kill", lambda victim: not victim.alive)
    world.judge(unknown_at_most=SEATS * len(victims))
    unknown_only_past_the_fence(world, victims)


@pytest.mark.parametrize("side", ["before", "after"])
def test_a_sender_frozen_at_any_step_that_goes_on_when_others_have_taken_over(world: World, side: str) -> None:
    victims, not_fenced = lose_one_at_each_step(world, side, "stop", lambda victim: victim.frozen)
    unknown_only_past_the_fence(world, victims)
    assert {row["_id"] for row in world.rows(state="accepted")} >= not_fenced
    for victim in victims.values():
        victim.resume()
    for victim in victims.values():
        victim.wait_ready()
    world.settled()
    world.judge(unknown_at_most=SEATS * len(victims))


def lose_one_at_each_step(
    world: World, side: str, action: str, is_lost: Callable[[Sender], bool]
) -> tuple[dict[str, Sender], set[str]]:
    """Lose seven senders, each at its own step, while an eighth goes on; returns when that has settled all that can be. The
    senders by the place they were lost at, and the deliveries that had not passed the fence by then."""
    healthy = world.fork(SEATS=str(SEATS))
    places = [f"{step}.{side}" for step in STEPS]
    victims = {place: world.fork(f"{place}:{action}", SEATS=str(SEATS)) for place in places}
    for sender in (healthy, *victims.values()):
        sender.wait_ready()
    world.balanced(healthy, *victims.values())
    world.provider.dials(latency_ms=100)
    # A list long enough to be shared by all, which is claimed by W3; and when that is done, what is planned by W1 and W2.
    world.once(1, world.soon(), to=40 * SHARDS, shards=world.shards_of(healthy))
    on_the_list = [victims[place] for place in places[2:]]
    eventually(lambda: all(is_lost(victim) for victim in on_the_list), seconds=20)
    eventually(lambda: under_way(world) <= {victim.pid for victim in on_the_list})
    for victim in victims.values():
        world.once(8, world.soon(0), shards=world.shards_of(victim))
    eventually(lambda: all(is_lost(victim) for victim in victims.values()), seconds=20)
    not_fenced = world.not_fenced()
    world.settled(seconds=40)
    return victims, not_fenced


def under_way(world: World) -> set[int]:
    """The processes of which something is under way."""
    return {int(row["sender"].split("-")[-2]) for row in world.rows(state="sending")}


def unknown_only_past_the_fence(world: World, victims: Mapping[str, Sender]) -> None:
    unknown = world.unknown()
    names = {victim.pid: place for place, victim in victims.items()}
    for pid, reasons in unknown.items():
        place = names.get(pid, "the healthy one")
        most = SEATS if pid in names and place not in BEFORE_THE_FENCE else 0
        assert len(reasons) <= most, f"{place}: {Counter(reasons)}"
