"""What a provider tells by itself, and what people decide, with real senders."""

from datetime import timedelta
from typing import Any

import pytest
import requests

from devstack.stack import Stack
from tests.conftest import StartsStack
from tests.support.api import MESSAGE
from tests.support.eventually import eventually
from tests.support.history import Row
from tests.support.world import World
from tests.support.worlds import MakesWorld

SELDOM = {"FENCEPOST_SETTLEMENT__LOOK_UP_SECONDS": "600"}
QUICKLY = {
    "FENCEPOST_SETTLEMENT__LOOK_UP_SECONDS": "0.2",
    "FENCEPOST_SETTLEMENT__WINDOW_SECONDS": "1",
    "FENCEPOST_SETTLEMENT__LOOK_UPS_PER_SECOND": "200",
}


def ask(stack: Stack, method: str, path: str, body: object = None) -> Any:
    answer = requests.request(method, f"{stack.registry_url}{path}", json=body, timeout=20)
    assert answer.ok, answer.text
    return answer.json()


def test_webhooks_settle_what_is_unknown_long_before_it_is_looked_up(stack: StartsStack) -> None:
    tell = ("mailgun", "sendgrid", "mailjet", "ses")
    order = {"FENCEPOST_PROVIDERS__ORDER": ",".join(tell)}
    running = stack(senders=1, frontend=False, variables={**SELDOM, **order})
    dials = {
        "faults": {"accept_and_500": 1},
        "webhook_delay_ms": 1500,
        "webhook_duplicates": 2,
        "webhook_shuffle": True,
    }
    requests.put(f"{running.simulator_url}/_simulator/dials", json=dials, timeout=20).raise_for_status()
    for name in tell:
        ask(running, "POST", "/emails", {**MESSAGE, "to": [f"{name}@example.com"], "providers": [name]})

    def settled() -> Any:
        emails = ask(running, "GET", "/emails")["data"]
        assert [email["state"] for email in emails] == ["delivered"] * 4, "which the same webhooks tell"
        return emails

    emails = eventually(settled, seconds=30)
    assert {email["provider"] for email in emails} == set(tell)
    for email in emails:
        [attempt] = email["attempts"]
        [verdict] = attempt["settlements"]
        assert (attempt["outcome"], verdict["state"], verdict["by"]) == ("unknown", "accepted", email["provider"])
        assert "resend" not in {moment["event"] for moment in email["timeline"]}
        assert email["receipt"]
    counts = requests.get(f"{running.simulator_url}/_simulator/ledger/count", timeout=20).json()
    assert counts["requests"] == 4


def held(world: World, count: int) -> list[Row]:
    """So many mails that are held, the provider being well again."""

    def all_held() -> list[Row]:
        rows = world.rows()
        assert [row["state"] for row in rows] == ["held"] * count
        return rows

    rows = eventually(all_held, seconds=60)
    world.provider.dials()
    return rows


@pytest.mark.parametrize("stop", ["pause", "archive"])
def test_what_a_person_has_sent_again_goes_once_whatever_its_schedule_says(make_world: MakesWorld, stop: str) -> None:
    world = make_world(QUICKLY)
    world.start_registry()
    world.provider.dials(faults={"refuse_500": 1})
    world.start()
    # The next one would come in an hour.
    hourly = {"type": "interval", "every": "1h"}
    made = world.write(3, world.soon(0) - timedelta(hours=1), recurrence=hourly)
    rows = held(world, 3)
    for one in made:
        if stop == "pause":
            world.call("POST", f"/schedules/{one.id}/pause", {"reason": "enough"})
        else:
            world.call("DELETE", f"/schedules/{one.id}")
    for row in rows:
        world.call("POST", f"/emails/{row['_id']}/settle", {"decision": "send_now", "reason": "needed", "by": "Ann"})
    after = eventually(lambda: in_state(world, "accepted", 3), seconds=30)
    assert world.provider.requests() == {row["_id"]: 2 for row in rows}
    assert sorted(entry["delivery_id"] for entry in world.ledger()) == sorted(row["_id"] for row in rows)
    told = [[(verdict["state"], verdict["by"]) for verdict in row["attempts"][0]["settlements"]] for row in after]
    assert told == [[("held", "reconciler"), ("pending", "Ann")]] * 3


def test_what_a_person_drops_is_cancelled_with_who_and_why_and_never_called_again(make_world: MakesWorld) -> None:
    world = make_world(QUICKLY)
    world.start_registry()
    world.provider.dials(faults={"refuse_500": 1})
    world.start()
    world.once(2, world.soon(0))
    dropped, resent = held(world, 2)
    decision = {"decision": "drop", "reason": "too late", "by": "Ann"}
    assert world.call("POST", f"/emails/{dropped['_id']}/settle", decision)["reason"] == "Ann: drop it: too late"
    world.call("POST", f"/emails/{resent['_id']}/settle", {"decision": "send_now"})
    eventually(lambda: world.counts() == {"cancelled": 1, "accepted": 1}, seconds=30)
    assert world.provider.requests() == {dropped["_id"]: 1, resent["_id"]: 2}
    eventually(lambda: "held" not in {alarm["kind"] for alarm in world.store.cluster.alarms()}, seconds=30)


def in_state(world: World, state: str, count: int) -> list[Row]:
    rows = world.rows()
    assert [row["state"] for row in rows] == [state] * count
    return rows
