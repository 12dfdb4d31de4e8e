"""What the desk says of a mail that may have been sent, or not."""

from typing import Any

from frontend.doubts import doubt, last_settlement
from frontend.shapes import Attempt, Email


def attempt(number: int, **fields: Any) -> Attempt:
    found: dict[str, Any] = dict.fromkeys(Attempt.__annotations__)
    return {**found, "number": number, **fields}  # type: ignore[typeddict-item]


def email(state: str, *attempts: Attempt, **fields: Any) -> Email:
    found: dict[str, Any] = dict.fromkeys(Email.__annotations__)
    return {**found, "state": state, "attempts": list(attempts), "updated_at": "2026-01-01T09:00:00Z", **fields}  # type: ignore[typeddict-item]


LOST = attempt(1, outcome="unknown", called_at="2026-01-01T08:00:00Z", detail="it was cut")


def test_an_unknown_mail_is_decided_when_its_window_ends() -> None:
    mail = email("unknown", LOST, unknown_since="2026-01-01T08:00:01Z", look_up_at="2026-01-01T08:00:16Z")
    found = doubt(mail, window_seconds=2100)
    assert (found.called_at, found.lost) == ("2026-01-01T08:00:00Z", "it was cut")
    assert (found.look_up_at, found.decided_at) == ("2026-01-01T08:00:16Z", "2026-01-01T08:35:01Z")
    assert (found.found, found.held_since) == (None, None)


def test_a_held_mail_says_what_was_found_and_since_when() -> None:
    verdict = {"settled_at": "2026-01-01T08:36:00Z", "settled_as": "held", "settled_why": "no trace"}
    mail = email("held", {**LOST, **verdict}, unknown_since="2026-01-01T08:00:01Z", look_up_at="9999-01-01T00:00:00Z")  # type: ignore[typeddict-item]
    found = doubt(mail, window_seconds=2100)
    assert (found.found, found.held_since) == ("no trace", "2026-01-01T08:36:00Z")
    assert (found.look_up_at, found.decided_at) == (None, None)


def test_a_mail_that_says_little_is_shown_all_the_same() -> None:
    found = doubt(email("held", reason="held by hand"), window_seconds=60)
    assert (found.called_at, found.lost, found.found) == (None, None, "held by hand")
    assert found.held_since == "2026-01-01T09:00:00Z"
    adopted = doubt(
        email("unknown", attempt(2, outcome="unknown", claimed_at="2026-01-01T07:00:00Z")), window_seconds=60
    )
    assert (adopted.called_at, adopted.decided_at) == ("2026-01-01T07:00:00Z", None)


def test_the_last_settlement_is_the_one_that_was_made_last() -> None:
    early, late = (attempt(number, settled_at=f"2026-01-01T0{hour}:00:00Z") for number, hour in ((2, 1), (1, 9)))
    assert last_settlement(email("accepted", late, early)) == late
    assert last_settlement(email("accepted", attempt(1))) is None
