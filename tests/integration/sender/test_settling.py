"""Mails whose reply was lost are settled from the provider's own records, on real servers."""

import pytest

from tests.support.eventually import eventually
from tests.support.history import Row
from tests.support.world import World
from tests.support.worlds import MakesWorld

QUICKLY = {
    "FENCEPOST_SETTLEMENT__LOOK_UP_SECONDS": "0.5,1,2",
    "FENCEPOST_SETTLEMENT__WINDOW_SECONDS": "4",
    "FENCEPOST_SETTLEMENT__LOOK_UPS_PER_SECOND": "200",
}


def alarms(world: World) -> dict[str, str]:
    return {alarm["kind"]: alarm["detail"] for alarm in world.store.cluster.alarms()}


def test_what_was_accepted_is_found_and_what_was_not_is_held_with_an_alarm(make_world: MakesWorld) -> None:
    # However many of its calls end in doubt, the provider is not left alone for that here.
    world = make_world(QUICKLY | {"FENCEPOST_FAILOVER__CALLS_TO_JUDGE": "1000"})
    world.provider.dials(faults={"accept_and_500": 0.3, "refuse_500": 0.3}, seed=7)
    world.start(2, SEATS="20")
    world.once(40, world.soon(0))
    rows = eventually(lambda: all_of(world, {"accepted", "held"}, 40), seconds=30)
    accepted = {entry["delivery_id"] for entry in world.ledger()}
    assert {row["_id"] for row in rows if row["state"] == "accepted"} == accepted
    doubted = [row for row in rows if row["attempts"][-1]["outcome"] == "unknown"]
    assert {verdict["by"] for row in doubted for verdict in row["attempts"][-1]["settlements"]} == {"reconciler"}
    assert all(len(row["attempts"][-1]["settlements"]) == 1 for row in doubted)
    assert {row["state"] for row in doubted} == {"accepted", "held"}
    held = 40 - len(accepted)
    eventually(lambda: alarms(world).get("held", "").startswith(f"{held} mails are held"))


@pytest.mark.parametrize(("policy", "least_seconds"), [("resend", 4), ("resend_at_once", 0)])
def test_what_left_no_trace_is_sent_again_if_its_owner_wants_that(
    make_world: MakesWorld, policy: str, least_seconds: int
) -> None:
    world = make_world(QUICKLY)
    world.provider.dials(faults={"refuse_500": {"next": 3}})
    world.start()
    world.once(3, world.soon(0), on_unknown=policy)
    rows = eventually(lambda: all_of(world, {"accepted"}, 3), seconds=30)
    assert {row["attempt_no"] for row in rows} == {2}
    for row in rows:
        first, second = row["attempts"]
        assert first["outcome"] == "unknown"
        assert [verdict["state"] for verdict in first["settlements"]] == ["pending"]
        assert (second["called_at"] - first["ended_at"]).total_seconds() >= least_seconds
    assert len(world.ledger()) == 3


def all_of(world: World, states: set[str], count: int) -> list[Row]:
    rows = world.rows()
    assert len(rows) == count
    assert {row["state"] for row in rows} <= states, world.counts()
    return rows
