"""Skips on record, on a real MongoDB: a run of them only grows."""

from dataclasses import replace
from datetime import timedelta

from fencepost import ids
from fencepost.schedules import Skip, SkipReason
from fencepost.store import Store
from tests.support.rows import RETENTION, now
from tests.support.schedules import at, schedule

FIRST, SECOND, THIRD = at("2026-03-02 12:00"), at("2026-03-02 12:05"), at("2026-03-02 12:10")


def test_a_late_write_of_what_a_run_of_skips_was_before_takes_nothing_away(store: Store) -> None:
    made = schedule(at("2026-03-02 11:58"))
    earlier = replace(made, skips=(Skip(FIRST, SECOND, 2, SkipReason.PAUSED),))
    later = replace(made, skips=(Skip(FIRST, THIRD, 3, SkipReason.PAUSED),))
    for one in (earlier, later, earlier):
        store.occurrences.record_skips([one], now(), RETENTION)
    record = store.occurrences.get("local", ids.occurrence_id(made.id, FIRST))
    assert (record["at"], record["to"], record["count"], record["purge_at"]) == (FIRST, THIRD, 3, THIRD + RETENTION)
    assert store.occurrences.skipped([(made.id, THIRD)]) == {(made.id, THIRD)}


def test_to_find_a_skip_nothing_is_read_of_what_ran(store: Store) -> None:
    made = schedule(at("2026-03-02 11:58"))
    store.occurrences.record_skips(
        [replace(made, skips=(Skip(FIRST, SECOND, 2, SkipReason.PAUSED),))], now(), RETENTION
    )
    one = store.occurrences.get("local", ids.occurrence_id(made.id, FIRST))
    ran = [
        {**one, "_id": f"occ_{minute}", "state": "planned", "at": FIRST + timedelta(minutes=minute)}
        for minute in range(500)
    ]
    store.database.occurrences.insert_many(ran)
    store.database.command("profile", 2)
    try:
        assert store.occurrences.skipped([(made.id, SECOND), (made.id, THIRD)]) == {(made.id, SECOND)}
        done = store.database["system.profile"].find_one({"op": "query", "ns": f"{store.database.name}.occurrences"})
    finally:
        store.database.command("profile", 0)
    assert done is not None
    assert done["docsExamined"] <= 2
