"""Counts for the dashboard."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from pymongo.database import Database

from fencepost import ids
from fencepost.store.mongodb import Document, answering

_KINDS = {
    "accepted": ("accepted", "delivered", "complained"),
    "failed": ("failed", "bounced"),
    "unknown": ("unknown", "held"),
    "skipped": ("cancelled", "suppressed", "expired", "skipped"),
}
_ANY_SHARD = {"$gte": 0}
"""Said of the leading field, so that a count may use the index of one state."""

_KIND_OF = {state: kind for kind, states in _KINDS.items() for state in states}


@dataclass(frozen=True, slots=True)
class Reports:
    """What became of the mail that was due in a time, and what is on its way or in doubt now."""

    database: Database[Document]

    def activity(self, owner_id: str, now: datetime, minutes: int) -> list[dict[str, Any]]:
        """For each minute up to now: how many mails due in it were accepted, failed, are unknown (or held), or were
        skipped in whatever way. Those still on their way are not counted."""
        start = (now - timedelta(minutes=minutes - 1)).replace(second=0, microsecond=0)
        stages: list[Document] = [
            # An id begins with the instant: the range of ids is the range of time, on the owner's index.
            {"$match": {"owner_id": owner_id, "_id": {"$gte": ids.first_id(ids.DELIVERY, start)}}},
            {
                "$group": {
                    "_id": {"at": {"$dateTrunc": {"date": "$due_at", "unit": "minute"}}, "state": "$state"},
                    "count": {"$sum": 1},
                }
            },
        ]
        table = {start + timedelta(minutes=index): dict.fromkeys(_KINDS, 0) for index in range(minutes)}
        with answering():
            for row in self.database.deliveries.aggregate(stages):
                at, kind = row["_id"]["at"], _KIND_OF.get(row["_id"]["state"])
                if at in table and kind:
                    table[at][kind] += row["count"]
        return [{"at": at, **counts} for at, counts in table.items()]

    def open_by_state(self) -> dict[str, int]:
        """How many deliveries are pending, sending, unknown and held; from indexes that hold no others."""
        states = {"pending": _ANY_SHARD, "sending": _ANY_SHARD, "unknown": None, "held": None}
        with answering():
            return {
                state: self.database.deliveries.count_documents({"state": state} | ({"shard": shard} if shard else {}))
                for state, shard in states.items()
            }

    def sending_by_sender(self) -> dict[str, int]:
        stages: list[Document] = [
            {"$match": {"state": "sending", "shard": _ANY_SHARD}},
            {"$group": {"_id": "$sender", "count": {"$sum": 1}}},
        ]
        with answering():
            return {row["_id"]: row["count"] for row in self.database.deliveries.aggregate(stages)}
