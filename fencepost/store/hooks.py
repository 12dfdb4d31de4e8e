"""The collection `hooks`: which calls of providers came in, each token good for one event; and what nobody here understood."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from pymongo import ASCENDING, IndexModel
from pymongo.database import Database

from fencepost.store.mongodb import Document, answering, insert_missing

SCHEMA = 1
INDEXES = [IndexModel([("purge_at", ASCENDING)], name="purge", expireAfterSeconds=0)]
_TOKENS_KEPT = timedelta(hours=10)
"""Longer than a token is taken."""
_RAW_KEPT = timedelta(days=7)
_LONGEST_RAW = 32_768


class Call(NamedTuple):
    """What is kept of one thing that was told: the provider's name for it, what identifies its content, and `raw`, what was
    said, where that is to be kept for people to look at."""

    name: str
    content: str
    raw: str | None = None


@dataclass(frozen=True, slots=True)
class Hooks:
    """Calls by provider and name."""

    database: Database[Document]

    def take(self, provider: str, calls: Sequence[Call], now: datetime) -> set[str]:
        """Put these on record in one write; the names that came before with another content."""
        rows = {f"{provider}/{call.name}": (call, _row(provider, call, now)) for call in calls}
        if not rows:
            return set()
        taken = insert_missing(self.database.hooks, [row for _, row in rows.values()])
        if not taken:
            return set()
        with answering():
            before = {row["_id"]: row["event"] for row in self.database.hooks.find({"_id": {"$in": list(taken)}})}
        return {rows[name][0].name for name in taken if before.get(name) != rows[name][0].content}


def _row(provider: str, call: Call, now: datetime) -> Document:
    return {
        "_id": f"{provider}/{call.name}",
        "event": call.content,
        "raw": call.raw and call.raw[:_LONGEST_RAW],
        "schema": SCHEMA,
        "created_at": now,
        "updated_at": now,
        "purge_at": now + (_TOKENS_KEPT if call.raw is None else _RAW_KEPT),
    }
