"""Backfill: the count first, then exactly that, and a repetition makes none."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from fencepost.errors import Unreachable
from fencepost.occurrences import Occurrence
from fencepost.schedules import Status
from fencepost.store import Store
from fencepost.store.occurrences import Occurrences
from registry.app import create_app
from registry.parts import Parts
from tests.support.api import Api, MovableClock
from tests.support.progress import advance

# The clock of these tests begins on 2 March 2026 at 08:00:00.25, and a schedule of theirs is due daily at 09:00.
WEEK = {"from": "2026-02-20T00:00:00Z", "until": "2026-02-26T23:59:59Z"}
DAYS = [f"2026-02-{day}T09:00:00Z" for day in range(20, 27)]


def dry_run(api: Api, schedule_id: str, **given: Any) -> Any:
    return api.post(f"/schedules/{schedule_id}/backfill", {**WEEK, **given})


def make(api: Api, schedule_id: str, count: int, *, status: int = 202, **given: Any) -> Any:
    body = {**WEEK, **given, "dry_run": False, "count": count}
    return api.post(f"/schedules/{schedule_id}/backfill", body, status=status)


def made_of(store: Store, schedule_id: str) -> list[Any]:
    """The backfilled occurrences on record, each with all of its mails."""
    found = list(store.database.occurrences.find({"schedule_id": schedule_id, "origin": "backfill"}).sort("at", 1))
    counts = store.deliveries.count_by_state([one["_id"] for one in found])
    assert all(counts[one["_id"]].total() == one["deliveries"] for one in found)
    return found


def test_seven_days_are_counted_first_then_made_once(api: Api, store: Store, nudges: list[None]) -> None:
    created = api.create(message={"to": ["a@example.com", "b@example.com"]})["id"]
    nudges.clear()
    counted = dry_run(api, created)
    assert counted == {"count": 7, "emails": 14, "occurrences": DAYS, "dry_run": True}
    assert (made_of(store, created), nudges) == ([], [])
    assert make(api, created, 7) == {**counted, "dry_run": False}
    made = made_of(store, created)
    assert len({one["_id"] for one in made}) == 7
    assert len(nudges) == 1
    # Once more: there is nothing left, and who confirms the old number is told both.
    assert dry_run(api, created) == {"count": 0, "emails": 0, "occurrences": [], "dry_run": True}
    assert make(api, created, 0)["count"] == 0
    refused = make(api, created, 7, status=409)
    assert "0 runs" in refused["detail"]
    assert "7 were confirmed" in refused["detail"]
    assert len(made_of(store, created)) == 7


def test_what_is_made_has_the_newest_text_and_is_due_at_once(api: Api, store: Store, clock: MovableClock) -> None:
    created = api.create()["id"]
    api.patch(f"/schedules/{created}", {"message": {"subject": "Newer"}})
    make(api, created, 7)
    schedule = store.schedules.get("local", created)
    rows = store.deliveries.pending([schedule.shard], clock.now(), 100)
    assert [row["due_at"].day for row in rows] == list(range(20, 27))
    assert {(row["origin"], row["version"], row["revision_id"]) for row in rows} == {
        ("backfill", 2, schedule.versions[-1].revision_id)
    }
    # Kept as long as what is made today, or a repetition would find nothing and send again.
    assert all(row["purge_at"] >= clock.now() + timedelta(days=90) for row in rows)
    listed = api.get(f"/schedules/{created}/occurrences")["data"]
    assert [one["origin"] for one in listed] == ["backfill"] * 7
    assert api.get(f"/emails?schedule_id={created}")["data"][0]["subject"] == "Newer"
    assert api.get(f"/schedules/{created}")["occurrence_count"] == 0


def test_what_ran_is_not_run_again_and_what_was_skipped_can_be(api: Api, store: Store, clock: MovableClock) -> None:
    created = api.create()["id"]
    clock.move(hours=1, minutes=1)
    advance(store, created, clock.now())
    api.post(f"/schedules/{created}/pause", {"reason": "holiday"})
    clock.move(days=3)
    advance(store, created, clock.now())
    api.post(f"/schedules/{created}/resume")
    clock.move(days=1)
    advance(store, created, clock.now())
    spring: dict[str, Any] = {"from": "2026-03-01T00:00:00Z", "until": "2026-04-01T00:00:00Z"}
    counted = dry_run(api, created, **spring)
    days = [f"2026-03-{day:02}T09:00:00Z" for day in (1, 3, 4, 5)]
    # Of the first of March nothing is known, since that was before the schedule; the second and the sixth ran.
    assert counted["occurrences"] == days
    make(api, created, 4, **spring)
    assert len(made_of(store, created)) == 4


def test_what_the_schedule_is_still_to_decide_is_not_backfilled(api: Api, clock: MovableClock) -> None:
    created = api.create()["id"]
    clock.move(days=2)  # no sender was there to plan the second and the third
    month = {"from": "2026-03-01T00:00:00Z", "until": "2026-03-31T00:00:00Z"}
    assert dry_run(api, created, **month)["occurrences"] == ["2026-03-01T09:00:00Z"]


def test_both_ends_of_the_range_belong_to_it(api: Api) -> None:
    created = api.create()["id"]
    ends = {"from": "2026-02-20T09:00:00Z", "until": "2026-02-21T09:00:00Z"}
    assert dry_run(api, created, **ends)["count"] == 2
    assert dry_run(api, created, **{**ends, "from": "2026-02-20T09:00:01Z"})["count"] == 1
    assert dry_run(api, created, **{**ends, "until": "2026-02-21T08:59:59Z"})["count"] == 1


def test_posts_at_the_same_time_make_seven(parts: Parts, store: Store) -> None:
    app = create_app(parts)
    created = Api(app.test_client()).create()["id"]
    body = {**WEEK, "dry_run": False, "count": 7}

    def post(_: int) -> int:
        return Api(app.test_client()).call("POST", f"/schedules/{created}/backfill", body).status_code

    with ThreadPoolExecutor(8) as pool:
        statuses = list(pool.map(post, range(8)))
    # Who comes later is too late: nothing is left of the seven, or only a part is yet to be seen.
    assert set(statuses) <= {202, 409}
    assert 202 in statuses
    assert len(made_of(store, created)) == 7
    assert store.database.deliveries.count_documents({}) == 7


class BreaksOff(Occurrences):
    """Makes half of the occurrences, then loses its server."""

    def insert(self, rows: Any) -> None:
        half: list[Occurrence] = list(rows)[: len(rows) // 2]
        super().insert(half)
        raise Unreachable("mongodb", "connection reset")


@pytest.mark.parametrize("key", [True, False])
def test_what_broke_off_is_completed_by_the_next_request(parts: Parts, store: Store, key: bool) -> None:
    broken = replace(parts, store=replace(store, occurrences=BreaksOff(store.database)))
    api, named = Api(create_app(parts).test_client()), {"Idempotency_Key": "backfill-1"} if key else {}
    created = api.create()["id"]
    path, body = f"/schedules/{created}/backfill", {**WEEK, "dry_run": False, "count": 7}
    Api(create_app(broken).test_client()).post(path, body, status=503, **named)
    if key:
        # The same request counts what it had made itself: the answer is what it would have been.
        assert api.post(path, body, status=202, **named)["count"] == 7
    else:
        left = dry_run(api, created)["count"]
        assert 0 < left < 7
        make(api, created, left)
    assert len(made_of(store, created)) == 7
    assert store.database.deliveries.count_documents({}) == 7


def test_a_repeated_request_gets_the_first_answer(api: Api, store: Store) -> None:
    created = api.create()["id"]
    path, body = f"/schedules/{created}/backfill", {**WEEK, "dry_run": False, "count": 7}
    first = api.post(path, body, status=202, Idempotency_Key="b-1")
    assert api.post(path, body, status=202, Idempotency_Key="b-1") == first
    assert len(made_of(store, created)) == 7


@pytest.mark.parametrize(
    ("given", "pointer", "words"),
    [
        ({"until": "2026-02-19T00:00:00Z"}, "/until", "before from"),
        ({"from": "2025-06-01T00:00:00Z"}, "/from", "further back than the records"),
        ({"dry_run": False}, "/count", "dry run"),
        ({"from": "yesterday"}, "/from", "instant"),
    ],
)
def test_a_range_that_can_t_be_taken_is_refused_at_its_field(
    api: Api, given: dict[str, Any], pointer: str, words: str
) -> None:
    created = api.create()["id"]
    answer = api.post(f"/schedules/{created}/backfill", {**WEEK, **given}, status=422)
    [problem] = answer["errors"]
    assert problem["pointer"] == pointer
    assert words in problem["detail"]


def test_a_range_that_is_too_large_says_how_far_a_first_step_may_go(api: Api) -> None:
    minutely = api.create(recurrence={"type": "cron", "expression": "* * * * *", "timezone": "UTC"})["id"]
    detail = api.post(f"/schedules/{minutely}/backfill", WEEK, status=422)["errors"][0]["detail"]
    assert "more than 10,000 due instants" in detail
    day = {**WEEK, "until": "2026-02-20T23:59:59Z"}
    detail = api.post(f"/schedules/{minutely}/backfill", day, status=422)["errors"][0]["detail"]
    # A thousand minutes from midnight on.
    assert "the first until 2026-02-20T16:39:00Z" in detail
    assert dry_run(api, minutely, until="2026-02-20T16:39:00Z")["count"] == 1000
    many = api.create(message={"to": [f"p{number}@example.com" for number in range(4000)]})["id"]
    detail = api.post(f"/schedules/{many}/backfill", WEEK, status=422)["errors"][0]["detail"]
    assert "28,000 emails" in detail
    assert "the first until 2026-02-24T09:00:00Z" in detail
    assert dry_run(api, many, until="2026-02-24T09:00:00Z")["emails"] == 20_000


def test_an_archived_schedule_is_not_backfilled_but_a_paused_one_is(api: Api, store: Store) -> None:
    created = api.create()["id"]
    api.post(f"/schedules/{created}/pause")
    make(api, created, 7)
    assert store.schedules.get("local", created).status is Status.PAUSED
    api.delete(f"/schedules/{created}")
    api.post(f"/schedules/{created}/backfill", WEEK, status=409)


def test_a_quarantined_schedule_keeps_what_it_will_decide_when_it_is_resumed(
    api: Api, store: Store, clock: MovableClock
) -> None:
    created = api.create()["id"]
    store.schedules.quarantine(store.schedules.get("local", created), "it broke", clock.now())
    clock.move(days=5)
    month = {"from": "2026-03-01T00:00:00Z", "until": "2026-03-31T00:00:00Z"}
    assert dry_run(api, created, **month)["occurrences"] == ["2026-03-01T09:00:00Z"]
