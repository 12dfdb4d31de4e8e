"""GET /events: an owner's events, by each name that a mail has."""

from datetime import timedelta
from typing import Any

import pytest

from fencepost import ids
from fencepost.events import Event, EventKind
from fencepost.store import Store
from tests.integration.registry.test_mail_reports import mail
from tests.support.api import Api, MovableClock
from tests.support.rows import now


@pytest.fixture
def clock() -> MovableClock:
    return MovableClock(now())


@pytest.fixture
def told(store: Store) -> str:
    """A mail that was delivered and opened, and another owner's of the same names; its id."""
    mine, theirs = mail(now()), mail(now(), owner_id="bob")
    store.deliveries.insert([mine, theirs])
    for row in (mine, theirs):
        for number, kind in enumerate((EventKind.OPENED, EventKind.DELIVERED)):
            at = now() - timedelta(seconds=number)
            event = Event(f"{row['_id']}/{number}", "mailgun", kind, at, row["_id"], 1, "r-1", "m-1@example.com")
            store.events.insert(event, row["owner_id"], now(), timedelta(days=90))
    return mine["_id"]


@pytest.mark.parametrize("query", ["receipt=r-1", "message_id=m-1@example.com", "message_id=%3Cm-1@example.com%3E"])
def test_events_are_found_by_what_others_call_the_mail(api: Api, told: str, query: str) -> None:
    found = api.get(f"/events?{query}")["data"]
    assert [(each["email_id"], each["kind"]) for each in found] == [(told, "delivered"), (told, "opened")]


def test_events_are_found_by_our_own_id(api: Api, told: str) -> None:
    found: list[dict[str, Any]] = api.get(f"/events?email_id={told}")["data"]
    assert [each["kind"] for each in found] == ["delivered", "opened"]
    assert (found[0]["receipt"], found[0]["attempt"], found[0]["test"]) == ("r-1", 1, False)
    api.get(f"/events?email_id={ids.new_id(ids.DELIVERY)}", status=404)


@pytest.mark.parametrize("query", ["", "receipt=r-1&message_id=m", "receipt=", "email_id=eml_1", "kind=opened"])
def test_one_name_is_needed(api: Api, query: str) -> None:
    api.get(f"/events?{query}", status=422)


@pytest.mark.parametrize("query", ["message_id=%3C%3E", "message_id=%20", "receipt=%20"])
def test_a_name_of_nothing_is_refused_since_no_index_holds_it(api: Api, query: str) -> None:
    [problem] = api.get(f"/events?{query}", status=422)["errors"]
    assert problem == {"pointer": f"/{query.partition('=')[0]}", "detail": "must not be empty"}


def test_nothing_is_found_of_what_nobody_told(api: Api, told: str) -> None:
    assert told
    assert api.get("/events?receipt=r-2") == {"data": []}
