"""A world for senders: a store, a provider and any number of senders, with everything that is due in it on record."""

import os
import sys
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import requests
from redis import Redis

from devstack import probes
from devstack.processes import Process, free_port
from fencepost.coordination.cluster import read_cluster
from fencepost.coordination.etcd import Etcd
from fencepost.coordination.nudges import Nudger
from fencepost.providers import NAMES
from fencepost.schedules import Schedule
from fencepost.settings import load
from fencepost.store import Store
from fencepost.store.schedule_documents import to_document
from tests.support import skewed
from tests.support.eventually import eventually
from tests.support.history import History, Mail, Row, states
from tests.support.nursery import Nursery, Sender
from tests.support.provider import Provider
from tests.support.schedules import definition, schedule

LEASE_TTL_SECONDS = 5
QUICK = {
    # A call must fit into the lease that is left just before it is renewed: 5 - 0.2 - 5/5 seconds.
    "FENCEPOST_SENDER__LEASE_TTL_SECONDS": str(LEASE_TTL_SECONDS),
    "FENCEPOST_SENDER__LEASE_MARGIN_SECONDS": "0.2",
    "FENCEPOST_SENDER__LEASE_CYCLE_SECONDS": "0.2",
    "FENCEPOST_SENDER__CALL_TIMEOUT_SECONDS": "3.5",
    "FENCEPOST_SENDER__CLOCK_SKEW_SECONDS": "0.5",
    "FENCEPOST_SENDER__RETRY_BASE_SECONDS": "0.2",
    "FENCEPOST_SENDER__SHARDS": "8",
    # What is unknown stays so while a test looks at it.
    "FENCEPOST_SETTLEMENT__LOOK_UP_SECONDS": "600",
}
"""Settings under which what takes a quarter of a minute takes seconds."""


class World:
    """Senders and their surroundings. `expected` is every mail that is due in it, as (recipient, instant)."""

    def __init__(self, nursery: Nursery, provider: Provider, folder: Path, variables: Mapping[str, str]) -> None:
        """`variables` are the settings of all its senders. The servers that they name must answer."""
        self.provider = provider
        addresses = {f"FENCEPOST_PROVIDERS__{name.upper()}__BASE_URL": provider.url for name in NAMES}
        addresses |= {
            "FENCEPOST_PROVIDERS__SMTP__BASE_URL": provider.smtp_url,
            "FENCEPOST_PROVIDERS__SMTP__STARTTLS": "none",
        }
        self.variables = {**QUICK, **addresses, **provider.hook_keys.registry, **variables}
        self.settings = load(self.variables)
        self.folder = folder
        self.store = Store.open(self.settings.mongodb)
        self.store.migrate()
        self.senders: list[Sender] = []
        self.expected: list[Mail] = []
        self._nursery = nursery
        self._nudger = Nudger(self.settings.redis)
        self._etcd = Etcd(self.settings.etcd)
        self._schedules = 0
        self._registry: Process | None = None
        self._programs: list[Process] = []
        self._since, self.ledger_from = datetime.fromtimestamp(0, UTC), 0

    def begin(self) -> None:
        """Begin a new chapter: `rows`, `ledger`, `settled` and `judge` are about what is due from now on. Earlier mail must
        have settled."""
        self.expected = []
        self._since, self.ledger_from = datetime.now(UTC), self.provider.accepted()

    # -- senders -----------------------------------------------------------------------------------------------------

    def start(self, count: int = 1, **variables: str) -> list[Sender]:
        """So many more senders, ready; `variables` are settings of theirs: `SEATS="4"` is FENCEPOST_SENDER__SEATS."""
        return [sender.wait_ready() for sender in [self.fork(**variables) for _ in range(count)]]

    def fork(self, failpoint: str = "", clock: str = "", **variables: str) -> Sender:
        """One more sender, begun; it may be a while until it is ready. `clock` names a file for `skewed`."""
        own = {f"FENCEPOST_SENDER__{name}": value for name, value in variables.items()}
        if failpoint:
            own["FENCEPOST_FAILPOINT"] = failpoint
        if clock:
            own[skewed.FILE] = clock
        name = f"sender-{len(self.senders) + 1}"
        self.senders.append(self._nursery.fork(name, self.folder, {**self.variables, **own}))
        return self.senders[-1]

    def program(self, **variables: str) -> Process:
        """One more sender as it is started everywhere else, `python -m sender`, ready."""
        port = free_port()
        own = {f"FENCEPOST_SENDER__{name}": value for name, value in {"METRICS_PORT": str(port), **variables}.items()}
        self._programs.append(
            Process(
                "sender",
                [sys.executable, "-m", "sender"],
                url=f"http://127.0.0.1:{port}",
                log=self.folder / f"program-{len(self._programs) + 1}.log",
                ready=partial(probes.http_is_ready, f"http://127.0.0.1:{port}/readyz"),
                environment={**os.environ, **self.variables, **own},
            )
        )
        return self._programs[-1].start().wait_ready()

    def shards_of(self, *senders: Sender | Process) -> list[int]:
        """Which shards these hold by now."""
        names = {f"-{sender.pid}-" for sender in senders}
        return [
            view.shard
            for view in read_cluster(self._etcd).shards
            if view.holder and any(name in view.holder for name in names)
        ]

    def balanced(self, *senders: Sender | Process, seconds: float = 60) -> None:
        """Wait until each of these senders, and nobody else, holds its share of the shards."""

        def check() -> bool:
            shares = [len(self.shards_of(sender)) for sender in senders]
            assert sum(shares) == self.settings.sender.shards, shares
            assert max(shares) - min(shares) <= 1, shares
            return True

        eventually(check, seconds=seconds, every=0.1)

    def readiness(self, sender: Sender) -> dict[str, Any]:
        """What /readyz of a sender says: `status`, and `checks` by name; nothing yet from one that has just begun."""
        try:
            body: dict[str, Any] = requests.get(f"{sender.url}/readyz", timeout=5).json()
        except requests.ConnectionError:
            return {"status": "not there", "checks": {}}
        return body

    # -- the registry ------------------------------------------------------------------------------------------------

    def start_registry(self, *, tracking: bool = False) -> None:
        """From now on there is a registry for `call`; with `tracking` the provider tells it what becomes of mail."""
        port = free_port()
        self._registry = Process(
            "registry",
            [sys.executable, "-m", "registry"],
            url=f"http://127.0.0.1:{port}",
            log=self.folder / "registry.log",
            ready=partial(probes.http_is_ready, f"http://127.0.0.1:{port}/readyz"),
            environment={**os.environ, **self.variables, "FENCEPOST_REGISTRY__PORT": str(port)},
        )
        self._registry.start().wait_ready()
        self.provider.tell(self.registry_url if tracking else None)

    @property
    def registry_url(self) -> str:
        assert self._registry
        return self._registry.url

    def call(self, method: str, path: str, body: object = None) -> Any:
        """What the registry answers; anything but success is an AssertionError."""
        answer = requests.request(method, f"{self.registry_url}{path}", json=body, timeout=30)
        assert answer.ok, answer.text
        return answer.json()

    # -- schedules ---------------------------------------------------------------------------------------------------

    def soon(self, seconds: float = 1) -> datetime:
        """The first whole second that is at least so far away."""
        return (datetime.now(UTC) + timedelta(seconds=seconds + 1)).replace(microsecond=0)

    def once(
        self, count: int, due: datetime, *, to: int = 1, shards: Sequence[int] = (), **changes: Any
    ) -> list[Schedule]:
        """Write so many schedules that are due once, at that instant, with `to` recipients each; if `shards` are named, all of
        them in one of those."""
        recurrence = {"type": "once", "at": due.isoformat()}
        made = self.write(count, due - timedelta(hours=1), to=to, shards=shards, recurrence=recurrence, **changes)
        self.expect(made, due)
        return made

    def write(
        self, count: int, created: datetime, *, to: int = 1, shards: Sequence[int] = (), **changes: Any
    ) -> list[Schedule]:
        """Write so many schedules as the registry would have at `created`, and nudge the senders. Nothing is expected of
        them until `expect`."""
        made = self.make(count, created, to=to, shards=shards, **changes)
        self.put(made)
        return made

    def make(
        self,
        count: int,
        created: datetime,
        *,
        to: int = 1,
        shards: Sequence[int] = (),
        fields: Mapping[str, Any] | None = None,
        **changes: Any,
    ) -> list[Schedule]:
        """So many schedules that are not written yet; `fields` are those of the schedule, `changes` those of its definition."""
        made: list[Schedule] = []
        while len(made) < count:
            text = definition(to=[f"s{self._schedules}-{number}@example.com" for number in range(to)], **changes)
            one = schedule(created, text, shards=self.settings.sender.shards, **(fields or {}))
            if not shards or one.shard in shards:
                made.append(one)
                self._schedules += 1
        return made

    def put(self, schedules: Sequence[Schedule]) -> None:
        """Write these schedules, each with the revision that its version names, and nudge the senders."""
        database = self.store.database
        database.schedule_revisions.insert_many(
            {
                "_id": one.versions[-1].revision_id,
                "schedule_id": one.id,
                "definition": dict(one.definition),
                "anchor": one.created_at,
            }
            for one in schedules
        )
        database.schedules.insert_many(to_document(one) for one in schedules)
        self.nudge()

    def nudge(self) -> None:
        """Wake the senders."""
        self._nudger.publish()

    def expect(self, schedules: Sequence[Schedule], *instants: datetime) -> None:
        """Every recipient of these schedules is to get a mail for each of these instants."""
        self.expected += [
            (to["email"], instant)
            for one in schedules
            for to in one.definition["message"]["to"]
            for instant in instants
        ]

    # -- what became of it -------------------------------------------------------------------------------------------

    def rows(self, **query: Any) -> list[Row]:
        """The deliveries on record."""
        return list(self.store.database.deliveries.find({"due_at": {"$gte": self._since}, **query}))

    def ledger(self) -> list[dict[str, Any]]:
        """What the provider accepted."""
        return self.provider.ledger(self.ledger_from)

    def counts(self) -> Counter[str]:
        """How many deliveries are in which state."""
        chapter, by_state = {"due_at": {"$gte": self._since}}, {"_id": "$state", "count": {"$sum": 1}}
        grouped = self.store.database.deliveries.aggregate([{"$match": chapter}, {"$group": by_state}])
        return Counter({row["_id"]: row["count"] for row in grouped})

    def not_fenced(self) -> set[str]:
        """The deliveries of which the fence has no record, asked directly: no call can have been made for them."""
        rows = self.rows()
        with Redis.from_url(self.settings.redis.url.get_secret_value()) as redis:
            records = redis.mget([f"f:d:{row['_id']}" for row in rows]) if rows else []
        return {row["_id"] for row, record in zip(rows, records, strict=True) if record is None}

    def unknown(self) -> dict[int, list[str]]:
        """Why deliveries are unknown, by the process whose attempt that was."""
        found: dict[int, list[str]] = defaultdict(list)
        for row in self.rows(state="unknown"):
            found[int(row["attempts"][-1]["sender"].split("-")[-2])].append(row["reason"])
        return found

    def wait_under_way(self, count: int, seconds: float = 30) -> None:
        """Wait until so many deliveries are under way at once."""
        eventually(lambda: self.counts()["sending"] >= count, seconds=seconds, every=0.02)

    def settled(self, seconds: float = 30) -> list[Row]:
        """Wait until everything that is expected is on record, and nothing of it is still to be sent; the rows."""

        def check() -> bool:
            counts = self.counts()
            assert counts.total() >= len(self.expected), f"{len(self.expected)} are expected: {counts}"
            assert not counts["pending"] + counts["sending"], counts
            return True

        eventually(check, seconds=seconds, every=0.1)
        return self.rows()

    def judge(self, *, unknown_at_most: int = 0) -> list[Row]:
        """Raise AssertionError unless the history of this world is as it should be; the rows."""
        rows = self.rows()
        history = History(self.expected, rows, self.ledger(), self.provider.requests(), unknown_at_most)
        problems = history.problems()
        assert not problems, f"{len(problems)} problems, {states(rows)}:\n" + "\n".join(problems[:30])
        return rows

    def close(self) -> None:
        for sender in self.senders:
            if sender.alive:
                sender.kill()
        for process in (*self._programs, self._registry):
            if process:
                process.kill()
        self._nudger.close()
        self._etcd.close()
        self.store.close()
