"""What is told of mail of test keys, by its address."""

from typing import Any, cast

import pytest

from fencepost.deliveries import Delivery
from fencepost.pretending import MAGIC, kinds_of, pretended
from tests.support.schedules import at


def row(*to: str) -> Delivery:
    attempt = {"id": "att_1", "no": 1, "ended_at": at("2026-03-02 09:00:00")}
    fields: dict[str, Any] = {"_id": "eml_1", "provider": "ses", "attempt_no": 1, "attempts": [attempt]}
    return cast(Delivery, {**fields, "to": [{"email": email, "name": ""} for email in to]})


@pytest.mark.parametrize(
    ("email", "kinds"),
    [
        ("ann@example.com", "accepted delivered"),
        ("bounced@example.com", "accepted bounced"),
        ("Bounced+order-7@example.com", "accepted bounced"),
        ("complained+a+b@example.com", "accepted delivered complained"),
        ("opened@example.com", "accepted delivered opened"),
        ("clicked+x@example.com", "accepted delivered opened clicked"),
        ("unsubscribed@example.com", "accepted delivered opened unsubscribed"),
        ("bounced.ann@example.com", "accepted delivered"),
        ("ann+bounced@example.com", "accepted delivered"),
    ],
)
def test_the_first_part_of_an_address_says_what_happens(email: str, kinds: str) -> None:
    assert " ".join(kinds_of(email)) == kinds


def test_events_are_the_same_whenever_they_are_made_and_in_their_order() -> None:
    found = pretended(row("clicked@example.com", "bounced@example.com"))
    assert list(found) == list(pretended(row("clicked@example.com", "bounced@example.com")))
    assert len({event.id for event in found}) == len(found) == 6
    assert [event.at for event in found[:4]] == sorted({event.at for event in found[:4]})
    assert {(event.provider, event.is_test) for event in found} == {("ses", True)}
    assert {event.recipient for event in found} == {"clicked@example.com", "bounced@example.com"}


def test_every_magic_address_moves_the_mail_on() -> None:
    for kinds in MAGIC.values():
        assert {"delivered", "bounced"} & set(kinds), "or it would be told of again and again"
