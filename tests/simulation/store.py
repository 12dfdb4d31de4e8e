"""The store in memory: the parts of fencepost.store.Store that senders, and people who edit, make use of."""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, TypeVar

from fencepost import ids
from fencepost.errors import Conflict
from fencepost.events import Event
from fencepost.generations import Generation
from fencepost.occurrences import Occurrence
from fencepost.planning import Plan
from fencepost.schedules import Schedule, Stop
from fencepost.store.revisions import Revision
from tests.simulation.clocks import Time
from tests.simulation.deliveries import Deliveries, Watcher
from tests.simulation.steps import Steps, ask

T = TypeVar("T")
ScheduleWatcher = Callable[[Schedule | None, Schedule], None]


class Schedules:
    """fencepost.store.schedules.Schedules."""

    def __init__(self, watcher: ScheduleWatcher = lambda _before, _after: None) -> None:
        self._watcher = watcher
        self.rows: dict[str, Schedule] = {}

    def create(self, schedule: Schedule) -> Steps[None]:
        yield from _command("create a schedule", lambda: self._write(None, schedule))

    def find(self, schedule_ids: Collection[str]) -> Steps[dict[str, Schedule]]:
        def run() -> dict[str, Schedule]:
            return {name: self.rows[name] for name in schedule_ids if name in self.rows}

        return (yield from _command("read schedules", run))

    def due(self, shards: Collection[int], now: datetime, limit: int) -> Steps[list[Schedule]]:
        def run() -> list[Schedule]:
            due = [(row.next_run_at, row) for row in self.rows.values() if row.next_run_at and row.shard in shards]
            return [row for at, row in sorted(due, key=lambda pair: pair[0]) if at <= now][:limit]

        return (yield from _command("scan due", run))

    def next_due_at(self, shards: Collection[int]) -> Steps[datetime | None]:
        def run() -> datetime | None:
            instants = [row.next_run_at for row in self.rows.values() if row.next_run_at and row.shard in shards]
            return min(instants, default=None)

        return (yield from _command("next due", run))

    def advance(self, plans: Sequence[Plan]) -> Steps[set[str]]:
        groups: dict[tuple[datetime | None, int], list[Plan]] = defaultdict(list)
        for plan in plans:
            groups[plan.schedule.next_run_at, plan.schedule.version].append(plan)
        advanced: set[str] = set()
        for (instant, version), group in groups.items():
            names = {plan.schedule.id for plan in group}
            matched: int = yield from _command("W2 advance", self._advancing(group, instant, version))
            if matched < len(group):
                rows: dict[str, Schedule] = yield from _command("W2 read back", lambda: dict(self.rows))
                names = {plan.schedule.id for plan in group if _stands(rows.get(plan.schedule.id), plan, version)}
            advanced |= names
        return advanced

    def _advancing(self, plans: Sequence[Plan], instant: datetime | None, version: int) -> Callable[[], int]:
        def run() -> int:
            matched = 0
            for plan in plans:
                row = self.rows.get(plan.schedule.id)
                if row is None or not self.may_advance(row, instant, version):
                    continue
                matched += 1
                after = plan.after
                self._write(
                    row,
                    replace(
                        row,
                        next_run_at=after.next_run_at,
                        last_run_at=after.last_run_at,
                        occurrence_count=after.occurrence_count,
                        finished_at=after.finished_at,
                        skips=after.skips,
                    ),
                )
            return matched

        return run

    def may_advance(self, row: Schedule, instant: datetime | None, version: int) -> bool:
        """W2's guard."""
        return row.next_run_at == instant and row.version == version

    def write_edit(self, before: Schedule, after: Schedule) -> Steps[None]:
        def run() -> bool:
            row = self.rows.get(before.id)
            if row is None or (row.version, row.next_run_at, row.last_run_at) != (
                before.version,
                before.next_run_at,
                before.last_run_at,
            ):
                return False
            progress = {name: getattr(row, name) for name in ("last_run_at", "occurrence_count", "skips")}
            self._write(row, replace(after, **progress))
            return True

        if not (yield from _command("write the edit", run)):
            raise Conflict(f"schedule {before.id} has changed since version {before.version} was read")

    def finished(self, shards: Collection[int], now: datetime) -> Steps[list[Schedule]]:
        def run() -> list[Schedule]:
            return [
                row for row in self.rows.values() if row.finished_at and row.finished_at <= now and row.shard in shards
            ]

        return (yield from _command("scan finished", run))

    def quarantine(self, schedule: Schedule, reason: str, now: datetime) -> Steps[None]:
        def run() -> None:
            row = self.rows.get(schedule.id)
            if row and (row.next_run_at, row.version) == (schedule.next_run_at, schedule.version):
                stop = Stop(now, reason)
                self._write(
                    row, replace(row, next_run_at=None, quarantined=stop, quarantined_instant=schedule.next_run_at)
                )

        yield from _command("quarantine", run)

    def _write(self, before: Schedule | None, after: Schedule) -> None:
        self.rows[after.id] = after
        self._watcher(before, after)


def _stands(row: Schedule | None, plan: Plan, version: int) -> bool:
    return (
        row is not None
        and row.version == version
        and all(
            getattr(row, name) == getattr(plan.after, name)
            for name in ("last_run_at", "next_run_at", "occurrence_count", "skips")
        )
    )


class Occurrences:
    """fencepost.store.occurrences.Occurrences."""

    def __init__(self) -> None:
        self.rows: dict[str, dict[str, Any]] = {}

    def insert(self, rows: Sequence[Occurrence]) -> Steps[None]:
        def run() -> None:
            for row in rows:
                self.rows.setdefault(row["_id"], {**row})

        if rows:
            yield from _command("W1 insert occurrences", run)

    def record_skips(self, schedules: Iterable[Schedule], now: datetime, retention: timedelta) -> Steps[None]:
        found = [(schedule, skip) for schedule in schedules for skip in schedule.skips]

        def run() -> None:
            for schedule, skip in found:
                name = ids.occurrence_id(schedule.id, skip.first)
                first = {"_id": name, "schedule_id": schedule.id, "at": skip.first, "deliveries": 0}
                row = self.rows.get(name, {**first, "to": skip.last, "count": skip.count})
                self.rows[name] = {
                    **row,
                    "state": "skipped",
                    "reason": skip.reason.value,
                    "to": max(row["to"], skip.last),
                    "count": max(row["count"], skip.count),
                }

        if found:
            yield from _command("record skips", run)

    def skipped(self, instants: Iterable[tuple[str, datetime]]) -> Steps[set[tuple[str, datetime]]]:
        wanted = list(instants)

        def run() -> set[tuple[str, datetime]]:
            skips = [row for row in self.rows.values() if row["state"] == "skipped"]
            return {
                (name, at)
                for name, at in wanted
                if any(row["schedule_id"] == name and row["at"] <= at <= row["to"] for row in skips)
            }

        return (yield from _command("read skips", run))


class Records:
    """Revisions, events and generations: written once, or compared and set."""

    def __init__(self) -> None:
        self.revisions: dict[str, Revision] = {}
        self.events: dict[str, list[Event]] = {}
        self.generation = Generation(1, "first")

    def append(self, revision: Revision) -> Steps[None]:
        yield from _command("append a revision", lambda: self.revisions.update({revision.id: revision}))

    def find(self, revision_ids: Collection[str]) -> Steps[dict[str, Revision]]:
        def run() -> dict[str, Revision]:
            return {name: self.revisions[name] for name in revision_ids if name in self.revisions}

        return (yield from _command("read revisions", run))

    def told(self, event: Event) -> None:
        """It is on record, once."""
        known = self.events.get(event.delivery_id, [])
        if event.id not in {other.id for other in known}:
            self.events[event.delivery_id] = [*known, event]

    def insert(self, event: Event) -> Steps[None]:
        yield from _command("put an event on record", lambda: self.told(event))

    def events_of(self, delivery_ids: Collection[str]) -> Steps[dict[str, list[Event]]]:
        def run() -> dict[str, list[Event]]:
            return {name: self.events[name] for name in delivery_ids if name in self.events}

        return (yield from _command("read events", run))

    def current_generation(self) -> Steps[Generation]:
        return (yield from _command("read the generation", lambda: self.generation))

    def raise_generation(self, seen: Generation, nonce: str) -> Steps[Generation]:
        def run() -> Generation:
            if (self.generation.value, self.generation.nonce) == (seen.value, seen.nonce):
                self.generation = Generation(seen.value + 1, nonce)
            return self.generation

        return (yield from _command("raise the generation", run))

    def record_revision(self, value: int, revision: int) -> Steps[None]:
        def run() -> None:
            if self.generation.value == value and revision > self.generation.highest_revision:
                self.generation = replace(self.generation, highest_revision=revision)

        yield from _command("record the highest revision", run)


class SimulatedStore:
    """All collections of one database. `deliveries` and `schedules` may be variants in which a guard is missing."""

    def __init__(
        self,
        time: Time,
        *,
        deliveries: type[Deliveries] = Deliveries,
        schedules: type[Schedules] = Schedules,
        on_delivery: Watcher = lambda _before, _after: None,
        on_schedule: ScheduleWatcher = lambda _before, _after: None,
    ) -> None:
        self._time = time
        self.deliveries = deliveries(time, on_delivery)
        self.schedules = schedules(on_schedule)
        self.occurrences = Occurrences()
        self.records = Records()

    def now(self) -> Steps[datetime]:
        """What the server's clock says."""
        return (yield from _command("server's time", lambda: self._time.instant))


def _command(name: str, run: Callable[[], T]) -> Steps[T]:
    return ask("mongodb", run, name)
