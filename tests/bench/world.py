"""What a benchmark runs on: real servers, senders, a stub of the provider, and schedules that are due when it says so."""

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import requests

from devstack.processes import Process
from devstack.servers import Servers, start_servers
from devstack.stack import Ports, Stack
from fencepost import ids
from fencepost.settings import load
from fencepost.store import Store
from fencepost.store.schedule_documents import to_document
from tests.bench import stub
from tests.support.schedules import definition, schedule
from tests.support.territory import Territory

SHARDS = 16
"""Fewer than usual: two senders share them out within seconds."""


@contextmanager
def provider(latency_ms: float) -> Iterator[tuple[str, int]]:
    """A stub of the provider: its address and its process id."""
    command = [sys.executable, "-m", "tests.bench.stub", "--latency-ms", str(latency_ms)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip(), process.pid
        finally:
            process.terminate()


@contextmanager
def local_servers() -> Iterator[tuple[Servers, list[Process]]]:
    """MongoDB, etcd and Redis with data of their own, thrown away afterwards."""
    started: list[Process] = []
    with tempfile.TemporaryDirectory(prefix="fencepost-bench-") as folder:
        try:
            yield start_servers(Path(folder), {}, started), started
        finally:
            for process in started:
                process.kill()


def cpu_seconds(pid: int) -> float:
    """User and system time of a process, from /proc."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / 100


@dataclass
class World:
    """Two senders on one database, calling one stub."""

    servers: Servers
    server_processes: Sequence[Process]
    territory: Territory
    folder: Path
    stub_url: str
    stub_pid: int

    def __post_init__(self) -> None:
        variables = {
            **self.territory.variables,
            "FENCEPOST_PROVIDERS__MAILGUN__BASE_URL": self.stub_url,
            "FENCEPOST_SENDER__SHARDS": str(SHARDS),
            "FENCEPOST_LOGGING__LEVEL": "warning",
        }
        self.store = Store.open(load(variables).mongodb)
        self.store.migrate()
        self._stack = Stack(self.folder, variables, ports=Ports.free(), senders=2, frontend=False)

    @contextmanager
    def senders(self) -> Iterator[None]:
        """Two senders that have shared out the shards."""
        try:
            for sender in self._stack.senders:
                sender.start()
            for sender in self._stack.senders:
                sender.wait_ready()
            deadline = time.monotonic() + 120
            while max(map(self._shards_of, self._stack.senders)) > SHARDS // 2:
                if time.monotonic() > deadline:
                    raise TimeoutError("the senders have not shared out the shards")
                time.sleep(0.25)
            yield
        finally:
            self._stack.kill()

    @contextmanager
    def registry(self) -> Iterator[str]:
        """A registry; its address."""
        try:
            self._stack.registry.start().wait_ready()
            yield self._stack.registry_url
        finally:
            self._stack.registry.kill()

    def _shards_of(self, sender: Process) -> float:
        lines = requests.get(f"{sender.url}/metrics", timeout=5).text.splitlines()
        return next(float(line.split()[1]) for line in lines if line.startswith("fencepost_sender_shards "))

    def seed(self, instants: Sequence[datetime]) -> None:
        """One daily schedule for each of these instants (whole seconds), its next run."""
        now = datetime.now(UTC).replace(microsecond=0)
        daily = {"type": "interval", "every": "1d"}
        texts = {instant: definition(recurrence=daily, starts_at=instant.isoformat()) for instant in set(instants)}
        made = [schedule(now, texts[instant], shards=SHARDS, next_run_at=instant) for instant in instants]
        revisions = [
            {
                "_id": one.versions[0].revision_id,
                "schedule_id": one.id,
                "definition": dict(one.definition),
                "anchor": now,
            }
            for one in made
        ]
        for start in range(0, len(made), 2000):
            self.store.database.schedules.insert_many([to_document(one) for one in made[start : start + 2000]])
            self.store.database.schedule_revisions.insert_many(revisions[start : start + 2000])

    def add_ballast(self, count: int) -> None:
        """So many schedules that are not due for a year."""
        now = datetime.now(UTC).replace(microsecond=0)
        row = to_document(schedule(now, definition(), shards=SHARDS))
        for start in range(0, count, 5000):
            rows = []
            for index in range(start, min(count, start + 5000)):
                schedule_id = ids.new_id(ids.SCHEDULE)
                rows.append(
                    {
                        **row,
                        "_id": schedule_id,
                        "shard": ids.shard_of(schedule_id, SHARDS),
                        "next_run_at": now + timedelta(days=365, seconds=index),
                    }
                )
            self.store.database.schedules.insert_many(rows, ordered=False)

    def cpu(self) -> Mapping[str, float]:
        """CPU seconds so far: of both senders, of each server, of the stub."""
        used = {process.name: cpu_seconds(process.pid) for process in self.server_processes}
        used["senders"] = sum(cpu_seconds(sender.pid) for sender in self._stack.senders)
        return used | {"stub": cpu_seconds(self.stub_pid)}

    def wait_for(self, mails: int, seconds: float = 300) -> dict[str, Any]:
        """What the stub counted once it has so many."""
        deadline = time.monotonic() + seconds
        while True:
            seen = stub.counts(self.stub_url)
            if int(str(seen["requests"])) >= mails:
                return seen
            if time.monotonic() > deadline:
                raise TimeoutError(f"only {seen['requests']} of {mails} mails came")
            time.sleep(0.1)

    def accepted(self) -> int:
        """Deliveries that are on record as accepted."""
        return self.store.database.deliveries.count_documents({"state": "accepted"})
