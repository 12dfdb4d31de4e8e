"""What the desk says of a mail that may have been sent, or not."""

from typing import Any

import pytest

from frontend.doubts import doubt, last_settlement, may_have_gone
from frontend.mail_shapes import Attempt, Email, Settlement


def attempt(number: int, **fields: Any) -> Attempt:
    found: dict[str, Any] = dict.fromkeys(Attempt.__annotations__)
    return {**found, "number": number, "settlements": [], **fields}  # type: ignore[typeddict-item]


def settlement(hour: int, state: str, by: str = "reconciler", why: str = "no trace") -> Settlement:
    return {"at": f"2026-01-01T{hour:02}:36:00Z", "state": state, "by": by, "why": why}


def email(state: str, *attempts: Attempt, **fields: Any) -> Email:
    found: dict[str, Any] = dict.fromkeys(Email.__annotations__)
    return {**found, "state": state, "attempts": list(attempts), "updated_at": "2026-01-01T09:00:00Z", **fields}  # type: ignore[typeddict-item]


LOST = attempt(1, outcome="unknown", called_at="2026-01-01T08:00:00Z", detail="it was cut")


def test_an_unknown_mail_says_when_its_records_are_read_and_when_it_is_decided() -> None:
    found = doubt(email("unknown", LOST, look_up_at="2026-01-01T08:00:16Z", decision_due_at="2026-01-01T08:35:01Z"))
    assert (found.called_at, found.lost) == ("2026-01-01T08:00:00Z", "it was cut")
    assert (found.look_up_at, found.decision_due_at) == ("2026-01-01T08:00:16Z", "2026-01-01T08:35:01Z")
    assert (found.found, found.held_since) == (None, None)


def test_a_held_mail_says_what_was_found_and_since_when() -> None:
    held: Attempt = {**LOST, "settlements": [settlement(8, "held")]}
    found = doubt(email("held", held, look_up_at="9999-01-01T00:00:00Z"))
    assert (found.found, found.held_since) == ("no trace", "2026-01-01T08:36:00Z")
    assert (found.look_up_at, found.decision_due_at) == (None, None)


def test_a_mail_that_is_held_once_more_says_what_was_found_this_time() -> None:
    """The breaker held the attempt that a person had asked for."""
    before = attempt(1, outcome="unknown", settlements=[settlement(8, "held"), settlement(9, "pending", "Ann", "go")])
    found = doubt(email("held", before, attempt(2, outcome="held"), reason="a copy of another mail"))
    assert (found.found, found.held_since) == ("a copy of another mail", "2026-01-01T09:00:00Z")


def test_a_mail_that_says_little_is_shown_all_the_same() -> None:
    found = doubt(email("held", reason="held by hand"))
    assert (found.called_at, found.lost, found.found) == (None, None, "held by hand")
    assert found.held_since == "2026-01-01T09:00:00Z"
    adopted = doubt(email("unknown", attempt(2, outcome="unknown", claimed_at="2026-01-01T07:00:00Z")))
    assert (adopted.called_at, adopted.decision_due_at) == ("2026-01-01T07:00:00Z", None)


def test_the_last_settlement_is_the_one_that_was_made_last() -> None:
    held, sent, early = settlement(8, "held"), settlement(9, "accepted", "Ann"), settlement(1, "pending")
    mail = email("accepted", attempt(1, settlements=[held, sent]), attempt(2, settlements=[early]))
    assert last_settlement(mail) == sent
    assert last_settlement(email("accepted", attempt(1))) is None


@pytest.mark.parametrize(
    ("mail", "may"),
    [
        (email("cancelled"), False),
        (email("cancelled", attempt(1, outcome="throttled")), False),
        (email("cancelled", attempt(1, outcome="held")), False),
        (email("cancelled", LOST), True),
        (email("cancelled", attempt(1, outcome="unknown", settlements=[settlement(9, "cancelled")])), False),
        (email("cancelled", attempt(1, outcome="unknown", settlements=[settlement(9, "cancelled", "Ann")])), True),
        (email("accepted", LOST), False),
    ],
)
def test_of_a_cancelled_mail_it_is_said_whether_it_may_have_been_sent(mail: Email, may: bool) -> None:
    assert may_have_gone(mail) is may
