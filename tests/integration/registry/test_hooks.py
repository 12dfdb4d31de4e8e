"""POST /hooks/mailgun: what Mailgun tells is on record before it is answered, and settles at once what it can settle."""

import json
import random
import secrets
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fencepost.providers.mailgun_hooks import sign
from fencepost.store import Store
from registry.app import create_app
from registry.parts import Parts
from tests.support.api import Api, MovableClock
from tests.support.rows import now

KEY, OLD_KEY = "key-signing", "key-signing-before"
PUBLIC = "mail.example.org"


@pytest.fixture
def clock() -> MovableClock:
    """The true time: what is kept for hours must not be purged before the test looks at it."""
    return MovableClock(now())


@pytest.fixture
def listening(parts: Parts) -> Parts:
    """Parts that know the signing keys and their public address."""
    own = parts.settings
    keys = {"webhook_signing_key": KEY, "webhook_signing_key_before": OLD_KEY}
    changed = own.model_dump() | {"public_url": f"https://{PUBLIC}"}
    changed["providers"]["mailgun"] |= keys
    return replace(parts, settings=type(own).model_validate(changed))


@pytest.fixture
def client(listening: Parts) -> FlaskClient:
    return create_app(listening).test_client()


@pytest.fixture
def delivery(api: Api, store: Store) -> str:
    """A mail that is unknown after its only attempt."""
    api.post(f"/schedules/{api.create()['id']}/trigger", status=202)
    lost = {"id": "att_1", "no": 1, "provider": "mailgun", "sender": "host-7", "token": 7, "claimed_at": now()}
    fields = {"state": "unknown", "attempts": [lost], "attempt_no": 1, "attempt_id": "att_1", "unknown_since": now()}
    row = store.database.deliveries.find_one_and_update({}, {"$set": fields})
    assert row
    return str(row["_id"])


def item(delivery_id: str, kind: str = "delivered", **changes: Any) -> dict[str, Any]:
    known = {
        "event": kind,
        "id": secrets.token_hex(8),
        "timestamp": now().timestamp(),
        "user-variables": {"fencepost": f"{delivery_id}/1"},
        "message": {"headers": {"message-id": "m1@mg.example.com"}},
    }
    return {**known, **changes}


def call(event: object, at: datetime | None = None, key: str = KEY, token: str = "") -> dict[str, Any]:
    stamp, token = str(int((at or now()).timestamp())), token or secrets.token_hex(25)
    return {
        "signature": {"timestamp": stamp, "token": token, "signature": sign(key, stamp, token)},
        "event-data": event,
    }


def post(client: FlaskClient, body: Any, **headers: str) -> tuple[int, dict[str, Any]]:
    answer = client.post("/hooks/mailgun", data=json.dumps(body), content_type="application/json", headers=headers)
    return answer.status_code, answer.get_json(force=True)


def row(store: Store) -> dict[str, Any]:
    [found] = store.database.deliveries.find()
    return found


@pytest.mark.parametrize("state", ["pending", "unknown", "held"])
def test_what_mailgun_took_is_accepted_at_once(client: FlaskClient, store: Store, delivery: str, state: str) -> None:
    store.database.deliveries.update_one({}, {"$set": {"state": state}})
    assert post(client, call(item(delivery))) == (200, {"result": "settled"})
    settled = row(store)
    assert (settled["state"], settled["receipt"]) == ("delivered", "m1@mg.example.com")
    [attempt] = settled["attempts"]
    [verdict] = attempt["settlements"]
    assert (verdict["by"], verdict["state"]) == ("mailgun", "accepted")
    assert store.events.of([delivery])[delivery][0].kind == "delivered"


def test_what_is_sending_is_left_to_its_owner_and_the_word_kept(
    client: FlaskClient, store: Store, delivery: str
) -> None:
    store.database.deliveries.update_one({}, {"$set": {"state": "sending"}})
    before = row(store)
    assert post(client, call(item(delivery))) == (200, {"result": "recorded"})
    after = row(store)
    assert after.pop("tracking")["told"] == "delivered", "for when its owner has it accepted"
    assert {**after, "updated_at": None} == {**before, "updated_at": None}
    assert len(store.events.of([delivery])[delivery]) == 1


@pytest.mark.parametrize("state", ["failed", "cancelled", "skipped", "expired", "suppressed"])
def test_what_should_not_have_been_taken_is_counted_once(
    client: FlaskClient, store: Store, delivery: str, state: str
) -> None:
    store.database.deliveries.update_one({}, {"$set": {"state": state}})
    before, told = row(store), call(item(delivery))
    assert post(client, told) == (200, {"result": "recorded"})
    assert post(client, told) == (200, {"result": "known"})
    assert row(store)["state"] == before["state"]
    assert 'fencepost_duplicate_suspects_total{provider="mailgun"} 1.0' in client.get("/metrics").text


def test_a_refusal_after_all_settles_nothing_by_itself(client: FlaskClient, store: Store, delivery: str) -> None:
    assert post(client, call(item(delivery, "rejected"))) == (200, {"result": "recorded"})
    assert row(store)["state"] == "unknown"


def test_without_a_key_there_are_no_hooks(api: Api, delivery: str) -> None:
    refusal = api.post("/hooks/mailgun", call(item(delivery)), status=404)
    assert "FENCEPOST_PROVIDERS__MAILGUN__WEBHOOK_SIGNING_KEY" in refusal["detail"]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (lambda event: call(event, key="key-of-another"), 401),
        (lambda event: {"event-data": event}, 401),
        (lambda event: call(event, at=now() + timedelta(minutes=6)), 401),
        (lambda event: call(event, at=now() - timedelta(hours=9, minutes=1)), 406),
        (lambda event: [call(event)], 401),
    ],
)
def test_what_is_not_signed_now_by_mailgun_changes_nothing(
    client: FlaskClient, store: Store, delivery: str, body: Any, status: int
) -> None:
    before = row(store)
    answered, problem = post(client, body(item(delivery)))
    assert (answered, problem["status"]) == (status, status)
    assert row(store) == before
    assert store.database.events.count_documents({}) == store.database.hooks.count_documents({}) == 0


def test_the_key_before_is_taken_too(client: FlaskClient, delivery: str) -> None:
    assert post(client, call(item(delivery), key=OLD_KEY)) == (200, {"result": "settled"})


def test_a_call_that_is_repeated_does_nothing_more(client: FlaskClient, store: Store, delivery: str) -> None:
    told = call(item(delivery))
    assert post(client, told)[1] == {"result": "settled"}
    before = row(store)
    assert post(client, told) == (200, {"result": "known"})
    assert row(store) == before
    assert store.database.events.count_documents({}) == 1


def test_whoever_died_between_token_and_event_leaves_the_rest_to_the_repetition(
    client: FlaskClient, store: Store, delivery: str
) -> None:
    told = call(item(delivery))
    post(client, told)
    store.database.events.delete_many({})
    store.database.deliveries.update_one({}, {"$set": {"state": "unknown"}})
    assert post(client, told) == (200, {"result": "settled"})
    assert store.database.events.count_documents({}) == 1


def test_a_token_is_good_for_one_event(client: FlaskClient, store: Store, delivery: str) -> None:
    token = secrets.token_hex(25)
    assert post(client, call(item("eml_another"), token=token))[0] == 200
    status, problem = post(client, call(item(delivery), token=token))
    assert (status, problem["type"]) == (406, "/problems#unacceptable")
    assert row(store)["state"] == "unknown"
    assert store.database.events.count_documents({}) == 0


def test_a_token_is_good_for_one_event_whatever_else_is_said_under_the_same_name(
    client: FlaskClient, store: Store, delivery: str
) -> None:
    token, told = secrets.token_hex(25), item(delivery)
    assert post(client, call(told, token=token))[0] == 200
    for altered in ({"event": "complained"}, {"event": "unsubscribed"}, {"recipient": "victim@example.com"}):
        forged = {"recipient": "victim@example.com", **told, **altered}
        assert post(client, call(forged, token=token))[0] == 406
    assert store.database.suppressions.count_documents({}) == 0
    assert row(store)["state"] == "delivered"
    assert post(client, call(told, token=token)) == (200, {"result": "known"})


def test_an_event_told_46_times_in_whatever_order_is_kept_once(
    client: FlaskClient, store: Store, delivery: str
) -> None:
    kinds = ("accepted", "delivered", "opened", "complained")
    events = [item(delivery, kind) for kind in kinds]
    told = [call(one) for one in events] + [call(events[0]) for _ in range(45)]
    dice = random.Random(7)
    for _ in range(3):
        store.database.events.delete_many({})
        store.database.hooks.delete_many({})
        store.database.deliveries.update_one({}, {"$set": {"state": "held"}, "$unset": {"tracking": 1}})
        dice.shuffle(told)
        assert {post(client, one)[0] for one in told} == {200}
        assert row(store)["state"] == "complained"
        assert row(store)["tracking"]["opens"] == 1
        assert sorted(event.kind for event in store.events.of([delivery])[delivery]) == sorted(kinds)


@pytest.mark.parametrize("event", [item("eml_another"), {"event": "stored"}, {}, None, "text", [1, 2]])
def test_what_is_not_about_a_mail_of_ours_is_kept_for_a_while(client: FlaskClient, store: Store, event: object) -> None:
    assert post(client, call(event)) == (200, {"result": "kept"})
    [kept] = store.database.hooks.find()
    assert json.loads(kept["raw"]) == event
    assert timedelta(days=6) < kept["purge_at"] - now() < timedelta(days=8)
    assert store.database.events.count_documents({}) == 0


def test_what_is_no_json_is_not_signed_either(client: FlaskClient, delivery: str) -> None:
    data = json.dumps(call(item(delivery)))
    for body in ("{", b"", data[:-1], f"{data} and more", data.encode().replace(b"event", b"\xff")):
        assert client.post("/hooks/mailgun", data=body, content_type="application/json").status_code == 401


def test_more_than_a_megabyte_is_refused_before_it_is_looked_at(client: FlaskClient, delivery: str) -> None:
    large = call(item(delivery, padding="x" * 1_048_576))
    assert post(client, large)[0] == 413


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=JSON, event=JSON, part=st.sampled_from(["id", "timestamp", "user-variables", "message", "event"]))
def test_no_json_makes_it_fail(client: FlaskClient, delivery: str, body: Any, event: Any, part: str) -> None:
    for sent in (body, {"signature": body}, call(event), call({**item(delivery), part: event})):
        assert post(client, sent)[0] in (200, 401)


def test_mailgun_reaches_the_hooks_under_the_public_name_and_nothing_else(client: FlaskClient, delivery: str) -> None:
    assert post(client, call(item(delivery)), Host=PUBLIC)[0] == 200
    assert post(client, call(item(delivery)), Host=f"{PUBLIC}:443")[0] == 200
    assert post(client, call(item(delivery)), Host="another.example.org")[0] == 421
    assert client.get("/schedules", headers={"Host": PUBLIC}).status_code == 421
    assert post(client, call(item(delivery)), Host=PUBLIC, Origin="https://evil.example")[0] == 403


@pytest.mark.parametrize(
    ("kind", "changes", "reason", "scope"),
    [
        ("complained", {}, "complaint", "all"),
        ("unsubscribed", {}, "unsubscribe", "bulk"),
        ("failed", {"severity": "permanent", "reason": "bounce"}, "bounce", "all"),
        ("failed", {"severity": "temporary"}, None, None),
        ("opened", {}, None, None),
    ],
)
def test_who_bounced_complained_or_unsubscribed_is_suppressed(
    client: FlaskClient, store: Store, delivery: str, kind: str, changes: dict[str, Any], reason: str, scope: str
) -> None:
    told = item(delivery, kind, recipient="Ann@example.com", **changes)
    for _ in range(2):
        assert post(client, call(told))[0] == 200
    found = [(one["email"], one["reason"], one["scope"]) for one in store.database.suppressions.find()]
    assert found == ([("ann@example.com", reason, scope)] if reason else [])
