"""Mailjet: a mail as its documented request, and every answer, documented or not, by its outcome."""

import json
from base64 import b64decode
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from pydantic import SecretStr

from fencepost.deliveries import Outcome, OutcomeKind
from fencepost.errors import Invalid, Misconfigured
from fencepost.messages import Address, Mail
from fencepost.providers.http import HttpReply, Lost, NotSent
from fencepost.providers.mailjet import Mailjet
from fencepost.reconciliation import Evidence, Reference
from fencepost.settings import Mailjet as MailjetSettings
from tests.contract.providers.mails import MAIL, StandingClock

SETTINGS = MailjetSettings(api_key=SecretStr("public"), secret_key=SecretStr("private"))
MAILJET = Mailjet(SETTINGS, StandingClock())
REFERENCE = Reference(MAIL.delivery_id, MAIL.message_id, "mailjet")


def message(mail: Mail) -> Any:
    [found] = json.loads(MAILJET.request(mail).body)["Messages"]
    return found


# -- the request


def test_the_call_is_the_documented_one_byte_for_byte() -> None:
    request = MAILJET.request(MAIL)
    assert (request.method, request.url) == ("POST", "https://api.mailjet.com/v3.1/send")
    scheme, credentials = request.headers["Authorization"].split()
    assert (scheme, b64decode(credentials)) == ("Basic", b"public:private")
    assert request.headers["Content-Type"] == "application/json"
    assert request.body.decode() == (
        '{"Messages":[{"From":{"Email":"reports@example.com","Name":"Reports"},'
        '"To":[{"Email":"ada@example.org"}],"Subject":"Weekly figures","TextPart":"Hello\\n",'
        '"CustomID":"eml_01JDD0Z3S8Q6ZV0000000000AB","EventPayload":"{\\"fencepost_attempt\\":\\"3\\"}"}]}'
    )
    assert MAILJET.request(MAIL) == request, "equal mails give equal bytes"


def test_a_full_mail_has_a_field_for_everything() -> None:
    mail = replace(
        MAIL,
        to=(Address("ada@example.org", "Ada, Countess"), Address("bob@bücher.example")),
        cc=(Address("cc@example.org"),),
        bcc=(Address("bcc@example.org"),),
        reply_to=Address("answers@example.com", "Answers"),
        html="<p>Hellö</p>",
        headers={"X-Priority": "1"},
        tags=("weekly", "figures"),
        metadata={"customer": "42"},
    )
    found = message(mail)
    assert json.loads(found.pop("EventPayload")) == {
        "fencepost_attempt": "3",
        "fencepost_tags": ["weekly", "figures"],
        "customer": "42",
    }
    assert found == {
        "From": {"Email": "reports@example.com", "Name": "Reports"},
        "To": [{"Email": "ada@example.org", "Name": "Ada, Countess"}, {"Email": "bob@xn--bcher-kva.example"}],
        "Cc": [{"Email": "cc@example.org"}],
        "Bcc": [{"Email": "bcc@example.org"}],
        "ReplyTo": {"Email": "answers@example.com", "Name": "Answers"},
        "Subject": "Weekly figures",
        "TextPart": "Hello\n",
        "HTMLPart": "<p>Hellö</p>",
        "Headers": {"X-Priority": "1"},
        "CustomID": MAIL.delivery_id,
    }


def test_the_custom_id_is_that_of_the_delivery_whichever_attempt_it_is() -> None:
    assert message(replace(MAIL, attempt_no=9))["CustomID"] == message(MAIL)["CustomID"]


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "nobody": ({"to": ()}, "/message/to"),
    "too many": ({"bcc": tuple(Address(f"a{number}@example.org") for number in range(51))}, "/message/bcc"),
    "nothing": ({"text": ""}, "/message/text"),
    "a long subject": ({"subject": "x" * 256}, "/message/subject"),
    "a line break in the subject": ({"subject": "a\r\nBcc: eve@example.org"}, "/message/subject"),
    "a line break in a name": ({"to": (Address("ada@example.org", "A\nB"),)}, "/message/to/0"),
    "no address": ({"reply_to": Address("ada")}, "/message/reply_to"),
    "a line break in a header": ({"headers": {"X-A": "1\n2"}}, "/message/headers/X-A"),
    "a header of ours": ({"headers": {"Message-ID": "<a@b>"}}, "/message/headers/Message-ID"),
    "a header of theirs": ({"headers": {"X-MJ-CustomID": "1"}}, "/message/headers/X-MJ-CustomID"),
    "another header of theirs": ({"headers": {"X-Mailjet-Campaign": "1"}}, "/message/headers/X-Mailjet-Campaign"),
    "a forbidden header": ({"headers": {"List-Id": "x"}}, "/message/headers/List-Id"),
    "a variable of ours": ({"metadata": {"fencepost_tags": "1"}}, "/message/metadata/fencepost_tags"),
    "NUL": ({"html": "a\0b"}, "/message/html"),
    "half a character": ({"text": "\ud800"}, "/message"),
    "too large": ({"text": "x" * 15_728_640}, "/message"),
}


@pytest.mark.parametrize(("changes", "pointer"), REFUSED.values(), ids=REFUSED.keys())
def test_what_mailjet_would_refuse_is_refused_before_the_call(changes: dict[str, Any], pointer: str) -> None:
    with pytest.raises(Invalid) as refused:
        MAILJET.request(replace(MAIL, **changes))
    assert refused.value.problems[0].pointer == pointer


@pytest.mark.parametrize("base_url", ["http://api.mailjet.com", "api.mailjet.com", "https://api.mailjet.com/v3.1"])
def test_a_base_address_that_leads_astray_refuses_to_start(base_url: str) -> None:
    with pytest.raises(Misconfigured, match="FENCEPOST_PROVIDERS__MAILJET__BASE_URL"):
        Mailjet(MailjetSettings(base_url=base_url), StandingClock())


# -- the answers

UUID = "cb927469-36fd-4c02-bce4-0d199929a207"
TO = [
    {
        "Email": "ada@example.org",
        "MessageUUID": UUID,
        "MessageID": 456,
        "MessageHref": "https://api.mailjet.com/v3/REST/message/456",
    }
]
SUCCESS = {"Messages": [{"Status": "success", "CustomID": MAIL.delivery_id, "To": TO, "Cc": [], "Bcc": []}]}


def failed(code: object, text: str = "no") -> dict[str, Any]:
    return {"Messages": [{"Status": "error", "Errors": [{"ErrorCode": "x", "StatusCode": code, "ErrorMessage": text}]}]}


def whole(text: str) -> dict[str, Any]:
    return {"ErrorIdentifier": "x", "ErrorMessage": text}


def outcome(status: int, body: object = "", **headers: str) -> Outcome:
    data = body.encode() if isinstance(body, str) else json.dumps(body).encode()
    return MAILJET.outcome(HttpReply(status, {name.replace("_", "-"): value for name, value in headers.items()}, data))


OUTCOMES: dict[str, tuple[int, object, OutcomeKind]] = {
    "taken": (200, SUCCESS, OutcomeKind.ACCEPTED),
    "taken, under a 400": (400, SUCCESS, OutcomeKind.ACCEPTED),
    "taken, under another 2xx": (201, SUCCESS, OutcomeKind.UNKNOWN),
    "taken, without an id": (200, {"Messages": [{"Status": "success", "To": []}]}, OutcomeKind.UNKNOWN),
    "two messages": (200, {"Messages": SUCCESS["Messages"] * 2}, OutcomeKind.UNKNOWN),
    "no messages": (200, {"Messages": []}, OutcomeKind.UNKNOWN),
    "another state": (200, {"Messages": [{"Status": "queued", "To": TO}]}, OutcomeKind.UNKNOWN),
    "truncated JSON": (200, '{"Messages":[{"Status":"succ', OutcomeKind.UNKNOWN),
    "a page": (200, "<html>", OutcomeKind.UNKNOWN),
    "nothing": (200, "", OutcomeKind.UNKNOWN),
    "nothing, politely": (204, "", OutcomeKind.UNKNOWN),
    "a redirect that repeats": (307, "", OutcomeKind.UNKNOWN),
    "a message that is wrong": (400, failed(400), OutcomeKind.REJECTED),
    "a message that is wrong, under a 200": (200, failed(400), OutcomeKind.REJECTED),
    "a sender that is not ours": (400, failed(403), OutcomeKind.UNAVAILABLE),
    "a message with a key that may not": (200, failed(401), OutcomeKind.UNAVAILABLE),
    "a message that is too fast": (400, failed(429), OutcomeKind.THROTTLED),
    "a message that broke over there": (400, failed(500), OutcomeKind.UNKNOWN),
    "a message that timed out over there": (400, failed(408), OutcomeKind.UNKNOWN),
    "a message without a code": (400, failed(None), OutcomeKind.UNKNOWN),
    "a message with a code in words": (400, failed("400"), OutcomeKind.UNKNOWN),
    "a call that is wrong": (400, whole("Malformed JSON"), OutcomeKind.REJECTED),
    "a 400 that can't be read": (400, '{"Messages":[{"Sta', OutcomeKind.UNKNOWN),
    "a 400 without a word": (400, "", OutcomeKind.UNKNOWN),
    "wrong keys": (401, whole("API key authentication/authorization failure."), OutcomeKind.UNAVAILABLE),
    "payment": (402, "", OutcomeKind.UNAVAILABLE),
    "forbidden": (403, "", OutcomeKind.UNAVAILABLE),
    "a wrong path": (404, "", OutcomeKind.UNAVAILABLE),
    "a method": (405, "", OutcomeKind.UNKNOWN),
    "a time-out over there": (408, "", OutcomeKind.UNKNOWN),
    "too large": (413, "", OutcomeKind.REJECTED),
    "too fast": (429, whole("Too many requests"), OutcomeKind.THROTTLED),
    "an error": (500, whole("oops"), OutcomeKind.UNKNOWN),
    "an error that looks like success": (500, SUCCESS, OutcomeKind.UNKNOWN),
    "a bad gateway": (502, "<html>", OutcomeKind.UNKNOWN),
    "an overload": (503, "", OutcomeKind.UNKNOWN),
    "a gateway's time-out": (504, "", OutcomeKind.UNKNOWN),
    "bytes": (500, "\ufffd\x00\x1b[31m", OutcomeKind.UNKNOWN),
}


@pytest.mark.parametrize(("status", "body", "kind"), OUTCOMES.values(), ids=OUTCOMES.keys())
def test_every_answer_has_its_outcome(status: int, body: object, kind: OutcomeKind) -> None:
    got = outcome(status, body)
    assert (got.kind, got.status) == (kind, status)
    assert got.detail.isprintable()
    assert got.receipt == (UUID if kind is OutcomeKind.ACCEPTED else None)
    assert got.misconfigured == (kind is OutcomeKind.UNAVAILABLE)


def test_no_undocumented_status_is_taken_for_an_answer() -> None:
    for status in set(range(100, 600)) - {200, 400, 401, 402, 403, 404, 413, 429}:
        assert outcome(status, SUCCESS).kind is outcome(status, failed(400)).kind is OutcomeKind.UNKNOWN


def test_a_call_without_an_answer_is_unknown_and_one_that_was_not_sent_is_not() -> None:
    assert MAILJET.outcome(Lost("reset")).kind is OutcomeKind.UNKNOWN
    got = MAILJET.outcome(NotSent("refused"))
    assert (got.kind, got.misconfigured) == (OutcomeKind.UNAVAILABLE, False)


def test_a_refusal_of_ours_says_what_to_check() -> None:
    assert "FENCEPOST_PROVIDERS__MAILJET__SECRET_KEY" in outcome(401).detail
    assert "sender is validated" in outcome(400, failed(403)).detail


def test_details_say_what_mailjet_says_without_addresses() -> None:
    detail = outcome(400, failed(400, "ada@example.org is not valid")).detail
    assert detail == "Mailjet refuses this mail: <address> is not valid"


@pytest.mark.parametrize(
    ("stated", "seconds"), [({}, None), ({"retry_after": "7"}, 7), ({"retry_after": "soon"}, None)]
)
def test_the_wait_of_a_429_is_read_where_there_is_one(stated: dict[str, str], seconds: float | None) -> None:
    assert outcome(429, whole("Too many requests"), **stated).retry_after_seconds == seconds


# -- the records


def test_records_are_asked_by_our_custom_id_for_the_last_week() -> None:
    asked = MAILJET.look_up(REFERENCE)
    assert (asked.method, asked.body) == ("GET", b"")
    assert asked.headers["Authorization"] == MAILJET.request(MAIL).headers["Authorization"]
    parts = urlsplit(asked.url)
    assert (parts.netloc, parts.path) == ("api.mailjet.com", "/v3/REST/message")
    week = str(int(StandingClock().now().timestamp()) - 7 * 86_400)
    assert parse_qs(parts.query) == {
        "CustomID": [MAIL.delivery_id],
        "ShowCustomID": ["true"],
        "FromTS": [week],
        "Limit": ["100"],
    }


def record(status: object, custom_id: object = MAIL.delivery_id) -> dict[str, Any]:
    return {"ID": 456, "UUID": UUID, "Status": status, "CustomID": custom_id}


RECORDS: dict[str, tuple[int, object, Evidence, bool]] = {
    "sent": (200, {"Data": [record("sent")]}, Evidence.ACCEPTED, False),
    "queued": (200, {"Data": [record("queued")]}, Evidence.ACCEPTED, False),
    "bounced": (200, {"Data": [record("hardbounced")]}, Evidence.ACCEPTED, False),
    "blocked": (200, {"Data": [record("blocked")]}, Evidence.REFUSED, False),
    "blocked for one": (200, {"Data": [record("blocked"), record("sent")]}, Evidence.ACCEPTED, False),
    "nothing": (200, {"Count": 0, "Data": [], "Total": 0}, Evidence.NO_TRACE, False),
    "mail of others": (200, {"Data": [record("sent", "eml_2"), record("sent", None)]}, Evidence.UNREADABLE, False),
    "no list": (200, {"Data": None}, Evidence.UNREADABLE, False),
    "not JSON": (200, "<html>", Evidence.UNREADABLE, False),
    "wrong keys": (401, "", Evidence.UNREADABLE, True),
    "too fast": (429, {"Data": []}, Evidence.UNREADABLE, False),
    "an error": (500, {"Data": []}, Evidence.UNREADABLE, False),
}


@pytest.mark.parametrize(("status", "body", "evidence", "misconfigured"), RECORDS.values(), ids=RECORDS.keys())
def test_only_an_empty_page_shows_that_there_is_no_trace(
    status: int, body: object, evidence: Evidence, misconfigured: bool
) -> None:
    data = body.encode() if isinstance(body, str) else json.dumps(body).encode()
    trace = MAILJET.trace(REFERENCE, HttpReply(status, {}, data))
    assert (trace.evidence, trace.misconfigured) == (evidence, misconfigured)
    assert trace.receipt == (UUID if evidence is Evidence.ACCEPTED else None)


def test_records_that_do_not_answer_say_nothing() -> None:
    assert MAILJET.trace(REFERENCE, Lost("reset")).evidence is Evidence.UNREADABLE
