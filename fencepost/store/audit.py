"""What an audit reads, in slices that stay small however much is on record, and how far it has come."""

from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, cast

from pymongo.database import Database
from pymongo.errors import DuplicateKeyError

from fencepost import ids
from fencepost.deliveries import Delivery
from fencepost.findings import Mails
from fencepost.occurrences import Occurrence, Origin
from fencepost.schedules import Schedule
from fencepost.store.mongodb import Document, answering
from fencepost.store.revisions import Revision, revision_of
from fencepost.store.schedule_documents import from_document

ID = "auditor"
_WITHOUT_MAIL = {"definition.message": 0}
_ABSENT: Document = {
    "shard": -1,
    "next_run_at": None,
    "last_run_at": None,
    "occurrence_count": 0,
    "skips": [],
    "paused": None,
    "deleted": None,
    "quarantined": None,
    "quarantined_instant": None,
    "finished_at": None,
    "archived_at": None,
}
"""An audit must be able to read what is not as it should be."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the audit has come, and what it proved. `hours` counts instants by the hour (ISO 8601) in which they were proved."""

    walked_until: datetime | None = None
    """Every instant up to here has been compared with the record."""
    read_until: Mapping[str, datetime] = field(default_factory=dict)
    """For each look at the record: every occurrence up to here has been compared with the definitions."""
    last_round_at: datetime | None = None
    seconds: float = 0.0
    schedules: int = 0
    hours: Mapping[str, Mapping[str, int]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Audits:
    """The auditor's lease, its progress, and its reads."""

    database: Database[Document]

    # -- who audits, and how far -----------------------------------------------------------------------------------------

    def acquire(self, holder: str, lease: timedelta) -> Progress | None:
        """Become the one that audits, or go on being it, for so long by the server's clock; None: another is."""
        free: Document = {"$or": [{"holder": holder}, {"$expr": {"$lt": ["$lease_until", "$$NOW"]}}]}
        taken = {"holder": holder, "lease_until": {"$add": ["$$NOW", round(lease.total_seconds() * 1000)]}}
        with answering():
            with suppress(DuplicateKeyError):
                self.database.cluster.insert_one({"_id": ID, "holder": "", "lease_until": _EPOCH})
            row = self.database.cluster.find_one_and_update(
                {"_id": ID, **free}, [{"$set": taken}], return_document=True
            )
        return _progress(row) if row else None

    def save(self, holder: str, progress: Progress) -> bool:
        """Put progress on record; False if another audits by now."""
        fields = {name: getattr(progress, name) for name in Progress.__slots__}
        with answering():
            result = self.database.cluster.update_one({"_id": ID, "holder": holder}, {"$set": fields})
        return result.matched_count == 1

    def release(self, holder: str) -> None:
        """Let another audit at once."""
        with answering():
            self.database.cluster.update_one({"_id": ID, "holder": holder}, {"$set": {"lease_until": _EPOCH}})

    def progress(self) -> Progress | None:
        """None before the first auditor."""
        with answering():
            row = self.database.cluster.find_one({"_id": ID})
        return _progress(row) if row else None

    # -- definitions -----------------------------------------------------------------------------------------------------

    def slice(self, after: str, limit: int) -> list[Document]:
        """The next live schedules by id, as they are stored but without their mails."""
        with answering():
            rows = self.database.schedules.find({"_id": {"$gt": after}}, _WITHOUT_MAIL).sort("_id", 1).limit(limit)
            return list(rows)

    def archived_since(self, instant: datetime) -> Iterator[Document]:
        """Schedules that went to the archive from then on."""
        with answering():
            yield from self.database.archive.find({"archived_at": {"$gte": instant}}, _WITHOUT_MAIL).sort(
                "archived_at", 1
            )

    def schedules(self, schedule_ids: Collection[str]) -> dict[str, Schedule]:
        """Those that exist, live or archived, without their mails."""
        query: Document = {"_id": {"$in": list(schedule_ids)}}
        with answering():
            # Live first: archiving inserts before it deletes. And once more, for what was restored in between.
            found = {row["_id"]: row for row in self.database.schedules.find(query, _WITHOUT_MAIL)}
            if len(found) < len(schedule_ids):
                found = {row["_id"]: row for row in self.database.archive.find(query, _WITHOUT_MAIL)} | found
            if len(found) < len(schedule_ids):
                found |= {row["_id"]: row for row in self.database.schedules.find(query, _WITHOUT_MAIL)}
        return {name: tolerant(row) for name, row in found.items()}

    def revised(self, after: str, limit: int) -> dict[str, list[str]]:
        """The ids of revisions by schedule, for the next `limit` schedules by id whether they exist or not; from an index alone."""
        found: dict[str, list[str]] = {}
        with answering():
            query = {"schedule_id": {"$gt": after}}
            rows = self.database.schedule_revisions.find(query, {"schedule_id": 1, "_id": 1}).hint("of_schedule")
            for row in rows.sort([("schedule_id", 1), ("_id", 1)]).batch_size(limit):
                if row["schedule_id"] not in found and len(found) == limit:
                    break
                found.setdefault(row["schedule_id"], []).append(row["_id"])
        return found

    def missing(self, schedule_ids: Collection[str]) -> set[str]:
        """Those of these that are neither live nor in the archive."""
        left = set(schedule_ids)
        with answering():
            # Live twice: what is restored between two of these is met in the third.
            for collection in (self.database.schedules, self.database.archive, self.database.schedules):
                if left:
                    left -= {row["_id"] for row in collection.find({"_id": {"$in": list(left)}}, {"_id": 1})}
        return left

    def texts(self, revision_ids: Collection[str]) -> dict[str, Revision]:
        """Those of these revisions that exist, by id, their texts without the mails."""
        with answering():
            rows = self.database.schedule_revisions.find({"_id": {"$in": list(revision_ids)}}, _WITHOUT_MAIL)
            return {row["_id"]: revision_of(row) for row in rows}

    def recipients(self, revision_ids: Collection[str]) -> dict[str, int]:
        """How many mails an occurrence of each of these revisions is made of."""
        size = {"$cond": ["$definition.together", 1, {"$size": "$definition.message.to"}]}
        with answering():
            rows = self.database.schedule_revisions.find({"_id": {"$in": list(revision_ids)}}, {"count": size})
            return {row["_id"]: row["count"] for row in rows}

    # -- the record ------------------------------------------------------------------------------------------------------

    def occurrences(self, occurrence_ids: Collection[str]) -> list[Occurrence]:
        """Those of these that are on record."""
        with answering():
            return cast(
                "list[Occurrence]", list(self.database.occurrences.find({"_id": {"$in": list(occurrence_ids)}}))
            )

    def occurrences_at(self, instants: Collection[tuple[str, datetime]]) -> list[Occurrence]:
        """All that are on record for these (schedule id, instant), under whatever id."""
        choices = [{"schedule_id": schedule_id, "at": at} for schedule_id, at in instants]
        if not choices:
            return []
        with answering():
            return cast("list[Occurrence]", list(self.database.occurrences.find({"$or": choices})))

    def page(self, after: str, until: datetime, limit: int) -> list[Occurrence]:
        """The next occurrences by id whose instants are before `until`: an id begins with its instant."""
        query = {"_id": {"$gt": after, "$lt": ids.first_id(ids.OCCURRENCE, until)}}
        with answering():
            return cast("list[Occurrence]", list(self.database.occurrences.find(query).sort("_id", 1).limit(limit)))

    def have_run(self, schedule_ids: Collection[str]) -> set[str]:
        """Those of these schedules of which any occurrence is on record."""
        with answering():
            return set(self.database.occurrences.distinct("schedule_id", {"schedule_id": {"$in": list(schedule_ids)}}))

    def mails(self, occurrence_ids: Collection[str]) -> dict[str, Mails]:
        """The deliveries of these occurrences; one without any is absent."""
        settled_as = {"$ifNull": ["$$this.settlements.state", []]}
        took = {"$or": [{"$eq": ["$$this.outcome", "accepted"]}, {"$in": ["accepted", settled_as]}]}
        times = {"$size": {"$filter": {"input": "$attempts", "cond": took}}}
        stages: list[Document] = [
            {"$match": {"occurrence_id": {"$in": list(occurrence_ids)}}},
            {"$project": {"occurrence_id": 1, "state": 1, "twice": {"$cond": [{"$gt": [times, 1]}, "$_id", None]}}},
            {
                "$group": {
                    "_id": {"occurrence": "$occurrence_id", "state": "$state"},
                    "count": {"$sum": 1},
                    "twice": {"$addToSet": "$twice"},
                }
            },
        ]
        states: dict[str, dict[str, int]] = {}
        twice: dict[str, list[str]] = {}
        with answering():
            for row in self.database.deliveries.aggregate(stages):
                name = row["_id"]["occurrence"]
                states.setdefault(name, {})[row["_id"]["state"]] = row["count"]
                twice.setdefault(name, []).extend(sorted(filter(None, row["twice"])))
        return {name: Mails(found, twice[name]) for name, found in states.items()}

    def volume(self, since: datetime, until: datetime, at_least: int) -> dict[str, int]:
        """How many mails due in [since, until) providers took, by schedule, of what schedules planned by themselves; only those
        with `at_least` so many."""
        stages: list[Document] = [
            {"$match": {"_id": {"$gte": ids.first_id(ids.DELIVERY, since), "$lt": ids.first_id(ids.DELIVERY, until)}}},
            {
                "$match": {
                    "state": {"$in": ["accepted", "delivered", "bounced", "complained"]},
                    "origin": Origin.SCHEDULE.value,
                    "ordered": {"$ne": True},
                }
            },
            {"$group": {"_id": "$schedule_id", "count": {"$sum": 1}}},
            {"$match": {"count": {"$gte": at_least}}},
        ]
        with answering():
            return {row["_id"]: row["count"] for row in self.database.deliveries.aggregate(stages)}

    def overdue(self, states: Mapping[str, Document], limit: int) -> list[Delivery]:
        """Deliveries in these states for which the condition beside it holds."""
        rows: list[Document] = []
        with answering():
            for state, condition in states.items():
                query = {"state": state, **condition}
                rows += self.database.deliveries.find(query, {"to": 0}).limit(limit)
        return cast("list[Delivery]", rows)

    def newest(self, limit: int) -> list[Delivery]:
        """What is due last of all that was called or tried."""
        with answering():
            rows = self.database.deliveries.find({"attempt_no": {"$gt": 0}}, {"attempts": 1, "shard": 1})
            return cast("list[Delivery]", list(rows.sort("_id", -1).limit(limit)))


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def tolerant(row: Document) -> Schedule:
    """The schedule of a stored document that may lack what the senders write."""
    return from_document({**_ABSENT, **row})


def _progress(row: Mapping[str, Any]) -> Progress:
    return Progress(**{name: row[name] for name in Progress.__slots__ if name in row})
