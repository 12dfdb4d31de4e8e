"""What people do with mail that is on record, on a real MongoDB: where it stands in the queue then, and that no time to live ends
what somebody ordered."""

from datetime import timedelta

from fencepost.deliveries import Delivery, Verdict
from fencepost.priorities import WEIGHTS, Priority, place, prioritise
from fencepost.reconciliation import Decision, decide
from fencepost.store import Store
from tests.support.rows import now, planned, sending
from tests.support.schedules import definition, schedule

MANY = 200


def failed(count: int) -> list[Delivery]:
    at = now().replace(microsecond=0)
    rows = planned(schedule(at, definition(to=count)), at)[1]
    return [{**row, "state": "failed", "batch_id": "batch_1"} for row in rows]


def replay(store: Store) -> None:
    verdict = Verdict(at=now(), state="pending", by="Ann", why="again")
    assert store.emails.replay("local", {"batch_id": "batch_1"}, verdict, now() + timedelta(days=90)) > 0


def stored(store: Store) -> list[Delivery]:
    return list(store.database.deliveries.find())  # type: ignore[arg-type]


def test_a_replay_of_many_lets_others_pass(store: Store) -> None:
    store.deliveries.insert(failed(MANY))
    replay(store)
    rows = stored(store)
    begin = rows[0]["not_before"]
    assert {row["not_before"] for row in rows} == {begin}, "with free seats they go at once"
    waits = sorted(row["queue_at"] - begin for row in rows)
    assert timedelta(0) <= waits[0]
    assert waits[-1] <= place(MANY)
    assert place(MANY) / 4 < waits[MANY // 2] < place(MANY) * 3 / 4, (
        "all along, as if they were posted one after the other"
    )


def test_a_replayed_mail_keeps_its_priority(store: Store) -> None:
    rows = failed(3)
    for row, priority in zip(rows, Priority, strict=True):
        prioritise(row, priority)
    store.deliveries.insert(rows)
    replay(store)
    for row in stored(store):
        moved = row["queue_at"] - row["not_before"] - WEIGHTS[Priority(row["priority"])]
        assert timedelta(0) <= moved <= place(3)


def test_what_a_person_has_sent_now_is_not_ended_by_its_time_to_live(store: Store) -> None:
    [row] = [sending(row) for row in failed(1)]
    held: Delivery = {**row, "state": "held", "expires_at": now() - timedelta(minutes=5)}
    store.deliveries.insert([held])
    assert store.deliveries.settle([decide(held, Decision.SEND_NOW, "Ann", "she waits", now())]) == []
    assert store.emails.expire([held["shard"]], now()) == 0
    [found] = stored(store)
    assert (found["state"], found["ordered"], found["expires_at"]) == ("pending", True, None)
