"""An auditor's rounds on a real store, at whatever time a test says; and whole auditors beside whole senders."""

import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import pytest

from auditor.gauges import Gauges
from auditor.rounds import Rounds
from devstack import probes
from devstack.processes import Process, free_port
from fencepost import ids, occurrences
from fencepost.definitions import rule_of
from fencepost.findings import Finding, Recorded
from fencepost.metrics import Metrics
from fencepost.occurrences import Origin
from fencepost.planning import Limits, plan
from fencepost.schedules import Schedule
from fencepost.settings import Settings
from fencepost.store import Store
from fencepost.store.audit import Progress
from fencepost.store.schedule_documents import to_document
from tests.support.schedules import at, definition, schedule
from tests.support.world import World
from tests.support.worlds import _provider, make_world, nursery, provider, world

__all__ = ["_provider", "make_world", "nursery", "provider", "world"]

SHARDS = 64
START = at("2026-03-02 08:00")
RETENTION = timedelta(days=36_500)


@dataclass
class Desk:
    """An auditor that rounds when it is told to, and a store that a sender has written to as a test says."""

    store: Store
    rounds: Rounds
    served: list[int]
    progress: Progress = field(
        default_factory=lambda: Progress(walked_until=START, read_until={"60s": START, "3600s": START})
    )

    def write(self, count: int = 1, **changes: Any) -> list[Schedule]:
        """So many schedules, made at eight o'clock, with their revisions."""
        made = [schedule(START, definition(**changes), shards=SHARDS) for _ in range(count)]
        database = self.store.database
        database.schedule_revisions.insert_many(
            {
                "_id": one.versions[0].revision_id,
                "schedule_id": one.id,
                "definition": dict(one.definition),
                "anchor": START,
            }
            for one in made
        )
        database.schedules.insert_many(to_document(one) for one in made)
        return made

    def send(self, one: Schedule, now: datetime, *, state: str = "accepted", advance: bool = True) -> None:
        """What a sender does with a schedule by then: its plan on record, every mail in this state."""
        current = self.store.schedules.get("local", one.id)
        decided = plan(current, lambda _version: _rule(current), now, Limits())
        assert decided
        for instant, version in decided.runs:
            occurrence = occurrences.occurrence(
                ids.occurrence_id(one.id, instant),
                owner_id="local",
                schedule_id=one.id,
                revision_id=version.revision_id,
                version=version.no,
                origin=Origin.SCHEDULE,
                at=instant,
                deliveries=len(occurrences.recipients(one.definition)),
                now=now,
                retention=RETENTION,
            )
            rows = list(occurrences.deliveries(occurrence, one.definition, shard=one.shard, shards=SHARDS, now=now))
            self.store.occurrences.insert([occurrence])
            self.store.deliveries.insert([{**row, "state": state} for row in rows])
        if advance:
            self.store.schedules.advance([decided])
            self.store.occurrences.record_skips([decided.after], now, RETENTION)

    def round(self, now: datetime) -> list[Finding]:
        """One round at that time; what is open after it."""
        done = self.rounds.run(self.progress, lambda: now, lambda: True)
        assert done
        self.progress = done
        return [one.finding for one in self.open()]

    def open(self) -> list[Recorded]:
        return self.store.findings.open(1000)

    def alarms(self) -> dict[str, str]:
        return {alarm["kind"]: alarm["detail"] for alarm in self.store.cluster.alarms()}

    def totals(self) -> dict[str, int]:
        """What was proved so far."""
        hours = self.progress.hours.values()
        return {name: sum(hour[name] for hour in hours) for name in ("expected", "on_record", "skipped")}


def _rule(one: Schedule) -> Any:
    return rule_of(one.definition, one.created_at)


@pytest.fixture
def desk(settings: Settings) -> Iterator[Desk]:
    store = Store.open(settings.mongodb)
    store.migrate()
    served = list(range(SHARDS))
    yield Desk(store, Rounds(settings, store, Gauges(Metrics(), lambda: 0.0), SHARDS, lambda: served), served)
    store.close()


class StartsAuditor(Protocol):
    """Starts `python -m auditor` in a world, ready; `variables` are settings of its own: `GRACE_SECONDS="1"`."""

    def __call__(self, world: World, **variables: str) -> Process: ...


@pytest.fixture
def start_auditor(tmp_path: Path) -> Iterator[StartsAuditor]:
    started: list[Process] = []

    def start(world: World, **variables: str) -> Process:
        port = free_port()
        own = {f"FENCEPOST_AUDITOR__{name}": value for name, value in {"METRICS_PORT": str(port), **variables}.items()}
        process = Process(
            "auditor",
            [sys.executable, "-m", "auditor"],
            url=f"http://127.0.0.1:{port}",
            log=tmp_path / f"auditor-{len(started) + 1}.log",
            ready=partial(probes.http_is_ready, f"http://127.0.0.1:{port}/readyz"),
            environment={**os.environ, **world.variables, **own},
        )
        started.append(process)
        return process.start().wait_ready()

    yield start
    for process in started:
        process.kill()
