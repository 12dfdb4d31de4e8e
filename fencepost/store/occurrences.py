"""The collection `occurrences`: one record for each instant at which a schedule was due, or for a run of skipped ones."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import cast

from pymongo import ASCENDING, DESCENDING, IndexModel, UpdateOne
from pymongo.database import Database

from fencepost import ids
from fencepost.errors import NotFound
from fencepost.occurrences import SCHEMA, Occurrence, Origin
from fencepost.schedules import Schedule
from fencepost.store.mongodb import Document, answering, insert_missing
from fencepost.store.pages import Cursor, Page, page

INDEXES = [
    IndexModel([("schedule_id", ASCENDING), ("at", DESCENDING), ("_id", DESCENDING)], name="of_schedule"),
    # Of all that ran there may be a lot; the runs of skips before an instant are few.
    IndexModel(
        [("schedule_id", ASCENDING), ("at", DESCENDING)],
        name="skips_of_schedule",
        partialFilterExpression={"state": "skipped"},
    ),
    IndexModel([("purge_at", ASCENDING)], name="purge", expireAfterSeconds=0),
]


@dataclass(frozen=True, slots=True)
class Occurrences:
    """Occurrences by id and by schedule."""

    database: Database[Document]

    def insert(self, rows: Sequence[Occurrence]) -> None:
        """W1: insert them all the same, whichever are there already."""
        if rows:
            insert_missing(self.database.occurrences, cast("list[Document]", rows))

    def record_skips(self, schedules: Iterable[Schedule], now: datetime, retention: timedelta) -> None:
        """Put on record what W2 decided to skip. The schedule holds it until its next plan, so this is repeated freely. A run
        of skips only grows: whoever comes late with what it was before takes nothing away."""
        updates = [
            _skip(schedule, index, now, retention) for schedule in schedules for index in range(len(schedule.skips))
        ]
        if updates:
            with answering():
                self.database.occurrences.bulk_write(updates, ordered=False)

    def skipped(self, instants: Iterable[tuple[str, datetime]]) -> set[tuple[str, datetime]]:
        """Which of these (schedule id, instant) fall into a run of skips on record."""
        wanted = list(instants)
        if not wanted:
            return set()
        choices = [
            {"schedule_id": schedule_id, "at": {"$lte": at}, "to": {"$gte": at}, "state": "skipped"}
            for schedule_id, at in wanted
        ]
        with answering():
            rows = list(self.database.occurrences.find({"$or": choices}, {"schedule_id": 1, "at": 1, "to": 1}))
        return {
            (schedule_id, at)
            for schedule_id, at in wanted
            if any(row["schedule_id"] == schedule_id and row["at"] <= at <= row["to"] for row in rows)
        }

    def on_record(
        self, schedule_id: str, first: datetime, last: datetime, *, but_of: str | None = None
    ) -> set[datetime]:
        """The instants from `first` to `last` that ran, as planned by the schedule or backfilled; without what the backfill
        `but_of` itself made."""
        query = {
            "schedule_id": schedule_id,
            "at": {"$gte": first, "$lte": last},
            "state": "planned",
            "origin": {"$in": [Origin.SCHEDULE.value, Origin.BACKFILL.value]},
        }
        with answering():
            rows = self.database.occurrences.find(query, {"at": 1, "backfill_id": 1})
            return {row["at"] for row in rows if but_of is None or row.get("backfill_id") != but_of}

    def get(self, owner_id: str, occurrence_id: str) -> Occurrence:
        """Raises NotFound, also for another owner's."""
        with answering():
            row = self.database.occurrences.find_one({"_id": occurrence_id, "owner_id": owner_id})
        if row is None:
            raise NotFound(f"there is no occurrence {occurrence_id}")
        return cast("Occurrence", row)

    def skip_reason(self, schedule_id: str, at: datetime) -> str | None:
        """Why the instant was skipped, if that is on record."""
        query = {"schedule_id": schedule_id, "state": "skipped", "at": {"$lte": at}, "to": {"$gte": at}}
        with answering():
            row = self.database.occurrences.find_one(query, {"reason": 1}, sort=[("at", -1)])
        return row["reason"] if row else None

    def page_of(
        self, owner_id: str, schedule_id: str, state: str | None, limit: int, cursor: Cursor | None
    ) -> Page[Occurrence]:
        """A schedule's occurrences, latest first."""
        query: Document = {"schedule_id": schedule_id, "owner_id": owner_id} | ({"state": state} if state else {})
        keys = [("at", DESCENDING), ("_id", DESCENDING)]
        return page(self.database.occurrences, query, keys, limit, cursor, lambda row: cast("Occurrence", row))


def _skip(schedule: Schedule, index: int, now: datetime, retention: timedelta) -> UpdateOne:
    skip = schedule.skips[index]
    always = {
        "state": "skipped",
        "reason": skip.reason.value,
        "updated_at": now,
    }
    grows = {"to": skip.last, "count": skip.count, "purge_at": skip.last + retention}
    once = {
        "owner_id": schedule.owner_id,
        "schema": SCHEMA,
        "created_at": now,
        "schedule_id": schedule.id,
        "revision_id": None,
        "version": schedule.version,
        "origin": Origin.SCHEDULE.value,
        "at": skip.first,
        "deliveries": 0,
    }
    return UpdateOne(
        {"_id": ids.occurrence_id(schedule.id, skip.first)},
        {"$set": always, "$max": grows, "$setOnInsert": once},
        upsert=True,
    )
