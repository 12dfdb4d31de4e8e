"""What a schedule comes to: late instants by its misfire policy, an end, and the archive."""

from datetime import UTC, datetime, timedelta
from typing import Any

from fencepost.schedules import Schedule, Status
from tests.support.eventually import eventually
from tests.support.world import World

FIVE_MINUTES = timedelta(minutes=5)


def every_five_minutes(world: World, since: datetime, policy: str, **misfire: Any) -> Schedule:
    """A schedule of which nobody took care since then."""
    recurrence = {"type": "interval", "every": "5m"}
    [one] = world.make(1, since, recurrence=recurrence, misfire={"policy": policy, **misfire})
    return one


def test_senders_that_come_back_after_an_hour(world: World) -> None:
    """Nobody was there for an hour and two minutes: twelve instants are late, and the thirteenth is to come."""
    since = world.soon(0) - timedelta(minutes=62)
    late = [since + number * FIVE_MINUTES for number in range(1, 13)]
    skip, latest, every, capped = (
        every_five_minutes(world, since, "skip"),
        every_five_minutes(world, since, "latest"),
        every_five_minutes(world, since, "all"),
        every_five_minutes(world, since, "all", window_seconds=1500),
    )
    world.put([skip, latest, every, capped])
    world.expect([latest], late[-1])
    world.expect([every], *late)
    world.expect([capped], *late[-5:])
    world.start()
    world.settled()
    world.judge()

    def skipped(one: Schedule) -> list[tuple[datetime, datetime, int, str]]:
        rows = world.store.database.occurrences.find({"schedule_id": one.id, "state": "skipped"})
        return [(row["at"], row["to"], row["count"], row["reason"]) for row in rows]

    # One record for all that was skipped in a row.
    assert eventually(lambda: skipped(skip)) == [(late[0], late[-1], 12, "misfire")]
    assert eventually(lambda: skipped(latest)) == [(late[0], late[-2], 11, "misfire")]
    assert eventually(lambda: skipped(capped)) == [(late[0], late[-6], 7, "window")]
    assert skipped(every) == []
    for one in (skip, latest, every, capped):
        assert world.store.schedules.get("local", one.id).next_run_at == late[-1] + FIVE_MINUTES


def test_a_paused_schedule_sends_nothing_and_says_so(world: World) -> None:
    world.start_registry()
    world.start()
    [one] = world.write(1, world.soon(0), recurrence={"type": "interval", "every": "1s"})
    eventually(lambda: world.provider.accepted() >= 2)
    answer = world.call("POST", f"/schedules/{one.id}/pause", {"reason": "a test"})
    paused_at = datetime.now(UTC)
    skips = {"schedule_id": one.id, "state": "skipped", "reason": "paused", "count": {"$gte": 3}}
    [skip] = eventually(lambda: list(world.store.database.occurrences.find(skips)))
    sent_after = [entry for entry in world.ledger() if entry["at"] > paused_at.timestamp()]
    assert {entry["delivery_id"] for entry in sent_after} <= set(answer["in_flight"])
    world.call("POST", f"/schedules/{one.id}/resume")
    resumed = eventually(lambda: world.rows(schedule_id=one.id, state="accepted", due_at={"$gt": skip["to"]}))
    world.call("DELETE", f"/schedules/{one.id}")
    assert resumed
    eventually(lambda: not world.counts()["pending"] + world.counts()["sending"])
    world.expected = [(row["to"][0]["email"], row["due_at"]) for row in world.rows()]
    world.judge()


def test_at_its_end_a_schedule_goes_to_the_archive_and_can_be_restored(world: World) -> None:
    world.start_registry()
    last = world.soon(1)
    daily = {"type": "interval", "every": "1d"}
    [ending] = world.write(1, last - timedelta(days=1), recurrence=daily, ends_at=last.isoformat())
    [going_on] = world.write(1, last - timedelta(days=1), recurrence=daily)
    world.expect([ending, going_on], last)
    world.start()
    world.settled()
    world.judge()
    eventually(lambda: world.store.schedules.get("local", ending.id).archived_at, seconds=20)
    shards = range(world.settings.sender.shards)
    tomorrow = last + timedelta(days=1)
    assert [one.id for one in world.store.schedules.due(shards, tomorrow, 10)] == [going_on.id]
    answer = world.call("GET", f"/schedules/{ending.id}")
    assert (answer["status"], answer["occurrence_count"]) == ("archived", 1)
    emails = world.call("GET", f"/emails?schedule_id={ending.id}")["data"]
    assert [email["state"] for email in emails] == ["accepted"]
    restored = world.call("POST", f"/schedules/{ending.id}/restore")
    assert restored["status"] in (Status.PAUSED, Status.FINISHED)
    assert world.store.database.archive.count_documents({}) == 0
