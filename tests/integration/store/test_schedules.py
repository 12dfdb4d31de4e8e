"""W2, edits, the due scan and the archive on a real MongoDB."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from pymongo import MongoClient
from pymongo.monitoring import CommandFailedEvent, CommandListener, CommandStartedEvent, CommandSucceededEvent

from fencepost.errors import Conflict, NotFound
from fencepost.planning import Limits, Plan, plan
from fencepost.schedules import Schedule, Status, Stop, edited
from fencepost.store import Store
from fencepost.store.mongodb import Document
from fencepost.store.pages import Cursor
from fencepost.store.schedule_documents import to_document
from fencepost.store.schedules import Schedules
from tests.support.rows import now
from tests.support.schedules import Texts, at, definition, schedule

CREATED, NOON = at("2026-03-02 11:58"), at("2026-03-02 12:00")


def created(store: Store, **fields: Any) -> Schedule:
    made = schedule(CREATED, **fields)
    assert store.schedules.create(made)
    return store.schedules.get("local", made.id)


def planned(made: Schedule, when: datetime = NOON) -> Plan:
    result = plan(made, Texts(made).rules, when, Limits())
    assert result is not None
    return result


def renamed(made: Schedule, name: str) -> Schedule:
    return edited(
        made,
        Texts(made).rules,
        now=at("2026-03-02 11:59"),
        revision_id=made.versions[0].revision_id,
        definition=definition(name=name),
    )


def test_a_schedule_is_read_as_it_was_written(store: Store) -> None:
    made = schedule(CREATED, definition(to=3, ends_at="2026-12-01T00:00:00Z"))
    store.schedules.create(made)
    assert store.schedules.get("local", made.id) == made
    assert not store.schedules.create(made)


def test_another_owners_schedule_is_not_there(store: Store) -> None:
    made = created(store)
    with pytest.raises(NotFound):
        store.schedules.get("somebody", made.id)


def test_advancing_moves_each_schedule_to_its_own_next_instant(store: Store) -> None:
    texts = [
        definition(),
        definition(recurrence={"type": "cron", "expression": "0 * * * *", "timezone": "UTC"}),
        definition(),
    ]
    plans = [planned(created(store, text=text)) for text in texts]
    assert store.schedules.advance(plans) == {one.schedule.id for one in plans}
    stand = [store.schedules.get("local", one.schedule.id) for one in plans]
    assert [one.next_run_at for one in stand] == [
        at("2026-03-02 12:05"),
        at("2026-03-02 13:00"),
        at("2026-03-02 12:05"),
    ]
    assert {one.last_run_at for one in stand} == {at("2026-03-02 12:00")}
    assert store.schedules.advance(plans) == {one.schedule.id for one in plans}, (
        "a repetition after a lost answer says the same"
    )


def test_of_two_plans_for_one_instant_that_differ_only_one_stands(store: Store) -> None:
    made = created(store, text=definition(misfire={"policy": "skip"}))
    in_time, a_moment_later = planned(made, NOON + timedelta(seconds=60)), planned(made, NOON + timedelta(seconds=61))
    assert (len(in_time.runs), len(a_moment_later.runs)) == (1, 0)
    assert store.schedules.advance([a_moment_later]) == {made.id}
    assert store.schedules.advance([in_time]) == set(), "what it would run is on record as skipped"


def test_advancing_is_refused_to_who_planned_from_an_older_version(store: Store) -> None:
    made, other = created(store), created(store)
    plans = [planned(made), planned(other)]
    store.schedules.write_edit(made, renamed(made, "Newer"))
    assert store.schedules.advance(plans) == {other.id}
    assert store.schedules.get("local", made.id).last_run_at is None


def test_an_edit_is_refused_when_somebody_edited_or_a_sender_advanced(store: Store) -> None:
    made = created(store)
    store.schedules.write_edit(made, renamed(made, "First"))
    with pytest.raises(Conflict):
        store.schedules.write_edit(made, renamed(made, "Second"))
    other = created(store)
    store.schedules.advance([planned(other)])
    with pytest.raises(Conflict):
        store.schedules.write_edit(other, renamed(other, "Late"))


def test_an_edit_leaves_a_senders_fields_alone(store: Store) -> None:
    made = created(store)
    store.schedules.advance([planned(made)])
    before = store.schedules.get("local", made.id)
    store.schedules.write_edit(before, renamed(before, "Edited"))
    after = store.schedules.get("local", made.id)
    assert (after.last_run_at, after.occurrence_count, after.definition["name"]) == (before.last_run_at, 1, "Edited")


def test_due_ones_come_oldest_first_from_the_shards_asked_for(store: Store) -> None:
    made = [created(store, next_run_at=at(f"2026-03-02 12:0{minute}")) for minute in (3, 1, 2)]
    shards = [one.shard for one in made]
    found = store.schedules.due(shards, at("2026-03-02 12:10"), 2)
    assert [one.next_run_at for one in found] == [at("2026-03-02 12:01"), at("2026-03-02 12:02")]
    assert store.schedules.next_due_at(shards) == at("2026-03-02 12:01")
    assert store.schedules.count_due(shards, at("2026-03-02 12:02")) == 2
    assert store.schedules.due([64], at("2026-03-02 12:10"), 2) == []


def test_the_due_scan_looks_at_no_more_than_what_is_due(store: Store) -> None:
    later = [to_document(schedule(CREATED, next_run_at=at("2026-03-03 00:00"))) for _ in range(3000)]
    due = [to_document(schedule(CREATED, next_run_at=at("2026-03-02 12:00"))) for _ in range(100)]
    store.database.schedules.insert_many([*later, *due])
    query = {"shard": {"$in": list(range(64))}, "next_run_at": {"$lte": at("2026-03-02 12:00")}}
    explained = store.database.command(
        "explain",
        {"find": "schedules", "filter": query, "sort": {"next_run_at": 1}, "limit": 500},
        verbosity="executionStats",
    )["executionStats"]
    assert explained["nReturned"] == 100
    assert explained["totalDocsExamined"] <= 200
    assert explained["totalKeysExamined"] <= 200 + 2 * 64
    assert len(store.schedules.due(range(64), at("2026-03-02 12:00"), 500)) == 100


def test_what_ended_moves_to_the_archive_and_is_read_from_there(store: Store) -> None:
    made = created(store, next_run_at=None, finished_at=CREATED)
    assert [one.id for one in store.schedules.finished([made.shard], now(), 10)] == [made.id]
    assert store.schedules.archive([made], now()) == {made.id}
    found = store.schedules.get("local", made.id)
    assert found.status is Status.ARCHIVED
    assert store.database.schedules.count_documents({}) == 0


def test_archiving_again_after_a_crash_between_its_two_writes_is_harmless(store: Store) -> None:
    made = created(store, next_run_at=None, finished_at=CREATED)
    store.database.archive.insert_one({**to_document(made), "archived_at": now()})
    assert store.schedules.get("local", made.id).archived_at is None, "while it is in both it is live"
    assert store.schedules.archive([made], now()) == {made.id}
    assert store.database.archive.count_documents({}) == 1


def test_a_schedule_that_was_edited_meanwhile_is_not_archived(store: Store) -> None:
    made = created(store, next_run_at=None, finished_at=CREATED)
    store.schedules.write_edit(made, renamed(made, "Extended"))
    assert store.schedules.archive([made], now()) == set()
    assert store.database.archive.count_documents({}) == 0
    assert store.schedules.get("local", made.id).definition["name"] == "Extended"


def test_what_has_stayed_is_read_after_the_deletes_whoever_is_primary_by_then(store: Store) -> None:
    """Without that a new primary may show as live what is gone, and the copy in the archive would be taken back."""
    made = created(store, next_run_at=None, finished_at=CREATED)
    heard = Heard()
    address = store.database.client.address
    assert address
    with MongoClient[Document](*address, event_listeners=[heard], w="majority", readConcernLevel="majority") as client:
        listening = Schedules(client.get_database(store.database.name, codec_options=store.database.codec_options))
        assert listening.archive([made], now()) == {made.id}
    [(read_after, deleted_at)] = heard.reads_after_deletes
    assert read_after == deleted_at


def test_an_archiving_that_is_written_late_takes_nothing_back(store: Store) -> None:
    made = created(store, next_run_at=None, finished_at=CREATED)
    edited_since = replace(made, versions=(*made.versions, replace(made.versions[0], no=2)), updated_at=now())
    store.database.archive.insert_one({**to_document(edited_since), "archived_at": now()})
    store.database.schedules.delete_one({"_id": made.id})
    store.schedules.archive([made], now())
    assert store.schedules.get("local", made.id).version == 2


def test_a_restore_that_is_written_late_leaves_what_was_archived_since(store: Store) -> None:
    made = created(store, next_run_at=None, finished_at=CREATED)
    store.schedules.archive([made], now())
    before = store.schedules.get("local", made.id)
    store.database.archive.update_one({"_id": made.id}, {"$set": {"archived_at": now() + timedelta(hours=1)}})
    store.schedules.restore(before, replace(before, archived_at=None))
    assert store.database.archive.count_documents({"_id": made.id}) == 1


class Heard(CommandListener):
    """The `afterClusterTime` of each find, beside the operation time of the delete before it."""

    def __init__(self) -> None:
        self.reads_after_deletes: list[tuple[object, object]] = []
        self._deleted_at: object = None

    def started(self, event: CommandStartedEvent) -> None:
        if event.command_name == "find" and self._deleted_at:
            after = event.command.get("readConcern", {}).get("afterClusterTime")
            self.reads_after_deletes.append((after, self._deleted_at))

    def succeeded(self, event: CommandSucceededEvent) -> None:
        if event.command_name == "delete":
            self._deleted_at = event.reply["operationTime"]

    def failed(self, event: CommandFailedEvent) -> None:
        """Nothing fails here."""


def test_an_end_time_in_the_future_keeps_a_finished_schedule_out_of_the_archive(store: Store) -> None:
    ends = (now() + timedelta(hours=1)).replace(microsecond=0)
    made = created(store, text=definition(ends_at=ends.isoformat()), next_run_at=None, finished_at=CREATED)
    assert store.schedules.finished([made.shard], now(), 10) == []
    assert len(store.schedules.finished([made.shard], ends, 10)) == 1


def test_a_restored_schedule_is_live_again(store: Store) -> None:
    made = created(store, next_run_at=None, finished_at=CREATED)
    store.schedules.archive([made], now())
    archived = store.schedules.get("local", made.id)
    restored = edited(
        archived,
        Texts(archived).rules,
        now=now(),
        revision_id=archived.versions[0].revision_id,
        archived_at=None,
        paused=Stop(now(), "restored"),
    )
    store.schedules.restore(archived, restored)
    found = store.schedules.get("local", made.id)
    assert found.status is Status.PAUSED
    assert found.next_run_at is not None
    with pytest.raises(Conflict):
        store.schedules.restore(archived, restored)


def test_pages_show_every_schedule_once(store: Store) -> None:
    made = {
        created(store, next_run_at=at("2026-03-02 12:00") + timedelta(minutes=minute // 2)).id for minute in range(7)
    }
    for sort in ("next_run_at", "-created_at"):
        seen, cursor = [], None
        while True:
            page = store.schedules.page_of("local", status=Status.ACTIVE, text="FIG", sort=sort, limit=3, cursor=cursor)
            seen += [one.id for one in page.items]
            if page.next_cursor is None:
                break
            cursor = Cursor.parse(str(page.next_cursor))
        assert len(seen) == 7
        assert set(seen) == made


def test_a_quarantined_schedule_leaves_the_scan(store: Store) -> None:
    made = created(store)
    store.schedules.quarantine(made, "it broke", now())
    found = store.schedules.get("local", made.id)
    assert (found.status, found.next_run_at, found.quarantined_instant) == (Status.QUARANTINED, None, made.next_run_at)
