"""POST /hooks/sendgrid, /hooks/mailjet and /hooks/ses: only what these providers signed is taken, and nothing of it is lost."""

import json
from base64 import b64encode
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient

from fencepost.store import Store
from registry.app import create_app
from registry.parts import Parts
from tests.support.api import Api, MovableClock
from tests.support.rows import now
from tests.support.signing import TOPIC, SendGridKey, sns

KEY, OLD_KEY, FOREIGN = SendGridKey(), SendGridKey(), SendGridKey()
PAIR = "hooks:secret"
CONFIRM = f"https://sns.us-west-2.amazonaws.com/?Action=ConfirmSubscription&TopicArn={TOPIC}&Token=23"
Post = Callable[..., tuple[int, dict[str, Any]]]


@pytest.fixture
def clock() -> MovableClock:
    """The true time: what is kept for hours must not be purged before the test looks at it."""
    return MovableClock(now())


@pytest.fixture
def visits() -> list[str]:
    """The addresses that were called on behalf of SNS, certificates among them."""
    return []


@pytest.fixture
def client(parts: Parts, visits: list[str]) -> FlaskClient:
    own = parts.settings
    changed = own.model_dump()
    changed["providers"]["sendgrid"] |= {
        "webhook_public_key": KEY.public,
        "webhook_public_key_before": OLD_KEY.public,
    }
    changed["providers"]["mailjet"] |= {"webhook_credentials": PAIR}
    changed["providers"]["ses"] |= {"topic_arns": [TOPIC]}

    def fetch(url: str) -> bytes:
        visits.append(url)
        return sns().certificate

    return create_app(replace(parts, settings=type(own).model_validate(changed), fetch=fetch)).test_client()


@pytest.fixture
def delivery(api: Api, store: Store) -> str:
    """A mail that its provider took."""
    api.post(f"/schedules/{api.create()['id']}/trigger", status=202)
    row = store.database.deliveries.find_one_and_update({}, {"$set": {"state": "accepted"}})
    assert row
    return str(row["_id"])


def sendgrid(client: FlaskClient, *events: object, at: datetime | None = None, key: SendGridKey = KEY) -> Any:
    body = json.dumps(events).encode()
    return client.post("/hooks/sendgrid", data=body, headers=key.headers(body, at or now()))


def mailjet(client: FlaskClient, *events: object, pair: str = PAIR) -> Any:
    headers = {"Authorization": f"Basic {b64encode(pair.encode()).decode()}"}
    return client.post("/hooks/mailjet", data=json.dumps(events), headers=headers)


def ses(client: FlaskClient, said: object, at: datetime | None = None, **changes: Any) -> Any:
    message = sns().message(said, at or now(), **changes)
    return client.post("/hooks/ses", data=json.dumps(message), content_type="text/plain; charset=UTF-8")


def of_sendgrid(delivery_id: str, kind: str = "delivered", name: str = "e1", **more: Any) -> dict[str, Any]:
    stamp = int(now().timestamp())
    about = {"fencepost": delivery_id, "fencepost_attempt": "1", "email": "ann@example.com", "timestamp": stamp}
    return {**about, "event": kind, "sg_event_id": name, **more}


def of_mailjet(delivery_id: str, kind: str = "sent", **more: Any) -> dict[str, Any]:
    stamp = int(now().timestamp())
    return {"event": kind, "time": stamp, "email": "ann@example.com", "CustomID": delivery_id, **more}


def of_ses(delivery_id: str, kind: str = "Delivery", **part: Any) -> dict[str, Any]:
    mail = {"timestamp": now().isoformat(), "messageId": "m1", "destination": ["ann@example.com"]}
    return {"eventType": kind, "mail": {**mail, "tags": {"fencepost": [delivery_id]}}, kind.lower(): part}


def told(client: FlaskClient, name: str, delivery_id: str) -> Any:
    """That provider says that the mail has arrived."""
    match name:
        case "sendgrid":
            return sendgrid(client, of_sendgrid(delivery_id))
        case "mailjet":
            return mailjet(client, of_mailjet(delivery_id))
    return ses(client, of_ses(delivery_id))


OTHERS = ("sendgrid", "mailjet", "ses")


def state(store: Store) -> str:
    [row] = store.database.deliveries.find()
    return str(row["state"])


@pytest.mark.parametrize("name", OTHERS)
def test_the_same_event_46_times_is_stored_once(client: FlaskClient, store: Store, delivery: str, name: str) -> None:
    if name == "mailjet":
        event = of_mailjet(delivery)
        answers = [mailjet(client, event).get_json()["result"] for _ in range(46)]
    elif name == "sendgrid":
        event = of_sendgrid(delivery)
        answers = [sendgrid(client, event).get_json()["result"] for _ in range(46)]
    else:
        said = of_ses(delivery)
        answers = [ses(client, said).get_json()["result"] for _ in range(46)]
    assert answers == ["recorded"] + ["known"] * 45
    assert store.database.events.count_documents({}) == 1
    assert state(store) == "delivered"


@pytest.mark.parametrize("name", OTHERS)
def test_a_later_word_of_an_earlier_moment_moves_nothing_back(
    client: FlaskClient, store: Store, delivery: str, name: str
) -> None:
    later = {
        "sendgrid": lambda: sendgrid(client, of_sendgrid(delivery, "spamreport", "e0")),
        "mailjet": lambda: mailjet(client, of_mailjet(delivery, "spam")),
        "ses": lambda: ses(
            client,
            of_ses(delivery, "Complaint", complainedRecipients=[{"emailAddress": "ann@example.com"}]),
            MessageId="m0",
        ),
    }
    assert later[name]().status_code == 200
    assert state(store) == "complained"
    assert told(client, name, delivery).get_json() == {"result": "recorded"}
    assert state(store) == "complained"
    [suppression] = store.database.suppressions.find()
    assert (suppression["email"], suppression["reason"]) == ("ann@example.com", "complaint")


@pytest.mark.parametrize("name", OTHERS)
def test_kinds_that_nobody_knows_are_kept_raw(client: FlaskClient, store: Store, delivery: str, name: str) -> None:
    calls: dict[str, Callable[[], Any]] = {
        "sendgrid": lambda: sendgrid(client, of_sendgrid(delivery, "group_resubscribe")),
        "mailjet": lambda: mailjet(client, of_mailjet(delivery, "typofix", new_address="ann@gmail.com")),
        "ses": lambda: ses(client, of_ses(delivery, "Novelty", more=1)),
    }
    answer = calls[name]()
    assert (answer.status_code, answer.get_json()) == (200, {"result": "kept"})
    [kept] = store.database.hooks.find()
    raw = json.loads(kept["raw"])
    assert (raw.get("event") or raw.get("eventType")) in ("group_resubscribe", "typofix", "Novelty")
    assert store.database.events.count_documents({}) == 0
    assert state(store) == "accepted"


def test_of_several_in_one_call_each_is_taken_for_what_it_is(client: FlaskClient, store: Store, delivery: str) -> None:
    kinds = ("processed", "delivered", "open", "novelty")
    events = [of_sendgrid(delivery, kind, kind) for kind in kinds]
    assert sendgrid(client, *events, of_sendgrid("eml_another", name="e9")).get_json() == {"result": "recorded"}
    assert sorted(event.kind for event in store.events.of([delivery])[delivery]) == ["accepted", "delivered", "opened"]
    assert store.database.hooks.count_documents({}) == 2


def test_nobody_elses_word_changes_anything(client: FlaskClient, store: Store, delivery: str) -> None:
    flipped = bytearray(json.dumps([of_sendgrid(delivery)]).encode())
    headers = KEY.headers(bytes(flipped), now())
    flipped[-3] ^= 1
    forged = [
        sendgrid(client, of_sendgrid(delivery), key=FOREIGN),
        client.post("/hooks/sendgrid", data=bytes(flipped), headers=headers),
        client.post("/hooks/sendgrid", data=b"[]"),
        mailjet(client, of_mailjet(delivery), pair="hooks:guess"),
        client.post("/hooks/mailjet", data=json.dumps(of_mailjet(delivery))),
        ses(client, of_ses(delivery), SigningCertURL="https://sns.us-west-2.amazonaws.com.evil.example/x.pem"),
        client.post("/hooks/ses", data=json.dumps({**sns().message(of_ses(delivery), now()), "Message": "{}"})),
    ]
    assert [answer.status_code for answer in forged] == [401] * len(forged)
    assert state(store) == "accepted"
    assert store.database.events.count_documents({}) == store.database.hooks.count_documents({}) == 0


def test_the_key_before_is_taken_and_what_is_too_old_is_not(client: FlaskClient, store: Store, delivery: str) -> None:
    old = now() - timedelta(hours=26)
    assert sendgrid(client, of_sendgrid(delivery), at=old).status_code == 406
    assert ses(client, of_ses(delivery), at=old).status_code == 406
    assert state(store) == "accepted"
    assert sendgrid(client, of_sendgrid(delivery), key=OLD_KEY).get_json() == {"result": "recorded"}


def test_a_subscription_is_confirmed_for_our_topics_alone(client: FlaskClient, visits: list[str]) -> None:
    asked: dict[str, Any] = {"Type": "SubscriptionConfirmation", "Token": "23", "SubscribeURL": CONFIRM}
    foreign = TOPIC.replace("MyTopic", "Another")
    assert ses(client, "Confirm.", **asked, TopicArn=foreign).status_code == 406
    elsewhere = CONFIRM.replace("amazonaws.com", "evil.example")
    assert ses(client, "Confirm.", **{**asked, "SubscribeURL": elsewhere}).status_code == 401
    assert not [url for url in visits if "Action" in url]
    assert ses(client, "Confirm.", **asked).get_json() == {"result": "kept"}
    assert [url for url in visits if "Action" in url] == [CONFIRM]


def test_more_than_a_megabyte_is_refused_before_it_is_looked_at(client: FlaskClient, delivery: str) -> None:
    assert sendgrid(client, of_sendgrid(delivery, padding="x" * 1_048_576)).status_code == 413
