"""Every answer that Mailgun documents, and those that it does not, by their outcome."""

import json

import pytest

from fencepost.deliveries import Outcome, OutcomeKind
from fencepost.providers.http import HttpReply, Lost, NotSent
from tests.contract.providers.mails import MAILGUN

# -- the answers


def outcome(status: int, body: object, **headers: str) -> Outcome:
    data = body.encode() if isinstance(body, str) else json.dumps(body).encode()
    return MAILGUN.outcome(HttpReply(status, {name.replace("_", "-"): value for name, value in headers.items()}, data))


def message(text: str) -> dict[str, str]:
    return {"message": text}


QUEUED = {"id": "<01jdd0z3s8q6zv@mg.example.com>", "message": "Queued. Thank you."}
LIMIT = "Domain mg.example.com is not allowed to send: request limit exceeded, try again after"

OUTCOMES: dict[str, tuple[int, object, OutcomeKind]] = {
    "queued": (200, QUEUED, OutcomeKind.ACCEPTED),
    "queued, in other words": (200, QUEUED | {"message": "Queued. Merci."}, OutcomeKind.ACCEPTED),
    "a wrong path": (200, "Mailgun Magnificent API", OutcomeKind.UNKNOWN),
    "no id": (200, message("Queued. Thank you."), OutcomeKind.UNKNOWN),
    "an empty id": (200, QUEUED | {"id": "<>"}, OutcomeKind.UNKNOWN),
    "an id that is no text": (200, QUEUED | {"id": 7}, OutcomeKind.UNKNOWN),
    "no message": (200, {"id": "<a@b>"}, OutcomeKind.UNKNOWN),
    "not queued": (200, QUEUED | {"message": "Thank you."}, OutcomeKind.UNKNOWN),
    "a message that is no text": (200, QUEUED | {"message": None}, OutcomeKind.UNKNOWN),
    "truncated JSON": (200, '{"id":"<a@b>","message":"Queued. Th', OutcomeKind.UNKNOWN),
    "a list": (200, [QUEUED], OutcomeKind.UNKNOWN),
    "a page": (200, "<html>Queued</html>", OutcomeKind.UNKNOWN),
    "nothing": (200, "", OutcomeKind.UNKNOWN),
    "nothing, politely": (204, "", OutcomeKind.UNKNOWN),
    "another 2xx": (202, QUEUED, OutcomeKind.UNKNOWN),
    "a redirect": (301, "", OutcomeKind.UNKNOWN),
    "a redirect that repeats": (307, "", OutcomeKind.UNKNOWN),
    "not modified": (304, "", OutcomeKind.UNKNOWN),
    "a bad request": (
        400,
        message("to parameter is not a valid address. please check documentation"),
        OutcomeKind.REJECTED,
    ),
    "a bad request without reasons": (400, "", OutcomeKind.REJECTED),
    "an unauthorized recipient": (
        400,
        message(
            "Domain mg.example.com is not allowed to send: Free accounts are for test purposes only. Please upgrade or add the address to authorized recipients in Account Settings."
        ),
        OutcomeKind.REJECTED,
    ),
    "an unverified domain": (
        400,
        message(
            "Domain mg.example.com is not allowed to send: The domain is unverified and requires DNS configuration."
        ),
        OutcomeKind.UNAVAILABLE,
    ),
    "too large": (413, message("request size exceeds 52.4MiB limit"), OutcomeKind.REJECTED),
    "a wrong key": (401, "Forbidden", OutcomeKind.UNAVAILABLE),
    "payment": (402, message("Request Failed"), OutcomeKind.UNAVAILABLE),
    "forbidden": (
        403,
        message("Domain mg.example.com is not allowed to send large batches yet"),
        OutcomeKind.UNAVAILABLE,
    ),
    "an unknown domain": (404, message("Domain not found: mg.example.com"), OutcomeKind.UNAVAILABLE),
    "too fast": (429, message(f"{LIMIT} 7 seconds"), OutcomeKind.THROTTLED),
    "too fast, without a wait": (429, "slow down", OutcomeKind.THROTTLED),
    "a time-out over there": (408, message("timeout"), OutcomeKind.UNKNOWN),
    "another 4xx": (409, message("conflict"), OutcomeKind.UNKNOWN),
    "a teapot": (418, "", OutcomeKind.UNKNOWN),
    "an error": (500, "Internal Server Error", OutcomeKind.UNKNOWN),
    "an error that looks like success": (500, QUEUED, OutcomeKind.UNKNOWN),
    "a bad gateway": (502, "<html>Bad Gateway</html>", OutcomeKind.UNKNOWN),
    "an overload": (503, "", OutcomeKind.UNKNOWN),
    "a gateway's time-out": (504, "", OutcomeKind.UNKNOWN),
    "bytes": (500, "\ufffd\x00\x1b[31m", OutcomeKind.UNKNOWN),
}


@pytest.mark.parametrize(("status", "body", "kind"), OUTCOMES.values(), ids=OUTCOMES.keys())
def test_every_answer_has_its_outcome(status: int, body: object, kind: OutcomeKind) -> None:
    got = outcome(status, body)
    assert (got.kind, got.status) == (kind, status)
    assert got.detail
    assert (got.receipt is not None) == (kind is OutcomeKind.ACCEPTED)
    assert got.misconfigured == (kind is OutcomeKind.UNAVAILABLE or body == "Mailgun Magnificent API")


@pytest.mark.parametrize(
    "status", [status for status in range(100, 600) if status not in (200, 400, 401, 402, 403, 404, 413, 429)]
)
def test_no_undocumented_status_is_taken_for_an_answer(status: int) -> None:
    assert outcome(status, QUEUED).kind is OutcomeKind.UNKNOWN


def test_the_receipt_is_the_id_as_events_show_it() -> None:
    assert outcome(200, QUEUED).receipt == "01jdd0z3s8q6zv@mg.example.com"


def test_a_call_that_was_not_sent_can_be_made_again() -> None:
    got = MAILGUN.outcome(NotSent("connection refused"))
    assert got == Outcome(OutcomeKind.UNAVAILABLE, "Mailgun could not be reached: connection refused")


def test_a_call_without_an_answer_is_unknown() -> None:
    got = MAILGUN.outcome(Lost("connection reset"))
    assert (got.kind, got.status, got.misconfigured) == (OutcomeKind.UNKNOWN, None, False)
    assert "connection reset" in got.detail


@pytest.mark.parametrize(
    ("status", "variable"),
    [
        (401, "FENCEPOST_PROVIDERS__MAILGUN__API_KEY"),
        (404, "FENCEPOST_PROVIDERS__MAILGUN__DOMAIN"),
        (403, "control panel"),
        (402, "payment"),
    ],
)
def test_a_refusal_of_ours_says_what_to_check(status: int, variable: str) -> None:
    assert variable in outcome(status, "Forbidden").detail


def test_details_hold_no_addresses_and_no_control_characters() -> None:
    detail = outcome(400, message("'ada@example.org' is not a valid address\n\x1b[2J" + "x" * 1000)).detail
    assert "ada@" not in detail
    assert detail.isprintable()
    assert len(detail) < 400


# -- 429


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        (f"{LIMIT} 7 seconds", 7),
        (f"{LIMIT} 1 second", 1),
        (f"{LIMIT} 0.5 seconds", 0.5),
        (f"{LIMIT} Mon, 20 Dec 2021 20:33:21 UTC", 21),
        (f"{LIMIT} Mon, 20 Dec 2021 20:33:21 GMT.", 21),
        (f"{LIMIT} Mon, 20 Dec 2021 20:33:21 -0000", 21),
        (f"{LIMIT} Mon, 20 Dec 2021 21:33:21 +0100", 21),
        (f"{LIMIT} Mon, 20 Dec 2021 20:00:00 UTC", 0),
        (f"{LIMIT} Mon, 20 Dec 2121 20:00:00 UTC", 86_400),
        (f"{LIMIT} 99999999999 seconds", 86_400),
        (f"{LIMIT} a while", None),
        (f"{LIMIT} Mon, 99 Dec 2021 20:00:00 UTC", None),
        (f"{LIMIT} Mon, 20 Dec 99999999999999999999 20:00:00 UTC", None),
        (LIMIT, None),
        ("", None),
    ],
)
def test_the_wait_is_read_from_the_text(text: str, seconds: float | None) -> None:
    assert outcome(429, message(text)).retry_after_seconds == seconds
    assert outcome(429, text).retry_after_seconds == seconds, "as a bare string too"


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("9", 9),
        (" 9 ", 9),
        ("Mon, 20 Dec 2021 20:33:05 GMT", 5),
        ("0", 0),
        ("999999999", 86_400),
        ("soon", None),
        ("-1", None),
    ],
)
def test_retry_after_wins_over_the_text(header: str, seconds: float | None) -> None:
    assert outcome(429, message(f"{LIMIT} 7 seconds"), retry_after=header).retry_after_seconds == seconds
