"""The collection `findings`: what the auditor found, open or resolved."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from pymongo import ASCENDING, DESCENDING, IndexModel, UpdateOne
from pymongo.database import Database

from fencepost.findings import Finding, Kind, Recorded
from fencepost.store.mongodb import Document, answering

INDEXES = [
    IndexModel([("resolved_at", ASCENDING), ("first_seen", DESCENDING)], name="open"),
    IndexModel([("purge_at", ASCENDING)], name="purge", expireAfterSeconds=0),
]
_KEPT = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Findings:
    """Findings by id. The auditor writes them, the registry reads them."""

    database: Database[Document]

    def record(self, found: Sequence[Finding], names: Mapping[str, str], now: datetime) -> None:
        """Put these on record as open, whether they are there already or not. `names` are the schedules', by id."""
        updates = [
            UpdateOne(
                {"_id": finding.id},
                {
                    "$set": {"detail": finding.detail, "last_seen": now, "resolved_at": None, "purge_at": None},
                    "$setOnInsert": {
                        "kind": finding.kind.value,
                        "schedule_id": finding.schedule_id,
                        "schedule_name": names.get(finding.schedule_id, ""),
                        "at": finding.at,
                        "first_seen": now,
                    },
                },
                upsert=True,
            )
            for finding in found
        ]
        if updates:
            with answering():
                self.database.findings.bulk_write(updates, ordered=False)

    def resolve(self, ids: Collection[str], now: datetime) -> None:
        """These are as they should be; they are kept for a month."""
        if ids:
            with answering():
                self.database.findings.update_many(
                    {"_id": {"$in": list(ids)}, "resolved_at": None},
                    {"$set": {"resolved_at": now, "purge_at": now + _KEPT}},
                )

    def open(self, limit: int) -> list[Recorded]:
        """Those that are open, the newest first."""
        return self._find({"resolved_at": None}, limit)

    def resolved(self, since: datetime, limit: int) -> list[Recorded]:
        """Those that were resolved since then, the latest first."""
        return self._find({"resolved_at": {"$gte": since}}, limit)

    def count_open(self) -> dict[Kind, int]:
        """How many of each kind are open; every kind is named."""
        stages: list[Document] = [
            {"$match": {"resolved_at": None}},
            {"$group": {"_id": "$kind", "count": {"$sum": 1}}},
        ]
        with answering():
            found = {row["_id"]: row["count"] for row in self.database.findings.aggregate(stages)}
        return {kind: found.get(kind.value, 0) for kind in Kind}

    def _find(self, query: Document, limit: int) -> list[Recorded]:
        keys = [("resolved_at", DESCENDING), ("first_seen", DESCENDING)]
        with answering():
            return [_recorded(row) for row in self.database.findings.find(query).sort(keys).limit(limit)]


def _recorded(row: Document) -> Recorded:
    return Recorded(
        Finding(Kind(row["kind"]), row["schedule_id"], row["at"], row["detail"]),
        row["schedule_name"],
        row["first_seen"],
        row["last_seen"],
        row["resolved_at"],
    )
