"""The list of mails, among a million of them: how long each page takes that the API offers."""

import random
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import requests

from fencepost import ids
from fencepost.deliveries import Delivery, pending
from fencepost.schedules import milliseconds
from fencepost.store.messages import Message
from tests.bench.world import SHARDS, World

_STATES = ("accepted", *["delivered"] * 12, "bounced", "failed", "cancelled", "unknown", "held", "expired")
_PROVIDERS = ("mailgun", *["ses"] * 3, "sendgrid")
_PAGES = 200


def measure(world: World, count: int, say: Callable[[str], None]) -> float:
    """Fill in so many mails and read pages of each kind; the slowest p95 of them, in seconds."""
    began = time.monotonic()
    queries = _fill(world, count)
    say(f"{count:,} mails, written in {time.monotonic() - began:.0f} s")
    slowest = 0.0
    with world.registry() as url, requests.Session() as session:
        for name, query in queries.items():
            times = []
            for cursor in _cursors(session, url, query):
                start = time.perf_counter()
                session.get(f"{url}/emails", params={**query, **cursor}, timeout=60).raise_for_status()
                times.append(time.perf_counter() - start)
            p95 = sorted(times)[round((len(times) - 1) * 0.95)]
            slowest = max(slowest, p95)
            say(f"  {name:42} p95 {p95 * 1000:6.1f} ms over {len(times)} pages")
    return slowest


def _cursors(session: requests.Session, url: str, query: dict[str, Any]) -> Iterator[dict[str, str]]:
    """The first page and those that follow it, as they are asked for."""
    cursor: str | None = None
    for _ in range(_PAGES):
        yield {"cursor": cursor} if cursor else {}
        answer = session.get(f"{url}/emails", params={**query, **({"cursor": cursor} if cursor else {})}, timeout=60)
        cursor = answer.json()["next_cursor"]
        if cursor is None:
            return


def _fill(world: World, count: int) -> dict[str, dict[str, Any]]:
    chance = random.Random(1)
    now = milliseconds(datetime.now(UTC))
    batch_id, rare = "", now - timedelta(hours=30)
    rows: list[Delivery] = []
    for index in range(count):
        at = now - timedelta(seconds=(count - index) / 10)
        if index % 1000 == 0:
            batch_id = ids.new_id(ids.BATCH, at)
            message = {
                "message": {
                    "from": {"email": "shop@example.com", "name": "Shop"}, "to": [], "cc": [], "bcc": [],
                    "reply_to": None, "subject": "Hello", "text": "There.", "html": None, "headers": {},
                    "tags": [], "metadata": {},
                },
                "together": False, "on_unknown": "hold", "literal": True,
            }  # fmt: skip
            world.store.messages.insert(
                [Message(ids.message_id(batch_id, 0), batch_id, message, now + timedelta(days=30))], "local", at
            )
        email = f"r{index % 50_000}@example.com"
        row = pending(
            ids.new_id(ids.DELIVERY, at),
            owner_id="local",
            shard=index % SHARDS,
            revision_id=ids.message_id(batch_id, 0),
            version=1,
            origin="api",
            recipient=email,
            to=[{"email": email, "name": ""}],
            due_at=at,
            not_before=at,
            queue_at=at,
            now=at,
            purge_at=now + timedelta(days=30),
        )
        row["batch_id"] = batch_id
        row["tags"] = ["rare" if index == count // 2 else f"tag-{index % 7}"]
        row["state"] = chance.choice(_STATES)
        row["provider"] = chance.choice(_PROVIDERS)
        rows.append(row)
        if len(rows) == 5000:
            world.store.deliveries.insert(rows)
            rows = []
    world.store.deliveries.insert(rows)
    span = {
        "from": (rare - timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "until": rare.strftime("%Y-%m-%dT%H:%M:%SZ"),
    }
    return {
        "the newest": {},
        "the oldest": {"sort": "due_at"},
        "of a state that is common": {"state": "delivered"},
        "of a state that is rare": {"state": "held"},
        "of a recipient": {"to": "r7@example.com"},
        "of a batch": {"batch_id": batch_id},
        "of a tag that is common": {"tag": "tag-3"},
        "of a tag that is on one mail": {"tag": "rare"},
        "of a provider": {"provider": "mailgun"},
        "of a provider that carried none": {"provider": "smtp"},
        "of an hour": span,
        "of a state in an hour": {**span, "state": "bounced"},
        "of a state and a provider": {"state": "failed", "provider": "mailgun"},
        "of a state that no mail is in": {"state": "suppressed"},
        "of a state that is common, by a tag": {"state": "delivered", "tag": "tag-3"},
        "accepted by a provider that carried none": {"state": "accepted", "provider": "smtp"},
    }
