"""The collection `events`: what providers told of deliveries, each fact once however often it is told."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import datetime, timedelta
from typing import Literal

from pymongo import ASCENDING, IndexModel
from pymongo.database import Database

from fencepost.events import Event, EventKind
from fencepost.store.mongodb import Document, answering, insert_missing
from fencepost.tracking import Tally

SCHEMA = 1
INDEXES = [
    IndexModel([("delivery_id", ASCENDING)], name="of_delivery"),
    IndexModel([("purge_at", ASCENDING)], name="purge", expireAfterSeconds=0),
]
LOOK_UPS = [
    IndexModel(
        [("owner_id", ASCENDING), (name, ASCENDING), ("at", ASCENDING)],
        name=f"by_{name}",
        partialFilterExpression={name: {"$gt": ""}},  # any text; of `$type` the planner draws no conclusion
    )
    for name in ("receipt", "message_id")
]
"""By what the provider, and by what the mail itself calls it. Not every provider tells both."""
_MOST = 1000
"""Of one look-up: a list that many people read has more openings than anybody looks at."""


@dataclass(frozen=True, slots=True)
class Events:
    """Events by delivery."""

    database: Database[Document]

    def insert(self, event: Event, owner_id: str, now: datetime, retention: timedelta) -> bool:
        """Put it on record; False if it was there already."""
        return bool(self.insert_all([(event, owner_id)], now, retention))

    def insert_all(self, told: Sequence[tuple[Event, str]], now: datetime, retention: timedelta) -> list[Event]:
        """Put these on record, each with its owner, in one write; those that were not there already. A provider's ids are unique
        within a day, hence the day in ours."""
        rows = {name_of(event): (event, _row(event, owner_id, now, retention)) for event, owner_id in told}
        if not rows:
            return []
        known = insert_missing(self.database.events, [row for _, row in rows.values()])
        return [event for name, (event, _) in rows.items() if name not in known]

    def of(self, delivery_ids: Iterable[str]) -> dict[str, list[Event]]:
        """What is on record of each of these deliveries that has any, the oldest first."""
        found: dict[str, list[Event]] = {}
        with answering():
            rows = self.database.events.find({"delivery_id": {"$in": list(delivery_ids)}}).sort("at", 1)
            for row in rows:
                found.setdefault(row["delivery_id"], []).append(_event(row))
        return found

    def latest_of(self, delivery_id: str) -> list[Event]:
        """The newest thousand of one delivery, the oldest of them first."""
        with answering():
            rows = self.database.events.find({"delivery_id": delivery_id}).sort("at", -1).limit(_MOST)
            return [_event(row) for row in rows][::-1]

    def look_up(self, owner_id: str, field: Literal["receipt", "message_id"], value: str) -> list[Event]:
        """An owner's events of the message that the provider (`receipt`) or the mail itself (`message_id`) calls so; the oldest
        first, a thousand at most."""
        with answering():
            rows = self.database.events.find({"owner_id": owner_id, field: value}).sort("at", 1).limit(_MOST)
            return [_event(row) for row in rows]

    def tallies(self, delivery_ids: Iterable[str]) -> dict[str, list[Tally]]:
        """How many of each sort are on record of each of these deliveries that has any."""
        stages: list[Document] = [
            {"$match": {"delivery_id": {"$in": list(delivery_ids)}}},
            {
                "$group": {
                    "_id": {
                        "delivery": "$delivery_id",
                        "kind": "$kind",
                        "by_machine": {"$ifNull": ["$by_machine", False]},
                    },
                    "events": {"$sum": 1},
                    "first_at": {"$min": "$at"},
                }
            },
        ]
        found: dict[str, list[Tally]] = {}
        with answering():
            for row in self.database.events.aggregate(stages):
                sort = row["_id"]
                tally = Tally(EventKind(sort["kind"]), sort["by_machine"], row["events"], row["first_at"])
                found.setdefault(sort["delivery"], []).append(tally)
        return found


def name_of(event: Event) -> str:
    """The id of its record."""
    return f"{event.provider}/{event.at:%Y-%m-%d}/{event.id}"


def _row(event: Event, owner_id: str, now: datetime, retention: timedelta) -> Document:
    return {
        **asdict(event),
        "_id": name_of(event),
        "kind": event.kind.value,
        "owner_id": owner_id,
        "schema": SCHEMA,
        "created_at": now,
        "updated_at": now,
        "purge_at": now + retention,
    }


def _event(row: Document) -> Event:
    """What a registry of an older version wrote lacks the later fields."""
    known = {name: row[name] for name in _FIELDS if name in row}
    return Event(**{**known, "kind": EventKind(row["kind"])})


_FIELDS = tuple(field.name for field in fields(Event))
