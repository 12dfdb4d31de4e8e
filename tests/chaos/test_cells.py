"""The 64 cells: a sender lost at each of the steps W0 to W7, by a kill or a freeze, recovered by itself or by another, with a
Redis that kept its memory or lost it. Nothing twice, nothing lost, and unknown only where the call may have been made.

The eight senders of a group are lost at once, each with mail of its own shards in its hands. They are lost right after their
step; right before a step is the same as right after the one before it.
"""

from collections.abc import Mapping
from datetime import timedelta

import pytest
from redis import Redis

from fencepost.failpoints import START, STEPS
from tests.support.eventually import eventually
from tests.support.nursery import Sender
from tests.support.rows import planned
from tests.support.world import World
from tests.support.worlds import MakesWorld

SEATS, MAILS = 20, 12
PLACES = [f"{step}.after" for step in (START, *STEPS)]
SETTINGS = {"FENCEPOST_SENDER__SHARDS": str(len(PLACES) + 1), "FENCEPOST_SENDER__SEATS": str(SEATS)}
"""A shard for each sender."""
PLANNING = {"W0.after", "W1.after", "W2.after"}
"""Where a schedule that is due is in the sender's hands; at the others it is a mail that waits."""
CLAIMED = {"W1.after", "W2.after", "W3.after"}
"""Where mail is claimed and not fenced. A Redis that lost its memory can't tell that nobody called."""
FENCED = {"W4.after", "W5.after", "W6.after", "W7.after"}


@pytest.mark.parametrize("redis", ["up", "flushed"])
@pytest.mark.parametrize("recovery", ["same", "other"])
@pytest.mark.parametrize("action", ["kill", "stop"])
def test_a_sender_lost_at_each_step(make_world: MakesWorld, action: str, recovery: str, redis: str) -> None:
    world = make_world(SETTINGS)
    others = [world.fork()] if recovery == "other" else []
    victims = lose_one_at_each_step(world, action, others)
    before = world.not_fenced()
    if redis == "flushed":
        with Redis.from_url(world.settings.redis.url.get_secret_value()) as client:
            client.flushdb()  # of the server's memory all that is ours
    if recovery == "same" and action == "kill":
        world.start(len(victims))
    if recovery == "same" and action == "stop":
        eventually(lambda: not world.shards_of(*victims.values()), seconds=30)
    else:
        world.settled(seconds=60)
        check_unknown(world, victims, redis)
    if action == "stop":
        for victim in victims.values():
            victim.resume()
        for victim in victims.values():
            victim.wait_ready()
        world.settled(seconds=60)
    world.judge(unknown_at_most=SEATS * len(victims))
    check_unknown(world, victims, redis)
    if redis == "up":
        assert {row["_id"] for row in world.rows(state="accepted")} >= before, "nothing stood in the way of these"


def lose_one_at_each_step(world: World, action: str, others: list[Sender]) -> dict[str, Sender]:
    """Eight senders, each lost at its own step with mail in its hands; by their places."""
    victims = {place: world.fork(f"{place}:{action}") for place in PLACES[1:]}
    for sender in (*others, *victims.values()):
        sender.wait_ready()
    world.balanced(*others, *victims.values())
    world.provider.dials(latency_ms=100)
    # The first is lost as soon as it is given a shard, so it comes last.
    first = world.fork(f"{PLACES[0]}:{action}")
    victims = {PLACES[0]: first, **victims}
    eventually(lambda: is_lost(first, action), seconds=30, every=0.01)
    for place, victim in victims.items():
        fill_hands(world, victim, place in PLANNING)
    world.nudge()

    def check() -> bool:
        left = [place for place, victim in victims.items() if not is_lost(victim, action)]
        assert not left, f"{left} are not lost: {world.counts()}"
        return True

    eventually(check, seconds=30)
    return victims


def fill_hands(world: World, sender: Sender, planning: bool) -> None:
    """Schedules of this sender's shards that are due now: still to be planned, or planned before by somebody else."""
    shards = world.shards_of(sender)
    due = world.soon(-1)
    if planning:
        world.once(MAILS, due, shards=shards)
        return
    recurrence = {"type": "once", "at": due.isoformat()}
    fields = {"last_run_at": due, "next_run_at": None, "occurrence_count": 1}
    made = world.make(MAILS, due - timedelta(hours=1), shards=shards, fields=fields, recurrence=recurrence)
    rows = [planned(one, due) for one in made]
    world.put(made)
    world.store.occurrences.insert([occurrence for occurrence, _ in rows])
    world.store.deliveries.insert([row for _, those in rows for row in those])
    world.expect(made, due)


def is_lost(sender: Sender, action: str) -> bool:
    return not sender.alive if action == "kill" else sender.frozen


def check_unknown(world: World, victims: Mapping[str, Sender], redis: str) -> None:
    """Only what a call may have been made for, or what nobody can tell of any more."""
    may_be = FENCED | (CLAIMED if redis == "flushed" else set())
    places = {victim.pid: place for place, victim in victims.items()}
    for pid, reasons in world.unknown().items():
        place = places.get(pid, "another sender")
        assert place in may_be, f"{len(reasons)} of {place} are unknown: {set(reasons)}"
        assert len(reasons) <= SEATS, f"{place}: {len(reasons)}"
