"""Notifiers as processes, on a store in this process, and endpoints on this machine."""

import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Protocol

import pytest

from devstack import probes
from devstack.processes import Process, free_port
from fencepost import ids, webhooks
from fencepost.clock import SystemClock
from fencepost.deliveries import Delivery, pending
from fencepost.schedules import milliseconds
from fencepost.settings import load
from fencepost.store import Store
from fencepost.webhooks import Endpoint, Secret
from tests.support.endpoint import Consumer, Told
from tests.support.territory import Territory

ROOT = Path(__file__).resolve().parents[3]
QUICK = {"FENCEPOST_NOTIFIER__LEASE_SECONDS": "2", "FENCEPOST_NOTIFIER__HOLD_SECONDS": "3"}
LOOPBACK = {"FENCEPOST_NOTIFIER__ALLOW_LOOPBACK": "true"}


@dataclass
class Office:
    """The record that notifiers work on, and what a test does to it."""

    store: Store

    def endpoint(self, url: str, *, owner: str = "local", types: tuple[str, ...] = ()) -> Endpoint:
        now = milliseconds(datetime.now(UTC))
        secret = Secret(webhooks.new_secret(os.urandom(32)))
        made = Endpoint(ids.new_id(ids.WEBHOOK), owner, url, types, "", (secret,), True, None, None, now, now)
        self.store.webhooks.create(made)
        return made

    def mail(self, *, owner: str = "local") -> str:
        """A pending delivery; its id."""
        row = self._row(owner)
        self.store.deliveries.insert([row])
        return row["_id"]

    def accept_many(self, count: int) -> None:
        """So many mails that have been accepted by now."""
        rows = [self._row("local") for _ in range(count)]
        self.store.deliveries.insert([{**row, "state": "accepted"} for row in rows])

    def _row(self, owner: str) -> Delivery:
        now = milliseconds(datetime.now(UTC))
        return pending(
            ids.new_id(ids.DELIVERY),
            owner_id=owner,
            shard=1,
            revision_id=None,
            version=1,
            origin="api",
            recipient="ann@example.org",
            to=[{"email": "ann@example.org", "name": ""}],
            due_at=now,
            not_before=now,
            queue_at=now,
            now=now,
            purge_at=datetime(2099, 1, 1, tzinfo=UTC),
        )

    def moves(self, email_id: str, state: str) -> None:
        """As a settlement writes it."""
        change = [{"$set": {"state": state, "updated_at": "$$NOW"}}]
        self.store.database.deliveries.update_one({"_id": email_id}, change)

    def settles_what_was_told_before(self, email_id: str) -> None:
        """As a settlement writes it whose provider has told of delivery already."""
        change = [{"$set": {"state": "delivered", "receipt": "r1", "updated_at": "$$NOW"}}]
        self.store.database.deliveries.update_one({"_id": email_id}, change)

    def accepted(self, *, owner: str = "local") -> str:
        """A mail that has just been accepted; its id."""
        email_id = self.mail(owner=owner)
        self.moves(email_id, "accepted")
        return email_id

    def is_followed(self) -> bool:
        row = self.store.database.cluster.find_one({"_id": "notifier"})
        return bool(row and row["token"])


@pytest.fixture
def office(territory: Territory) -> Iterator[Office]:
    store = Store.open(load(territory.variables).mongodb)
    store.migrate()
    yield Office(store)
    store.close()


class StartsNotifier(Protocol):
    """Starts a notifier, ready; settings win over the quick ones."""

    def __call__(self, **variables: str) -> Process: ...


@pytest.fixture
def start_notifier(territory: Territory, tmp_path: Path) -> Iterator[StartsNotifier]:
    started: list[Process] = []

    def start(**variables: str) -> Process:
        port = free_port()
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("FENCEPOST_")}
        own = {"FENCEPOST_NOTIFIER__METRICS_PORT": str(port), "PYTHONPATH": str(ROOT)}
        url = f"http://127.0.0.1:{port}"
        process = Process(
            f"notifier-{len(started)}",
            [sys.executable, "-m", "notifier"],
            url=url,
            log=tmp_path / f"notifier-{len(started)}.log",
            ready=partial(probes.http_is_ready, f"{url}/readyz"),
            environment={**inherited, **territory.variables, **QUICK, **LOOPBACK, **own, **variables},
        )
        started.append(process)
        return process.start().wait_ready()

    yield start
    for process in started:
        process.kill()


@pytest.fixture
def consumer() -> Iterator[Callable[..., Consumer]]:
    """A factory of endpoints."""
    started: list[Consumer] = []

    def start(answer: Callable[[Told], int] = lambda _: 204) -> Consumer:
        started.append(Consumer(answer))
        return started[-1]

    yield start
    for each in started:
        each.stop()


@pytest.fixture
def clock() -> SystemClock:
    return SystemClock()
