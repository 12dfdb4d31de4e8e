"""The collection `files`: what attachments hold, each content once for each owner, under its SHA-256."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from pymongo import ASCENDING, IndexModel
from pymongo.database import Database
from pymongo.errors import DuplicateKeyError

from fencepost.store.mongodb import Document, answering

SCHEMA = 1
INDEXES = [IndexModel([("purge_at", ASCENDING)], name="purge", expireAfterSeconds=0)]
NEVER = datetime(9999, 12, 31, tzinfo=UTC)
"""The `purge_at` of a schedule's file: later than any mail's, so that an API mail with the same file does not shorten it."""


@dataclass(frozen=True, slots=True)
class Files:
    """Files by owner and id."""

    database: Database[Document]

    def put(self, owner_id: str, contents: Mapping[str, bytes], purge_at: datetime, now: datetime) -> None:
        """Put these on record, before the text that names them, until `purge_at` at least."""
        for file_id, content in contents.items():
            key = _key(owner_id, file_id)
            row = {
                "_id": key,
                "owner_id": owner_id,
                "schema": SCHEMA,
                "created_at": now,
                "updated_at": now,
                "content": content,
                "size": len(content),
                "purge_at": purge_at,
            }
            with answering():
                if not self._extend([key], purge_at):
                    try:
                        self.database.files.insert_one(row)
                    except DuplicateKeyError:
                        self._extend([key], purge_at)

    def keep(self, owner_id: str, file_ids: Collection[str], purge_at: datetime) -> dict[str, int]:
        """Keep those that are on record until `purge_at` at least; their sizes in bytes, by id."""
        keys = [_key(owner_id, file_id) for file_id in file_ids]
        if not keys:
            return {}
        with answering():
            # What is still there after this stays: the sizes are read second.
            self._extend(keys, purge_at)
            rows = self.database.files.find({"_id": {"$in": keys}}, {"size": 1})
            return {row["_id"].rpartition("/")[2]: row["size"] for row in rows}

    def read(self, owner_id: str, file_ids: Collection[str]) -> dict[str, bytes]:
        """What those hold that are on record, by id."""
        keys = [_key(owner_id, file_id) for file_id in file_ids]
        with answering():
            rows = self.database.files.find({"_id": {"$in": keys}}, {"content": 1})
            return {row["_id"].rpartition("/")[2]: row["content"] for row in rows}

    def _extend(self, keys: Collection[str], purge_at: datetime) -> int:
        change = {"$max": {"purge_at": purge_at}, "$currentDate": {"updated_at": True}}
        return self.database.files.update_many({"_id": {"$in": list(keys)}}, change).matched_count


def _key(owner_id: str, file_id: str) -> str:
    return f"{owner_id}/{file_id}"
