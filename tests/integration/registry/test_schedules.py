"""/schedules: what is written is what is read, listed and found."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from fencepost.store import Store
from tests.support.api import Api, MovableClock, text
from tests.support.schedules import at


def test_a_new_schedule_answers_with_all_that_it_is(api: Api) -> None:
    answer = api.call("POST", "/schedules", text(starts_at="2026-03-03T00:00:00+01:00"))
    made = answer.get_json()
    assert answer.status_code == 201
    assert answer.headers["ETag"] == '"1"'
    assert answer.headers["Location"] == f"/schedules/{made['id']}"
    assert made["next_run_at"] == "2026-03-03T09:00:00Z"
    assert made["starts_at"] == "2026-03-02T23:00:00Z"
    assert (made["status"], made["version"], made["occurrence_count"]) == ("active", 1, 0)
    assert made["words"] == "At 09:00 every day, UTC"
    assert made["message"]["from"] == {"email": "post@example.com", "name": "Fence Post"}
    assert made["message"]["to"] == [{"email": "ann@example.com", "name": "", "variables": {}}]
    assert made["misfire"] == {"policy": "latest", "window_seconds": 86_400}
    assert api.get(answer.headers["Location"]) == made


def test_what_was_answered_can_be_written_again(api: Api) -> None:
    made = api.create()
    read_only = {
        "object", "id", "status", "status_reason", "version", "created_at", "updated_at", "next_run_at", "last_run_at",
        "occurrence_count", "words",
    }  # fmt: skip
    again = api.post("/schedules", {name: made[name] for name in made.keys() - read_only}, status=201)
    assert all(again[name] == made[name] for name in made.keys() - read_only)


def test_its_text_is_on_record_as_a_revision(api: Api, store: Store) -> None:
    made = store.schedules.get("local", api.create()["id"])
    revision = store.revisions.find([made.versions[0].revision_id])[made.versions[0].revision_id]
    assert revision.definition == made.definition
    assert revision.schedule_id == made.id


def test_an_interval_without_a_start_counts_from_the_creation_to_the_second(api: Api) -> None:
    made = api.create(recurrence={"type": "interval", "every": "15m"})
    assert made["created_at"] == "2026-03-02T08:00:00.250Z"
    assert made["next_run_at"] == "2026-03-02T08:15:00Z"


def test_an_interval_still_counts_from_the_creation_after_an_edit(api: Api, clock: MovableClock) -> None:
    made = api.create(recurrence={"type": "interval", "every": "15m"})
    clock.move(minutes=7)
    changed = api.patch(f"/schedules/{made['id']}", {"recurrence": {"every": "10m"}})
    assert changed["next_run_at"] == "2026-03-02T08:10:00Z"


def test_another_ones_or_no_schedule_is_not_found(api: Api, store: Store) -> None:
    made = api.create()
    store.database.schedules.update_one({"_id": made["id"]}, {"$set": {"owner_id": "somebody"}})
    for path in (made["id"], "sch_01JDZZZZZZZZZZZZZZZZZZZZZZ", "nonsense", "%00"):
        api.get(f"/schedules/{path}", status=404)
    assert api.get("/schedules")["data"] == []


def test_a_list_is_paged_without_gaps_or_repetitions(api: Api) -> None:
    made = [api.create(name=f"Number {number}")["id"] for number in range(5)]
    seen, path = [], "/schedules?limit=2"
    while path:
        answer = api.call("GET", path)
        seen += [one["id"] for one in answer.get_json()["data"]]
        link = answer.headers.get("Link")
        path = link[1:].partition(">")[0] if link else ""
    assert sorted(seen) == sorted(made)
    assert len(seen) == 5


def test_a_list_goes_by_the_next_run(api: Api) -> None:
    for hour in (17, 11, 23):
        api.create(name=str(hour), recurrence={"type": "cron", "expression": f"0 {hour} * * *"})
    first = api.get("/schedules?sort=next_run_at&limit=2")
    rest = api.get(f"/schedules?sort=next_run_at&limit=2&cursor={first['next_cursor']}")
    assert [one["name"] for one in first["data"] + rest["data"]] == ["11", "17", "23"]


def test_a_cursor_of_another_list_is_refused(api: Api) -> None:
    for _ in range(2):
        api.create()
    cursor = api.get("/schedules?limit=1")["next_cursor"]
    refused = api.get(f"/schedules?sort=next_run_at&cursor={cursor}", status=422)
    assert refused["errors"][0]["pointer"] == "/cursor"


def test_a_list_is_searched_by_name_and_status(api: Api) -> None:
    api.create(name="Invoices (north)")
    paused = api.create(name="invoices (south)")
    api.create(name="Figures")
    api.post(f"/schedules/{paused['id']}/pause")
    assert len(api.get("/schedules?q=INVOICES%20(")["data"]) == 2
    assert [one["name"] for one in api.get("/schedules?status=paused")["data"]] == ["invoices (south)"]
    assert len(api.get("/schedules?status=active")["data"]) == 2


def test_a_listed_schedule_has_no_bodies_and_few_recipients(api: Api) -> None:
    api.create(message={"to": [f"person{number}@example.com" for number in range(5)]})
    listed = api.get("/schedules")["data"][0]
    assert listed["recipient_count"] == 5
    assert len(listed["message"]["to"]) == 3
    assert not listed["message"].keys() & {"text", "html"}


def test_a_deleted_schedule_leaves_the_list_and_stays_readable(api: Api, store: Store, clock: MovableClock) -> None:
    made = api.create()
    deleted = api.delete(f"/schedules/{made['id']}")
    assert (deleted["status"], deleted["next_run_at"], deleted["in_flight"]) == ("archived", None, [])
    assert api.get("/schedules")["data"] == []
    archive(store, clock, made["id"])
    assert api.get(f"/schedules/{made['id']}")["status"] == "archived"
    assert [one["id"] for one in api.get("/schedules?status=archived")["data"]] == [made["id"]]
    assert api.delete(f"/schedules/{made['id']}")["version"] == deleted["version"]


@pytest.mark.parametrize("archived", [True, False])
def test_a_deleted_schedule_comes_back_paused(api: Api, store: Store, clock: MovableClock, archived: bool) -> None:
    made = api.create()
    path = f"/schedules/{made['id']}"
    api.delete(path)
    if archived:
        archive(store, clock, made["id"])
    for verb in ("pause", "resume", "trigger"):
        assert "archived" in api.post(f"{path}/{verb}", status=409)["detail"]
    assert "archived" in api.patch(path, {"name": "New"}, status=409)["detail"]
    clock.move(days=3)
    restored = api.post(f"{path}/restore")
    assert (restored["status"], restored["status_reason"]) == ("paused", "restored from the archive")
    assert restored["next_run_at"] == "2026-03-05T09:00:00Z"
    api.post(f"{path}/restore", status=409)
    assert api.post(f"{path}/resume")["status"] == "active"
    assert store.database.archive.count_documents({}) == 0


def test_a_schedule_that_has_run_out_says_so(api: Api, store: Store) -> None:
    made = api.create(recurrence={"type": "once", "at": "2026-03-02T09:00:00"})
    ran_once(store, made["id"])
    assert api.get(f"/schedules/{made['id']}")["status"] == "finished"
    assert "finished" in api.post(f"/schedules/{made['id']}/resume", status=409)["detail"]
    assert "finished" in api.post(f"/schedules/{made['id']}/pause", status=409)["detail"]


def test_an_edit_gives_a_finished_schedule_more_to_do(api: Api, store: Store, clock: MovableClock) -> None:
    made = api.create(recurrence={"type": "once", "at": "2026-03-02T09:00:00"})
    ran_once(store, made["id"])
    clock.move(hours=2)
    changed = api.patch(f"/schedules/{made['id']}", {"recurrence": {"at": "2026-03-04T09:00:00"}})
    assert (changed["status"], changed["next_run_at"]) == ("active", "2026-03-04T09:00:00Z")


def test_a_quarantined_schedule_goes_on_where_it_broke(api: Api, store: Store, clock: MovableClock) -> None:
    made = api.create()
    path = f"/schedules/{made['id']}"
    clock.move(hours=2)
    store.schedules.quarantine(store.schedules.get("local", made["id"]), "its arithmetic broke", clock.now())
    broken = api.get(path)
    assert (broken["status"], broken["status_reason"]) == ("quarantined", "its arithmetic broke")
    assert "quarantined" in api.post(f"{path}/pause", status=409)["detail"]
    resumed = api.post(f"{path}/resume")
    assert (resumed["status"], resumed["next_run_at"]) == ("active", "2026-03-02T09:00:00Z")


def test_a_quarantined_schedule_can_be_deleted_and_edited(api: Api, store: Store, clock: MovableClock) -> None:
    first, second = api.create(), api.create()
    clock.move(hours=2)
    for made in (first, second):
        store.schedules.quarantine(store.schedules.get("local", made["id"]), "broke", clock.now())
    assert api.patch(f"/schedules/{first['id']}", {"name": "Mended"})["status"] == "active"
    assert api.delete(f"/schedules/{second['id']}")["status"] == "archived"


def test_the_senders_are_woken_by_what_may_be_due_soon(api: Api, nudges: list[None]) -> None:
    made = api.create()
    assert len(nudges) == 1
    path = f"/schedules/{made['id']}"
    api.patch(path, {"name": "New"})
    assert len(nudges) == 2
    api.post(f"{path}/trigger", status=202)
    assert len(nudges) == 3
    api.post(f"{path}/pause")
    api.post(f"{path}/resume")
    assert len(nudges) == 4
    api.delete(path)
    api.post(f"{path}/restore")
    assert len(nudges) == 5
    api.get(path)
    api.post("/schedules", text(name=""), status=422)
    assert len(nudges) == 5


def archive(store: Store, clock: MovableClock, schedule_id: str) -> None:
    """What a sender does with a schedule of which nothing more comes."""
    schedule = store.schedules.get("local", schedule_id)
    [due] = [one for one in store.schedules.finished(range(64), clock.now(), 10) if one.id == schedule_id]
    assert due == schedule
    assert store.schedules.archive([schedule], clock.now()) == {schedule_id}


def ran_once(store: Store, schedule_id: str) -> None:
    """What a sender leaves of a single run."""
    progress: dict[str, Any] = {"last_run_at": at("2026-03-02 09:00"), "next_run_at": None, "occurrence_count": 1}
    store.database.schedules.update_one(
        {"_id": schedule_id},
        {"$set": {**progress, "finished_at": datetime(2026, 3, 2, 9, tzinfo=UTC) + timedelta(seconds=1)}},
    )
