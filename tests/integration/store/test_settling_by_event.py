"""A provider's own word on a real MongoDB: it settles what is not with its owner, and whoever else decides then loses."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier

import pytest

from fencepost import ids
from fencepost.deliveries import NOT_SENT, Attempt, Delivery, State
from fencepost.events import Event, EventKind
from fencepost.reconciliation import Decision, Evidence, Policy, Trace, Window, decide, reconcile, taken
from fencepost.reconciliation import told as word
from fencepost.settlements import Settlement
from fencepost.store import Store
from fencepost.store.claims import Claim
from fencepost.tracking import tallied, tracked
from tests.support.rows import attempt, now, planned, sending
from tests.support.schedules import definition, schedule

WINDOW = Window(timedelta(minutes=35), (timedelta(seconds=15),))


def lost(store: Store, count: int, state: State = State.UNKNOWN) -> list[Delivery]:
    """So many mails in that state after one attempt."""
    at = now().replace(microsecond=0)
    rows = [sending(row) for row in planned(schedule(at, definition(to=count)), at)[1]]
    store.deliveries.insert(rows)
    store.database.deliveries.update_many({}, {"$set": {"state": state.value, "unknown_since": now()}})
    return [store.deliveries.get("local", row["_id"]) for row in rows]


def told_of(row: Delivery, kind: EventKind = EventKind.DELIVERED) -> Event:
    return Event("ev", "mailgun", kind, now(), row["_id"], 1, "m1@mg")


def told(row: Delivery) -> Settlement:
    settlement = taken(row, [told_of(row)], now())
    assert settlement
    return settlement


def claim(store: Store, row: Delivery) -> bool:
    one = Claim(row, attempt(row), row["revision_id"], row["version"])
    deadline = now() + timedelta(seconds=30)
    return bool(store.deliveries.claim([one], claim_id=ids.new_id(ids.CLAIM), epoch="run:1", deadline=deadline))


@pytest.mark.parametrize("state", [State.PENDING, State.UNKNOWN, State.HELD])
def test_what_is_not_with_its_owner_is_accepted(store: Store, state: State) -> None:
    [row] = lost(store, 1, state)
    assert store.deliveries.settle_by_event(told(row)) is state
    after = store.deliveries.get("local", row["_id"])
    assert (after["state"], after["receipt"], after["attempts"][0]["settlements"][0]["by"]) == (
        "accepted",
        "m1@mg",
        "mailgun",
    )
    assert store.deliveries.settle_by_event(told(row)) is State.ACCEPTED


@pytest.mark.parametrize("state", [State.SENDING, State.ACCEPTED, *NOT_SENT])
def test_the_rest_is_left_alone(store: Store, state: State) -> None:
    [row] = lost(store, 1, state)
    assert store.deliveries.settle_by_event(told(row)) is state
    assert store.deliveries.get("local", row["_id"]) == row


@pytest.mark.parametrize("state", [State.PENDING, State.FAILED, State.EXPIRED, State.SUPPRESSED])
def test_what_was_told_while_it_was_sending_keeps_it_from_ending_as_not_sent(store: Store, state: State) -> None:
    """Of an earlier attempt, whose reply was lost and which was sent again: the next one is refused, and the mail was taken."""
    [row, other] = lost(store, 2, State.SENDING)
    store.events.insert(told_of(row), "local", now(), timedelta(days=1))
    store.tracking.join({row["_id"]: tracked(store.events.tallies([row["_id"]])[row["_id"]])})
    gained = Attempt(ended_at=now(), outcome="rejected")
    ends = [Settlement(each["_id"], each["attempt_id"] or "", state, gained) for each in (row, other)]
    assert store.deliveries.settle(ends) == []
    assert store.deliveries.get("local", other["_id"])["state"] == state
    [doubtful] = store.doubts.due([row["shard"]], now(), 9)
    assert (doubtful["_id"], doubtful["state"], doubtful["attempts"][0]["outcome"]) == (
        row["_id"],
        "unknown",
        "rejected",
    )
    verdict = reconcile(doubtful, word(store.events.of([row["_id"]])[row["_id"]]), Policy.RESEND_AT_ONCE, WINDOW, now())
    assert isinstance(verdict, Settlement)
    assert store.deliveries.settle([verdict]) == []
    after = store.deliveries.get("local", row["_id"])
    assert (after["state"], after["receipt"], after["reason"]) == ("delivered", "m1@mg", None)


def test_that_its_provider_refused_it_in_the_end_does_not_keep_it_from_failing(store: Store) -> None:
    [row] = lost(store, 1)
    store.tracking.join({row["_id"]: tracked(tallied([told_of(row, EventKind.REJECTED)]))})
    refused = Trace(Evidence.REFUSED, "It took this mail and then refused to send it.")
    later = now() + timedelta(hours=1)
    verdict = reconcile(row, refused, Policy.HOLD, WINDOW, later)
    assert isinstance(verdict, Settlement)
    assert store.deliveries.settle([verdict]) == []
    assert store.deliveries.get("local", row["_id"])["state"] == "failed"


def test_the_reconciler_is_not_asked_again_for_ever_where_what_was_told_is_no_longer_kept(store: Store) -> None:
    [row] = lost(store, 1)
    store.tracking.join({row["_id"]: tracked(tallied([told_of(row)]))})
    gone = Trace(Evidence.NO_TRACE, "Its provider's records show nothing.")
    verdict = reconcile(row, gone, Policy.RESEND, WINDOW, now() + timedelta(hours=1))
    assert isinstance(verdict, Settlement)
    assert store.deliveries.settle([verdict]) == []
    assert store.deliveries.get("local", row["_id"])["state"] == "pending"


def test_a_mail_that_is_not_there_is_none(store: Store) -> None:
    [row] = lost(store, 1)
    assert store.deliveries.settle_by_event(told({**row, "_id": "eml_none"})) is None


def test_a_mail_without_an_attempt_can_be_told_of(store: Store) -> None:
    """MongoDB was put back to before the claim, and the mail had been sent."""
    at = now().replace(microsecond=0)
    [row] = planned(schedule(at, definition()), at)[1]
    store.deliveries.insert([row])
    assert store.deliveries.settle_by_event(told(row)) is State.PENDING
    after = store.deliveries.get("local", row["_id"])
    assert (after["state"], after["attempts"], "Mailgun told of it" in (after["reason"] or "")) == (
        "accepted",
        [],
        True,
    )
    assert not claim(store, row)


def test_a_claim_and_a_word_of_the_provider_never_both_win(store: Store) -> None:
    rows = lost(store, 40, State.PENDING)
    with ThreadPoolExecutor(2) as both:
        for row in rows:
            together = Barrier(2)

            def race(claims: bool, row: Delivery = row, together: Barrier = together) -> bool:
                together.wait(30)
                return claim(store, row) if claims else store.deliveries.settle_by_event(told(row)) is State.PENDING

            claimed, settled = both.map(race, (True, False))
            assert claimed is not settled
            assert store.deliveries.get("local", row["_id"])["state"] == ("sending" if claimed else "accepted")


def test_an_owner_that_comes_late_with_the_same_news_is_no_suspect(store: Store) -> None:
    [row] = lost(store, 1)
    store.deliveries.settle_by_event(told(row))
    late = Attempt(ended_at=now(), outcome="accepted", detail="Queued. Thank you.")
    assert store.deliveries.settle([Settlement(row["_id"], row["attempt_id"] or "", State.ACCEPTED, late)]) == []
    other = Settlement(row["_id"], "att_another", State.ACCEPTED, late)
    assert store.deliveries.settle([other]) == [other], "another attempt's is"


def test_only_what_a_person_has_sent_again_is_beyond_its_schedule(store: Store) -> None:
    rows = lost(store, 2, State.HELD)
    decisions = [Decision.SEND_NOW, Decision.DROP]
    wishes = [decide(row, decision, "Ann", "", now()) for row, decision in zip(rows, decisions, strict=True)]
    assert store.deliveries.settle(wishes) == []
    assert [store.deliveries.get("local", row["_id"])["ordered"] for row in rows] == [True, False]


def test_the_same_decision_of_two_people_in_one_millisecond_is_one_persons(store: Store) -> None:
    [row] = lost(store, 1, State.HELD)
    moment = now()
    ann, bob = (decide(row, Decision.WAS_SENT, who, "", moment) for who in ("Ann", "Bob"))
    assert store.deliveries.settle([ann]) == []
    assert store.deliveries.settle([bob]) == [bob]
    assert store.deliveries.settle([ann]) == [], "repeated after a lost answer, it is still hers"
