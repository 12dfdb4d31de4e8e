"""What owners do with mail that is on record, in `deliveries`: each a compare-and-set against the senders. And how much of it
waits, or has ended in which state."""

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, cast

from pymongo import ReturnDocument
from pymongo.database import Database

from fencepost.deliveries import EXPIRED, Delivery, Verdict
from fencepost.priorities import place
from fencepost.store.mongodb import Document, answering
from fencepost.store.settlements import in_turn

_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)
REPLAYABLE = ("failed", "expired")
"""What ended without being accepted, and may be sent once more by its owner's word."""


@dataclass(frozen=True, slots=True)
class Emails:
    """Deliveries as their owners see them."""

    database: Database[Document]

    def cancel(self, owner_id: str, delivery_id: str, reason: str) -> Delivery | None:
        """Cancel it if it is pending; the row then, or None: a sender was faster, or it has ended."""
        change = {"$set": {"state": "cancelled", "reason": {"$literal": reason}, "updated_at": "$$NOW"}}
        return self._change(owner_id, delivery_id, ["pending"], [change])

    def reschedule(
        self, owner_id: str, delivery_id: str, at: datetime, queue_at: datetime, purge_at: datetime
    ) -> Delivery | None:
        """Put it off, or bring it forward, to `at` if it is pending; None as in cancel(). Its time to live begins anew."""
        to_live = {"$add": ["$expires_at", {"$subtract": [at, "$due_at"]}]}
        change = {
            "due_at": at,
            "not_before": at,
            "queue_at": queue_at,
            "expires_at": {"$cond": [{"$ifNull": ["$expires_at", False]}, to_live, None]},
            "purge_at": {"$max": ["$purge_at", purge_at]},
            "updated_at": "$$NOW",
        }
        return self._change(owner_id, delivery_id, ["pending"], [{"$set": change}])

    def replay(self, owner_id: str, which: Mapping[str, Any], verdict: Verdict, purge_at: datetime) -> int:
        """Make those pending again that failed or expired, of the deliveries that `which` (typed fields) names; how many it was.
        Who ordered it is on record with the attempt that failed, if there was one; no time to live ends it again. They queue as if
        they were posted one after the other, in no particular order."""
        query = {**which, "owner_id": owner_id, "state": {"$in": list(REPLAYABLE)}}
        with answering():
            queue_ms = place(self.database.deliveries.count_documents(query)) // timedelta(milliseconds=1)
        somewhere = {"$add": ["$$NOW", {"$floor": {"$multiply": [{"$rand": {}}, queue_ms]}}]}
        is_newest = {"$eq": ["$$this.id", "$attempt_id"]}
        settlements = {"$concatArrays": [{"$ifNull": ["$$this.settlements", []]}, [{"$literal": verdict}]]}
        gained = {"$cond": [is_newest, {"$mergeObjects": ["$$this", {"settlements": settlements}]}, "$$this"]}
        change = {
            "state": "pending",
            "reason": None,
            "ordered": True,
            "expires_at": None,
            "not_before": "$$NOW",
            "queue_at": in_turn(somewhere),
            "purge_at": {"$max": ["$purge_at", purge_at]},
            "attempts": {"$map": {"input": "$attempts", "in": gained}},
            "updated_at": "$$NOW",
        }
        with answering():
            return self.database.deliveries.update_many(query, [{"$set": change}]).modified_count

    def texts_of(self, owner_id: str, which: Mapping[str, Any]) -> list[str]:
        """The ids of the texts that are on record with these deliveries (typed fields)."""
        with answering():
            found = self.database.deliveries.distinct("revision_id", {**which, "owner_id": owner_id})
        return [text_id for text_id in found if text_id]

    def expire(self, shards: Collection[int], now: datetime) -> int:
        """End what waits in these shards past its time to live; how many it was."""
        query = {"shard": {"$in": list(shards)}, "state": "pending", "expires_at": {"$lte": now, "$gt": _LONG_AGO}}
        change = {"$set": {"state": "expired", "reason": EXPIRED, "updated_at": "$$NOW"}}
        with answering():
            return self.database.deliveries.update_many(query, [change]).modified_count

    def waiting(self, owner_id: str, most: int) -> int:
        """How many of an owner's API mails are pending; no more than `most` are counted."""
        query = {"owner_id": owner_id, "state": "pending", "origin": "api"}
        with answering():
            return self.database.deliveries.count_documents(query, limit=most, hint="waiting")

    def ahead(self, row: Delivery, now: datetime, most: int) -> int:
        """How many of a row's shard may be sent now and stand before it in the queue; no more than `most` are counted."""
        query = {
            "shard": row["shard"],
            "state": "pending",
            "queue_at": {"$lt": row["queue_at"]},
            "not_before": {"$lte": now},
        }
        with answering():
            return self.database.deliveries.count_documents(query, limit=most, hint="pending")

    def batch(self, owner_id: str, batch_id: str) -> Counter[str]:
        """How many deliveries of a batch are in which state; empty if there is no such batch of this owner."""
        stages: list[Document] = [
            {"$match": {"batch_id": batch_id, "owner_id": owner_id}},
            {"$group": {"_id": "$state", "count": {"$sum": 1}}},
        ]
        with answering():
            return Counter({row["_id"]: row["count"] for row in self.database.deliveries.aggregate(stages)})

    def first_of(self, owner_id: str, batch_id: str) -> Delivery | None:
        """One delivery of a batch, the newest by id; None if there is no such batch of this owner."""
        with answering():
            row = self.database.deliveries.find_one({"batch_id": batch_id, "owner_id": owner_id}, sort=[("_id", -1)])
        return cast("Delivery | None", row)

    def _change(
        self, owner_id: str, delivery_id: str, allowed: Collection[str], change: list[Document]
    ) -> Delivery | None:
        guard = {"_id": delivery_id, "owner_id": owner_id, "state": {"$in": list(allowed)}}
        with answering():
            row = self.database.deliveries.find_one_and_update(guard, change, return_document=ReturnDocument.AFTER)
        return cast("Delivery | None", row)
