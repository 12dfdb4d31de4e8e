"""What is read of the collection `deliveries` in memory: the queries of fencepost.store.deliveries.Deliveries."""

from collections.abc import Callable, Collection, Mapping
from datetime import datetime
from typing import Any, TypeVar

from fencepost.deliveries import Delivery, occurrence_of, schedule_of
from tests.simulation.steps import Steps, ask

T = TypeVar("T")
_OPEN = ("pending", "sending")
DOUBTFUL = ("unknown", "held")


class Scans:
    """Each reads all at one moment."""

    def __init__(self) -> None:
        self.rows: dict[str, Delivery] = {}

    def find(self, delivery_id: str) -> Steps[Delivery | None]:
        return (yield from command("read a delivery", lambda: self.rows.get(delivery_id)))

    def open_occurrences(self, schedule_ids: Collection[str]) -> Steps[dict[str, dict[str, int]]]:
        def run() -> dict[str, dict[str, int]]:
            found: dict[str, dict[str, int]] = {}
            for row in self.rows.values():
                if row["schedule_id"] in schedule_ids and row["state"] in _OPEN and row["origin"] == "schedule":
                    of_schedule = found.setdefault(schedule_of(row), {})
                    of_schedule[occurrence_of(row)] = of_schedule.get(occurrence_of(row), 0) + 1
            return found

        return (yield from command("read open occurrences", run))

    def pending(self, shards: Collection[int], now: datetime, limit: int) -> Steps[list[Delivery]]:
        def run() -> list[Delivery]:
            rows = [row for row in self._of(shards, "pending") if row["not_before"] <= now]
            return sorted(rows, key=lambda row: row["queue_at"])[:limit]

        return (yield from command("scan pending", run))

    def next_queued_at(self, shards: Collection[int], after: datetime) -> Steps[datetime | None]:
        def run() -> datetime | None:
            return min(
                (row["not_before"] for row in self._of(shards, "pending") if row["not_before"] > after), default=None
            )

        return (yield from command("next queued", run))

    def overdue(self, tokens: Mapping[int, int], passed: datetime, limit: int) -> Steps[list[Delivery]]:
        def run() -> list[Delivery]:
            rows = self._of(tokens, "sending")
            return [row for row in rows if row["token"] < tokens[row["shard"]] or _before(row["deadline"], passed)][
                :limit
            ]

        return (yield from command("scan overdue", run))

    def doubtful(self, shards: Collection[int], now: datetime, limit: int) -> Steps[list[Delivery]]:
        def run() -> list[Delivery]:
            rows = [row for row in self._of(shards, *DOUBTFUL) if not row["look_up_at"] or row["look_up_at"] <= now]
            waits = [row for row in rows if row["look_up_at"]]
            return ([row for row in rows if not row["look_up_at"]] + sorted(waits, key=_look_up_at))[:limit]

        return (yield from command("scan doubtful", run))

    def claimed(self, shards: Collection[int], claim_ids: Collection[str]) -> Steps[list[Delivery]]:
        def run() -> list[Delivery]:
            return [row for row in self._of(shards, "sending") if row["claim_id"] in claim_ids]

        return (yield from command("scan claimed", run))

    def _of(self, shards: Collection[int], *states: str) -> list[Delivery]:
        return [row for row in self.rows.values() if row["state"] in states and row["shard"] in shards]


def _look_up_at(row: Delivery) -> Any:
    return row["look_up_at"]


def _before(deadline: datetime | None, passed: datetime) -> bool:
    return deadline is not None and deadline < passed


def command(name: str, run: Callable[[], T]) -> Steps[T]:
    return ask("mongodb", run, name)
