"""Settling what is in doubt: every row of the table, and that no verdict is made without evidence."""

from dataclasses import replace
from datetime import timedelta
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fencepost.deliveries import Delivery, State
from fencepost.events import TAKEN, Event, EventKind
from fencepost.reconciliation import (
    NEVER,
    Decision,
    Evidence,
    Policy,
    Postponed,
    Trace,
    Window,
    decide,
    policy_of,
    reconcile,
    taken,
    told,
    wants_look_up,
    window_of,
)
from fencepost.settings import load
from fencepost.settlements import Author, Settlement
from tests.support.schedules import at

SINCE = at("2026-03-02 09:00:00")
WINDOW = Window(timedelta(minutes=35), tuple(timedelta(seconds=wait) for wait in (15, 60, 120, 300, 600, 1800)))
BEFORE, EDGE = SINCE + timedelta(minutes=35, milliseconds=-1), SINCE + timedelta(minutes=35)
GIVEN_UP = SINCE + timedelta(days=1)


def row(state: State = State.UNKNOWN, **fields: Any) -> Delivery:
    known = {
        "_id": "eml_1",
        "state": state.value,
        "attempt_id": "att_1",
        "attempt_no": 1,
        "attempts": [{"id": "att_1", "no": 1}],
        "receipt": None,
        "unknown_since": SINCE,
    }
    return cast(Delivery, {**known, **fields})


def trace(evidence: Evidence | None) -> Trace | None:
    """None: the records were not asked."""
    if evidence is None:
        return None
    return Trace(evidence, f"{evidence}.", receipt="r@mg" if evidence is Evidence.ACCEPTED else None)


def event(kind: EventKind, attempt_no: int | None = 1) -> Event:
    return Event("ev", "mailgun", kind, SINCE, "eml_1", attempt_no, "r@mg")


@pytest.mark.parametrize(
    ("evidence", "policy", "now", "state"),
    [
        (Evidence.ACCEPTED, Policy.HOLD, SINCE, State.ACCEPTED),
        (Evidence.ACCEPTED, Policy.RESEND, GIVEN_UP, State.ACCEPTED),
        (Evidence.ACCEPTED, Policy.RESEND_AT_ONCE, SINCE, State.ACCEPTED),
        (Evidence.NO_TRACE, Policy.HOLD, BEFORE, None),
        (Evidence.NO_TRACE, Policy.HOLD, EDGE, State.HELD),
        (Evidence.NO_TRACE, Policy.RESEND, BEFORE, None),
        (Evidence.NO_TRACE, Policy.RESEND, EDGE, State.PENDING),
        (None, Policy.HOLD, GIVEN_UP, None),
        (None, Policy.RESEND, GIVEN_UP, None),
        (None, Policy.RESEND_AT_ONCE, SINCE, State.PENDING),
        (Evidence.REFUSED, Policy.HOLD, BEFORE, None),
        (Evidence.REFUSED, Policy.RESEND, BEFORE, None),
        (Evidence.REFUSED, Policy.HOLD, EDGE, State.FAILED),
        (Evidence.REFUSED, Policy.RESEND, EDGE, State.FAILED),
        (Evidence.UNREADABLE, Policy.HOLD, EDGE, None),
        (Evidence.UNREADABLE, Policy.RESEND, EDGE, None),
        (Evidence.UNREADABLE, Policy.HOLD, GIVEN_UP, State.HELD),
        (Evidence.UNREADABLE, Policy.RESEND, GIVEN_UP, State.HELD),
        (Evidence.NO_RECORDS, Policy.HOLD, BEFORE, None),
        (Evidence.NO_RECORDS, Policy.HOLD, EDGE, State.HELD),
        (Evidence.NO_RECORDS, Policy.RESEND, EDGE, State.HELD),
    ],
)
def test_each_row_of_the_table(evidence: Evidence | None, policy: Policy, now: Any, state: State | None) -> None:
    """None: nothing is decided yet."""
    verdict = reconcile(row(), trace(evidence), policy, WINDOW, now)
    if state is None:
        assert isinstance(verdict, Postponed)
        assert verdict.until > now
        return
    assert isinstance(verdict, Settlement)
    assert verdict.verdict
    assert (verdict.state, verdict.author, verdict.verdict["state"]) == (state, Author.RECONCILER, state.value)
    assert verdict.verdict["by"] == "reconciler"
    assert verdict.verdict["why"]
    assert bool(verdict.reason) is (state in (State.HELD, State.FAILED))


@pytest.mark.parametrize("evidence", [None, *(each for each in Evidence if each is not Evidence.ACCEPTED)])
@pytest.mark.parametrize("policy", Policy)
def test_what_is_held_stays_so_unless_it_is_found(evidence: Evidence | None, policy: Policy) -> None:
    verdict = reconcile(row(State.HELD), trace(evidence), policy, WINDOW, GIVEN_UP)
    assert isinstance(verdict, Postponed)


def test_no_trace_of_an_attempt_that_only_the_fence_knows_of_lets_nothing_be_sent_again() -> None:
    """MongoDB was put back to before it, so the record may name another provider than the one it called."""
    theirs = {
        "id": "att_1",
        "no": 1,
        "fence": "TAKEN",
        "outcome": "unknown",
        "sender": "unknown",
        "provider": "mailgun",
    }
    strange = row(attempts=[theirs], provider="mailgun", route=["mailgun", "ses"])
    verdict = reconcile(strange, trace(Evidence.NO_TRACE), Policy.RESEND, WINDOW, EDGE)
    assert isinstance(verdict, Settlement)
    assert (verdict.state, "which provider it called" in (verdict.reason or "")) == (State.HELD, True)
    only_one = reconcile({**strange, "route": ["mailgun"]}, trace(Evidence.NO_TRACE), Policy.RESEND, WINDOW, EDGE)
    assert isinstance(only_one, Settlement)
    assert only_one.state is State.PENDING


def test_what_is_held_is_accepted_when_it_is_found_later() -> None:
    verdict = reconcile(row(State.HELD), trace(Evidence.ACCEPTED), Policy.HOLD, WINDOW, EDGE + timedelta(hours=1))
    assert isinstance(verdict, Settlement)
    assert (verdict.state, verdict.receipt) == (State.ACCEPTED, "r@mg")
    assert State.HELD in verdict.allowed_from


def test_only_what_is_found_changes_a_held_mail() -> None:
    verdict = reconcile(row(), trace(Evidence.NO_TRACE), Policy.RESEND, WINDOW, EDGE)
    assert isinstance(verdict, Settlement)
    assert verdict.allowed_from == (State.UNKNOWN,)


@pytest.mark.parametrize("state", [State.UNKNOWN, State.HELD])
@pytest.mark.parametrize("policy", Policy)
def test_what_was_skipped_in_the_end_is_cancelled_unless_the_provider_took_it(state: State, policy: Policy) -> None:
    verdict = reconcile(row(state), None, policy, WINDOW, SINCE, skipped=True)
    assert isinstance(verdict, Settlement)
    assert (verdict.state, verdict.author) == (State.CANCELLED, Author.RECONCILER)
    assert state in verdict.allowed_from
    taken = reconcile(row(state), trace(Evidence.ACCEPTED), policy, WINDOW, SINCE, skipped=True)
    assert isinstance(taken, Settlement)
    assert taken.state is State.ACCEPTED


def test_look_ups_come_at_the_set_times_and_then_at_the_windows_end() -> None:
    now, seen = SINCE, []
    while (now := WINDOW.next_look_up(row(), now)) <= EDGE:
        seen.append(round((now - SINCE).total_seconds()))
    assert seen == [15, 60, 120, 300, 600, 1800, 2100]
    assert now - EDGE == timedelta(minutes=5), "records that can't be read are tried on, seldom"


def test_a_held_mail_is_looked_up_thrice_more_and_then_never() -> None:
    held, now, seen = row(State.HELD), EDGE, []
    while (now := WINDOW.next_look_up(held, now)) != NEVER:
        assert wants_look_up(held, Policy.HOLD, WINDOW, now)
        seen.append(round((now - EDGE).total_seconds() / 3600))
    assert seen == [1, 6, 24]
    assert not wants_look_up(held, Policy.HOLD, WINDOW, EDGE), "its records have just been read"


def test_records_are_read_from_the_first_time_on_and_never_for_who_prefers_two() -> None:
    first = SINCE + timedelta(seconds=15)
    assert not wants_look_up(row(), Policy.HOLD, WINDOW, first - timedelta(milliseconds=1))
    assert wants_look_up(row(), Policy.RESEND, WINDOW, first)
    assert not wants_look_up(row(), Policy.RESEND_AT_ONCE, WINDOW, GIVEN_UP)


@pytest.mark.parametrize("kind", EventKind)
def test_the_providers_own_word_settles_what_it_took(kind: EventKind) -> None:
    found, settlement = told([event(kind)]), taken(row(State.PENDING), [event(kind)], EDGE)
    if kind not in TAKEN:
        assert (found, settlement) == (None, None)
        return
    assert found
    assert (found.evidence, found.receipt) == (Evidence.ACCEPTED, "r@mg")
    assert settlement
    assert (settlement.state, settlement.author, settlement.receipt) == (State.ACCEPTED, Author.PROVIDER, "r@mg")
    assert settlement.verdict
    assert settlement.verdict["by"] == "mailgun"


def test_a_providers_word_leaves_what_is_sending_to_its_owner_and_what_has_ended_alone() -> None:
    settlement = taken(row(), [event(EventKind.DELIVERED)], EDGE)
    assert settlement
    assert set(settlement.allowed_from) == {State.PENDING, State.UNKNOWN, State.HELD}


def test_a_mail_that_no_attempt_is_known_of_says_itself_why_it_is_accepted() -> None:
    """MongoDB was put back: the row knows nothing of the call that was made."""
    settlement = taken(row(State.PENDING, attempts=[], attempt_id=None), [event(EventKind.ACCEPTED)], EDGE)
    assert settlement
    assert settlement.reason == "Mailgun told of it (accepted): it took this mail."
    other = taken(
        row(State.PENDING, attempts=[], attempt_id=None), [replace(event(EventKind.ACCEPTED), provider="ses")], EDGE
    )
    assert other
    assert other.reason == "Amazon SES told of it (accepted): it took this mail."


@pytest.mark.parametrize(
    ("decision", "state", "reason"),
    [
        (Decision.WAS_SENT, State.ACCEPTED, None),
        (Decision.SEND_NOW, State.PENDING, None),
        (Decision.DROP, State.CANCELLED, "Ann: drop it: too late"),
    ],
)
def test_a_persons_decision_is_on_record_with_who_and_why(decision: Decision, state: State, reason: str | None) -> None:
    settlement = decide(row(State.HELD), decision, "Ann", "too late", EDGE)
    assert (settlement.state, settlement.reason, settlement.allowed_from) == (state, reason, (State.HELD,))
    verdict = settlement.verdict
    assert verdict
    assert (verdict["by"], verdict["state"], verdict["at"]) == ("Ann", state.value, EDGE)
    assert verdict["why"].endswith(": too late")
    wordless = decide(row(State.HELD), decision, "Ann", "", EDGE).verdict
    assert wordless
    assert wordless["why"]


def test_the_window_is_as_it_is_set() -> None:
    set_ = {"FENCEPOST_SETTLEMENT__WINDOW_SECONDS": "4", "FENCEPOST_SETTLEMENT__LOOK_UP_SECONDS": "1,2,600"}
    window = window_of(load(set_))
    assert (window.settling, window.look_ups) == (timedelta(seconds=4), (timedelta(seconds=1), timedelta(seconds=2)))
    assert policy_of(None) is Policy.HOLD


SECONDS = st.integers(0, 10**6).map(lambda number: timedelta(seconds=number))


@given(
    state=st.sampled_from([State.UNKNOWN, State.HELD]),
    evidence=st.none() | st.sampled_from(Evidence),
    policy=st.sampled_from(Policy),
    elapsed=SECONDS,
    since=st.none() | st.just(SINCE),
)
def test_no_verdict_is_made_without_evidence(
    state: State, evidence: Evidence | None, policy: Policy, elapsed: timedelta, since: Any
) -> None:
    now = SINCE + elapsed
    verdict = reconcile(row(state, unknown_since=since), trace(evidence), policy, WINDOW, now)
    if isinstance(verdict, Postponed):
        assert verdict.until > now
        assert evidence is not Evidence.ACCEPTED
        return
    over = since is not None and elapsed >= WINDOW.settling
    match verdict.state:
        case State.ACCEPTED:
            assert evidence is Evidence.ACCEPTED
        case State.PENDING:
            asked_for = policy is Policy.RESEND_AT_ONCE
            assert state is State.UNKNOWN
            assert asked_for or (policy is Policy.RESEND and over and evidence is Evidence.NO_TRACE)
        case State.FAILED:
            assert evidence is Evidence.REFUSED
            assert over
        case other:
            assert other is State.HELD
            assert evidence is not None
            assert over


def test_a_provider_may_have_a_settling_window_of_its_own() -> None:
    window = Window(timedelta(seconds=60), (timedelta(seconds=10), timedelta(seconds=40)), own={"ses": timedelta(20)})
    assert window.of("mailgun") is window
    assert window.of(None) is window
    assert window.of("ses").settling == timedelta(20)
