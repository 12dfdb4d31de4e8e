"""The simulator as Mailgun: the statuses and bodies of its reference, told to our adapter and to a foreign client."""

import hashlib
import time
from dataclasses import replace
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any

import pytest

from fencepost.deliveries import OutcomeKind
from fencepost.providers.transport import HttpReply, Transport
from tests.integration.simulator.conftest import DOMAIN, Simulator, StartsSimulator, call, mail
from tests.support.eventually import eventually

FORM = {"from": "Me <me@example.com>", "to": "ada@example.org", "subject": "Hello", "text": "Hello Ada"}


def test_a_mail_of_ours_arrives_with_all_that_it_has(simulator: Simulator, transport: Transport) -> None:
    [reply] = call(transport, simulator.mailgun.request(mail(7, attempt=3)))
    outcome = simulator.mailgun.outcome(reply)
    assert (outcome.kind, outcome.receipt) == (OutcomeKind.ACCEPTED, "mail-7@sandbox.example.com")
    assert isinstance(reply, HttpReply)
    assert reply.body == b'{"id":"<mail-7@sandbox.example.com>","message":"Queued. Thank you."}'
    [entry] = simulator.ledger()
    assert abs(entry.pop("at") - time.time()) < 60
    assert entry == {
        "number": 1,
        "delivery_id": "eml_00000000000000000000000007",
        "attempt": 3,
        "answer": "ok",
        "domain": DOMAIN,
        "message_id": "mail-7@sandbox.example.com",
        "from": "Berichte, täglich <reports@example.com>",
        "to": ["Ada <ada@example.org>"],
        "cc": [],
        "bcc": [],
        "recipients": ["ada@example.org"],
        "subject": "Figures of day 7 – ✓",
        "text": "Hello Ada\n",
        "html": "<p>Hello <b>Ada</b></p>",
        "headers": {"Message-Id": "<mail-7@sandbox.example.com>", "X-Priority": "1"},
        "tags": ["daily"],
        "variables": {"fencepost": "eml_00000000000000000000000007/3", "customer": "42"},
        "test_mode": False,
        "provider": "mailgun",
        "attachments": [],
    }


def test_a_foreign_client_is_served_too(simulator: Simulator) -> None:
    answer = simulator.post(
        {**FORM, "to": ["Ada <ada@example.org>, bob@example.org", "ADA@example.org"], "cc": "cy@example.org"}
    )
    assert answer.json()["message"] == "Queued. Thank you."
    assert answer.json()["id"].startswith("<")
    assert answer.json()["id"].endswith(f"@{DOMAIN}>")
    multipart = simulator.http.post(
        f"{simulator.url}/v3/{DOMAIN}/messages",
        data=FORM,
        files={"attachment": ("a.txt", b"\0\r\nx")},
        auth=("api", "key-simulator"),
        timeout=10,
    )
    assert multipart.status_code == 200
    first, second = simulator.ledger()
    assert first["recipients"] == ["ada@example.org", "bob@example.org", "cy@example.org"], (
        "the same address counts once"
    )
    assert (second["subject"], second["text"], second["delivery_id"]) == ("Hello", "Hello Ada", None)
    [file] = second["attachments"]
    assert (file["filename"], file["size"], file["inline"], file["content_id"]) == ("a.txt", 4, False, None)
    assert file["digest"] == hashlib.sha256(b"\0\r\nx").hexdigest()


REFUSALS: dict[str, tuple[dict[str, Any], str]] = {
    "no sender": ({"from": ""}, "from parameter is missing"),
    "no recipient": ({"to": ""}, "to parameter is missing"),
    "a bad sender": ({"from": "me"}, "from parameter is not a valid address. please check documentation"),
    "a bad recipient": (
        {"to": "ada@example.org, bob@"},
        "to parameter is not a valid address. please check documentation",
    ),
    "a bad cc": ({"cc": "<>"}, "cc parameter is not a valid address. please check documentation"),
    "a bad bcc": ({"bcc": "a b@c d"}, "bcc parameter is not a valid address. please check documentation"),
    "nothing to read": ({"text": ""}, "Need at least one of 'text' or 'html' parameters specified"),
    "a crowd": (
        {"to": ",".join(f"r{number}@example.org" for number in range(1001))},
        "Too many recipients; max is 1000",
    ),
    "options": (
        {"v:big": "x" * 16_384},
        "Send options (parameters starting with o:, h:, or v:) are limited to 16 kB total",
    ),
    "a header name": ({"h:X-Größe": "1"}, "Header name must be pure ASCII: X-Größe"),
}


def test_a_bad_request_is_refused_in_mailguns_words(simulator: Simulator) -> None:
    for changes, words in REFUSALS.values():
        answer = simulator.post({**FORM, **changes})
        assert (answer.status_code, answer.json()) == (400, {"message": words})
    assert simulator.ledger() == []
    assert simulator.get("ledger/count") == {
        "accepted": 0,
        "requests": len(REFUSALS),
        "answers": {"400": len(REFUSALS)},
    }


def test_a_form_that_is_none_is_refused(simulator: Simulator) -> None:
    for content_type in ("multipart/form-data; boundary=x", "multipart/form-data", "application/json", ""):
        answer = simulator.http.post(
            f"{simulator.url}/v3/{DOMAIN}/messages",
            data=b"--y\r\n\r\n--y--",
            headers={"Content-Type": content_type},
            auth=("api", "key-simulator"),
            timeout=10,
        )
        assert (answer.status_code, answer.json()) == (400, {"message": "malformed multipart/form-data request"})


def test_a_wrong_key_a_wrong_domain_and_a_wrong_path(simulator: Simulator) -> None:
    wrong_key = simulator.post(FORM, key="key-other")
    assert (wrong_key.status_code, wrong_key.content) == (401, b"Forbidden")
    wrong_domain = simulator.post(FORM, domain="other.example.com")
    assert (wrong_domain.status_code, wrong_domain.json()) == (404, {"message": "Domain not found: other.example.com"})
    for path in ("v3/v3/x/messages", "v3/a/b/messages", "v4/x", "messages", ""):
        answer = simulator.http.post(f"{simulator.url}/{path}", data=FORM, auth=("api", "key-simulator"), timeout=10)
        assert (answer.status_code, answer.content) == (200, b"Mailgun Magnificent API"), path
    assert simulator.ledger() == []


def test_a_request_over_the_limit_is_too_large(simulator: Simulator, transport: Transport) -> None:
    request = replace(simulator.mailgun.request(mail(1)), body=bytes(55_000_000))
    [reply] = call(transport, request, timeout_seconds=30)
    assert isinstance(reply, HttpReply)
    assert (reply.status, reply.body) == (413, b'{"message":"request size exceeds 52.4MiB limit"}')


def test_test_mode_is_noted(simulator: Simulator) -> None:
    simulator.post({**FORM, "o:testmode": "yes"})
    assert simulator.ledger()[0]["test_mode"] is True


# -- events


def pages(simulator: Simulator, **query: Any) -> list[list[dict[str, Any]]]:
    """All pages up to the empty one."""
    answer = simulator.events(**query).json()
    found = []
    while answer["items"]:
        found.append(answer["items"])
        answer = simulator.events(answer["paging"]["next"]).json()
    return found


def test_events_of_a_mail_are_found_by_its_message_id(simulator: Simulator, transport: Transport) -> None:
    call(transport, *(simulator.mailgun.request(mail(number)) for number in range(5)))

    def events_of_mail_3() -> list[dict[str, Any]]:
        query = {"begin": "0", "ascending": "yes", "message-id": "mail-3@sandbox.example.com"}
        items: list[dict[str, Any]] = simulator.events(**query).json()["items"]
        return items if len(items) == 2 else []

    accepted, delivered = eventually(events_of_mail_3)
    assert (accepted["event"], delivered["event"]) == ("accepted", "delivered")
    assert accepted["recipient"] == "ada@example.org"
    assert accepted["message"]["headers"]["message-id"] == "mail-3@sandbox.example.com"
    assert accepted["user-variables"]["fencepost"] == "eml_00000000000000000000000003/1"
    assert accepted["timestamp"] < delivered["timestamp"]


def test_events_come_in_pages_in_either_direction(simulator: Simulator) -> None:
    for number in range(7):
        simulator.post({**FORM, "to": [f"r{number}@example.org", f"s{number}@example.org"], "subject": str(number)})
    began = datetime.now(UTC).timestamp() - 3600
    eventually(lambda: len(simulator.events(begin=began, ascending="yes", limit=300).json()["items"]) == 28)
    upwards = pages(simulator, begin=format_datetime(datetime.fromtimestamp(began, UTC)), ascending="yes", limit=5)
    assert [len(page) for page in upwards] == [5, 5, 5, 5, 5, 3]
    up = [item for page in upwards for item in page]
    assert [item["timestamp"] for item in up] == sorted(item["timestamp"] for item in up)
    assert len({item["id"] for item in up}) == 28
    down = [item for page in pages(simulator, limit=9) for item in page]
    assert down == up[::-1]
    assert [item for page in pages(simulator, begin=began, end=began + 7200) for item in page] == up
    only = pages(simulator, begin=began, ascending="yes", event="accepted OR failed", recipient="s3@example.org")
    assert [[item["message"]["headers"]["subject"] for item in page] for page in only] == [["3"]]


def test_a_reader_comes_back_to_the_last_page_for_more(simulator: Simulator) -> None:
    simulator.post(FORM)
    began = time.time() - 10
    eventually(lambda: len(simulator.events(begin=began, ascending="yes").json()["items"]) == 2)
    answer = simulator.events(begin=began, ascending="yes").json()
    waiting = simulator.events(answer["paging"]["next"]).json()
    assert waiting["items"] == []
    assert simulator.events(waiting["paging"]["previous"]).json()["items"] == answer["items"][::-1]
    simulator.post({**FORM, "subject": "more"})
    more = eventually(lambda: simulator.events(waiting["paging"]["next"]).json()["items"])
    assert more[0]["message"]["headers"]["subject"] == "more"


def test_the_index_lags(simulator: Simulator) -> None:
    simulator.dial(index_lag_ms=60_000)
    simulator.post({**FORM, "subject": "late"})
    simulator.dial()
    simulator.post({**FORM, "subject": "early"})
    seen = eventually(lambda: simulator.events().json()["items"])
    assert {item["message"]["headers"]["subject"] for item in seen} == {"early"}


@pytest.mark.parametrize(
    "query",
    [
        {"limit": 301},
        {"limit": "x"},
        {"begin": "soon"},
        {"ascending": "up"},
        {"colour": "red"},
        {"begin": 5, "end": 3, "ascending": "yes"},
    ],
)
def test_a_bad_query_is_refused(simulator: Simulator, query: dict[str, Any]) -> None:
    assert simulator.events(**query).status_code == 400


def test_a_page_that_nobody_gave_out_is_refused(simulator: Simulator) -> None:
    for page in ("x", "W10", "eyJhIjoxfQ", "é"):
        assert simulator.events(f"{simulator.url}/v3/{DOMAIN}/events/{page}").status_code == 400


def test_a_sending_key_reads_no_events_where_there_is_a_key_for_that(start_simulator: StartsSimulator) -> None:
    simulator = start_simulator(EVENTS_API_KEY="key-account")
    url = f"{simulator.url}/v3/{DOMAIN}/events"
    assert simulator.http.get(url, auth=("api", "key-simulator"), timeout=10).status_code == 401
    assert simulator.http.get(url, auth=("api", "key-account"), timeout=10).status_code == 200
