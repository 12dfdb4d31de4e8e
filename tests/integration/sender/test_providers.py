"""Senders with another provider than Mailgun: mail goes once, and a lost reply is settled as that provider allows."""

from typing import Any

import pytest

from tests.support.eventually import eventually
from tests.support.history import Row, states
from tests.support.worlds import MakesWorld

QUICKLY = {
    "FENCEPOST_SETTLEMENT__LOOK_UP_SECONDS": "0.5,1",
    "FENCEPOST_SETTLEMENT__WINDOW_SECONDS": "2",
    "FENCEPOST_SETTLEMENT__LOOK_UPS_PER_SECOND": "200",
}
WITH_RECORDS: dict[str, dict[str, str]] = {
    "sendgrid": {"FENCEPOST_PROVIDERS__SENDGRID__ACTIVITY_API_KEY": "key-simulator"},
    "mailjet": {},
}
WITHOUT_RECORDS = ("sendgrid", "ses", "smtp")


@pytest.mark.parametrize("name", WITH_RECORDS)
def test_lost_replies_are_settled_from_the_providers_records(make_world: MakesWorld, name: str) -> None:
    rows = sent(make_world, name, WITH_RECORDS[name])
    assert states(rows) == {"accepted": 5, "held": 1}
    [held] = [row for row in rows if row["state"] == "held"]
    assert "no trace" in held["reason"]
    verdicts = [verdict for row in rows for attempt in row["attempts"] for verdict in attempt.get("settlements", [])]
    assert {(verdict["by"], verdict["state"]) for verdict in verdicts} == {
        ("reconciler", "accepted"),
        ("reconciler", "held"),
    }


@pytest.mark.parametrize("name", WITHOUT_RECORDS)
def test_lost_replies_are_held_where_there_are_no_records_to_ask(make_world: MakesWorld, name: str) -> None:
    rows = sent(make_world, name, {})
    assert states(rows) == {"accepted": 4, "held": 2}
    reasons = {row["reason"] for row in rows if row["state"] == "held"}
    assert reasons == {"This provider keeps no records that can be asked."}


def sent(make_world: MakesWorld, name: str, variables: dict[str, str]) -> list[Row]:
    """Six scheduled mails, of which one was accepted and one was not, without a word; the rows once all are settled."""
    world = make_world({**QUICKLY, **variables, "FENCEPOST_PROVIDERS__ORDER": name})
    lost = "reset_without_accept" if name == "smtp" else "refuse_500"  # which would be a plain word there
    world.provider.dials(faults={"accept_and_500": {"next": 1}, lost: {"next": 1}})
    world.start()
    world.once(6, world.soon(0))

    def settled() -> list[Row]:
        rows = world.rows()
        assert len(rows) == 6
        assert states(rows).keys() <= {"accepted", "held"}, states(rows)
        return rows

    rows = eventually(settled, seconds=60)
    ledger: list[dict[str, Any]] = world.ledger()
    assert len(ledger) == len({entry["delivery_id"] for entry in ledger}) == 5, "nothing went twice"
    assert {entry["provider"] for entry in ledger} == {name}
    assert {row["_id"] for row in rows if row["state"] == "accepted"} <= {entry["delivery_id"] for entry in ledger}
    assert set(world.provider.requests().values()) == {1}, "no call was repeated"
    return rows
