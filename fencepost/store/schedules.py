"""The collection `schedules`, and `archive` where they go when nothing more will come of them."""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from pymongo import ASCENDING, DESCENDING, DeleteOne, IndexModel, ReplaceOne
from pymongo.database import Database
from pymongo.errors import BulkWriteError, DuplicateKeyError

from fencepost.errors import Conflict, NotFound
from fencepost.planning import Plan
from fencepost.schedules import Schedule, Status, milliseconds
from fencepost.store.mongodb import Document, answering, each_its_own, only_duplicates
from fencepost.store.pages import Cursor, Page, page
from fencepost.store.schedule_documents import from_document, progress, to_document

INDEXES = [
    IndexModel([("shard", ASCENDING), ("next_run_at", ASCENDING)], name="due"),
    IndexModel(
        [("shard", ASCENDING), ("finished_at", ASCENDING)],
        name="finished",
        partialFilterExpression={"finished_at": {"$type": "date"}},
    ),
    IndexModel([("owner_id", ASCENDING), ("_id", DESCENDING)], name="newest_of_owner"),
    IndexModel([("owner_id", ASCENDING), ("next_run_at", ASCENDING), ("_id", ASCENDING)], name="next_of_owner"),
]
ARCHIVE_INDEXES = [
    IndexModel([("owner_id", ASCENDING), ("_id", DESCENDING)], name="newest_of_owner"),
    IndexModel([("archived_at", ASCENDING)], name="archived"),
]

Sort = Literal["next_run_at", "-created_at"]


@dataclass(frozen=True, slots=True)
class Schedules:
    """Schedules by id, by owner and by what is due. People's edits and senders' progress are compare-and-sets."""

    database: Database[Document]

    # -- definitions: the registry -----------------------------------------------------------------------------------

    def create(self, schedule: Schedule) -> bool:
        """Insert it; False if that id is there already (a repeated request)."""
        with answering():
            try:
                self.database.schedules.insert_one(to_document(schedule))
            except DuplicateKeyError:
                return False
        return True

    def get(self, owner_id: str, schedule_id: str) -> Schedule:
        """A schedule, archived ones too. Raises NotFound, also for another owner's."""
        found = self.find([schedule_id]).get(schedule_id)
        if found is None or found.owner_id != owner_id:
            raise NotFound(f"there is no schedule {schedule_id}")
        return found

    def find(self, schedule_ids: Iterable[str]) -> dict[str, Schedule]:
        """Those that exist, live or archived, by id."""
        wanted = list(schedule_ids)
        with answering(), self.database.client.start_session(causal_consistency=True) as session:
            # Live first: archiving inserts into the archive before it deletes, so that one of the two always has it;
            # a document in both is still live. In one session, lest another primary answers from before the first answer.
            live = self.database.schedules.find({"_id": {"$in": wanted}}, session=session)
            found = {row["_id"]: row for row in live}
            missing = [schedule_id for schedule_id in wanted if schedule_id not in found]
            if missing:
                archived = self.database.archive.find({"_id": {"$in": missing}}, session=session)
                found |= {row["_id"]: row for row in archived}
        return {schedule_id: from_document(row) for schedule_id, row in found.items()}

    def names(self, schedule_ids: Iterable[str]) -> dict[str, str]:
        """The names of those that exist, live or archived, by id."""
        query, wanted = {"_id": {"$in": list(schedule_ids)}}, {"definition.name": 1}
        with answering():
            # Live first, as in find(): one that is archived in between is met there.
            rows = [*self.database.schedules.find(query, wanted), *self.database.archive.find(query, wanted)]
        return {row["_id"]: row["definition"]["name"] for row in rows}

    def write_edit(self, before: Schedule, after: Schedule) -> None:
        """Replace what people write. Raises Conflict if anybody edited, or a sender advanced, since `before` was read."""
        changed = to_document(after)
        fields = {
            key: value
            for key, value in changed.items()
            if key not in ("_id", "last_run_at", "occurrence_count", "skips")
        }
        guard = {
            "_id": before.id,
            "version": before.version,
            "next_run_at": before.next_run_at,
            "last_run_at": before.last_run_at,
        }
        with answering():
            result = self.database.schedules.update_one(guard, {"$set": fields})
        if result.matched_count != 1:
            raise Conflict(f"schedule {before.id} has changed since version {before.version} was read")

    def restore(self, before: Schedule, after: Schedule) -> None:
        """Bring an archived schedule back: insert, then delete. Raises Conflict if somebody else did."""
        with answering():
            try:
                self.database.schedules.insert_one(to_document(after))
            except DuplicateKeyError:
                raise Conflict(f"schedule {before.id} is not in the archive any more") from None
            # Only this copy: a frozen server may get to it after the schedule has ended and was archived once more.
            self.database.archive.delete_one({"_id": before.id, "archived_at": before.archived_at})

    def page_of(
        self, owner_id: str, *, status: Status | None, text: str | None, sort: Sort, limit: int, cursor: Cursor | None
    ) -> Page[Schedule]:
        """One page of an owner's schedules, by default all but those in the archive or on their way there; `text` is
        looked for in the names, whatever their case. Their messages are cut: no bodies, and the first recipients only."""
        query: Document = {"owner_id": owner_id, **(_STATUS_QUERY[status] if status else {"deleted": None})}
        if text:
            query["definition.name"] = {"$regex": re.escape(text), "$options": "i"}
        collection = self.database.archive if status is Status.ARCHIVED else self.database.schedules
        if sort == "next_run_at":
            query["next_run_at"] = {"$ne": None}
            keys = [("next_run_at", ASCENDING), ("_id", ASCENDING)]
        else:
            keys = [("_id", DESCENDING)]
        return page(collection, query, keys, limit, cursor, from_document, _CUT)

    def recipient_counts(self, schedule_ids: Iterable[str]) -> dict[str, int]:
        """To how many addresses each of those that exist is sent."""
        query, wanted = {"_id": {"$in": list(schedule_ids)}}, {"count": {"$size": "$definition.message.to"}}
        with answering():
            # Live first, as in find(): one that is archived in between is met there.
            rows = [*self.database.schedules.find(query, wanted), *self.database.archive.find(query, wanted)]
        return {row["_id"]: row["count"] for row in rows}

    # -- progress: the senders ---------------------------------------------------------------------------------------

    def due(self, shards: Iterable[int], now: datetime, limit: int) -> list[Schedule]:
        """The `limit` that have been due longest, oldest first."""
        with answering():
            rows = (
                self.database.schedules.find({"shard": {"$in": list(shards)}, "next_run_at": {"$lte": now}})
                .sort("next_run_at", 1)
                .limit(limit)
            )
            return [from_document(row) for row in rows]

    def next_due_at(self, shards: Iterable[int]) -> datetime | None:
        """The earliest next run in these shards."""
        with answering():
            row = self.database.schedules.find_one(
                {"shard": {"$in": list(shards)}, "next_run_at": {"$gt": _EPOCH}},
                {"next_run_at": 1, "_id": 0},
                sort=[("next_run_at", 1)],
            )
        return row["next_run_at"] if row else None

    def count_due(self, shards: Iterable[int], now: datetime) -> int:
        with answering():
            return self.database.schedules.count_documents(
                {"shard": {"$in": list(shards)}, "next_run_at": {"$lte": now}}
            )

    def advance(self, plans: Sequence[Plan]) -> set[str]:
        """W2: move each schedule on, if its next run and its version are still those that were planned from.

        Returns the ids of those that stand as planned now, whoever wrote it: a majority has it, so their instants are frozen.
        """
        groups: dict[tuple[datetime | None, int], list[Plan]] = defaultdict(list)
        for plan in plans:
            groups[plan.schedule.next_run_at, plan.schedule.version].append(plan)
        advanced: set[str] = set()
        for (instant, version), group in groups.items():
            advanced |= self._advance(instant, version, group)
        return advanced

    def _advance(self, instant: datetime | None, version: int, plans: Sequence[Plan]) -> set[str]:
        ids = [plan.schedule.id for plan in plans]
        after = [progress(plan.after) for plan in plans]
        columns = {field: [row[field] for row in after] for field in after[0]}
        with answering():
            result = self.database.schedules.update_many(
                {"_id": {"$in": ids}, "next_run_at": instant, "version": version}, each_its_own(ids, columns, {})
            )
            if result.matched_count == len(plans):
                return set(ids)
            stand = {row["_id"]: row for row in self.database.schedules.find({"_id": {"$in": ids}, "version": version})}
        return {
            schedule_id
            for schedule_id, row in zip(ids, after, strict=True)
            if schedule_id in stand and all(stand[schedule_id][field] == row[field] for field in _DECIDED)
        }

    def quarantine(self, schedule: Schedule, reason: str, now: datetime) -> None:
        """Take a schedule whose arithmetic breaks out of the scans, until its owner edits or resumes it."""
        with answering():
            self.database.schedules.update_one(
                {"_id": schedule.id, "next_run_at": schedule.next_run_at, "version": schedule.version},
                {
                    "$set": {
                        "next_run_at": None,
                        "quarantined": {"at": now, "reason": reason},
                        "quarantined_instant": schedule.next_run_at,
                    }
                },
            )

    def freeze(self, schedule_id: str, reason: str, now: datetime) -> bool:
        """Stop a schedule that misbehaves, and what it has planned, until its owner edits or resumes it; whether it was running."""
        stop = {"at": now, "reason": {"$literal": reason}, "frozen": True}
        changes = {"quarantined": stop, "quarantined_instant": "$next_run_at", "next_run_at": None}
        with answering():
            result = self.database.schedules.update_one(
                {"_id": schedule_id, "quarantined": None, "deleted": None}, [{"$set": changes}]
            )
        return result.modified_count == 1

    def finished(self, shards: Iterable[int], now: datetime, limit: int) -> list[Schedule]:
        """Those with nothing more to come, whose end time, if they have one, has passed."""
        query = {
            "shard": {"$in": list(shards)},
            "finished_at": {"$lte": now, "$type": "date"},
            "quarantined": None,
            "$or": [{"definition.ends_at": None}, {"definition.ends_at": {"$lte": now}}, {"deleted": {"$ne": None}}],
        }
        with answering():
            return [from_document(row) for row in self.database.schedules.find(query).limit(limit)]

    def archive(self, schedules: Sequence[Schedule], now: datetime) -> set[str]:
        """Move them to the archive: insert, then delete, so that a crash between the two leaves them readable and is
        repeated. The ids of those that moved; one that was edited meanwhile stays."""
        if not schedules:
            return set()
        now = milliseconds(now)
        copies = [
            ReplaceOne(
                {"_id": one.id, "version": {"$lte": one.version}},
                {**to_document(one), "archived_at": now},
                upsert=True,
            )
            for one in schedules
        ]
        guards = [
            DeleteOne({"_id": one.id, "version": one.version, "finished_at": one.finished_at}) for one in schedules
        ]
        ids = {one.id for one in schedules}
        # One session: a primary that has just been elected may not know yet that a majority has the deletes. Asked without, it
        # shows as live what is gone, and the copy would be deleted too.
        with answering(), self.database.client.start_session(causal_consistency=True) as session:
            try:
                self.database.archive.bulk_write(copies, ordered=False, session=session)
            except BulkWriteError as error:
                only_duplicates(error)  # a later version is there: this write comes late
            self.database.schedules.bulk_write(guards, ordered=False, session=session)
            live = self.database.schedules.find({"_id": {"$in": list(ids)}}, {"_id": 1}, session=session)
            stayed = {row["_id"] for row in live}
            if stayed:
                # Only our own copies: by the time a frozen server gets to this, they may have been archived once more.
                ours = {"_id": {"$in": list(stayed)}, "archived_at": now}
                self.database.archive.delete_many(ours, session=session)
        return ids - stayed


_DECIDED = ("last_run_at", "next_run_at", "occurrence_count", "skips")
"""What W2 decides. Another sender's plan of the same instants, made a moment later, may skip what ours runs."""

_EPOCH = datetime.fromisoformat("1970-01-01T00:00:00+00:00")

LISTED_RECIPIENTS = 3
_CUT: Document = {
    "definition.message.text": 0,
    "definition.message.html": 0,
    "definition.message.to": {"$slice": LISTED_RECIPIENTS},
}

_STATUS_QUERY: Mapping[Status, Document] = {
    Status.ACTIVE: {"deleted": None, "finished_at": None, "quarantined": None, "paused": None},
    Status.PAUSED: {"deleted": None, "finished_at": None, "quarantined": None, "paused": {"$ne": None}},
    Status.QUARANTINED: {"deleted": None, "quarantined": {"$ne": None}},
    Status.FINISHED: {"deleted": None, "finished_at": {"$ne": None}, "quarantined": None},
    Status.ARCHIVED: {},
}
