"""C5: a bug of ours that sends again is stopped at copy two; what its owner wants is never stopped."""

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import requests

from fencepost import breaker, ids, occurrences
from fencepost.occurrences import Origin
from fencepost.schedules import Schedule, Status
from tests.support.eventually import eventually
from tests.support.history import Row
from tests.support.world import World

RETENTION = timedelta(days=90)
HOURLY = {"type": "interval", "every": "1h"}


def again(world: World, one: Schedule, at: datetime, number: int, origin: Origin = Origin.SCHEDULE) -> list[Row]:
    """Put the occurrence of this instant on record under another id, as a bug in how ids are derived would; its deliveries."""
    now = datetime.now(UTC)
    forged = occurrences.occurrence(
        ids.triggered_occurrence_id(one.id, at, f"bug {number}"),
        owner_id=one.owner_id,
        schedule_id=one.id,
        revision_id=one.versions[-1].revision_id,
        version=one.version,
        origin=origin,
        at=at,
        deliveries=1,
        now=now,
        retention=RETENTION,
    )
    shards = world.settings.sender.shards
    rows = list(occurrences.deliveries(forged, one.definition, shard=one.shard, shards=shards, now=now))
    world.store.occurrences.insert([forged])
    world.store.deliveries.insert(rows)
    world.nudge()
    return [dict(row) for row in rows]


def rows_of(world: World, one: Schedule) -> dict[str, Any]:
    return {row["_id"]: row for row in world.store.database.deliveries.find({"schedule_id": one.id})}


def test_a_second_set_of_mails_for_an_instant_is_stopped_and_its_schedule_frozen(world: World) -> None:
    world.start_registry()
    [sender] = world.start()
    at = world.soon()
    one, bystander = world.write(2, at - timedelta(hours=3), starts_at=at.isoformat(), recurrence=HOURLY, to=2)
    eventually(lambda: world.counts()["accepted"] == 4, seconds=30)

    copies = {row["_id"] for row in [*again(world, one, at, 1), *again(world, one, at, 2)]}
    stopped: dict[str, Any] = {}

    def held_or_waiting() -> bool:
        stopped.update({name: row for name, row in rows_of(world, one).items() if name in copies})
        # Once the schedule is frozen, copies that no sender has claimed wait without even being asked about.
        return Counter(row["state"] for row in stopped.values())["held"] >= 1 and all(
            row["state"] in ("held", "pending") for row in stopped.values()
        )

    eventually(held_or_waiting, seconds=30)
    held = next(row for row in stopped.values() if row["state"] == "held")
    assert held["attempts"][-1]["copy_of"] in rows_of(world, one)
    assert "called_at" not in held["attempts"][-1]
    assert held["attempts"][-1]["copy_of"] in held["reason"]
    assert len(world.ledger()) == 4, "nothing left a second time"

    frozen = world.store.schedules.get("local", one.id)
    assert (frozen.status, frozen.next_run_at, frozen.quarantined_instant) == (
        Status.QUARANTINED,
        None,
        at + timedelta(hours=1),
    )
    assert world.store.schedules.get("local", bystander.id).status is Status.ACTIVE
    [alarm] = [alarm for alarm in world.store.cluster.alarms() if alarm["kind"] == breaker.alarm(one.id)]
    assert held["_id"] in alarm["detail"] or "The breaker stopped" in alarm["detail"]
    assert "breaker.froze" in sender.log.read_text()
    eventually(lambda: stops(sender.url) >= 1, seconds=10)

    # What it stopped is a person's to decide, and what they order goes out.
    assert world.call("GET", f"/emails/{held['_id']}")["state"] == "held"
    world.call("POST", f"/emails/{held['_id']}/settle", {"decision": "send_now", "by": "Ann", "reason": "a test"})
    eventually(lambda: rows_of(world, one)[held["_id"]]["state"] == "accepted", seconds=30)

    world.call("POST", f"/schedules/{one.id}/resume", {})
    assert breaker.alarm(one.id) not in {alarm["kind"] for alarm in world.store.cluster.alarms()}
    assert world.store.schedules.get("local", one.id).next_run_at == at + timedelta(hours=1)


def stops(url: str) -> float:
    lines = requests.get(f"{url}/metrics", timeout=5).text.splitlines()
    return next(float(line.split()[1]) for line in lines if line.startswith("fencepost_breaker_stops_total"))


def test_a_backlog_with_the_same_text_every_minute_is_never_stopped(world: World) -> None:
    """Thirty mails alike within a second, each for an instant of its own: what a misfire policy of `all` asks for."""
    now = world.soon(-1)
    first = now - timedelta(minutes=29, seconds=30)
    [one] = world.write(
        1,
        first - timedelta(hours=1),
        recurrence={"type": "interval", "every": "1m"},
        starts_at=first.isoformat(),
        fields={"next_run_at": first},
        misfire={"policy": "all"},
    )
    world.start()
    eventually(lambda: world.counts()["accepted"] >= 30, seconds=30)
    assert world.counts().keys() == {"accepted"}
    assert world.store.schedules.get("local", one.id).status is Status.ACTIVE


def test_what_a_person_triggers_is_never_stopped(world: World) -> None:
    world.start_registry()
    world.start()
    at = world.soon()
    [one] = world.write(1, at - timedelta(hours=3), starts_at=at.isoformat(), recurrence=HOURLY)
    eventually(lambda: world.counts()["accepted"] == 1, seconds=30)
    for _ in range(3):
        world.call("POST", f"/schedules/{one.id}/trigger", {})
    eventually(lambda: world.counts()["accepted"] == 4, seconds=30)
    assert world.store.schedules.get("local", one.id).status is Status.ACTIVE


def test_what_a_frozen_schedule_had_planned_waits_for_its_owner_and_then_goes_out(world: World) -> None:
    world.start_registry()
    at = world.soon(-5)
    created = at - timedelta(hours=3)
    made = world.make(1, created, starts_at=at.isoformat(), recurrence=HOURLY)
    one = replace(made[0], last_run_at=at, next_run_at=at + timedelta(hours=1))
    world.put([one])
    [waiting] = again(world, one, at, 1)
    assert world.store.schedules.freeze(one.id, "a test", datetime.now(UTC))
    world.start()
    world.once(1, world.soon())
    eventually(lambda: world.counts() == {"accepted": 1, "pending": 1}, seconds=30)
    assert world.call("POST", f"/schedules/{one.id}/resume", {})["status"] == "active"
    eventually(lambda: rows_of(world, one)[waiting["_id"]]["state"] == "accepted", seconds=30)
