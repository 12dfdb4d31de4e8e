"""A rolling upgrade: rows as a sender of version 0.1.0 left them, which knew nothing of settling. The new ones finish its work."""

from collections.abc import Iterable
from datetime import timedelta
from typing import Any, cast

import pytest

from fencepost.deliveries import Delivery
from fencepost.reconciliation import Decision, decide
from tests.support.eventually import eventually
from tests.support.rows import now, planned
from tests.support.weather import SEATS
from tests.support.world import World
from tests.support.worlds import MakesWorld

pytestmark = pytest.mark.timeout(120)

QUICKLY = {
    "FENCEPOST_SETTLEMENT__LOOK_UP_SECONDS": "0.5,1,2",
    "FENCEPOST_SETTLEMENT__WINDOW_SECONDS": "4",
    "FENCEPOST_SETTLEMENT__LOOK_UPS_PER_SECOND": "200",
}
NO_BREAKER = {"FENCEPOST_FAILOVER__DOUBTS_TO_OPEN": "1000", "FENCEPOST_FAILOVER__CALLS_TO_JUDGE": "1000"}
"""However many calls end in doubt, the next ones are made."""
FIELDS = {
    *("_id", "owner_id", "schema", "created_at", "updated_at", "shard", "occurrence_id", "schedule_id", "revision_id"),
    *("version", "origin", "due_at", "not_before", "queue_at", "recipient", "to", "state", "reason", "attempt_no"),
    *("attempt_id", "attempts", "token", "epoch", "provider", "deadline", "sender", "claim_id", "unknown_since"),
    *("receipt", "purge_at"),
}
"""What a delivery consisted of in 0.1.0. A field that came later is missing from its rows."""


def as_it_was(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name in FIELDS}


def strip(world: World) -> None:
    """Make all rows look as that version would have written them."""
    for row in world.rows():
        world.store.database.deliveries.replace_one({"_id": row["_id"]}, as_it_was(dict(row)))
    assert not {name for row in world.rows() for name in row} - FIELDS


def states(world: World, ids: Iterable[str]) -> list[str]:
    return [row["state"] for row in world.rows(_id={"$in": list(ids)})]


def test_what_it_left_pending_sending_and_unknown_is_finished(make_world: MakesWorld) -> None:
    world = make_world(NO_BREAKER)
    # Unknown: it had called, the reply was lost, and nobody would ever have asked what became of it.
    world.provider.dials(faults={"accept_and_500": 1.0})
    old = world.start(1, SEATS=str(SEATS))[0]
    world.once(10, world.soon(0))
    eventually(lambda: world.counts()["unknown"] == 10, seconds=20, every=0.01)
    old.kill()
    # Sending: killed before the fence was asked, and just after it had answered.
    world.provider.dials()
    for failpoint in ("W1.after:kill", "W4.after:kill"):
        doomed = world.fork(failpoint, SEATS=str(SEATS))
        doomed.wait_ready()
        world.once(5, world.soon(0))
        doomed.wait(30)
    # Pending: planned, not claimed.
    schedules = world.once(5, world.soon(-1))
    rows = [planned(one, one.next_run_at or one.created_at) for one in schedules]
    world.store.database.occurrences.insert_many([dict(occurrence) for occurrence, _ in rows])
    world.store.database.deliveries.insert_many([as_it_was(dict(row)) for _, own in rows for row in own])
    strip(world)
    unknown = [row["_id"] for row in world.rows(state="unknown")]
    assert len(unknown) == 10
    assert len(world.rows(state="sending")) >= 5

    world.variables = {**world.variables, **QUICKLY}
    world.start(2, SEATS=str(SEATS))
    eventually(lambda: not world.counts()["pending"] + world.counts()["sending"], seconds=30)
    eventually(lambda: set(states(world, unknown)) == {"accepted"}, seconds=30)
    eventually(lambda: not world.counts()["unknown"], seconds=30)
    accepted = [entry["delivery_id"] for entry in world.ledger()]
    assert len(set(accepted)) == len(accepted), "sent twice"
    # What had passed the fence and left no trace is held for a person; everything else is sent.
    assert {row["_id"] for row in world.rows(state="accepted")} == set(accepted)
    assert len(world.rows()) == len(world.expected)
    assert world.counts()["held"] <= 5


def test_what_it_left_unknown_after_a_person_had_it_sent_again_is_looked_up_anew(make_world: MakesWorld) -> None:
    """It writes `unknown` without saying when to look, so what an earlier doubt left there must not mean "in an hour"."""
    world = make_world({**QUICKLY, "FENCEPOST_SETTLEMENT__WINDOW_SECONDS": "1.5"})
    world.provider.dials(faults={"refuse_500": 1.0})
    sender = world.start(1, SEATS=str(SEATS))[0]
    world.once(5, world.soon(0))
    eventually(lambda: world.counts()["held"] == 5, seconds=30)
    # The next look is due in an hour, for records that are late.
    eventually(lambda: all(row["look_up_at"] > now() + timedelta(minutes=30) for row in world.rows()), seconds=20)
    sender.terminate()
    sender.wait(30)
    deliveries = world.store.deliveries
    decided = [decide(cast(Delivery, row), Decision.SEND_NOW, "ada", "", now()) for row in world.rows()]
    assert deliveries.settle(decided) == []
    # The older one claims them, and its W7 for a lost reply.
    as_w7_was = {"state": "unknown", "reason": "HTTP 500", "unknown_since": "$$NOW", "updated_at": "$$NOW"}
    world.store.database.deliveries.update_many({"state": "pending"}, [{"$set": as_w7_was}])
    assert world.counts() == {"unknown": 5}
    world.start(1, SEATS=str(SEATS))
    eventually(lambda: world.counts() == {"held": 5}, seconds=30)
