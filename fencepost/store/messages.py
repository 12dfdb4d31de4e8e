"""The collection `messages`: what one item of an API request asked to be sent, kept as long as its mail is."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pymongo import ASCENDING, IndexModel
from pymongo.database import Database

from fencepost.store.mongodb import Document, answering, insert_missing
from fencepost.store.revisions import Revision

SCHEMA = 1
INDEXES = [IndexModel([("purge_at", ASCENDING)], name="purge", expireAfterSeconds=0)]


@dataclass(frozen=True, slots=True)
class Message:
    """A text without a schedule: it never changes, and several deliveries may be rendered from it."""

    id: str
    batch_id: str
    definition: Mapping[str, Any]
    purge_at: datetime


@dataclass(frozen=True, slots=True)
class Messages:
    """Messages by id."""

    database: Database[Document]

    def insert(self, messages: Sequence[Message], owner_id: str, now: datetime) -> None:
        """Put them on record before the deliveries that name them; what is there already is a repetition's, and the same."""
        rows = [
            {
                "_id": message.id,
                "owner_id": owner_id,
                "schema": SCHEMA,
                "created_at": now,
                "updated_at": now,
                "batch_id": message.batch_id,
                "definition": dict(message.definition),
                "purge_at": message.purge_at,
            }
            for message in messages
        ]
        insert_missing(self.database.messages, rows)

    def find(self, message_ids: Iterable[str]) -> dict[str, Revision]:
        """Those that exist, by id, as the texts that mail is rendered from."""
        with answering():
            rows = self.database.messages.find({"_id": {"$in": list(message_ids)}})
            return {row["_id"]: Revision(row["_id"], "", row["definition"], row["created_at"]) for row in rows}

    def keep_until(self, message_ids: Collection[str], purge_at: datetime) -> None:
        """Not to be purged before then: its mail was put off."""
        with answering():
            self.database.messages.update_many({"_id": {"$in": list(message_ids)}}, {"$max": {"purge_at": purge_at}})
