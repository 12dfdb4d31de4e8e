"""Senders that are killed and frozen in the middle of hundreds of deliveries: the promise, mail by mail."""

import random
import time
from collections.abc import Collection
from dataclasses import dataclass

import pytest

from tests.support import figures
from tests.support.eventually import eventually
from tests.support.nursery import Sender
from tests.support.slowness import slowness
from tests.support.world import LEASE_TTL_SECONDS, World

SENDERS, SEATS = 4, 50
MAILS = 480
OPTIONS = {"SEATS": str(SEATS), "LEASE_CYCLE_SECONDS": "1"}
"""As in real life: how soon a free shard is seen is part of the bound."""
REACTION_SECONDS = 2
"""How long after a lease's end all that had not passed the fence has left, on a machine that is not crowded by others."""


@dataclass(frozen=True)
class Loss:
    """The moment after the last victim was lost: when that was, how many deliveries were under way, and which ones had not
    passed the fence by then."""

    at: float
    under_way: int
    not_fenced: Collection[str]


@pytest.mark.parametrize("seeds", [range(10), pytest.param(range(10, 60), marks=pytest.mark.chaos)], ids=str)
@pytest.mark.timeout(1800)
def test_a_killed_and_a_frozen_sender_cost_no_mail_and_double_none(world: World, seeds: range) -> None:
    senders = world.start(SENDERS, **OPTIONS)
    too_late = []
    for seed in seeds:
        world.balanced(*senders)
        world.begin()
        bound = LEASE_TTL_SECONDS + REACTION_SECONDS * slowness()
        killed, frozen = random.Random(seed).sample(senders, 2)
        loss = lose(world, seed, killed, frozen)
        # What is taken over leaves as fast as it can: the bound is the senders', not the provider's.
        world.provider.dials(latency_ms=20)
        assert loss.under_way >= 300, f"seed {seed}: only {loss.under_way} were under way"
        senders = [sender for sender in senders if sender is not killed] + [world.fork(**OPTIONS)]
        world.settled()
        unknown = {pid: len(reasons) for pid, reasons in world.unknown().items()}
        assert unknown.keys() <= {killed.pid, frozen.pid}, f"seed {seed}: {unknown}"
        assert max(unknown.values(), default=0) <= SEATS, f"seed {seed}: {unknown}"
        frozen.resume()
        # What had passed the fence and was not called yet is handed back, and goes out by another attempt.
        eventually(lambda: world.shards_of(frozen), seconds=20)  # noqa: B023
        world.settled()
        # Whose calls were all lost makes one alone until a mail is accepted: in the next round it is to have all seats again.
        world.once(32, world.soon(0))
        world.settled()
        world.judge(unknown_at_most=2 * SEATS)
        assert len(world.unknown().get(killed.pid, [])) == unknown.get(killed.pid, 0)
        late = [entry["at"] - loss.at for entry in world.ledger() if entry["delivery_id"] in loss.not_fenced]
        assert len(late) == len(loss.not_fenced), f"seed {seed}: {len(loss.not_fenced) - len(late)} were not sent"
        report = f"seed {seed}: {len(late)} of {loss.under_way} not past the fence, sent within {max(late):.2f} s"
        print(f"{report}, unknown {unknown}")
        figures.note(
            f"two of {SENDERS} senders: one killed, one frozen; leases of {LEASE_TTL_SECONDS} s", max(late), bound
        )
        if max(late) > bound:
            too_late.append(report)
    assert not too_late


def test_a_sender_that_wakes_after_its_lease_is_refused_and_that_is_counted(world: World) -> None:
    sleeper, other = world.start(2, SEATS="5")
    world.balanced(sleeper, other)
    world.provider.dials(latency_ms=300)
    world.once(60, world.soon(0))
    eventually(lambda: world.provider.accepted() >= 5, every=0.01)
    sleeper.pause()
    world.settled()
    world.judge(unknown_at_most=5)
    sleeper.resume()
    eventually(lambda: world.store.cluster.refusals()["stale"])
    eventually(lambda: world.shards_of(sleeper), seconds=20)
    world.settled()
    world.judge(unknown_at_most=5)


def lose(world: World, seed: int, killed: Sender, frozen: Sender) -> Loss:
    """Kill one and freeze another at instants that the seed decides, with hundreds of deliveries under way."""
    chance = random.Random(f"instants {seed}")
    world.provider.dials(latency_ms=1200, jitter_ms=300, seed=seed)
    world.once(MAILS, world.soon(0.5))
    world.wait_under_way(330)
    eventually(lambda: world.provider.accepted() > world.ledger_from, seconds=20, every=0.01)
    time.sleep(chance.uniform(0, 0.5))
    first, second = chance.sample([killed.kill, frozen.pause], 2)
    first()
    time.sleep(chance.uniform(0, 0.1))
    second()
    at = time.time()
    under_way = world.counts()["sending"]
    return Loss(at, under_way, world.not_fenced())
