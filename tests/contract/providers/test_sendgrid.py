"""SendGrid: a mail as its documented request, and every answer, documented or not, by its outcome."""

import json
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from pydantic import SecretStr

from fencepost.deliveries import Outcome, OutcomeKind
from fencepost.errors import Invalid, Misconfigured
from fencepost.messages import Address, Mail
from fencepost.providers.http import HttpReply, Lost, NotSent
from fencepost.providers.sendgrid import SendGrid
from fencepost.reconciliation import Evidence, Reference
from fencepost.settings import SendGrid as SendGridSettings
from tests.contract.providers.mails import MAIL, StandingClock

SETTINGS = SendGridSettings(api_key=SecretStr("SG.key"), activity_api_key=SecretStr("SG.records"))
SENDGRID = SendGrid(SETTINGS, StandingClock())
REFERENCE = Reference(MAIL.delivery_id, MAIL.message_id, "sendgrid")


def document(mail: Mail) -> Any:
    return json.loads(SENDGRID.request(mail).body)


# -- the request


def test_the_call_is_the_documented_one_byte_for_byte() -> None:
    request = SENDGRID.request(MAIL)
    assert (request.method, request.url) == ("POST", "https://api.sendgrid.com/v3/mail/send")
    assert request.headers == {
        "Authorization": "Bearer SG.key",
        "Content-Type": "application/json",
        "User-Agent": "fencepost",
    }
    assert request.body.decode() == (
        '{"personalizations":[{"to":[{"email":"ada@example.org"}]}],'
        '"from":{"email":"reports@example.com","name":"Reports"},'
        '"subject":"Weekly figures",'
        '"content":[{"type":"text/plain","value":"Hello\\n"}],'
        '"headers":{"Message-ID":"<01jdd0z3s8q6zv@mg.example.com>"},'
        '"custom_args":{"fencepost":"eml_01JDD0Z3S8Q6ZV0000000000AB","fencepost_attempt":"3"}}'
    )
    assert SENDGRID.request(MAIL) == request, "equal mails give equal bytes"


def test_a_full_mail_has_a_field_for_everything() -> None:
    mail = replace(
        MAIL,
        to=(Address("ada@example.org", "Ada, Countess"), Address("bob@bücher.example")),
        cc=(Address("cc@example.org"), Address("ADA@example.org")),
        bcc=(Address("bcc@example.org"), Address("cc@example.org")),
        reply_to=Address("answers@example.com", "Answers"),
        html="<p>Hellö</p>",
        headers={"X-Priority": "1"},
        tags=("weekly", "weekly", "figures"),
        metadata={"customer": "42"},
    )
    assert document(mail) == {
        "personalizations": [
            {
                "to": [{"email": "ada@example.org", "name": "Ada, Countess"}, {"email": "bob@xn--bcher-kva.example"}],
                "cc": [{"email": "cc@example.org"}],
                "bcc": [{"email": "bcc@example.org"}],
            }
        ],
        "from": {"email": "reports@example.com", "name": "Reports"},
        "subject": "Weekly figures",
        "content": [{"type": "text/plain", "value": "Hello\n"}, {"type": "text/html", "value": "<p>Hellö</p>"}],
        "headers": {"Message-ID": "<01jdd0z3s8q6zv@mg.example.com>", "X-Priority": "1"},
        "custom_args": {"fencepost": MAIL.delivery_id, "fencepost_attempt": "3", "customer": "42"},
        "reply_to": {"email": "answers@example.com", "name": "Answers"},
        "categories": ["weekly", "figures"],
    }


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "nobody": ({"to": ()}, "/message/to"),
    "too many": ({"to": tuple(Address(f"a{number}@example.org") for number in range(1001))}, "/message/to"),
    "nothing": ({"text": ""}, "/message/text"),
    "no subject": ({"subject": ""}, "/message/subject"),
    "a line break in the subject": ({"subject": "a\r\nBcc: eve@example.org"}, "/message/subject"),
    "a line break in a name": ({"to": (Address("ada@example.org", "A\nB"),)}, "/message/to/0"),
    "no address": ({"cc": (Address("ada"),)}, "/message/cc/0"),
    "a line break in a header": ({"headers": {"X-A": "1\n2"}}, "/message/headers/X-A"),
    "no header": ({"headers": {"X A": "1"}}, "/message/headers"),
    "a header of ours": ({"headers": {"Message-Id": "<a@b>"}}, "/message/headers/Message-Id"),
    "a header of theirs": ({"headers": {"X-SG-EID": "1"}}, "/message/headers/X-SG-EID"),
    "a reserved header": ({"headers": {"Received": "x"}}, "/message/headers/Received"),
    "a variable of ours": ({"metadata": {"fencepost_attempt": "1"}}, "/message/metadata/fencepost_attempt"),
    "too much metadata": ({"metadata": {"a": "x" * 10_000}}, "/message/metadata"),
    "too many tags": ({"tags": tuple("abcdefghijk")}, "/message/tags"),
    "a long tag": ({"tags": ("x" * 256,)}, "/message/tags/0"),
    "NUL": ({"text": "a\0b"}, "/message/text"),
    "half a character": ({"text": "\ud800"}, "/message"),
    "too large": ({"text": "x" * 31_457_280}, "/message"),
}


@pytest.mark.parametrize(("changes", "pointer"), REFUSED.values(), ids=REFUSED.keys())
def test_what_sendgrid_would_refuse_is_refused_before_the_call(changes: dict[str, Any], pointer: str) -> None:
    with pytest.raises(Invalid) as refused:
        SENDGRID.request(replace(MAIL, **changes))
    assert refused.value.problems[0].pointer == pointer


@pytest.mark.parametrize(
    "base_url", ["http://api.sendgrid.com", "api.sendgrid.com", "https://api.sendgrid.com/v3", "ftp://a"]
)
def test_a_base_address_that_leads_astray_refuses_to_start(base_url: str) -> None:
    with pytest.raises(Misconfigured, match="FENCEPOST_PROVIDERS__SENDGRID__BASE_URL"):
        SendGrid(SendGridSettings(base_url=base_url), StandingClock())


# -- the answers


def error(text: str) -> dict[str, Any]:
    return {"errors": [{"message": text, "field": None, "help": None}]}


def outcome(status: int, body: object = "", **headers: str) -> Outcome:
    data = body.encode() if isinstance(body, str) else json.dumps(body).encode()
    return SENDGRID.outcome(HttpReply(status, {name.replace("_", "-"): value for name, value in headers.items()}, data))


OUTCOMES: dict[str, tuple[int, object, OutcomeKind]] = {
    "accepted, without an id": (202, "", OutcomeKind.UNKNOWN),
    "a sandbox, or another 2xx": (200, "", OutcomeKind.UNKNOWN),
    "nothing, politely": (204, "", OutcomeKind.UNKNOWN),
    "a redirect that repeats": (307, "", OutcomeKind.UNKNOWN),
    "a bad request": (400, error("Does not contain a valid address."), OutcomeKind.REJECTED),
    "a bad request without reasons": (400, "", OutcomeKind.REJECTED),
    "a wrong key": (401, error("The provided authorization grant is invalid"), OutcomeKind.UNAVAILABLE),
    "no credits": (401, error("Maximum credits exceeded"), OutcomeKind.UNAVAILABLE),
    "payment": (402, "", OutcomeKind.UNAVAILABLE),
    "an unverified sender": (
        403,
        error("The from address does not match a verified Sender Identity."),
        OutcomeKind.UNAVAILABLE,
    ),
    "a wrong path": (404, "", OutcomeKind.UNAVAILABLE),
    "a method": (405, "", OutcomeKind.UNKNOWN),
    "a time-out over there": (408, "", OutcomeKind.UNKNOWN),
    "too large": (413, error("too large"), OutcomeKind.REJECTED),
    "a content type": (415, "", OutcomeKind.UNKNOWN),
    "too fast": (429, error("too many requests"), OutcomeKind.THROTTLED),
    "an error": (500, error("Internal"), OutcomeKind.UNKNOWN),
    "a bad gateway": (502, "<html>", OutcomeKind.UNKNOWN),
    "an overload": (503, "", OutcomeKind.UNKNOWN),
    "a gateway's time-out": (504, "", OutcomeKind.UNKNOWN),
    "bytes": (500, "\ufffd\x00\x1b[31m", OutcomeKind.UNKNOWN),
}


@pytest.mark.parametrize(("status", "body", "kind"), OUTCOMES.values(), ids=OUTCOMES.keys())
def test_every_answer_has_its_outcome(status: int, body: object, kind: OutcomeKind) -> None:
    got = outcome(status, body)
    assert (got.kind, got.status, got.receipt) == (kind, status, None)
    assert got.detail.isprintable()
    assert got.misconfigured == (kind is OutcomeKind.UNAVAILABLE)


def test_accepted_is_202_with_an_id_and_nothing_else() -> None:
    assert outcome(202, x_message_id="14c5d75ce93.dfd.64b469") == Outcome(
        OutcomeKind.ACCEPTED, "Queued by SendGrid.", "14c5d75ce93.dfd.64b469", 202
    )
    documented = (202, 400, 401, 402, 403, 404, 413, 429)
    for status in set(range(100, 600)) - set(documented):
        assert outcome(status, x_message_id="14c5d75ce93").kind is OutcomeKind.UNKNOWN


def test_a_call_without_an_answer_is_unknown_and_one_that_was_not_sent_is_not() -> None:
    assert SENDGRID.outcome(Lost("reset")).kind is OutcomeKind.UNKNOWN
    got = SENDGRID.outcome(NotSent("refused"))
    assert (got.kind, got.misconfigured) == (OutcomeKind.UNAVAILABLE, False)


def test_a_refusal_of_ours_says_what_to_check() -> None:
    assert "FENCEPOST_PROVIDERS__SENDGRID__API_KEY" in outcome(401).detail
    assert "Sender Authentication" in outcome(403).detail


def test_details_hold_no_addresses() -> None:
    assert "ada@" not in outcome(400, error("ada@example.org is not valid")).detail


NOW = int(StandingClock().now().timestamp())


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"x_ratelimit_reset": str(NOW + 12)}, 12),
        ({"x_ratelimit_reset": str(NOW - 5)}, 0),
        ({"x_ratelimit_reset": str(NOW + 10**9)}, 86_400),
        ({"x_ratelimit_reset": "soon"}, None),
        ({"x_ratelimit_reset": "9" * 400}, 86_400),
        ({"x_ratelimit_reset": str(NOW + 12), "retry_after": "7"}, 7),
        ({"retry_after": "Mon, 20 Dec 2021 20:33:05 GMT"}, 5),
    ],
)
def test_the_wait_of_a_429_is_read_from_its_headers(headers: dict[str, str], seconds: float | None) -> None:
    assert outcome(429, error("too many requests"), **headers).retry_after_seconds == seconds


# -- the records


def test_records_are_asked_by_our_custom_argument_with_the_key_that_may() -> None:
    asked = SENDGRID.look_up(REFERENCE)
    assert asked
    assert (asked.method, asked.body, asked.headers["Authorization"]) == ("GET", b"", "Bearer SG.records")
    parts = urlsplit(asked.url)
    assert (parts.netloc, parts.path) == ("api.sendgrid.com", "/v3/messages")
    assert parse_qs(parts.query) == {"limit": ["100"], "query": [f"(unique_args['fencepost']=\"{MAIL.delivery_id}\")"]}


def test_an_account_without_email_activity_has_no_records() -> None:
    assert SendGrid(SendGridSettings(), StandingClock()).look_up(REFERENCE) is None


RECORDS: dict[str, tuple[int, object, Evidence, bool]] = {
    "found": (200, {"messages": [{"msg_id": "14c5.filter1-0", "status": "not_delivered"}]}, Evidence.ACCEPTED, False),
    "nothing": (200, {"messages": []}, Evidence.NO_TRACE, False),
    "no list": (200, {"messages": None}, Evidence.UNREADABLE, False),
    "not JSON": (200, "<html>", Evidence.UNREADABLE, False),
    "a bad query": (400, {"messages": []}, Evidence.UNREADABLE, False),
    "a key that may not": (403, "", Evidence.UNREADABLE, True),
    "a wrong key": (401, "", Evidence.UNREADABLE, True),
    "too fast": (429, {"messages": []}, Evidence.UNREADABLE, False),
    "an error": (500, {"messages": []}, Evidence.UNREADABLE, False),
}


@pytest.mark.parametrize(("status", "body", "evidence", "misconfigured"), RECORDS.values(), ids=RECORDS.keys())
def test_only_an_empty_page_shows_that_there_is_no_trace(
    status: int, body: object, evidence: Evidence, misconfigured: bool
) -> None:
    data = body.encode() if isinstance(body, str) else json.dumps(body).encode()
    trace = SENDGRID.trace(REFERENCE, HttpReply(status, {}, data))
    assert (trace.evidence, trace.misconfigured) == (evidence, misconfigured)
    assert trace.receipt == ("14c5" if evidence is Evidence.ACCEPTED else None)


def test_records_that_do_not_answer_say_nothing() -> None:
    assert SENDGRID.trace(REFERENCE, Lost("reset")).evidence is Evidence.UNREADABLE
