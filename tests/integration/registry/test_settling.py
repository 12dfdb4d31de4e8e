"""POST /emails/{id}/settle: a person decides about a mail that is held."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from threading import Barrier
from typing import Any

import pytest

from fencepost.reconciliation import NEVER
from fencepost.store import Store
from registry.app import create_app
from registry.parts import Parts
from tests.support.api import MESSAGE, Api, MovableClock

HELD = {"at": "2026-03-02T07:59:59.250Z", "state": "held", "by": "reconciler", "why": "No trace."}


def in_doubt(api: Api, store: Store, clock: MovableClock, state: str = "held", **schedule: Any) -> str:
    """The id of a mail whose only attempt was lost a second ago; `held` by the reconciler."""
    api.post(f"/schedules/{api.create(**schedule)['id']}/trigger", status=202)
    since = clock.now() - timedelta(seconds=1)
    lost: dict[str, Any] = {
        "id": "att_1",
        "no": 1,
        "provider": "mailgun",
        "sender": "host-7",
        "token": 7,
        "claimed_at": since,
    }
    lost |= {"ended_at": since, "outcome": "unknown", "detail": "The connection was reset."}
    if state == "held":
        lost["settlements"] = [{"at": since, "state": "held", "by": "reconciler", "why": "No trace."}]
    fields = {"state": state, "attempts": [lost], "attempt_no": 1, "attempt_id": "att_1", "unknown_since": since}
    row = store.database.deliveries.find_one_and_update({"attempt_no": 0}, {"$set": fields})
    assert row
    return str(row["_id"])


@pytest.mark.parametrize(
    ("decision", "state", "event", "woken"),
    [
        ("was_sent", "accepted", "accepted", 0),
        ("send_now", "pending", "resend", 1),
        ("drop", "cancelled", "cancelled", 0),
    ],
)
def test_a_decision_is_done_and_told_with_who_and_why_beside_that_it_was_held(
    api: Api,
    store: Store,
    clock: MovableClock,
    nudges: list[None],
    decision: str,
    state: str,
    event: str,
    woken: int,
) -> None:
    email_id = in_doubt(api, store, clock)
    nudges.clear()
    email = api.post(f"/emails/{email_id}/settle", {"decision": decision, "reason": "she called", "by": "Ann"})
    assert (email["id"], email["state"], len(nudges)) == (email_id, state, woken)
    [attempt] = email["attempts"]
    held, decided = attempt["settlements"]
    assert held == HELD
    assert (decided["by"], decided["state"], decided["at"]) == ("Ann", state, "2026-03-02T08:00:00.250Z")
    assert decided["why"].endswith("she called")
    assert email["timeline"][-2:] == [
        {"at": held["at"], "event": "held", "detail": "reconciler: No trace."},
        {"at": decided["at"], "event": event, "detail": f"Ann: {decided['why']}"},
    ]
    if state == "cancelled":
        assert email["reason"] == "Ann: drop it: she called"
    assert email == api.get(f"/emails/{email_id}")


def test_without_a_word_it_was_somebody_here(api: Api, store: Store, clock: MovableClock) -> None:
    email = api.post(f"/emails/{in_doubt(api, store, clock)}/settle", {"decision": "drop"})
    assert (email["attempts"][0]["settlements"][-1]["by"], email["reason"]) == ("local", "local: drop it")


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"decision": "resend"},
        {"decision": "drop", "reason": "x" * 501},
        {"decision": "drop", "reason": "two\nlines"},
        {"decision": "drop", "by": "x" * 101},
        {"decision": "drop", "by": " "},
        {"decision": "drop", "why": "?"},
    ],
)
def test_a_decision_that_is_none_is_refused(api: Api, store: Store, clock: MovableClock, body: dict[str, Any]) -> None:
    email_id = in_doubt(api, store, clock)
    api.post(f"/emails/{email_id}/settle", body, status=422)
    assert api.get(f"/emails/{email_id}")["state"] == "held"


@pytest.mark.parametrize("state", ["pending", "sending", "accepted", "failed", "cancelled"])
def test_only_what_is_held_can_be_decided(api: Api, store: Store, clock: MovableClock, state: str) -> None:
    email_id = in_doubt(api, store, clock, state)
    refusal = api.post(f"/emails/{email_id}/settle", {"decision": "was_sent"}, status=409)
    assert refusal["detail"] == f"email {email_id} is {state}, not held"


@pytest.mark.parametrize(
    ("policy", "says"),
    [
        ("hold", "until about 2026-03-02T08:34:59Z; what leaves no trace until then is held"),
        ("resend", "until about 2026-03-02T08:34:59Z; what leaves no trace until then is sent again"),
        ("resend_at_once", "it is sent again at once"),
    ],
)
def test_what_is_unknown_is_said_when_it_can_be_decided(
    api: Api, store: Store, clock: MovableClock, policy: str, says: str
) -> None:
    email_id = in_doubt(api, store, clock, "unknown", on_unknown=policy)
    assert says in api.post(f"/emails/{email_id}/settle", {"decision": "drop"}, status=409)["detail"]


def test_an_email_that_is_not_there_can_not_be_decided(api: Api) -> None:
    api.post("/emails/eml_01JD0000000000000000000000/settle", {"decision": "drop"}, status=404)


def test_of_two_people_at_once_one_decides_and_the_other_is_told(
    parts: Parts, api: Api, store: Store, clock: MovableClock
) -> None:
    """The clock stands still, so both decide in the same millisecond."""
    app = create_app(parts)
    wishes = [("Ann", "send_now"), ("Bob", "send_now"), ("Cem", "drop"), ("Dee", "was_sent")]
    with ThreadPoolExecutor(len(wishes)) as people:
        for _ in range(10):
            email_id, together = in_doubt(api, store, clock), Barrier(len(wishes))

            def decide(wish: tuple[str, str], email_id: str = email_id, together: Barrier = together) -> int:
                client = app.test_client()
                together.wait(30)
                body = {"by": wish[0], "decision": wish[1]}
                return client.post(f"/emails/{email_id}/settle", json=body).status_code

            answers = list(people.map(decide, wishes))
            assert sorted(answers) == [200, 409, 409, 409]
            [attempt] = api.get(f"/emails/{email_id}")["attempts"]
            told = [settlement["by"] for settlement in attempt["settlements"]]
            assert told == ["reconciler", wishes[answers.index(200)][0]]


def test_an_email_says_since_when_it_is_in_doubt_and_when_it_is_looked_up(
    api: Api, store: Store, clock: MovableClock
) -> None:
    email_id = in_doubt(api, store, clock, "unknown")

    def shown(**fields: Any) -> tuple[str, str | None]:
        if fields:
            store.database.deliveries.update_one({"_id": email_id}, {"$set": fields})
        email = api.get(f"/emails/{email_id}")
        return email["unknown_since"], email["look_up_at"]

    since = "2026-03-02T07:59:59.250Z"
    assert shown() == (since, since), "at once"
    assert shown(look_up_at=clock.now()) == (since, "2026-03-02T08:00:00.250Z")
    assert shown(look_up_at=NEVER, state="held") == (since, None)
    assert shown(look_up_at=clock.now(), state="accepted") == (since, None)


def test_an_email_says_when_it_is_decided_at_the_end_of_its_window_while_it_is_unknown(
    parts: Parts, store: Store, clock: MovableClock
) -> None:
    settlement = parts.settings.settlement.model_copy(update={"window_seconds": 60})
    brief = replace(parts, settings=parts.settings.model_copy(update={"settlement": settlement}))
    api = Api(create_app(brief).test_client())
    email_id = in_doubt(api, store, clock, "unknown")
    assert api.get(f"/emails/{email_id}")["decision_due_at"] == "2026-03-02T08:00:59.250Z"
    [listed] = api.get("/emails?state=unknown")["data"]
    assert listed["decision_due_at"] == "2026-03-02T08:00:59.250Z"
    store.database.deliveries.update_one({"_id": email_id}, {"$set": {"state": "held"}})
    assert api.get(f"/emails/{email_id}")["decision_due_at"] is None


@pytest.mark.parametrize(
    ("on_unknown", "says"),
    [("hold", "is held, and can be decided"), ("resend", "is sent again"), ("resend_at_once", "sent again at once")],
)
def test_an_unknown_mail_of_a_request_is_told_of_what_it_asked_for(
    api: Api, store: Store, on_unknown: str, says: str
) -> None:
    [email] = api.post("/emails", {**MESSAGE, "on_unknown": on_unknown}, status=202)["emails"]
    store.database.deliveries.update_one({"_id": email["id"]}, {"$set": {"state": "unknown"}})
    refused = api.post(f"/emails/{email['id']}/settle", {"decision": "send_now"}, status=409)
    assert says in refused["detail"]
