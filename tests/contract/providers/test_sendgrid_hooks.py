"""SendGrid's Event Webhook: what shows that it was SendGrid who called, and what is made of its events."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fencepost.errors import Misconfigured
from fencepost.events import EventKind
from fencepost.providers.hooks import Unacceptable, Unsigned
from fencepost.providers.sendgrid_hooks import SIGNATURE, TIMESTAMP, SendGridHooks
from fencepost.suppression import Reason, suppression_of
from tests.support.schedules import at
from tests.support.signing import SendGridKey

# The example with which SendGrid's own libraries test their verification.
PUBLISHED_KEY = "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE83T4O/n84iotIvIW4mdBgQ/7dAfSmpqIM8kF9mN1flpVKS3GRqe62gw+2fNNRaINXvVpiglSI8eNEc6wEA3F+g=="
PUBLISHED_SIGNATURE = "MEUCIGHQVtGj+Y3LkG9fLcxf3qfI10QysgDWmMOVmxG0u6ZUAiEAyBiXDWzM+uOe5W0JuG+luQAbPIqHh89M15TluLtEZtM="
PUBLISHED = (
    b'[{"email":"hello@world.com","event":"dropped","reason":"Bounced Address",'
    b'"sg_event_id":"ZHJvcC0xMDk5NDkxOS1MUnpYbF9OSFN0T0doUTRrb2ZTbV9BLTA",'
    b'"sg_message_id":"LRzXl_NHStOGhQ4kofSm_A.filterdrecv-p3mdw1-756b745b58-kmzbl-18-5F5FC76C-9.0",'
    b'"smtp-id":"<LRzXl_NHStOGhQ4kofSm_A@ismtpd0039p1iad1.sendgrid.net>","timestamp":1600112492}]\r\n'
)
PUBLISHED_HEADERS = {SIGNATURE: PUBLISHED_SIGNATURE, TIMESTAMP: "1600112502"}
PUBLISHED_AT = datetime.fromtimestamp(1600112502, UTC)

KEY, OLD_KEY, FOREIGN = SendGridKey(), SendGridKey(), SendGridKey()
NOW = at("2026-03-02 09:00:00")
READER = SendGridHooks([KEY.public, OLD_KEY.public])
BODY = json.dumps([{"event": "processed"}]).encode()


def test_the_published_example_is_verified_and_is_about_none_of_our_mails() -> None:
    [told] = SendGridHooks([PUBLISHED_KEY]).read(PUBLISHED, PUBLISHED_HEADERS, PUBLISHED_AT)
    assert (told.name, told.event) == ("ZHJvcC0xMDk5NDkxOS1MUnpYbF9OSFN0T0doUTRrb2ZTbV9BLTA", None)


@given(place=st.integers(0, len(PUBLISHED) - 1), bit=st.integers(0, 7))
def test_a_flipped_bit_of_the_published_body_is_noticed(place: int, bit: int) -> None:
    spoilt = bytearray(PUBLISHED)
    spoilt[place] ^= 1 << bit
    with pytest.raises(Unsigned):
        SendGridHooks([PUBLISHED_KEY]).read(bytes(spoilt), PUBLISHED_HEADERS, PUBLISHED_AT)


@pytest.mark.parametrize(
    "headers",
    [
        {**PUBLISHED_HEADERS, TIMESTAMP: "1600112503"},
        {**PUBLISHED_HEADERS, SIGNATURE: PUBLISHED_SIGNATURE.replace("MEUC", "MEUD")},
        {**PUBLISHED_HEADERS, SIGNATURE: "no base64"},
        {**PUBLISHED_HEADERS, TIMESTAMP: "160011250x"},
        {**PUBLISHED_HEADERS, TIMESTAMP: "9" * 12},
        {TIMESTAMP: "1600112502"},
        {},
    ],
)
def test_another_timestamp_or_signature_is_refused(headers: dict[str, str]) -> None:
    with pytest.raises(Unsigned):
        SendGridHooks([PUBLISHED_KEY]).read(PUBLISHED, headers, PUBLISHED_AT)


@pytest.mark.parametrize("key", [KEY, OLD_KEY])
def test_two_keys_are_taken_while_one_follows_the_other(key: SendGridKey) -> None:
    assert len(READER.read(BODY, key.headers(BODY, NOW), NOW)) == 1


def test_another_key_signs_nothing() -> None:
    with pytest.raises(Unsigned, match="not made with"):
        READER.read(BODY, FOREIGN.headers(BODY, NOW), NOW)


@pytest.mark.parametrize(("age", "refusal"), [(25.1, Unacceptable), (-0.1, Unsigned)])
def test_a_signature_is_good_for_as_long_as_sendgrid_repeats(age: float, refusal: type[Exception]) -> None:
    """In hours."""
    for hours in (0, 24):
        assert READER.read(BODY, KEY.headers(BODY, NOW - timedelta(hours=hours)), NOW)
    with pytest.raises(refusal):
        READER.read(BODY, KEY.headers(BODY, NOW - timedelta(hours=age)), NOW)


def test_a_key_that_is_none_is_said_so() -> None:
    for text in ("", "MFkw", "no base64!", PUBLISHED_SIGNATURE):
        with pytest.raises(Misconfigured, match="WEBHOOK_PUBLIC_KEY"):
            SendGridHooks([text])


def documented(event: str, **more: Any) -> dict[str, Any]:
    """An event as its reference shows it, with our custom arguments in it."""
    return {
        "email": "example@test.com",
        "timestamp": 1513299569,
        "smtp-id": "<14c5d75ce93.dfd.64b469@ismtpd-555>",
        "event": event,
        "category": ["cat facts"],
        "sg_event_id": f"id-of-{event}",
        "sg_message_id": "14c5d75ce93.dfd.64b469.filter0001.16648.5515E0B88.0",
        "fencepost": "eml_1",
        "fencepost_attempt": "2",
        **more,
    }


AGENT = {"useragent": "Mozilla/4.0 (compatible; MSIE 6.1; Windows XP)", "ip": "255.255.255.255"}
DOCUMENTED = [
    (documented("processed"), EventKind.ACCEPTED, None),
    (documented("deferred", response="400 try again later", attempt="5"), EventKind.DEFERRED, "400 try again later"),
    (documented("delivered", response="250 OK"), EventKind.DELIVERED, "250 OK"),
    (documented("open", sg_machine_open=False, **AGENT), EventKind.OPENED, AGENT["useragent"]),
    (documented("click", url="http://www.sendgrid.com/", **AGENT), EventKind.CLICKED, "http://www.sendgrid.com/"),
    (documented("bounce", reason="500 unknown recipient", status="5.0.0"), EventKind.BOUNCED, "500 unknown recipient"),
    (documented("dropped", reason="Bounced Address", status="5.0.0"), EventKind.REJECTED, "Bounced Address"),
    (documented("spamreport"), EventKind.COMPLAINED, None),
    (documented("unsubscribe"), EventKind.UNSUBSCRIBED, None),
    (documented("group_unsubscribe", asm_group_id=10, **AGENT), EventKind.UNSUBSCRIBED, AGENT["useragent"]),
]


def read(*items: object) -> Any:
    body = json.dumps(items).encode()
    return READER.read(body, KEY.headers(body, NOW), NOW)


@pytest.mark.parametrize(("item", "kind", "detail"), DOCUMENTED, ids=lambda value: str(value)[:12])
def test_the_documented_events_are_read(item: dict[str, Any], kind: EventKind, detail: str | None) -> None:
    [told] = read(item)
    event = told.event
    assert (event.id, event.provider, event.kind, event.detail) == (item["sg_event_id"], "sendgrid", kind, detail)
    assert (event.delivery_id, event.attempt_no, event.recipient) == ("eml_1", 2, "example@test.com")
    assert (event.receipt, event.message_id) == ("14c5d75ce93", "14c5d75ce93.dfd.64b469@ismtpd-555")
    assert event.at == datetime.fromtimestamp(1513299569, UTC)
    assert not event.by_machine


def test_an_array_is_read_whole_and_one_event_may_come_alone() -> None:
    assert [told.event.kind for told in read(*(item for item, _, _ in DOCUMENTED))] == [
        kind for _, kind, _ in DOCUMENTED
    ]
    alone = json.dumps(DOCUMENTED[0][0]).encode()
    assert READER.read(alone, KEY.headers(alone, NOW), NOW)[0].event


@pytest.mark.parametrize(
    "spoil",
    [
        lambda item: item | {"event": "group_resubscribe"},
        lambda item: item | {"event": "account_status_change"},
        lambda item: item | {"timestamp": "soon"},
        lambda item: item | {"fencepost": 7.5},
        lambda item: {name: value for name, value in item.items() if name != "fencepost"},
        lambda item: {name: value for name, value in item.items() if name != "sg_event_id"},
        lambda _: None,
        lambda _: [1],
        lambda _: "text",
    ],
)
def test_what_is_unknown_is_handed_on_as_it_came(spoil: Callable[[dict[str, Any]], object]) -> None:
    item = spoil(documented("open"))
    [told] = read(item)
    assert (told.event, told.raw) == (None, item)
    assert told.name
    assert told.name == read(item)[0].name, "the same whenever it is told"


@pytest.mark.parametrize(
    ("more", "by_machine"),
    [({"sg_machine_open": True}, True), ({"useragent": "Mozilla/5.0"}, True), ({"sg_machine_open": "true"}, False)],
)
def test_a_machines_opening_is_told_apart(more: dict[str, Any], by_machine: bool) -> None:
    assert read(documented("open", **more))[0].event.by_machine is by_machine


@pytest.mark.parametrize(
    ("item", "reason"),
    [
        (documented("bounce", type="bounce"), Reason.BOUNCE),
        (documented("bounce", type="blocked"), None),
        (documented("dropped"), None),
        (documented("spamreport"), Reason.COMPLAINT),
        (documented("group_unsubscribe"), Reason.UNSUBSCRIBE),
    ],
)
def test_what_lasts_is_a_reason_to_send_no_more(item: dict[str, Any], reason: Reason | None) -> None:
    assert suppression_of(read(item)[0].event) is reason
