"""A mail of POST /emails through the whole house: one id all the way, and a bounce that keeps the next one back."""

from collections.abc import Mapping
from typing import Any

import pytest
import requests

from devstack.stack import Stack
from tests.conftest import StartsStack
from tests.support.api import MESSAGE
from tests.support.dev import ledger
from tests.support.eventually import eventually

PROVIDERS = ("mailgun", "sendgrid", "mailjet", "ses")


@pytest.mark.timeout(180)
def test_every_event_has_the_id_that_was_answered_and_a_hard_bounce_suppresses_the_next_mail(
    stack: StartsStack,
) -> None:
    whole = stack(senders=1, frontend=False, variables={"FENCEPOST_PROVIDERS__ORDER": ",".join(PROVIDERS)})
    turn(whole, hard_bounces=1)
    bounced = {post(whole, name): name for name in PROVIDERS}
    eventually(lambda: states(whole, bounced) == {"bounced"}, seconds=60)
    # The simulator reads the id where that provider puts ours: in a custom variable, argument, id or tag.
    assert {entry["delivery_id"] for entry in ledger(whole.simulator_url)} == bounced.keys()
    for email_id, name in bounced.items():
        told = get(whole, f"/events?email_id={email_id}")["data"]
        assert {(event["email_id"], event["provider"]) for event in told} == {(email_id, name)}
        assert "bounced" in {event["kind"] for event in told}

    turn(whole)
    eventually(lambda: len(get(whole, "/suppressions?reason=bounce&scope=all")["data"]) == len(PROVIDERS), seconds=30)
    next_ones = {post(whole, name): name for name in PROVIDERS}
    eventually(lambda: states(whole, next_ones) == {"suppressed"}, seconds=60)
    assert {entry["delivery_id"] for entry in ledger(whole.simulator_url)} == bounced.keys()
    turn(whole, complaints=1)
    complaint = post(whole, "sendgrid", to="cross@example.com")
    eventually(lambda: states(whole, [complaint]) == {"complained"}, seconds=60)
    eventually(lambda: get(whole, "/suppressions?reason=complaint&scope=all")["data"], seconds=30)
    after = post(whole, "sendgrid", to="Cross@Example.com")
    eventually(lambda: states(whole, [after]) == {"suppressed"}, seconds=60)
    assert after not in {entry["delivery_id"] for entry in ledger(whole.simulator_url)}


def turn(whole: Stack, **dials: float) -> None:
    requests.put(f"{whole.simulator_url}/_simulator/dials", json=dials, timeout=20).raise_for_status()


def post(whole: Stack, provider: str, to: str | None = None) -> str:
    """The id that is answered with 202."""
    body = {**MESSAGE, "from": "post@sandbox.example.com", "to": [to or f"{provider}@example.com"]}
    answer = requests.post(f"{whole.registry_url}/emails", json={**body, "providers": [provider]}, timeout=20)
    assert answer.status_code == 202, answer.text
    [made] = answer.json()["emails"]
    return str(made["id"])


def get(whole: Stack, path: str) -> Any:
    answer = requests.get(f"{whole.registry_url}{path}", timeout=20)
    assert answer.ok, answer.text
    return answer.json()


def states(whole: Stack, email_ids: Mapping[str, str] | list[str]) -> set[str]:
    return {get(whole, f"/emails/{email_id}")["state"] for email_id in email_ids}
