"""Deliveries of which nobody knows how their call ended: unknown, or held until a person decides. In `deliveries`."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import cast

from pymongo import UpdateOne
from pymongo.database import Database

from fencepost.deliveries import Delivery
from fencepost.reconciliation import Postponed
from fencepost.store.deliveries import DOUBTFUL
from fencepost.store.mongodb import Document, answering


@dataclass(frozen=True, slots=True)
class Doubts:
    """What is in doubt, by when the provider's records are to be read for it."""

    database: Database[Document]

    def due(
        self, shards: Iterable[int], now: datetime, limit: int, *, but: Collection[str | None] = ()
    ) -> list[Delivery]:
        """What is unknown or held in these shards, and to be looked up by `now`; the longest waiting first. `but` names providers
        whose mail is left out."""
        query: Document = {
            "shard": {"$in": list(shards)},
            "state": {"$in": DOUBTFUL},
            # None, or missing where a sender of an older version wrote the row: nobody has looked at it yet.
            "$or": [{"look_up_at": None}, {"look_up_at": {"$lte": now}}],
        }
        if but:
            query["provider"] = {"$nin": list(but)}
        with answering():
            rows = self.database.deliveries.find(query).sort("look_up_at", 1).limit(limit)
            return cast("list[Delivery]", list(rows))

    def look_again(self, postponed: Sequence[Postponed]) -> None:
        """Look these up again then, if their attempt is still in doubt."""
        updates = [
            UpdateOne(
                {"_id": one.delivery_id, "attempt_id": one.attempt_id, "state": {"$in": DOUBTFUL}},
                {"$set": {"look_up_at": one.until}},
            )
            for one in postponed
        ]
        if updates:
            with answering():
                self.database.deliveries.bulk_write(updates, ordered=False)

    def count(self, shards: Iterable[int]) -> dict[str, int]:
        """How many in these shards are unknown, and how many held."""
        stages: list[Document] = [
            {"$match": {"shard": {"$in": list(shards)}, "state": {"$in": DOUBTFUL}}},
            {"$group": {"_id": "$state", "count": {"$sum": 1}}},
        ]
        with answering():
            found = {row["_id"]: row["count"] for row in self.database.deliveries.aggregate(stages)}
        return {state: found.get(state, 0) for state in DOUBTFUL}

    def count_held(self) -> int:
        """How many wait for a person, of all shards."""
        with answering():
            return self.database.deliveries.count_documents({"state": "held"})
