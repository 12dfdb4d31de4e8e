"""Reports over a month of a million mails of one owner: how long they take to be made ready, and to be read."""

import random
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import requests
from pymongo import timeout

from auditor.counting import Counter
from fencepost import ids
from fencepost.deliveries import Delivery, pending
from fencepost.schedules import milliseconds
from fencepost.settings import Retention
from tests.bench.world import SHARDS, World

_DAYS = 30
_SCHEDULES = 300
_STATES = ("accepted", *["delivered"] * 15, "bounced", "complained", "failed", "suppressed")
_PROVIDERS = ("mailgun", *["ses"] * 3, "sendgrid")
_READINGS = 40
_LIST = 2000
"""Half of the mail goes by lists: so many recipients at one instant."""


def measure(world: World, count: int, say: Callable[[str], None]) -> float:
    """Fill in so many mails, count them, and read reports of each kind; the slowest p95 of them, in seconds."""
    began = time.monotonic()
    schedules = _fill(world, count)
    say(f"{count:,} mails of {_DAYS} days, written in {time.monotonic() - began:.0f} s")
    counter = Counter(Retention(), world.store.counting)
    began = time.monotonic()
    quarters = counter.run()
    say(f"counted for the first time in {time.monotonic() - began:.1f} s, {quarters:,} quarters of an hour")
    began = time.monotonic()
    counter.run()
    say(f"with nothing new: {(time.monotonic() - began) * 1000:.1f} ms")
    _open(world)
    began = time.monotonic()
    quarters = counter.run()
    say(f"after one event of each of 1,000 mails: {time.monotonic() - began:.2f} s, {quarters:,} quarters")
    slowest = 0.0
    with world.registry() as url, requests.Session() as session:
        for name, query in _queries(schedules[0]).items():
            times = []
            for _ in range(_READINGS):
                start = time.perf_counter()
                session.get(f"{url}/reports/mail", params=query, timeout=60).raise_for_status()
                times.append(time.perf_counter() - start)
            p95 = sorted(times)[round((len(times) - 1) * 0.95)]
            slowest = max(slowest, p95)
            middle = sorted(times)[len(times) // 2]
            say(f"  {name:52} p50 {middle * 1000:6.1f} ms, p95 {p95 * 1000:6.1f} ms")
    return slowest


def _queries(schedule_id: str) -> dict[str, dict[str, str]]:
    ours, theirs = {"timezone": "UTC"}, {"timezone": "Asia/Kolkata"}
    return {
        "by day": ours,
        "by day, in Kolkata": theirs,
        **{
            f"by {group}{where}": {"group": group, **zone}
            for group in ("provider", "tag", "schedule")
            for where, zone in (("", ours), (", in Kolkata", theirs))
        },
        "by day, of a tag": {**ours, "tag": "tag-3"},
        "by day, of a tag, in Kolkata": {**theirs, "tag": "tag-3"},
        "by day, of a provider, in Kolkata": {**theirs, "provider": "ses"},
        "by day, of a schedule, in Kolkata": {**theirs, "schedule_id": schedule_id},
        "by provider, of a tag, in Kolkata": {**theirs, "group": "provider", "tag": "tag-3"},
        "by tag, as CSV": {**ours, "group": "tag", "format": "csv"},
    }


def _fill(world: World, count: int) -> list[str]:
    """Half of it by API, with tags; half by schedules, list after list. The ids of the schedules."""
    chance = random.Random(1)
    now = milliseconds(datetime.now(UTC))
    start = now - timedelta(days=_DAYS)
    schedules = [ids.new_id(ids.SCHEDULE) for _ in range(_SCHEDULES)]
    rows: list[Delivery] = []
    done = 0
    while done < count:
        at = milliseconds(start + timedelta(days=_DAYS) * done / count)
        by_list = chance.random() < 1 / _LIST
        schedule_id = chance.choice(schedules) if by_list else None
        for number in range(min(count - done, _LIST if by_list else 1)):
            rows.append(_row(chance, at, now, number, schedule_id))
            done += 1
        if len(rows) >= 2000 or done == count:
            with timeout(120):
                world.store.deliveries.insert(rows)
            rows = []
    return schedules


def _row(chance: random.Random, at: datetime, now: datetime, number: int, schedule_id: str | None) -> Delivery:
    email = f"r{chance.randrange(50_000)}-{number}@example.com"
    row = pending(
        ids.new_id(ids.DELIVERY, at),
        owner_id="local",
        shard=number % SHARDS,
        revision_id=None,
        version=1,
        origin="schedule" if schedule_id else "api",
        recipient=email,
        to=[{"email": email, "name": ""}],
        due_at=at,
        not_before=at,
        queue_at=at,
        now=at,
        purge_at=now + timedelta(days=30),
        schedule_id=schedule_id,
    )
    row["state"], row["provider"] = chance.choice(_STATES), chance.choice(_PROVIDERS)
    if not schedule_id:
        row["tags"] = [f"tag-{chance.randrange(10)}"]
    if row["state"] == "delivered" and chance.random() < 0.3:
        row["tracking"] = {"told": "delivered", "delivered_at": at, "opened_at": at, "opens": 1}
    return row


def _open(world: World) -> None:
    """One more opening of each of a thousand mails of the whole month."""
    opened = world.store.database.deliveries.aggregate([{"$sample": {"size": 1000}}, {"$project": {"_id": 1}}])
    changed = {"$set": {"tracking.opens": 2, "tracking.opened_at": "$$NOW", "updated_at": "$$NOW"}}
    world.store.database.deliveries.update_many({"_id": {"$in": [row["_id"] for row in opened]}}, [changed])
