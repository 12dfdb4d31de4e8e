"""The collection `schedule_revisions`: a schedule's text at each version, never changed and never deleted."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pymongo import ASCENDING, IndexModel
from pymongo.database import Database

from fencepost.store.mongodb import Document, answering

SCHEMA = 1
INDEXES = [IndexModel([("schedule_id", ASCENDING), ("_id", ASCENDING)], name="of_schedule")]


@dataclass(frozen=True, slots=True)
class Revision:
    """The text that mails are rendered from; `anchor` is what its intervals count from."""

    id: str
    schedule_id: str
    definition: Mapping[str, Any]
    anchor: datetime


@dataclass(frozen=True, slots=True)
class Revisions:
    """Revisions by id. One is written before the edit that names it is acknowledged; one that no version names was an
    edit that lost its race."""

    database: Database[Document]

    def append(self, revision: Revision, owner_id: str, now: datetime) -> None:
        row = {
            "_id": revision.id,
            "owner_id": owner_id,
            "schema": SCHEMA,
            "created_at": now,
            "updated_at": now,
            "schedule_id": revision.schedule_id,
            "definition": dict(revision.definition),
            "anchor": revision.anchor,
        }
        with answering():
            self.database.schedule_revisions.replace_one({"_id": revision.id}, row, upsert=True)

    def find(self, revision_ids: Iterable[str]) -> dict[str, Revision]:
        """Those that exist, by id."""
        with answering():
            rows = self.database.schedule_revisions.find({"_id": {"$in": list(revision_ids)}})
            return {row["_id"]: revision_of(row) for row in rows}

    def last_names(self, schedule_ids: Iterable[str]) -> dict[str, str]:
        """The name in the newest text of each of these schedules, also of those that are gone."""
        wanted = list(schedule_ids)
        if not wanted:
            return {}
        query, keys = {"schedule_id": {"$in": wanted}}, {"schedule_id": 1, "definition.name": 1}
        with answering():
            rows = self.database.schedule_revisions.find(query, keys).sort([("schedule_id", 1), ("_id", 1)])
            return {row["schedule_id"]: row["definition"]["name"] for row in rows}


def revision_of(row: Document) -> Revision:
    """The revision of a stored document."""
    return Revision(row["_id"], row["schedule_id"], row["definition"], row["anchor"])
