"""Occurrences that wait for one another: what is open of a schedule, and putting off what has to wait. In `deliveries`."""

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from pymongo.database import Database

from fencepost.store.deliveries import OPEN
from fencepost.store.mongodb import Document, answering
from fencepost.store.settlements import in_turn


@dataclass(frozen=True, slots=True)
class Waiting:
    """Deliveries by the occurrence that they wait for, or make wait."""

    database: Database[Document]

    def open_occurrences(self, schedule_ids: Collection[str]) -> dict[str, dict[str, int]]:
        """For each of these schedules its own occurrences with mail that is pending or sending, and how many that is."""
        query = {"schedule_id": {"$in": list(schedule_ids)}, "state": {"$in": OPEN}, "origin": "schedule"}
        stages: list[Document] = [
            {"$match": query},
            {"$group": {"_id": "$occurrence_id", "schedule_id": {"$first": "$schedule_id"}, "count": {"$sum": 1}}},
        ]
        found: dict[str, dict[str, int]] = defaultdict(dict)
        with answering():
            for row in self.database.deliveries.aggregate(stages):
                found[row["schedule_id"]][row["_id"]] = row["count"]
        return dict(found)

    def defer(self, occurrence_ids: Collection[str], now: datetime, until: datetime) -> None:
        """Look at what these occurrences have pending by `now` again then, but for what a person ordered, which waits for nothing.
        Its order stays, and what was put off already."""
        query = {
            "occurrence_id": {"$in": list(occurrence_ids)},
            "state": "pending",
            "not_before": {"$lte": now},
            "ordered": {"$ne": True},
        }
        later = {"$add": ["$queue_at", (until - now) // timedelta(milliseconds=1)]}
        with answering():
            self.database.deliveries.update_many(
                query, [{"$set": {"not_before": until, "queue_at": {"$max": [in_turn(until), later]}}}]
            )
