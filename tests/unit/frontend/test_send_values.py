"""The form that sends mail once, against what the registry checks."""

from datetime import UTC, datetime, timedelta

import pytest
from werkzeug.datastructures import MultiDict

from fencepost import batches
from fencepost.errors import Invalid
from frontend import mail_values, send_values
from frontend.registry_client import FieldProblem
from frontend.send_values import DEFAULTS, LABELS, body, from_form, incomplete, place, summary

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)
PROVIDERS = ("mailgun", "ses", "smtp")
FILLED = DEFAULTS | {
    "from": "Shop <shop@example.com>",
    "to": "Ada <ada@example.com>\nbob@example.com",
    "subject": "Hello {{ name }}",
    "text": "Hello",
    "send_at": "2026-12-01T09:00",
    "timezone": "Europe/Berlin",
    "priority": "high",
    "life": "2",
    "life_unit": "3600",
    "provider": "first:ses",
    "on_unknown": "resend",
    "tags": "orders, shipping,",
    "bulk": "on",
}


def test_a_filled_form_is_mail_that_the_registry_takes() -> None:
    item = batches.parse(body(FILLED, PROVIDERS), PROVIDERS, NOW)
    message = item.definition["message"]
    assert [each["email"] for each in message["to"]] == ["ada@example.com", "bob@example.com"]
    assert (message["subject"], message["tags"]) == ("Hello {{ name }}", ["orders", "shipping"])
    assert item.scheduled_at == datetime(2026, 12, 1, 8, tzinfo=UTC), "nine in Berlin"
    assert (item.to_live, item.route, item.bulk) == (timedelta(hours=2), ("ses", "mailgun", "smtp"), True)


def test_what_is_left_as_it_is_asks_for_nothing_special() -> None:
    least = DEFAULTS | {"from": "a@example.com", "to": "b@example.com", "subject": "Hi", "text": "Hi"}
    item = batches.parse(body(least, PROVIDERS), PROVIDERS, NOW)
    assert (item.scheduled_at, item.to_live, item.route, item.bulk) == (None, None, (), False)
    assert item.definition["on_unknown"] == "hold"


@pytest.mark.parametrize(
    ("choice", "route"), [("", []), ("only:ses", ["ses"]), ("first:smtp", ["smtp", "mailgun", "ses"]), ("first:", [])]
)
def test_a_provider_is_preferred_or_the_only_one(choice: str, route: list[str]) -> None:
    assert send_values.route(choice, PROVIDERS) == route


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"from": "nobody"}, "from"),
        ({"to": "ada@example.com\nnobody"}, "to"),
        ({"subject": ""}, "subject"),
        ({"text": ""}, "text"),
        ({"send_at": "2020-01-01T09:00"}, "send_at"),
        ({"send_at": "soon"}, "send_at"),
        ({"life": "-1"}, "life"),
        ({"life": "many"}, "life"),
        ({"priority": "urgent"}, "priority"),
        ({"provider": "only:pigeon"}, "provider"),
        ({"tags": "a,b,c,d"}, "tags"),
        ({"cc": "c@example.com"}, "cc"),
    ],
)
def test_what_the_registry_refuses_stands_at_its_field(changes: dict[str, str], field: str) -> None:
    with pytest.raises(Invalid) as refused:
        batches.parse(body(FILLED | changes, PROVIDERS), PROVIDERS, NOW)
    errors, others = place(FieldProblem(each.pointer, each.detail) for each in refused.value.problems)
    assert field in errors
    assert others == []
    assert set(errors) <= set(LABELS)


def test_a_wrong_recipient_is_named_by_its_line() -> None:
    errors, _ = place([FieldProblem("/to/1/email", "is no address")])
    assert errors == {"to": ["Line 2: is no address"]}


def test_what_belongs_to_no_field_is_said_all_the_same() -> None:
    assert place([FieldProblem("/metadata/x", "is too long")]) == ({}, ["/metadata/x: is too long"])


def test_an_empty_field_is_asked_for_in_plain_words() -> None:
    found = mail_values.plainer({"to": ["must have at least 1 item"], "subject": ["must not be empty"]}, DEFAULTS)
    assert found == {"to": ["write down who is to get it, one address a line"], "subject": ["must not be empty"]}
    kept = {"to": ["Line 1: is no address"]}
    assert mail_values.plainer(kept, FILLED) == kept


def test_a_zone_that_is_none_is_noticed_here_since_the_registry_is_told_an_instant() -> None:
    assert set(incomplete(FILLED | {"timezone": "Mars/Base"})) == {"timezone"}
    assert incomplete(FILLED | {"timezone": "Mars/Base", "send_at": ""}) == {}


def test_boxes_that_are_not_ticked_are_empty() -> None:
    values = from_form(MultiDict({"to": "a@example.com"}))
    assert (values["together"], values["bulk"], values["priority"]) == ("", "", "normal")


def test_the_summary_says_how_many_leave_and_when() -> None:
    said = summary(FILLED, NOW)
    assert (said["mails"], said["at"], said["is_past"]) == (2, "2026-12-01T08:00:00Z", False)
    assert said["ends_at"] == "2026-12-01T10:00:00Z"
    assert summary(FILLED | {"together": "on"}, NOW)["mails"] == 1
    assert summary(FILLED | {"send_at": "2020-01-01T00:00"}, NOW)["is_past"]


@pytest.mark.parametrize("changes", [{"send_at": "soon"}, {"timezone": "Mars/Base"}, {"life": "x"}, {"to": ""}])
def test_the_summary_bears_what_is_half_typed(changes: dict[str, str]) -> None:
    said = summary(FILLED | changes, NOW)
    assert said["mails"] == len(said["people"])
