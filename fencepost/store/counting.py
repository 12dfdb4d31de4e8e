"""The collection `mail_counts`, as it is written: what became of the mail of each owner in each quarter of an hour and each day,
made anew from the rows whenever one of them has changed."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from pymongo import ASCENDING, IndexModel, ReturnDocument, UpdateOne, timeout
from pymongo.database import Database
from pymongo.errors import BulkWriteError

from fencepost import ids
from fencepost.deliveries import State
from fencepost.mail_counts import COUNTS, DAY, QUARTER, Span, quarter_of
from fencepost.store.mongodb import Document, answering, only_duplicates
from fencepost.tracking import RANK

SCHEMA = 1
SETTLED = [state.value for state in State if state not in (State.PENDING, State.SENDING)]
"""What counts, in the order of the states."""
INDEXES = [
    IndexModel([("owner_id", ASCENDING), ("span", ASCENDING), ("at", ASCENDING)], name="of_owner"),
    IndexModel([("span", ASCENDING), ("at", ASCENDING), ("owner_id", ASCENDING), ("part", ASCENDING)], name="of_time"),
    IndexModel([("purge_at", ASCENDING)], name="purge", expireAfterSeconds=0),
]
SETTLED_INDEX = IndexModel(
    [("updated_at", ASCENDING), ("state", ASCENDING), ("_id", ASCENDING)],
    name="settled",
    partialFilterExpression={"state": {"$in": SETTLED}},
)
"""Of deliveries: what has changed lately. A mail enters it when it settles, and moves in it with each event; those on their way pay
nothing for it."""
_PROGRESS = "progress"
_SLOT_CHARACTERS = len(f"{ids.DELIVERY}_") + 7
"""So much of an id tells 33 seconds apart."""
_SLOT = timedelta(milliseconds=2**15)
_PATIENCE_SECONDS = 120
"""A quarter in which a long list was due is read as a whole."""


class Change(NamedTuple):
    """Mails of ids that begin alike changed within one minute: how many, and when the last of them."""

    slot: str
    minute: datetime

    @property
    def quarters(self) -> set[datetime]:
        """Those that these mails are in."""
        first = ids.instant_of(self.slot.ljust(len(ids.DELIVERY) + 27, "0"))
        return {quarter_of(first), quarter_of(first + _SLOT - timedelta(milliseconds=1))}


@dataclass(frozen=True, slots=True)
class Counting:
    """Whoever counts. Several may do it at once: what was read later wins."""

    database: Database[Document]
    cells_of_a_part: int = 20_000
    """How many go into one document: it may have 16 MB."""

    def begin(self) -> tuple[datetime | None, datetime]:
        """Up to where changes are counted (None: none ever were), and what the server's clock says. What was written before that is seen
        by what is read from here on: this is a write that waited for a majority."""
        with answering():
            row = self.database.mail_counts.find_one_and_update(
                {"_id": _PROGRESS},
                [{"$set": {"begun_at": "$$NOW"}}],
                upsert=True,
                return_document=ReturnDocument.AFTER,
            )
        assert row is not None
        return row.get("changes_to"), row["begun_at"]

    def end(self, changes_to: datetime, counted_at: datetime) -> None:
        """All changes before the first are counted for good, and what was known at the second."""
        with answering():
            self.database.mail_counts.update_one(
                {"_id": _PROGRESS}, {"$max": {"changes_to": changes_to, "counted_at": counted_at}}
            )

    def next_change(self, since: datetime | None) -> datetime | None:
        """When the first of the settled mails changed, at `since` or later; None: none did."""
        query: Document = {"state": {"$in": SETTLED}}
        if since:
            query["updated_at"] = {"$gte": since}
        with answering():
            row = self.database.deliveries.find_one(
                query, {"updated_at": 1, "_id": 0}, sort=[("updated_at", 1)], hint="settled"
            )
        return row["updated_at"] if row else None

    def changes(self, begin: datetime, end: datetime) -> dict[Change, tuple[int, datetime]]:
        """What changed in this time, read from the index alone: by what it is and when, how many and the last instant."""
        stages: list[Document] = [
            {"$match": {"state": {"$in": SETTLED}, "updated_at": {"$gte": begin, "$lt": end}}},
            {
                "$group": {
                    "_id": {
                        "slot": {"$substrBytes": ["$_id", 0, _SLOT_CHARACTERS]},
                        "minute": {"$dateTrunc": {"date": "$updated_at", "unit": "minute"}},
                    },
                    "count": {"$sum": 1},
                    "last": {"$max": "$updated_at"},
                }
            },
        ]
        with answering(), timeout(_PATIENCE_SECONDS):
            rows = self.database.deliveries.aggregate(stages, hint="settled")
            return {Change(row["_id"]["slot"], row["_id"]["minute"]): (row["count"], row["last"]) for row in rows}

    def count_quarters(
        self, quarters: Collection[datetime], now: datetime, kept: timedelta
    ) -> dict[datetime, set[str]]:
        """Make the counts of these quarters anew from their rows; the owners who had or have any in each of them."""
        found = {quarter: self._cells_of(quarter) for quarter in quarters}
        owners = self._write("quarter", found, now, kept)
        return {quarter: owners[quarter] | found[quarter].keys() for quarter in quarters}

    def count_days(self, days: Mapping[datetime, Collection[str]], now: datetime, kept: timedelta) -> None:
        """Make the counts of these owners' days of UTC anew from those of their quarters."""
        found: dict[datetime, dict[str, list[Document]]] = {}
        for day, owners in days.items():
            mine = {"owner_id": {"$in": list(owners)}, "span": "quarter", "at": {"$gte": day, "$lt": day + DAY}}
            which = {name: f"$cells.{name}" for name in _CELL}
            counts = {name: {"$sum": f"$cells.counts.{name}"} for name in COUNTS}
            stages: list[Document] = [
                {"$match": mine},
                {"$unwind": "$cells"},
                {"$group": {"_id": {"owner_id": "$owner_id", **which}, **counts}},
            ]
            with answering(), timeout(_PATIENCE_SECONDS):
                cells = by_owner(self.database.mail_counts.aggregate(stages, allowDiskUse=True))
            found[day] = {owner: cells.get(owner, []) for owner in owners}
        self._write("day", found, now, kept)

    def _cells_of(self, quarter: datetime) -> dict[str, list[Document]]:
        within = {"$gte": ids.first_id(ids.DELIVERY, quarter), "$lt": ids.first_id(ids.DELIVERY, quarter + QUARTER)}
        counts = {name: {"$sum": _EXPRESSIONS[name]} for name in COUNTS}
        stages: list[Document] = [
            # A test key's mail reaches nobody.
            {"$match": {"_id": within, "state": {"$in": SETTLED}, "test": {"$ne": True}}},
            {"$group": {"_id": {"owner_id": "$owner_id", **_CELL}, **counts}},
        ]
        with answering(), timeout(_PATIENCE_SECONDS):
            return by_owner(self.database.deliveries.aggregate(stages, hint="_id_", allowDiskUse=True))

    def _write(
        self, span: Span, found: Mapping[datetime, Mapping[str, Sequence[Document]]], now: datetime, kept: timedelta
    ) -> dict[datetime, set[str]]:
        """Put these in place of what is there; whose that was. What another read later than `now` stays."""
        before: dict[datetime, dict[str, int]] = defaultdict(dict)
        with answering():
            there = {"span": span, "at": {"$in": list(found)}}
            for row in self.database.mail_counts.find(there, {"_id": 0, "at": 1, "owner_id": 1, "part": 1}):
                parts = before[row["at"]]
                parts[row["owner_id"]] = max(parts.get(row["owner_id"], 0), row["part"] + 1)
        changes: list[UpdateOne] = []
        for at, of_owners in found.items():
            nothing: dict[str, Sequence[Document]] = {owner: [] for owner in before[at]}
            for owner, cells in {**nothing, **of_owners}.items():
                for part in range(max(-(-len(cells) // self.cells_of_a_part), before[at].get(owner, 1))):
                    those = cells[part * self.cells_of_a_part : (part + 1) * self.cells_of_a_part]
                    changes.append(_replacement(span, at, owner, part, those, now, kept))
        for start in range(0, len(changes), 200):
            try:
                with answering():
                    self.database.mail_counts.bulk_write(changes[start : start + 200], ordered=False)
            except BulkWriteError as error:
                only_duplicates(error)  # somebody read them later than we did
        return {at: set(before[at]) for at in found}


def _replacement(
    span: Span, at: datetime, owner: str, part: int, cells: Sequence[Document], now: datetime, kept: timedelta
) -> UpdateOne:
    fields = {
        "owner_id": owner,
        "span": span,
        "at": at,
        "part": part,
        "total": summed(cell["counts"] for cell in cells),
        "cells": cells,
        "counted_at": now,
        "schema": SCHEMA,
        "updated_at": now,
        "purge_at": at + kept,
    }
    name = f"{span}/{at:%Y-%m-%dT%H:%M}Z/{owner}/{part}"
    change = {"$set": fields, "$setOnInsert": {"created_at": now}}
    return UpdateOne({"_id": name, "counted_at": {"$lt": now}}, change, upsert=True)


def by_owner(rows: Iterable[Document]) -> dict[str, list[Document]]:
    """The cells of each owner, without the counts that are nought."""
    found: dict[str, list[Document]] = defaultdict(list)
    for row in rows:
        which = row.pop("_id")
        owner = which.pop("owner_id")
        found[owner].append({**which, "counts": {name: count for name, count in row.items() if count}})
    return found


def summed(counts: Iterable[Mapping[str, int]]) -> dict[str, int]:
    total: dict[str, int] = defaultdict(int)
    for each in counts:
        for name, count in each.items():
            total[name] += count
    return dict(total)


def _is(*states: State) -> Document:
    return {"$cond": [{"$in": ["$state", [state.value for state in states]]}, 1, 0]}


def _was(name: str) -> Document:
    """Whether this ever happened: nothing that is missing is greater than null."""
    return {"$cond": [{"$gt": [f"$tracking.{name}", None]}, 1, 0]}


_CELL: Document = {
    "provider": {"$ifNull": ["$provider", None]},
    "schedule_id": {"$ifNull": ["$schedule_id", None]},
    "tags": {"$ifNull": ["$tags", []]},
}
"""What tells the mails of an owner apart that are counted separately."""
_EXPRESSIONS: Mapping[str, Any] = {
    "sent": _is(*RANK),
    "delivered": _is(State.DELIVERED, State.COMPLAINED),
    "bounced": _is(State.BOUNCED),
    "complained": _is(State.COMPLAINED),
    "failed": _is(State.FAILED),
    "expired": _is(State.EXPIRED),
    "suppressed": _is(State.SUPPRESSED),
    "cancelled": _is(State.CANCELLED, State.SKIPPED),
    "in_doubt": _is(State.UNKNOWN, State.HELD),
    "opened": _was("opened_at"),
    "machine_opened": {"$cond": [{"$gt": ["$tracking.machine_opens", 0]}, 1, 0]},
    "clicked": _was("clicked_at"),
    "unsubscribed": _was("unsubscribed_at"),
    "opens": {"$ifNull": ["$tracking.opens", 0]},
    "clicks": {"$ifNull": ["$tracking.clicks", 0]},
}
"""What one row adds to each count."""
