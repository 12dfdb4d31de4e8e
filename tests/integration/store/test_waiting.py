"""What is open of a schedule, and putting off what waits, on a real MongoDB."""

from datetime import timedelta

from fencepost import ids
from fencepost.deliveries import Delivery, occurrence_of
from fencepost.occurrences import Origin
from fencepost.schedules import Schedule
from fencepost.store import Store
from tests.support.rows import now, planned
from tests.support.schedules import definition, schedule

SECOND = timedelta(seconds=1)


def a_schedule(to: int = 3) -> Schedule:
    return schedule(now(), definition(to=to))


def test_only_pending_and_sending_mail_of_its_own_occurrences_is_open(store: Store) -> None:
    made, at = a_schedule(), now().replace(microsecond=0)
    occurrence, rows = planned(made, at)
    _, later = planned(made, at + SECOND)
    _, triggered = planned(made, at + 2 * SECOND, origin=Origin.TRIGGER)
    store.deliveries.insert([*rows, *later, *triggered])
    for row, state in zip(
        [*rows, *later], ["pending", "sending", "accepted", "unknown", "held", "failed"], strict=True
    ):
        store.database.deliveries.update_one({"_id": row["_id"]}, {"$set": {"state": state}})
    assert store.waiting.open_occurrences([made.id, "sch_other"]) == {made.id: {occurrence["_id"]: 2}}


def test_what_is_open_is_read_by_an_index_that_holds_nothing_else(store: Store) -> None:
    query = {"schedule_id": {"$in": ["sch_a"]}, "state": {"$in": ["pending", "sending"]}, "origin": "schedule"}
    plan = store.database.deliveries.find(query).explain()["queryPlanner"]["winningPlan"]
    assert plan["inputStage"]["indexName"] == "open"


def test_putting_off_keeps_the_order_and_what_was_put_off_already(store: Store) -> None:
    moment = now()
    _, rows = planned(a_schedule(5), moment.replace(microsecond=0))
    store.deliveries.insert(rows)
    retried = moment + timedelta(minutes=1)
    store.deliveries.defer([rows[-1]["_id"]], retried)
    store.waiting.defer([occurrence_of(rows[0])], moment, moment + SECOND)
    stand = [store.deliveries.get("local", row["_id"]) for row in rows]
    assert [row["not_before"] for row in stand] == [moment + SECOND] * 4 + [retried]
    assert stand[-1]["queue_at"] == retried
    assert all(row["queue_at"] >= moment + SECOND for row in stand)
    queued = sorted(stand[:4], key=lambda row: row["queue_at"])
    assert [row["_id"] for row in queued] == [row["_id"] for row in rows[:4]]
    assert pending(store, rows, moment) == []
    assert len(pending(store, rows, moment + SECOND)) == 4


def pending(store: Store, rows: list[Delivery], at: object) -> list[Delivery]:
    return store.deliveries.pending({row["shard"] for row in rows}, at, 10)  # type: ignore[arg-type]


def test_what_a_person_ordered_is_not_put_off_with_the_rest(store: Store) -> None:
    moment = now()
    occurrence, rows = planned(a_schedule(), moment.replace(microsecond=0) - SECOND)
    ordered: Delivery = {**rows[0], "ordered": True}
    store.deliveries.insert([ordered, *rows[1:]])
    store.waiting.defer([occurrence["_id"]], moment, moment + SECOND)
    found = store.deliveries.pending([ordered["shard"]], moment, 10)
    assert [row["_id"] for row in found] == [ordered["_id"]]


def test_an_occurrence_of_another_is_left_alone(store: Store) -> None:
    moment = now()
    _, rows = planned(a_schedule(), moment.replace(microsecond=0))
    store.deliveries.insert(rows)
    store.waiting.defer([ids.occurrence_id("sch_other", moment)], moment, moment + SECOND)
    assert len(pending(store, rows, moment)) == 3


def test_what_lies_ahead_costs_the_scan_nothing(store: Store) -> None:
    """Jitter and retries put mail ahead; a long list queues ahead too, and may be claimed all the same."""
    moment = now()
    _, ahead = planned(a_schedule(200), moment.replace(microsecond=0))
    _, listed = planned(a_schedule(20), moment.replace(microsecond=0))
    store.deliveries.insert([*ahead, *listed])
    store.deliveries.defer([row["_id"] for row in ahead], moment + timedelta(hours=1))
    shards = list({row["shard"] for row in [*ahead, *listed]})
    found = store.deliveries.pending(shards, moment + SECOND, 50)
    assert [row["_id"] for row in found] == [row["_id"] for row in listed]
    may = {"shard": {"$in": shards}, "state": "pending", "not_before": {"$lte": moment + SECOND}}
    for part, order in (
        ({"queue_at": {"$lte": moment + SECOND}}, [("queue_at", 1)]),
        ({"queue_at": {"$gt": moment + SECOND}}, [("not_before", 1), ("queue_at", 1)]),
    ):
        work = store.database.deliveries.find({**may, **part}).sort(order).limit(50).explain()["executionStats"]
        assert work["totalDocsExamined"] <= len(listed), work
