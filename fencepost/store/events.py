"""The collection `events`: what providers told of deliveries, each fact once however often it is told."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta

from pymongo import ASCENDING, IndexModel
from pymongo.database import Database
from pymongo.errors import DuplicateKeyError

from fencepost.events import Event, EventKind
from fencepost.store.mongodb import Document, answering

SCHEMA = 1
INDEXES = [
    IndexModel([("delivery_id", ASCENDING)], name="of_delivery"),
    IndexModel([("purge_at", ASCENDING)], name="purge", expireAfterSeconds=0),
]


@dataclass(frozen=True, slots=True)
class Events:
    """Events by delivery."""

    database: Database[Document]

    def insert(self, event: Event, owner_id: str, now: datetime, retention: timedelta) -> bool:
        """Put it on record; False if it was there already. A provider's ids are unique within a day, hence the day in ours."""
        row = {
            **asdict(event),
            "_id": f"{event.provider}/{event.at:%Y-%m-%d}/{event.id}",
            "kind": event.kind.value,
            "owner_id": owner_id,
            "schema": SCHEMA,
            "created_at": now,
            "updated_at": now,
            "purge_at": now + retention,
        }
        with answering():
            try:
                self.database.events.insert_one(row)
            except DuplicateKeyError:
                return False
        return True

    def of(self, delivery_ids: Iterable[str]) -> dict[str, list[Event]]:
        """What is on record of each of these deliveries that has any, the oldest first."""
        found: dict[str, list[Event]] = {}
        with answering():
            rows = self.database.events.find({"delivery_id": {"$in": list(delivery_ids)}}).sort("at", 1)
            for row in rows:
                found.setdefault(row["delivery_id"], []).append(_event(row))
        return found


def _event(row: Document) -> Event:
    return Event(
        id=row["id"],
        provider=row["provider"],
        kind=EventKind(row["kind"]),
        at=row["at"],
        delivery_id=row["delivery_id"],
        attempt_no=row["attempt_no"],
        receipt=row["receipt"],
    )
