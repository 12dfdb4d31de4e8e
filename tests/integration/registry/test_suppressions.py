"""Suppressions and the link by which recipients make them."""

import re
from typing import Any

import pytest

from fencepost.store import Store
from fencepost.unsubscribing import Links
from tests.support.api import MESSAGE, Api, MovableClock

ONE_CLICK = "application/x-www-form-urlencoded"


def link_in(api: Api, **changes: Any) -> str:
    """The path of the link in a mail that goes to many."""
    body = {**MESSAGE, "bulk": True, "to": [{"email": "Ann@example.com", "variables": {"n": 1}}], **changes}
    [email] = api.call("POST", "/emails", body | {"text": "{{ n }}: {{ unsubscribe_url }}"}).get_json()["emails"]
    text = api.call("GET", f"/emails/{email['id']}").get_json()["text"]
    found = re.fullmatch(r"1: http://127\.0\.0\.1:\d+(/unsubscribe/[A-Za-z0-9._-]+)", text)
    assert found, text
    return found[1]


def test_an_address_is_suppressed_listed_and_let_go(api: Api) -> None:
    made = api.call("POST", "/suppressions", {"email": "Ann@Example.com", "detail": "by telephone"})
    assert made.status_code == 201
    shown = made.get_json()
    assert (shown["email"], shown["scope"], shown["reason"]) == ("ann@example.com", "all", "manual")
    again = api.call("POST", "/suppressions", {"email": "ann@example.com", "detail": "once more"})
    assert (again.status_code, again.get_json()) == (200, shown)
    for query in ("", "?q=ann@", "?reason=manual", "?scope=all"):
        assert api.call("GET", f"/suppressions{query}").get_json()["data"] == [shown]
    assert api.call("GET", "/suppressions?q=bob").get_json()["data"] == []
    assert api.call("GET", made.headers["Location"]).get_json() == shown
    assert api.call("DELETE", made.headers["Location"]).status_code == 200
    assert api.call("DELETE", made.headers["Location"]).status_code == 404


def test_looking_at_the_link_changes_nothing_and_pressing_it_unsubscribes(api: Api, store: Store) -> None:
    link = link_in(api)
    page = api.client.get(link)
    assert page.status_code == 200
    assert "<form method=" in page.get_data(as_text=True)
    assert store.database.suppressions.count_documents({}) == 0
    for _ in range(2):
        pressed = api.client.post(link, data="List-Unsubscribe=One-Click", content_type=ONE_CLICK)
        assert pressed.status_code == 200
        assert "You are unsubscribed" in pressed.get_data(as_text=True)
    [row] = store.database.suppressions.find()
    assert (row["email"], row["scope"], row["reason"]) == ("ann@example.com", "bulk", "unsubscribe")
    assert row["detail"].startswith("Unsubscribed by one click in eml_")


def test_the_link_may_be_pressed_in_the_page_of_a_mail_program(api: Api) -> None:
    link = link_in(api)
    foreign = {"Origin": "https://mail.example.net", "Sec-Fetch-Site": "cross-site"}
    assert (
        api.client.post(link, data="List-Unsubscribe=One-Click", content_type=ONE_CLICK, headers=foreign).status_code
        == 200
    )


def test_the_longest_address_of_any_script_has_a_link_that_works(api: Api, store: Store) -> None:
    longest = "ж" * 60 + "@" + ".".join(["ж" * 20] * 3) + ".com"
    link = link_in(api, to=[{"email": longest, "variables": {"n": 1}}])
    assert api.client.post(link, data="List-Unsubscribe=One-Click", content_type=ONE_CLICK).status_code == 200
    assert store.database.suppressions.distinct("email") == [longest]


def test_a_link_that_was_touched_is_none_of_ours(api: Api, store: Store) -> None:
    link = link_in(api)
    start = len("/unsubscribe/")
    for place in range(start, len(link)):
        other = "A" if link[place] != "A" else "B"
        forged = link[:place] + other + link[place + 1 :]
        # The last letters of a base64 text may hold bits that mean nothing.
        if api.client.post(forged).status_code != 404:
            assert store.database.suppressions.distinct("email") == ["ann@example.com"]
    for forged in (
        "/unsubscribe/x",
        "/unsubscribe/a.b",
        "/unsubscribe/" + "A" * 3000,
        "/unsubscribe/%00.%00",
        "/unsubscribe/é.é",
    ):
        assert api.client.post(forged).status_code == 404
    as_browsers_ask = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}
    shown = api.client.get(link[:-9], headers=as_browsers_ask)
    assert (shown.status_code, shown.mimetype) == (404, "text/html"), "whoever follows a link that was cut is a person"
    assert "Copy the whole of it from the mail" in shown.get_data(as_text=True)


@pytest.mark.parametrize("change", [{"bulk": False}, {"to": ["ann@example.com", "bob@example.com"], "together": True}])
def test_transactional_mail_and_mail_to_several_offers_no_link(api: Api, store: Store, change: dict[str, Any]) -> None:
    body = {**MESSAGE, "bulk": True, **change}
    [email] = api.call("POST", "/emails", body).get_json()["emails"]
    row = store.deliveries.find(email["id"])
    assert row
    assert Links("http://x", b"s").link(row) == ""


@pytest.mark.parametrize(
    "body", [{}, {"email": "nobody"}, {"email": "a@b.example", "scope": "some"}, {"mail": "a@b.example"}]
)
def test_a_wrong_suppression_is_refused(api: Api, body: dict[str, Any]) -> None:
    assert api.call("POST", "/suppressions", body).status_code == 422


def test_those_since_an_instant_are_listed_alone(api: Api, clock: MovableClock) -> None:
    api.post("/suppressions", {"email": "old@example.com"}, status=201)
    clock.move(hours=2)
    api.post("/suppressions", {"email": "new@example.com"}, status=201)
    since = f"{clock.now():%Y-%m-%dT%H:%M:%SZ}"
    assert [each["email"] for each in api.get(f"/suppressions?since={since}")["data"]] == ["new@example.com"]
    api.get("/suppressions?since=yesterday", status=422)
