"""W1, W3 and W7 on a real MongoDB: the database decides the winner, and a repeated write says the same."""

from datetime import UTC, datetime, timedelta

from fencepost import ids
from fencepost.deliveries import Attempt, Delivery, State, schedule_of
from fencepost.priorities import WEIGHTS, Priority, prioritise
from fencepost.settlements import Author, Settlement
from fencepost.store import Store
from fencepost.store.claims import Claim
from tests.support.rows import attempt, now, planned, sending
from tests.support.schedules import definition, schedule


def pending(count: int = 3) -> list[Delivery]:
    at = now().replace(microsecond=0)
    return planned(schedule(at, definition(to=count)), at)[1]


def stored(store: Store, row: Delivery) -> Delivery:
    return store.deliveries.get("local", row["_id"])


def settle(row: Delivery, state: State, **fields: object) -> Settlement:
    gained = Attempt(ended_at=now(), outcome=state.value)
    return Settlement(row["_id"], row["attempt_id"] or "", state, gained, **fields)  # type: ignore[arg-type]


def claim(store: Store, rows: list[Delivery], token: int = 7) -> tuple[list[Claim], set[str]]:
    claims = [Claim(row, attempt(row, token=token), row["revision_id"], row["version"]) for row in rows]
    deadline = now() + timedelta(seconds=30)
    return claims, store.deliveries.claim(claims, claim_id=ids.new_id(ids.CLAIM), epoch="run:1", deadline=deadline)


def test_an_insert_drops_what_another_sender_has_and_inserts_the_rest(store: Store) -> None:
    rows = [sending(row) for row in pending()]
    others = [sending(row) for row in pending_again(rows[:1])]
    assert store.deliveries.insert(others) == {rows[0]["_id"]}
    assert store.deliveries.insert(rows) == {row["_id"] for row in rows[1:]}
    assert stored(store, rows[0])["attempt_id"] == others[0]["attempt_id"]


def test_an_insert_repeated_after_a_lost_answer_is_still_ours(store: Store) -> None:
    rows = [sending(row) for row in pending()]
    assert store.deliveries.insert(rows) == store.deliveries.insert(rows) == {row["_id"] for row in rows}


def test_a_claim_gives_each_row_an_attempt_of_its_own(store: Store) -> None:
    rows = pending()
    store.deliveries.insert(rows)
    claims, won = claim(store, rows)
    assert won == {one.attempt["id"] for one in claims}
    for one in claims:
        row = stored(store, one.row)
        assert (row["state"], row["attempt_no"], row["attempt_id"]) == ("sending", 1, one.attempt["id"])
        assert row["attempts"] == [one.attempt]
        assert row["epoch"] == "run:1"


def test_two_senders_that_claim_the_same_rows_share_them_without_overlap(store: Store) -> None:
    rows = pending(50)
    store.deliveries.insert(rows)
    _, first = claim(store, rows[:30])
    _, second = claim(store, rows)
    assert len(first) == 30
    assert len(second) == 20


def test_a_lower_token_claims_nothing(store: Store) -> None:
    rows = pending()
    store.deliveries.insert(rows)
    _, won = claim(store, rows, token=9)
    store.deliveries.settle([settle(stored(store, row), State.PENDING) for row in rows])
    again = [stored(store, row) for row in rows]
    assert len(won) == 3
    assert claim(store, again, token=8)[1] == set()
    assert len(claim(store, again, token=9)[1]) == 3


def test_what_its_owner_put_off_between_the_scan_and_the_claim_is_not_claimed(store: Store) -> None:
    put_off, other = pending(2)
    store.deliveries.insert([put_off, other])
    later = now() + timedelta(days=1)
    assert store.emails.reschedule("local", put_off["_id"], later, later, later)
    claims, won = claim(store, [put_off, other])
    assert won == {claims[1].attempt["id"]}
    assert (stored(store, put_off)["state"], stored(store, put_off)["not_before"]) == ("pending", later)


def test_what_its_owner_put_off_between_the_scan_and_a_look_again_is_not_brought_forward(store: Store) -> None:
    """A sender that found it, and no provider for it, may have been frozen since."""
    put_off, other = pending(2)
    store.deliveries.insert([put_off, other])
    later, soon = now() + timedelta(days=1), now() + timedelta(seconds=1)
    assert store.emails.reschedule("local", put_off["_id"], later, later, later)
    store.deliveries.defer([put_off["_id"], other["_id"]], soon)
    assert [stored(store, row)["not_before"] for row in (put_off, other)] == [later, soon]


def test_what_is_looked_at_again_later_keeps_what_its_priority_is_worth(store: Store) -> None:
    high, normal, low = pending(3)
    for row, priority in ((high, Priority.HIGH), (normal, Priority.NORMAL), (low, Priority.LOW)):
        prioritise(row, priority)
    store.deliveries.insert([low, normal, high])
    until = now() + timedelta(seconds=1)
    store.deliveries.defer([row["_id"] for row in (low, normal, high)], until)
    found = store.deliveries.pending([high["shard"]], until, 10)
    assert [row["_id"] for row in found] == [row["_id"] for row in (high, normal, low)]
    assert [row["queue_at"] for row in found] == [until + WEIGHTS[Priority(row["priority"])] for row in found]


def test_what_is_put_off_or_retried_keeps_its_place_behind_who_came_before(store: Store) -> None:
    deferred, retried = pending(2)
    place = now() + timedelta(hours=1)
    retried = sending({**retried, "queue_at": place})
    store.deliveries.insert([{**deferred, "queue_at": place}, retried])
    until = now() + timedelta(seconds=1)
    store.deliveries.defer([deferred["_id"]], until)
    store.deliveries.settle([settle(retried, State.PENDING, reason="throttled", not_before=until)])
    for row in (deferred, retried):
        assert (stored(store, row)["not_before"], stored(store, row)["queue_at"]) == (until, place)


def test_a_settlement_writes_each_row_its_own_outcome(store: Store) -> None:
    rows = [sending(row) for row in pending()]
    store.deliveries.insert(rows)
    later = now() + timedelta(minutes=5)
    settlements = [
        settle(rows[0], State.ACCEPTED, receipt="<1@mg>"),
        settle(rows[1], State.PENDING, reason="throttled", not_before=later),
        settle(rows[2], State.UNKNOWN, reason="no answer"),
    ]
    assert store.deliveries.settle(settlements) == []
    accepted, waiting, unknown = (stored(store, row) for row in rows)
    assert (accepted["state"], accepted["receipt"], accepted["attempts"][0]["outcome"]) == (
        "accepted",
        "<1@mg>",
        "accepted",
    )
    assert (waiting["state"], waiting["not_before"], waiting["queue_at"]) == ("pending", later, later)
    assert unknown["state"] == "unknown"
    assert unknown["unknown_since"] is not None
    assert accepted["not_before"] == accepted["due_at"]


def test_a_settlement_repeated_after_a_lost_answer_misses_nothing(store: Store) -> None:
    rows = [sending(row) for row in pending()]
    store.deliveries.insert(rows)
    settlements = [settle(row, State.ACCEPTED, receipt="<1@mg>") for row in rows]
    assert store.deliveries.settle(settlements) == []
    assert store.deliveries.settle(settlements) == []


def test_a_repeated_settlement_stands_although_mongodb_keeps_milliseconds_only(store: Store) -> None:
    [row] = [sending(row) for row in pending(1)]
    store.deliveries.insert([row])
    gained = Attempt(ended_at=datetime(2026, 3, 2, 9, 0, 0, 123_456, tzinfo=UTC), outcome="accepted")
    accepted = Settlement(row["_id"], row["attempt_id"] or "", State.ACCEPTED, gained)
    assert store.deliveries.settle([accepted]) == store.deliveries.settle([accepted]) == []


def test_two_attempts_of_one_mail_that_end_together_are_kept_apart(store: Store) -> None:
    [row] = [sending(row) for row in pending(1)]
    store.deliveries.insert([row])
    store.deliveries.settle([settle(row, State.PENDING, author=Author.RESCUER)])
    claim(store, [stored(store, row)])
    killed, accepted = settle(row, State.PENDING), settle(stored(store, row), State.ACCEPTED, receipt="<1@mg>")
    assert store.deliveries.settle([killed, accepted]) == [killed]
    found = stored(store, row)
    assert (found["state"], found["receipt"]) == ("accepted", "<1@mg>")
    assert [attempt["outcome"] for attempt in found["attempts"]] == ["pending", "accepted"]


def test_an_owner_whose_attempt_was_passed_writes_nothing(store: Store) -> None:
    [row] = [sending(row) for row in pending(1)]
    store.deliveries.insert([row])
    rescued = settle(row, State.PENDING, author=Author.RESCUER)
    store.deliveries.settle([rescued])
    claims, _ = claim(store, [stored(store, row)])
    late = settle(row, State.ACCEPTED, receipt="<late@mg>")
    assert store.deliveries.settle([late]) == [late]
    assert stored(store, row)["attempt_id"] == claims[0].attempt["id"]


def test_a_cancelled_mail_is_not_brought_back_by_its_late_owner(store: Store) -> None:
    [row] = [sending(row) for row in pending(1)]
    store.deliveries.insert([row])
    store.deliveries.settle([settle(row, State.PENDING, author=Author.RESCUER)])
    store.deliveries.cancel({row["_id"]: 1}, "paused")
    handed_back = settle(row, State.PENDING)
    assert store.deliveries.settle([handed_back]) == [handed_back]
    assert stored(store, row)["state"] == "cancelled"


def test_unknown_comes_only_from_sending_and_accepted_settles_it(store: Store) -> None:
    [row] = [sending(row) for row in pending(1)]
    store.deliveries.insert([row])
    rescued = settle(row, State.UNKNOWN, author=Author.RESCUER, reason="lost")
    assert store.deliveries.settle([rescued]) == []
    assert store.deliveries.settle([settle(row, State.ACCEPTED, receipt="<1@mg>")]) == []
    assert store.deliveries.settle([settle(row, State.UNKNOWN)]) == [], "no news, and nothing is written"
    assert stored(store, row)["state"] == "accepted"


def test_doubt_about_an_attempt_that_was_taken_for_dead_is_news(store: Store) -> None:
    [row] = [sending(row) for row in pending(1)]
    store.deliveries.insert([row])
    store.deliveries.settle([settle(row, State.PENDING, author=Author.RESCUER)])
    unknown = settle(row, State.UNKNOWN)
    assert store.deliveries.settle([unknown]) == [unknown]
    assert stored(store, row)["state"] == "pending"


def test_only_what_enters_unknown_is_stamped_with_the_servers_time(store: Store) -> None:
    lost, untouched = (sending(row) for row in pending(2))
    store.deliveries.insert([lost, untouched])
    store.deliveries.settle(
        [settle(lost, State.UNKNOWN, author=Author.RESCUER), settle(untouched, State.PENDING, author=Author.RESCUER)]
    )
    assert stored(store, lost)["unknown_since"] is not None
    assert stored(store, untouched)["unknown_since"] is None


def test_the_fences_holder_is_adopted(store: Store) -> None:
    [row] = [sending(row) for row in pending(1)]
    store.deliveries.insert([row])
    store.deliveries.settle([settle(row, State.UNKNOWN, adopt=(4, "att_other"))])
    found = stored(store, row)
    assert (found["attempt_no"], found["attempt_id"], found["state"]) == (4, "att_other", "unknown")
    assert [(attempt["id"], attempt["no"]) for attempt in found["attempts"]] == [
        (row["attempt_id"], 1),
        ("att_other", 4),
    ]


def test_the_overdue_are_those_of_lower_tokens_and_those_past_their_deadline(store: Store) -> None:
    old, new, late = (sending(row, token=token) for row, token in zip(pending(3), (5, 9, 9), strict=True))
    late = {**late, "deadline": now() - timedelta(seconds=10)}
    store.deliveries.insert([old, new, late])
    found = store.deliveries.overdue({old["shard"]: 9}, now(), 100)
    assert {row["_id"] for row in found} == {old["_id"], late["_id"]}


def test_pending_ones_come_in_the_order_of_the_queue_and_not_before_their_time(store: Store) -> None:
    first, second, later = pending(3)
    later = {**later, "not_before": now() + timedelta(hours=1)}
    store.deliveries.insert([second, later, first])
    found = store.deliveries.pending([first["shard"]], now() + timedelta(seconds=1), 10)
    assert [row["_id"] for row in found] == [first["_id"], second["_id"]]


def test_a_pause_cancels_what_is_pending_and_names_what_is_under_way(store: Store) -> None:
    rows = pending(3)
    store.deliveries.insert([sending(rows[0]), *rows[1:]])
    under_way = store.deliveries.cancel_of_schedule(schedule_of(rows[0]), rows[0]["due_at"], "paused")
    assert under_way == [rows[0]["_id"]]
    assert [stored(store, row)["state"] for row in rows] == ["sending", "cancelled", "cancelled"]


def test_a_pause_that_is_written_late_leaves_what_was_planned_after_a_resume(store: Store) -> None:
    before, after = pending(2)
    after = {**after, "due_at": before["due_at"] + timedelta(seconds=1)}
    store.deliveries.insert([before, after])
    store.deliveries.cancel_of_schedule(schedule_of(before), before["due_at"], "paused")
    assert [stored(store, row)["state"] for row in (before, after)] == ["cancelled", "pending"]


def pending_again(rows: list[Delivery]) -> list[Delivery]:
    """The same rows before anybody claimed them."""
    return [
        {**row, "state": "pending", "attempt_no": 0, "attempt_id": None, "attempts": [], "token": 0} for row in rows
    ]


def test_a_schedule_has_open_mail_until_nothing_of_it_is_pending_sending_or_unknown(store: Store) -> None:
    row = sending(pending(1)[0])
    store.deliveries.insert([row])
    mine = schedule_of(row)
    assert store.deliveries.with_open([mine, "sch_other"]) == {mine}
    store.deliveries.settle([settle(row, State.UNKNOWN)])
    assert store.deliveries.with_open([mine, "sch_other"]) == {mine}, "it may be sent again"
    store.deliveries.settle([settle(row, State.ACCEPTED)])
    assert store.deliveries.with_open([mine, "sch_other"]) == set()
