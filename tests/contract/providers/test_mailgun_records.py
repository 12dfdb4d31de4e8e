"""Mailgun's records: what a page of events says of a mail, and what says nothing at all."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fencepost.events import EventKind
from fencepost.providers.http import HttpReply, HttpRequest, Lost, NotSent, Reply
from fencepost.providers.mailgun_events import MailgunEvents, read_event
from fencepost.reconciliation import Evidence, Reference, Trace
from fencepost.settings import Mailgun
from tests.support.schedules import at

BASE = "https://api.mailgun.net"
REFERENCE = Reference("eml_01JD0000000000000000000001", "eml_01JD0000000000000000000001@example.com", "mailgun")
RECORDS = MailgunEvents(BASE, Mailgun.model_validate({"domain": "mg.example.com", "events_api_key": "key-account"}))
NEXT = f"{BASE}/v3/mg.example.com/events/W3"


def item(
    kind: str = "accepted", delivery_id: str = REFERENCE.delivery_id, variables: object = None, **changes: Any
) -> dict[str, Any]:
    known = {
        "event": kind,
        "id": "Ase7i2zsRYeDXztHGENqRA",
        "timestamp": 1772442000.25,
        "user-variables": {"fencepost": f"{delivery_id}/2"} if variables is None else variables,
        "message": {"headers": {"message-id": "m1@mg.example.com"}},
    }
    return {**known, **changes}


def page(*items: object, next_page: object = NEXT) -> HttpReply:
    body = {"items": list(items), "paging": {"next": next_page, "previous": NEXT}}
    return HttpReply(200, {}, json.dumps(body).encode())


def said(reply: Reply) -> Trace:
    found = RECORDS.trace(REFERENCE, reply)
    assert isinstance(found, Trace)
    return found


def test_records_are_asked_by_message_id_with_the_key_that_may() -> None:
    asked = RECORDS.look_up(REFERENCE)
    assert asked.url == (
        f"{BASE}/v3/mg.example.com/events?message-id=eml_01JD0000000000000000000001%40example.com&limit=300"
    )
    assert asked.headers["Authorization"] == "Basic YXBpOmtleS1hY2NvdW50"


@pytest.mark.parametrize(
    ("kind", "severity", "read"),
    [
        ("accepted", None, EventKind.ACCEPTED),
        ("delivered", None, EventKind.DELIVERED),
        ("failed", "temporary", EventKind.DEFERRED),
        ("failed", "permanent", EventKind.BOUNCED),
        ("failed", None, EventKind.BOUNCED),
        ("rejected", None, EventKind.REJECTED),
        ("opened", None, EventKind.OPENED),
        ("clicked", None, EventKind.CLICKED),
        ("complained", None, EventKind.COMPLAINED),
        ("unsubscribed", None, EventKind.UNSUBSCRIBED),
    ],
)
def test_each_kind_of_event_is_read(kind: str, severity: str | None, read: EventKind) -> None:
    event = read_event(item(kind, severity=severity))
    assert event
    assert (event.kind, event.delivery_id, event.attempt_no) == (read, REFERENCE.delivery_id, 2)
    assert (event.at, event.receipt) == (at("2026-03-02 09:00:00.250"), "m1@mg.example.com")


@pytest.mark.parametrize(
    "garbage",
    [
        None,
        [],
        "accepted",
        {},
        item("stored"),
        item(id=7),
        item(id=""),
        item(id="x" * 257),
        item(timestamp="1772442000"),
        item(timestamp=True),
        item(timestamp=-1),
        item(timestamp=10**400),
        item(variables=[]),
        item(variables={"fencepost": 7}),
        item(variables={"other": "eml_1/1"}),
    ],
)
def test_what_is_not_about_a_mail_of_ours_is_no_event(garbage: object) -> None:
    assert read_event(garbage) is None


@pytest.mark.parametrize("number", ["", "x", "-1", "1.5", "²", "9" * 5000])
def test_a_number_of_an_attempt_that_is_none_is_left_out(number: str) -> None:
    event = read_event(item(variables={"fencepost": f"{REFERENCE.delivery_id}/{number}"}))
    assert event
    assert event.attempt_no is None


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=10,
)


@given(found=JSON, parts=st.dictionaries(st.sampled_from(sorted(item())), JSON))
def test_nothing_that_comes_raises(found: object, parts: dict[str, Any]) -> None:
    read_event(found)
    read_event({**item(), **parts})


@pytest.mark.parametrize("kind", ["accepted", "delivered", "failed", "opened"])
def test_one_event_of_ours_shows_that_it_was_taken_whatever_stands_beside_it(kind: str) -> None:
    trace = said(page(item("rejected"), None, item(delivery_id="eml_another"), item(kind)))
    assert (trace.evidence, trace.receipt) == (Evidence.ACCEPTED, "m1@mg.example.com")


def test_a_refusal_alone_is_told_as_such() -> None:
    assert said(page(item("rejected"))).evidence is Evidence.REFUSED


def test_only_an_empty_page_shows_that_there_is_no_trace() -> None:
    assert said(page()).evidence is Evidence.NO_TRACE
    following = RECORDS.trace(REFERENCE, page(item(delivery_id="eml_another"), {"event": "stored"}))
    assert isinstance(following, HttpRequest)
    assert (following.method, following.url) == ("GET", NEXT)
    assert following.headers["Authorization"].startswith("Basic ")


@pytest.mark.parametrize(
    "next_page",
    [
        None,
        7,
        "",
        "/v3/mg.example.com/events/W3",
        "https://api.mailgun.net.evil.example/v3/mg.example.com/events/W3",
        "https://evil.example/v3/mg.example.com/events/W3",
        "https://api.mailgun.net@evil.example/x",
        "https://api.mailgun.net:444/x",
        "http://api.mailgun.net/v3/mg.example.com/events/W3",
        "https://[api.mailgun.net/x",
    ],
)
def test_the_key_goes_nowhere_but_to_mailgun(next_page: object) -> None:
    assert said(page(item(delivery_id="eml_another"), next_page=next_page)).evidence is Evidence.UNREADABLE


@pytest.mark.parametrize("status", [401, 402, 403, 404])
def test_records_that_are_closed_to_us_say_what_to_look_at(status: int) -> None:
    trace = said(HttpReply(status, {}, b"Forbidden"))
    assert (trace.evidence, trace.misconfigured) == (Evidence.UNREADABLE, True)
    assert "FENCEPOST_PROVIDERS__MAILGUN__EVENTS_API_KEY" in trace.detail


@pytest.mark.parametrize(
    "reply",
    [
        HttpReply(200, {}, b"Mailgun Magnificent API"),
        HttpReply(200, {}, b""),
        HttpReply(200, {}, b"[]"),
        HttpReply(200, {}, b"{}"),
        HttpReply(200, {}, b'{"items": null}'),
        HttpReply(200, {}, b'{"items": ['),
        HttpReply(200, {}, b"[" * 100_000),
        HttpReply(200, {}, b"\xff"),
        HttpReply(429, {}, b'{"items": []}'),
        HttpReply(500, {}, b'{"items": []}'),
        HttpReply(503, {}, b""),
        HttpReply(302, {"location": "https://evil.example"}, b""),
        NotSent("connection refused"),
        Lost("timed out"),
    ],
)
def test_what_cannot_be_read_says_nothing(reply: Reply) -> None:
    trace = said(reply)
    assert (trace.evidence, trace.misconfigured) == (Evidence.UNREADABLE, False)
