"""The connection: how it is opened, what its failures mean, inserting what is missing, and one command that
gives many documents values of their own."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import bson
from bson.codec_options import CodecOptions
from pymongo import MongoClient
from pymongo.collection import Collection
from pymongo.database import Database
from pymongo.errors import (
    BulkWriteError,
    ConfigurationError,
    ConnectionFailure,
    ExecutionTimeout,
    InvalidURI,
    OperationFailure,
    PyMongoError,
    WriteConcernError,
)

from fencepost import settings
from fencepost.errors import Misconfigured, Unreachable

Document = dict[str, Any]
Documents = Collection[Document]

DUPLICATE_KEY = 11000
_AWAY = {
    6,  # HostUnreachable
    7,  # HostNotFound
    43,  # CursorNotFound: the server was restarted between two batches
    89,  # NetworkTimeout
    91,  # ShutdownInProgress
    175,  # QueryPlanKilled: the member took back what its last primary alone had written, under a running query
    134,  # ReadConcernMajorityNotAvailableYet
    189,  # PrimarySteppedDown
    262,  # ExceededTimeLimit
    9001,  # SocketException
    10107,  # NotWritablePrimary
    11600,  # InterruptedAtShutdown
    11602,  # InterruptedDueToReplStateChange
    13435,  # NotPrimaryNoSecondaryOk
    13436,  # NotPrimaryOrSecondary
}
"""What a server says that is not, or not any more, the one to ask. The specifications of server discovery and of retryable writes
list them; a primary that steps down in the middle of a statement says so of single writes, where the driver does not look.
https://github.com/mongodb/specifications/blob/master/source/retryable-writes/retryable-writes.md"""


def connect(options: settings.MongoDB) -> Database[Document]:
    """The database. Nothing is sent yet, so a server that is down does not matter here. Raises Misconfigured for a bad
    address.

    Writes wait for a journaled majority and reads see only such writes: what was acknowledged or acted upon is never
    rolled back. Every operation has one total time-out (the driver's default is none).
    """
    try:
        client: MongoClient[Document] = MongoClient(
            options.url,
            w="majority",
            journal=True,
            readConcernLevel="majority",
            retryWrites=True,
            timeoutMS=round(options.timeout_seconds * 1000),
            serverSelectionTimeoutMS=round(options.timeout_seconds * 1000),
            appname="fencepost",
            tz_aware=True,
            connect=False,
        )
    except (ConfigurationError, InvalidURI, ValueError) as error:
        raise Misconfigured(f"FENCEPOST_MONGODB__URL: {error}") from None
    return client.get_database(options.database, codec_options=CodecOptions(tz_aware=True))


class _Tidying(logging.Filter):
    """Keeps quiet about a cursor that the driver could not close in the background, at a server that is away: that server ends it
    by itself, and whoever used it has been told."""

    def filter(self, record: logging.LogRecord) -> bool:
        error = record.exc_info[1] if record.exc_info else None
        return not isinstance(error, ConnectionFailure)


logging.getLogger("pymongo.client").addFilter(_Tidying())


@contextmanager
def answering() -> Iterator[None]:
    """Turns every failure that leaves doubt about what the server did into Unreachable."""
    try:
        yield
    except (ConnectionFailure, ExecutionTimeout, WriteConcernError) as error:
        raise Unreachable("mongodb", _sentence(error)) from error
    except PyMongoError as error:
        if error.timeout or error.has_error_label("RetryableWriteError") or is_away(error):
            raise Unreachable("mongodb", _sentence(error)) from error
        raise


def is_away(error: PyMongoError) -> bool:
    """Whether it says no more than that this server is not, or not any more, the one to ask."""
    if not isinstance(error, OperationFailure):
        return False
    details = error.details or {}
    codes = {error.code, *(problem.get("code") for problem in details.get("writeErrors", ()))}
    return bool(codes & _AWAY) or bool(details.get("writeConcernErrors"))


def _sentence(error: Exception) -> str:
    text = str(error)
    for noise in (" (configured timeouts:", ", Timeout:", ", Topology Description:"):
        text = text.partition(noise)[0]
    return text[:200]


def server_time(database: Database[Document]) -> datetime:
    """What the server's clock says, aware UTC."""
    with answering():
        answer: datetime = database.command("hello", codec_options=database.codec_options)["localTime"]
        return answer


def insert_missing(collection: Documents, rows: Sequence[Document]) -> set[str]:
    """Insert these all the same, whichever are there already: the ids of those, which are left as they are."""
    with answering():
        try:
            collection.insert_many(rows, ordered=False)
        except BulkWriteError as error:
            return {problem["op"]["_id"] for problem in only_duplicates(error)}
    return set()


def only_duplicates(error: BulkWriteError) -> list[Document]:
    """The rows' problems if all of them are that a row of this id was there already. Raises the error itself if not."""
    problems: list[Document] = error.details.get("writeErrors", [])
    if error.details.get("writeConcernErrors") or any(problem["code"] != DUPLICATE_KEY for problem in problems):
        raise error
    return problems


def bytes_on_record(document: Mapping[str, Any]) -> int:
    """What it takes in the database, as a part of another or alone."""
    return len(bson.encode(document))


def own(values: Sequence[Any]) -> Document:
    """Within `each_its_own`: the value of the document's own row, taken literally."""
    return {"$arrayElemAt": [{"$literal": list(values)}, "$_row"]}


def each_its_own(
    ids: Sequence[str], columns: Mapping[str, Sequence[Any]], constants: Mapping[str, Any]
) -> list[Document]:
    """An update pipeline that gives the document with `ids[i]` the value `columns[field][i]` of each field.

    One update_many with such a table costs the server about a quarter of a bulk of single updates. Constants may be
    aggregation expressions, also with `own`.
    """
    values = {field: own(column) for field, column in columns.items()}
    return [
        {"$set": {"_row": {"$indexOfArray": [{"$literal": list(ids)}, "$_id"]}}},
        {"$set": {**values, **constants}},
        {"$unset": "_row"},
    ]
