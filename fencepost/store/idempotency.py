"""The collection `idempotency_keys`: what a POST that carried a key was answered, for a day.

After draft-ietf-httpapi-idempotency-key-header: the same key with the same body gets the stored answer, with another
body an error, and while the first request is under way another error.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from pymongo import ASCENDING, IndexModel
from pymongo.database import Database
from pymongo.errors import DuplicateKeyError

from fencepost.errors import Conflict, FencepostError
from fencepost.store.mongodb import Document, answering

INDEXES = [IndexModel([("created_at", ASCENDING)], name="expire", expireAfterSeconds=86_400)]
_ABANDONED = timedelta(seconds=15)
"""Longer than a request takes. Should one take longer still, both go on with the same id, and one thing is made."""
_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)


class KeyReused(FencepostError):
    """The key came before with another body."""


@dataclass(frozen=True, slots=True)
class Begun:
    """A request under its key: `resource_id` is the id to create (the same in a repetition), `answer` what was stored if
    it was completed before."""

    resource_id: str
    answer: dict[str, Any] | None


@dataclass(frozen=True, slots=True)
class IdempotencyKeys:
    """Answers by owner, route and key."""

    database: Database[Document]

    def begin(self, scope: str, body_hash: str, resource_id: str, now: datetime) -> Begun:
        """Start, or meet what came before. Raises KeyReused for another body, Conflict while the first is under way."""
        row = {
            "_id": scope,
            "body_hash": body_hash,
            "resource_id": resource_id,
            "answer": None,
            "created_at": now,
            "touched_at": now,
        }
        with answering():
            try:
                self.database.idempotency_keys.insert_one(row)
                return Begun(resource_id, None)
            except DuplicateKeyError:
                pass
            # Whoever died between its key and its answer leaves the key behind: after a while the next one goes on with the same id.
            taken_over = self.database.idempotency_keys.update_one(
                {"_id": scope, "body_hash": body_hash, "answer": None, "touched_at": {"$lt": now - _ABANDONED}},
                {"$set": {"touched_at": now}},
            )
            found = self.database.idempotency_keys.find_one({"_id": scope})
        if found is not None and found["body_hash"] != body_hash:
            raise KeyReused("this Idempotency-Key came before with another body")
        # Gone: it failed between our insert and our look.
        if found is None or (found["answer"] is None and not taken_over.modified_count):
            raise Conflict("the first request with this Idempotency-Key is still under way")
        return Begun(found["resource_id"], found["answer"])

    def complete(self, scope: str, answer: dict[str, Any]) -> None:
        """Store the answer (plain JSON data)."""
        with answering():
            self.database.idempotency_keys.update_one({"_id": scope}, {"$set": {"answer": answer}})

    def release(self, scope: str) -> None:
        """The request broke off, and something may have been done: the next one goes on at once, with the same id."""
        with answering():
            self.database.idempotency_keys.update_one(
                {"_id": scope, "answer": None}, {"$set": {"touched_at": _LONG_AGO}}
            )

    def forget(self, scope: str) -> None:
        """The request failed and changed nothing: the key may be used again."""
        with answering():
            self.database.idempotency_keys.delete_one({"_id": scope, "answer": None})
