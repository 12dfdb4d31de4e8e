"""What MongoDB's failures mean to who called: ask again, or a mistake of ours."""

import logging

import pytest
from pymongo.errors import (
    AutoReconnect,
    BulkWriteError,
    CursorNotFound,
    DuplicateKeyError,
    OperationFailure,
    PyMongoError,
    WriteConcernError,
    WriteError,
)

from fencepost.errors import Unreachable
from fencepost.store.mongodb import answering

_NOT_PRIMARY = "Not primary while writing to fencepost.deliveries"
_STEPPED_DOWN = {"index": 0, "code": 189, "errmsg": _NOT_PRIMARY}
_DUPLICATE = {"index": 0, "code": 11000, "errmsg": "E11000 duplicate key error", "op": {"_id": "eml_1"}}
_NOT_REPLICATED = {"code": 64, "errmsg": "waiting for replication timed out"}


@pytest.mark.parametrize(
    "error",
    [
        AutoReconnect("connection closed"),
        WriteConcernError("waiting for replication timed out", 64),
        # As a primary says it that steps down in the middle of an update, and in the middle of an insert.
        WriteError(_NOT_PRIMARY, 189, _STEPPED_DOWN),
        BulkWriteError({"writeErrors": [_STEPPED_DOWN], "writeConcernErrors": []}),
        BulkWriteError({"writeErrors": [_DUPLICATE, {**_STEPPED_DOWN, "index": 1}], "writeConcernErrors": []}),
        BulkWriteError({"writeErrors": [], "writeConcernErrors": [_NOT_REPLICATED]}),
        OperationFailure("not primary", 10107),
        CursorNotFound("cursor id 1 not found", 43),
        OperationFailure("the catalog was closed and reopened", 175),
    ],
    ids=lambda error: f"{type(error).__name__} {error.code if isinstance(error, OperationFailure) else ''}",
)
def test_a_server_that_is_not_the_one_to_ask_is_unreachable(error: PyMongoError) -> None:
    with pytest.raises(Unreachable), answering():
        raise error


@pytest.mark.parametrize(
    "error",
    [
        DuplicateKeyError("E11000 duplicate key error", 11000, _DUPLICATE),
        BulkWriteError({"writeErrors": [_DUPLICATE], "writeConcernErrors": []}),
        OperationFailure("unknown operator: $sett", 2),
    ],
)
def test_a_refusal_and_a_mistake_of_ours_stay_what_they_are(error: PyMongoError) -> None:
    with pytest.raises(type(error)), answering():
        raise error


@pytest.mark.parametrize(("error", "said"), [(AutoReconnect("connection closed"), 0), (KeyError("a bug"), 1)])
def test_a_cursor_that_could_not_be_closed_at_a_server_that_is_away_is_no_news(
    error: Exception, said: int, caplog: pytest.LogCaptureFixture
) -> None:
    logging.getLogger("pymongo.client").error("MongoClient background task encountered an error:", exc_info=error)
    assert len(caplog.records) == said
