"""Mail of test keys of which it is still to be told what would have become of it. In `deliveries`."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import cast

from pymongo import ASCENDING, IndexModel
from pymongo.database import Database

from fencepost.deliveries import Delivery, State
from fencepost.store.mongodb import Document, answering

_QUERY: Document = {"test": True, "state": State.ACCEPTED.value}
INDEXES = [IndexModel([("shard", ASCENDING), ("_id", ASCENDING)], name="pretended", partialFilterExpression=_QUERY)]
"""Of nothing but what is to be told: it leaves the index as soon as that was."""


@dataclass(frozen=True, slots=True)
class PretendedMail:
    """Deliveries that a test key asked for."""

    database: Database[Document]

    def accepted(self, shards: Collection[int], limit: int) -> list[Delivery]:
        """Those in these shards that were accepted and of which nothing more was told, the oldest first."""
        with answering():
            rows = self.database.deliveries.find({**_QUERY, "shard": {"$in": list(shards)}})
            return cast("list[Delivery]", list(rows.sort([("shard", 1), ("_id", 1)]).limit(limit)))
