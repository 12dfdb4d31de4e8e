"""A mail's time-line, read from its row alone."""

from typing import Any, cast

from fencepost.coordination.tokens import Token
from fencepost.deliveries import Attempt, Delivery, Verdict
from registry.answers.timeline import Moment, timeline
from tests.support.schedules import at

CREATED = at("2026-03-02 09:00:00")
HELD: Verdict = {"at": at("2026-03-02 09:40:00"), "state": "held", "by": "reconciler", "why": "No trace."}


def row(state: str, *attempts: Attempt, **fields: Any) -> Delivery:
    known = {
        "origin": "schedule",
        "version": 3,
        "state": state,
        "reason": None,
        "attempts": list(attempts),
        "created_at": CREATED,
        "updated_at": at("2026-03-02 09:10:00"),
    }
    return cast(Delivery, {**known, **fields})


def attempt(number: int = 1, **fields: Any) -> Attempt:
    claimed: Attempt = {
        "id": f"att_{number}",
        "no": number,
        "provider": "mailgun",
        "sender": "host-7",
        "token": Token(2, 41).number,
        "claimed_at": at("2026-03-02 09:00:01"),
    }
    return cast(Attempt, {**claimed, **fields})


def events(moments: list[Moment]) -> list[str]:
    return [moment.event for moment in moments]


def test_a_mail_that_waits_was_planned() -> None:
    assert timeline(row("pending")) == [Moment(CREATED, "planned", "Due by version 3 of the schedule.")]


def test_a_mail_under_way_shows_how_far_it_got() -> None:
    moments = timeline(row("sending", attempt(fence="OK", fenced_at=at("2026-03-02 09:00:02"))))
    assert events(moments) == ["planned", "claimed", "fenced"]
    assert moments[1].detail == "Attempt 1 by host-7, token 2/41, for mailgun."


def test_a_mail_that_was_accepted_ends_there_once() -> None:
    accepted = attempt(
        fence="OK",
        fenced_at=at("2026-03-02 09:00:02"),
        called_at=at("2026-03-02 09:00:02"),
        ended_at=at("2026-03-02 09:00:03"),
        outcome="accepted",
        detail="Queued. Thank you.",
    )
    moments = timeline(row("accepted", accepted))
    assert events(moments) == ["planned", "claimed", "fenced", "called", "accepted"]
    assert moments[-1] == Moment(at("2026-03-02 09:00:03"), "accepted", "Queued. Thank you.")


def test_each_attempt_is_shown() -> None:
    throttled = attempt(1, ended_at=at("2026-03-02 09:00:03"), outcome="throttled", detail="Too many.")
    again = attempt(2, claimed_at=at("2026-03-02 09:01:00"))
    assert events(timeline(row("sending", throttled, again))) == ["planned", "claimed", "throttled", "claimed"]


def test_what_the_fence_refused_is_said_in_words() -> None:
    refused = attempt(
        fence="STALE", fenced_at=at("2026-03-02 09:00:02"), ended_at=at("2026-03-02 09:00:02"), outcome="released"
    )
    moments = timeline(row("pending", refused))
    assert events(moments) == ["planned", "claimed", "fenced", "released"]
    assert "another sender holds the shard" in (moments[2].detail or "")


def test_a_mail_that_was_cancelled_says_why() -> None:
    assert timeline(row("cancelled", reason="paused"))[-1] == Moment(at("2026-03-02 09:10:00"), "cancelled", "paused")


def test_a_rejected_mail_failed() -> None:
    rejected = attempt(ended_at=at("2026-03-02 09:00:03"), outcome="rejected", detail="No such domain.")
    assert events(timeline(row("failed", rejected, reason="No such domain."))) == [
        "planned",
        "claimed",
        "rejected",
        "failed",
    ]


def test_no_moment_lies_before_an_earlier_one() -> None:
    """The last state is stamped by the server's clock, the rest by the sender's, which may be ahead."""
    ended = attempt(ended_at=at("2026-03-02 09:00:03"), outcome="unknown")
    moments = timeline(row("held", ended, updated_at=at("2026-03-02 09:00:02")))
    assert [moment.at for moment in moments] == sorted(moment.at for moment in moments)


def test_a_triggered_mail_was_a_persons_wish() -> None:
    assert timeline(row("pending", origin="trigger"))[0].detail == "Triggered by hand."


def test_what_became_of_a_lost_reply_is_told_with_who_and_why() -> None:
    lost = attempt(1, ended_at=at("2026-03-02 09:00:03"), outcome="unknown", detail="Reset.")
    moments = timeline(row("held", {**lost, "settlements": [HELD]}, reason="No trace."))
    assert events(moments) == ["planned", "claimed", "unknown", "held"]
    assert moments[-1] == Moment(at("2026-03-02 09:40:00"), "held", "reconciler: No trace.")


def test_a_mail_that_was_held_and_is_sent_again_shows_both_and_whose_wish_that_was() -> None:
    again: Verdict = {
        "at": at("2026-03-02 11:00:00"),
        "state": "pending",
        "by": "Ann",
        "why": "send it now: nothing came",
    }
    first = attempt(1, ended_at=at("2026-03-02 09:00:03"), outcome="unknown", settlements=[HELD, again])
    second = attempt(2, claimed_at=at("2026-03-02 11:00:01"))
    moments = timeline(row("sending", first, second))
    assert events(moments) == ["planned", "claimed", "unknown", "held", "resend", "claimed"]
    assert moments[3] == Moment(HELD["at"], "held", "reconciler: No trace.")
    assert moments[4].detail == "Ann: send it now: nothing came"


def test_what_a_frozen_sender_tells_late_comes_after_what_others_had_settled() -> None:
    late = attempt(1, ended_at=at("2026-03-02 12:00:00"), outcome="accepted", settlements=[HELD])
    assert events(timeline(row("accepted", late))) == ["planned", "claimed", "held", "accepted"]


def test_a_lost_reply_comes_before_what_was_found_out_whatever_clocks_say() -> None:
    lost = attempt(1, ended_at=at("2026-03-02 12:00:00"), outcome="unknown", settlements=[HELD])
    assert events(timeline(row("held", lost))) == ["planned", "claimed", "unknown", "held"]
