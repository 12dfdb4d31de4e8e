"""Mailjet's Event API: what shows that it was Mailjet who called, and what is made of its events."""

import json
from base64 import b64encode
from datetime import UTC, datetime
from typing import Any

import pytest

from fencepost.events import EventKind
from fencepost.providers.hooks import Unsigned
from fencepost.providers.mailjet_hooks import MailjetHooks
from fencepost.suppression import Reason, suppression_of
from tests.support.schedules import at

NOW = at("2026-03-02 09:00:00")
READER = MailjetHooks(["hooks:secret", "hooks:secret-before"])


def headers(pair: str = "hooks:secret") -> dict[str, str]:
    return {"authorization": f"Basic {b64encode(pair.encode()).decode()}"}


def documented(event: str, **more: Any) -> dict[str, Any]:
    """An event as its guide shows it, with the CustomID and the payload that our mail carries."""
    return {
        "event": event,
        "time": 1433333949,
        "MessageID": 19421777835146490,
        "Message_GUID": "1ab23cd4-e567-8901-2345-6789f0gh1i2j",
        "email": "api@mailjet.com",
        "mj_campaign_id": 7257,
        "mj_contact_id": 4,
        "customcampaign": "",
        "CustomID": "eml_1",
        "Payload": '{"fencepost_attempt":"3","order":"7"}',
        **more,
    }


OPENED = {"ip": "127.0.0.1", "geo": "US", "agent": "Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0"}
BOUNCED = {
    "blocked": False,
    "hard_bounce": True,
    "error_related_to": "recipient",
    "error": "user unknown",
    "comment": "",
}
DOCUMENTED = [
    (documented("sent", mj_message_id="19421777835146490", smtp_reply="250 2.0.0 OK"), "delivered", "250 2.0.0 OK"),
    (documented("open", **OPENED), "opened", OPENED["agent"]),
    (documented("click", url="https://mailjet.com", **OPENED), "clicked", "https://mailjet.com"),
    (documented("bounce", **BOUNCED), "bounced", "recipient: user unknown"),
    (documented("blocked", error_related_to="recipient", error="user unknown"), "rejected", "recipient: user unknown"),
    (documented("spam", source="JMRPP"), "complained", None),
    (documented("unsub", mj_list_id=1, ip="127.0.0.1", geo="FR", agent="Chrome"), "unsubscribed", "Chrome"),
]


def read(said: object, given: dict[str, str] | None = None) -> Any:
    return READER.read(json.dumps(said).encode(), headers() if given is None else given, NOW)


@pytest.mark.parametrize(("item", "kind", "detail"), DOCUMENTED, ids=lambda value: str(value)[:12])
def test_the_documented_events_are_read(item: dict[str, Any], kind: str, detail: str | None) -> None:
    [told] = read(item)
    event = told.event
    assert (event.kind, event.detail, event.provider) == (EventKind(kind), detail, "mailjet")
    assert (event.delivery_id, event.attempt_no, event.recipient) == ("eml_1", 3, "api@mailjet.com")
    assert (event.receipt, event.at) == (item["Message_GUID"], datetime.fromtimestamp(1433333949, UTC))


def test_a_group_is_read_whole_and_events_keep_their_names_when_they_are_told_again() -> None:
    items = [item for item, _, _ in DOCUMENTED]
    names = [told.name for told in read(items)]
    assert len(set(names)) == len(items)
    assert [told.name for told in read(items[::-1])] == names[::-1]
    assert read({**dict(reversed(items[0].items()))})[0].name == names[0], "fields have no order"
    assert read({**items[0], "time": 1433333950})[0].name not in names


@pytest.mark.parametrize(
    "item",
    [
        documented("sent", CustomID=""),
        documented("sent", CustomID=None),
        documented("sent", time="soon"),
        documented("typofix", original_address="joe@gmai.com", new_address="joe@gmail.com"),
        {},
        None,
        "text",
        7,
    ],
)
def test_what_is_unknown_is_handed_on_as_it_came(item: object) -> None:
    [told] = read(item)
    assert (told.event, told.raw) == (None, item)


@pytest.mark.parametrize("payload", ["", "no json", "[]", '{"fencepost_attempt": "x"}', None, 7])
def test_a_payload_that_says_nothing_leaves_the_attempt_open(payload: object) -> None:
    assert read(documented("sent", Payload=payload))[0].event.attempt_no is None


@pytest.mark.parametrize("pair", ["hooks:secret", "hooks:secret-before"])
def test_two_passwords_are_taken_while_one_follows_the_other(pair: str) -> None:
    assert read({}, headers(pair))


@pytest.mark.parametrize(
    "given",
    [
        {},
        headers("hooks:another"),
        headers("another:secret"),
        headers("hooks:secret\n"),
        headers("höoks:secret"),
        {"authorization": "Bearer hooks:secret"},
        {"authorization": "Basic höhö"},
    ],
)
def test_nothing_else_opens(given: dict[str, str]) -> None:
    with pytest.raises(Unsigned):
        read(DOCUMENTED[0][0], given)


@pytest.mark.parametrize(
    ("item", "reason"),
    [
        (documented("bounce", hard_bounce=True), Reason.BOUNCE),
        (documented("bounce", hard_bounce=False), None),
        (documented("blocked"), None),
        (documented("spam"), Reason.COMPLAINT),
        (documented("unsub"), Reason.UNSUBSCRIBE),
    ],
)
def test_what_lasts_is_a_reason_to_send_no_more(item: dict[str, Any], reason: Reason | None) -> None:
    assert suppression_of(read(item)[0].event) is reason


def test_apples_proxy_is_no_reader() -> None:
    assert read(documented("open", agent="Mozilla/5.0"))[0].event.by_machine
