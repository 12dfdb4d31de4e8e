"""Overlap policies with real senders and a slow provider: each call takes longer than the second from run to run."""

from collections import defaultdict
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

from fencepost.schedules import Schedule
from tests.support.eventually import eventually
from tests.support.history import Row
from tests.support.world import World

RUNS = 7


def every_second(world: World, first: datetime, *, runs: int = RUNS, **changes: Any) -> Schedule:
    """Due so many times, once a second from `first` on."""
    last = first + timedelta(seconds=runs - 1)
    recurrence = {"type": "interval", "every": "1s"}
    bounds: dict[str, Any] = {"starts_at": first.isoformat(), "ends_at": last.isoformat()}
    [made] = world.write(1, first - timedelta(hours=1), recurrence=recurrence, **bounds, **changes)
    return made


def occurrences(world: World, made: Schedule) -> tuple[list[datetime], int]:
    """The instants that ran, and how many were skipped for the overlap."""
    found = list(world.store.database.occurrences.find({"schedule_id": made.id}).sort("at", 1))
    skipped = [one for one in found if one["state"] == "skipped"]
    assert {one["reason"] for one in skipped} <= {"overlap"}
    return [one["at"] for one in found if one["state"] == "planned"], sum(one["count"] for one in skipped)


def has_ended(world: World, made: Schedule) -> bool:
    """Every instant was decided, and nothing is under way any more."""
    stands = world.store.schedules.find([made.id])[made.id]
    open_rows = world.rows(schedule_id=made.id, state={"$in": ["pending", "sending"]})
    return stands.next_run_at is None and not open_rows


def calls(rows: list[Row]) -> list[tuple[datetime, datetime]]:
    """For each occurrence, in their order, when its first call began and when its last ended."""
    by_instant: dict[datetime, list[Any]] = defaultdict(list)
    for row in rows:
        by_instant[row["due_at"]] += row["attempts"]
    return [
        (min(one["called_at"] for one in attempts), max(one["ended_at"] for one in attempts))
        for _, attempts in sorted(by_instant.items())
    ]


def overlap_in_time(rows: list[Row]) -> bool:
    return any(later < ended for (_, ended), (later, _) in pairwise(calls(rows)))


def test_each_policy_does_what_it_says_with_a_slow_run(world: World) -> None:
    senders = world.start(2)
    world.balanced(*senders)
    world.provider.dials(latency_ms=1600)
    first = world.soon()
    made = {name: every_second(world, first, overlap=name, to=3) for name in ("allow", "skip", "queue_one")}
    for one in made.values():
        eventually(lambda one=one: has_ended(world, one), seconds=90, every=0.2)  # type: ignore[misc]
    ran, skipped = {}, {}
    rows = {name: world.rows(schedule_id=one.id) for name, one in made.items()}
    for name, one in made.items():
        ran[name], skipped[name] = occurrences(world, one)
        world.expect([one], *ran[name])
        assert len(ran[name]) + skipped[name] == RUNS, (name, ran, skipped)
    world.judge()
    assert skipped["allow"] == 0
    assert overlap_in_time(rows["allow"])
    for name in ("skip", "queue_one"):
        assert len(ran[name]) >= 2
        assert skipped[name] >= 1
        assert not overlap_in_time(rows[name]), calls(rows[name])
    assert not any(row["after_occurrence"] for row in rows["skip"])
    assert any(row["after_occurrence"] for row in rows["queue_one"])


def test_a_long_list_that_waits_is_in_nobodys_way(world: World) -> None:
    world.start(1, SEATS="10")
    world.provider.dials(latency_ms=1500)
    first = world.soon()
    # 150 mails at ten seats are work for 20 seconds, and the run after it waits.
    slow = every_second(world, first, runs=3, overlap="queue_one", to=150)
    eventually(lambda: sum(occurrences(world, slow)[1:]) == 1, seconds=20)
    world.provider.dials()
    before = world.soon()
    others = world.once(20, before)
    eventually(lambda: len(states_of(world, others, "accepted")) == 20, seconds=60)
    eventually(lambda: has_ended(world, slow), seconds=60)
    ran, skipped = occurrences(world, slow)
    world.expect([slow], *ran)
    world.judge()
    assert (len(ran), skipped) == (2, 1)
    assert not overlap_in_time(world.rows(schedule_id=slow.id))


def states_of(world: World, schedules: list[Schedule], state: str) -> list[Row]:
    return world.rows(schedule_id={"$in": [one.id for one in schedules]}, state=state)


def test_runs_that_are_found_at_once_wait_for_one_another(world: World) -> None:
    world.provider.dials(latency_ms=300)
    first = world.soon() - timedelta(minutes=10)
    made = every_second(world, first, overlap="queue_one", misfire={"policy": "all"})
    world.start(1)
    eventually(lambda: has_ended(world, made), seconds=30)
    ran, skipped = occurrences(world, made)
    world.expect([made], *ran)
    world.judge()
    assert (ran, skipped) == ([first, first + timedelta(seconds=1)], RUNS - 2)
    assert not overlap_in_time(world.rows(schedule_id=made.id))


def test_a_pause_calls_off_the_run_that_waits(world: World) -> None:
    world.provider.dials(latency_ms=2000)
    world.start(1)
    world.start_registry()
    made = every_second(world, world.soon(), overlap="queue_one")
    eventually(lambda: world.rows(schedule_id=made.id, after_occurrence={"$ne": None}, state="pending"), seconds=20)
    world.call("POST", f"/schedules/{made.id}/pause")
    eventually(lambda: not world.rows(schedule_id=made.id, state={"$in": ["pending", "sending"]}), seconds=30)
    states = [row["state"] for row in sorted(world.rows(schedule_id=made.id), key=lambda row: row["due_at"])]
    assert states[:2] == ["accepted", "cancelled"]
