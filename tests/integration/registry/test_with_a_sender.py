"""What the registry writes a sender sends, and what the sender records the registry shows."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests

from tests.conftest import StartsStack
from tests.support.api import text
from tests.support.eventually import eventually


class Client:
    """The API of a running stack."""

    def __init__(self, url: str) -> None:
        self._url = url

    def call(self, method: str, path: str, body: Any = None) -> Any:
        answer = requests.request(method, f"{self._url}{path}", json=body, timeout=20)
        assert answer.ok, answer.text
        return answer.json()


@pytest.fixture
def client(stack: StartsStack) -> Client:
    return Client(stack(senders=1, frontend=False).registry_url)


def test_a_single_run_is_sent_recorded_and_archived(client: Client) -> None:
    due = (datetime.now(UTC) + timedelta(seconds=3)).replace(microsecond=0)
    made = client.call("POST", "/schedules", text(recurrence={"type": "once", "at": due.isoformat()}))
    path = f"/schedules/{made['id']}"

    def accepted() -> Any:
        # The simulator tells of the delivery a moment later.
        emails = client.call("GET", f"/emails?schedule_id={made['id']}&state=delivered")["data"]
        return emails and client.call("GET", f"/emails/{emails[0]['id']}")

    email = eventually(accepted, seconds=30)
    assert email["due_at"] == made["next_run_at"]
    assert [moment["event"] for moment in email["timeline"]] == [
        "planned",
        "claimed",
        "fenced",
        "called",
        "accepted",
        "delivered",
    ]
    [attempt] = email["attempts"]
    assert (attempt["fence"], attempt["outcome"], attempt["number"]) == ("ok", "accepted", 1)
    assert attempt["token"]["generation"] >= 1
    [occurrence] = client.call("GET", f"{path}/occurrences")["data"]
    assert (occurrence["state"], occurrence["emails"]["by_state"]) == ("done", {"delivered": 1})
    eventually(lambda: client.call("GET", "/schedules?status=archived")["data"], seconds=30)
    assert client.call("GET", path)["occurrence_count"] == 1
    assert sum(minute["accepted"] for minute in client.call("GET", "/reports/activity")["data"]) == 1


def test_a_trigger_is_sent_at_once_and_the_sender_is_seen(client: Client) -> None:
    made = client.call("POST", "/schedules", text())
    client.call("POST", f"/schedules/{made['id']}/pause")
    client.call("POST", f"/schedules/{made['id']}/trigger")
    eventually(lambda: client.call("GET", "/emails?state=delivered")["data"], seconds=30)
    cluster = client.call("GET", "/cluster")
    [member] = cluster["members"]
    assert member["shards"] == list(range(64))
    assert {shard["holder"] for shard in cluster["shards"]} == {member["id"]}
    assert cluster["notes"] == []


def test_seven_days_are_backfilled_once_each(client: Client) -> None:
    made = client.call("POST", "/schedules", text())
    path, today = f"/schedules/{made['id']}", datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    week = {"from": (today - timedelta(days=7)).isoformat(), "until": (today - timedelta(seconds=1)).isoformat()}
    counted = client.call("POST", f"{path}/backfill", week)
    assert (counted["count"], counted["emails"]) == (7, 7)
    client.call("POST", f"{path}/backfill", {**week, "dry_run": False, "count": 7})

    def accepted() -> Any:
        emails = client.call("GET", f"/emails?schedule_id={made['id']}&state=accepted")["data"]
        return len(emails) == 7 and emails

    emails = eventually(accepted, seconds=30)
    assert [email["due_at"] for email in reversed(emails)] == counted["occurrences"]
    assert len({email["receipt"] for email in emails}) == 7
    assert {email["origin"] for email in emails} == {"backfill"}
    assert client.call("POST", f"{path}/backfill", week)["count"] == 0
