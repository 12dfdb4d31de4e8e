"""What changes in `deliveries` and `events`, followed from where the last reader left it."""

import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from bson.timestamp import Timestamp
from pymongo.change_stream import DatabaseChangeStream
from pymongo.database import Database
from pymongo.errors import DuplicateKeyError, OperationFailure

from fencepost.deliveries import State
from fencepost.errors import FencepostError
from fencepost.store.mongodb import Document, answering, is_away
from fencepost.tracking import RANK
from fencepost.webhooks import OF_EVENTS, OF_STATES

ID = "notifier"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_GONE = {
    260,  # InvalidResumeToken
    280,  # ChangeStreamFatalError
    286,  # ChangeStreamHistoryLost
}
_STATES = [state.value for state in OF_STATES]
_AFTER_ACCEPTANCE = set(RANK) - {State.ACCEPTED}
_KINDS = [kind.value for kind in OF_EVENTS]
_PIPELINE: list[Document] = [
    {
        "$match": {
            "$or": [
                {
                    "ns.coll": "deliveries",
                    "operationType": "update",
                    "updateDescription.updatedFields.state": {"$in": _STATES},
                },
                {"ns.coll": "deliveries", "operationType": "insert", "fullDocument.state": {"$in": _STATES}},
                {"ns.coll": "events", "operationType": "insert", "fullDocument.kind": {"$in": _KINDS}},
            ]
        }
    },
    {"$project": {"fullDocument": 1, "ns": 1, "operationType": 1, "updateDescription.updatedFields.state": 1,
                  "updateDescription.updatedFields.receipt": 1,
                  "updateDescription.updatedFields.updated_at": 1, "clusterTime": 1}},
]  # fmt: skip
_AWAIT_MS = 250


Point = Document | Timestamp
"""Where a stream may be opened: a token, or a time in the server's own count. Opaque to callers."""


class HistoryLost(FencepostError):
    """The server no longer has what happened since the token: it was too long ago."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the changes have been read. `token` None: nothing was followed yet."""

    token: Document | None
    read_until: datetime
    """Everything that changed before was read."""


@dataclass(frozen=True, slots=True)
class Change:
    """A delivery that entered a state (`row` as it is now, `state` and `at` of the change), or an event that came on record."""

    collection: str
    row: Document
    state: str
    at: datetime


class Reading:
    """An open stream."""

    def __init__(self, stream: DatabaseChangeStream[Document]) -> None:
        self._stream = stream
        self._behind_at: datetime | None = None

    @property
    def token(self) -> Document:
        """Where to go on after all that `read` gave out."""
        token: Any = self._stream.resume_token
        return dict(token)

    def read(self, most: int, seconds: float) -> list[Change]:
        """What changed next, collected for so long; the list may be empty. Raises Unreachable and HistoryLost."""
        found: list[Change] = []
        end = time.monotonic() + seconds
        with _following():
            while len(found) < most and time.monotonic() < end:
                raw = self._stream.try_next()
                self._behind_at = raw["clusterTime"].as_datetime() if raw else None
                if raw is None:
                    break
                found += _changes(raw)
        return found

    def read_until(self, began: datetime) -> datetime:
        """Everything that changed before was read, if the last `read` began then: all of it, or as far as it came, since more may
        have been waiting than it took."""
        return min(began, self._behind_at) if self._behind_at else began


@dataclass(frozen=True, slots=True)
class Changes:
    """The one reader's lease, its progress, and the stream."""

    database: Database[Document]

    def acquire(self, holder: str, lease: timedelta) -> Progress | None:
        """Become the one that reads, or go on being it, for so long by the server's clock; None: another is."""
        free: Document = {"$or": [{"holder": holder}, {"$expr": {"$lt": ["$lease_until", "$$NOW"]}}]}
        taken = {"holder": holder, "lease_until": {"$add": ["$$NOW", round(lease.total_seconds() * 1000)]}}
        with answering():
            with suppress(DuplicateKeyError):
                self.database.cluster.insert_one(
                    {"_id": ID, "holder": "", "lease_until": _EPOCH, "token": None, "read_until": _EPOCH}
                )
            row = self.database.cluster.find_one_and_update(
                {"_id": ID, **free}, [{"$set": taken}], return_document=True
            )
        return Progress(row["token"], row["read_until"]) if row else None

    def release(self, holder: str) -> None:
        """Let another read at once."""
        with answering():
            self.database.cluster.update_one({"_id": ID, "holder": holder}, {"$set": {"lease_until": _EPOCH}})

    def save(self, holder: str, progress: Progress) -> bool:
        """Put on record how far it came; False if another reads by now."""
        values = {"token": progress.token, "read_until": progress.read_until}
        with answering():
            return self.database.cluster.update_one({"_id": ID, "holder": holder}, {"$set": values}).matched_count > 0

    @staticmethod
    def point(instant: datetime) -> Point:
        """From an instant on, to the second."""
        return Timestamp(int(instant.timestamp()), 0)

    def now(self) -> Point:
        """From now on. Raises Unreachable."""
        with answering():
            time: Timestamp = self.database.command("ping")["operationTime"]
            return time

    @contextmanager
    def follow(self, since: Point) -> Iterator[Reading]:
        """The stream from there on. Raises Unreachable and HistoryLost."""
        start: dict[str, Any] = {"start_at_operation_time" if isinstance(since, Timestamp) else "resume_after": since}
        with _following(opening=True):
            stream = self.database.watch(
                _PIPELINE, full_document="updateLookup", max_await_time_ms=_AWAIT_MS, batch_size=500, **start
            )
        try:
            yield Reading(stream)
        finally:
            with suppress(Exception):
                stream.close()

    def since(self, owners: Collection[str], instant: datetime) -> Iterator[Change]:
        """What these owners' mail went through since then as far as it still shows: of each email the state that it is in now."""
        theirs = {"owner_id": {"$in": list(owners)}}
        with answering():
            for row in self.database.deliveries.find(
                {**theirs, "state": {"$in": _STATES}, "updated_at": {"$gte": instant}}
            ):
                yield Change("deliveries", row, row["state"], row["updated_at"])
            for row in self.database.events.find({**theirs, "kind": {"$in": _KINDS}, "created_at": {"$gte": instant}}):
                yield Change("events", row, row["kind"], row["at"])


def _changes(raw: Document) -> Iterator[Change]:
    """Nothing for a row that is purged by now; two where one write said that a mail was accepted, and what its provider had told of it
    before that."""
    row, collection = raw.get("fullDocument"), raw["ns"]["coll"]
    if row is None:
        return
    if collection == "events":
        yield Change(collection, row, row["kind"], row["at"])
        return
    if raw["operationType"] == "insert":
        yield Change(collection, row, row["state"], row["updated_at"])
        return
    updated = raw["updateDescription"]["updatedFields"]
    # What the change itself wrote, not the row, which may have moved on: read again, it gives the same.
    at = updated.get("updated_at") or raw["clusterTime"].as_datetime()
    if updated.get("receipt") and updated["state"] in _AFTER_ACCEPTANCE:
        yield Change(collection, row, State.ACCEPTED.value, at)
    yield Change(collection, row, updated["state"], at)


@contextmanager
def _following(*, opening: bool = False) -> Iterator[None]:
    """`opening`: whatever else a server that is there refuses, it is the point that it can't go on from."""
    with answering():
        try:
            yield
        except OperationFailure as error:
            if error.code in _GONE or (opening and not is_away(error) and not error.timeout):
                raise HistoryLost(str(error)[:200]) from error
            raise
