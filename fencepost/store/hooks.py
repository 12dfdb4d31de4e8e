"""The collection `hooks`: which calls of providers came in, each token good for one event; and what nobody here understood."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from pymongo import ASCENDING, IndexModel
from pymongo.database import Database
from pymongo.errors import DuplicateKeyError

from fencepost.store.mongodb import Document, answering

SCHEMA = 1
INDEXES = [IndexModel([("purge_at", ASCENDING)], name="purge", expireAfterSeconds=0)]
_TOKENS_KEPT = timedelta(hours=10)
"""Longer than a token is taken."""
_RAW_KEPT = timedelta(days=7)
_LONGEST_RAW = 32_768


@dataclass(frozen=True, slots=True)
class Hooks:
    """Calls by provider and token."""

    database: Database[Document]

    def take(self, provider: str, token: str, event: str, now: datetime, raw: str | None = None) -> bool:
        """Put this call on record; False if its token came before with another event. `event` names what it tells; `raw` is
        what it said, where that is to be kept for people to look at."""
        row = {
            "_id": f"{provider}/{token}",
            "event": event,
            "raw": raw and raw[:_LONGEST_RAW],
            "schema": SCHEMA,
            "created_at": now,
            "updated_at": now,
            "purge_at": now + (_TOKENS_KEPT if raw is None else _RAW_KEPT),
        }
        with answering():
            try:
                self.database.hooks.insert_one(row)
            except DuplicateKeyError:
                before = self.database.hooks.find_one({"_id": row["_id"]}, {"event": 1})
                return before is not None and before["event"] == event
        return True
