"""What a request for mail is answered, and how a batch stands."""

from typing import Literal

from pydantic import with_config
from typing_extensions import TypedDict

from registry.answers.common import EXACT, Instant


@with_config(EXACT)
class EmailMade(TypedDict):
    """One mail that is on record. `to` is its recipient; the first of them, if they get it together."""

    id: str
    to: str


@with_config(EXACT)
class EmailsMade(TypedDict):
    """The mails that were made of one message."""

    object: Literal["batch"]
    id: str
    created_at: Instant
    emails: list[EmailMade]


@with_config(EXACT)
class ItemProblem(TypedDict):
    """What is wrong with one field of an item."""

    pointer: str
    """A JSON Pointer into the item."""
    detail: str


@with_config(EXACT)
class BatchResult(TypedDict):
    """What became of one item of the request."""

    index: int
    status: Literal["accepted", "refused"]
    emails: list[EmailMade]
    errors: list[ItemProblem]


@with_config(EXACT)
class BatchMade(TypedDict):
    """What became of each item, in their order."""

    object: Literal["batch"]
    id: str
    created_at: Instant
    results: list[BatchResult]


@with_config(EXACT)
class BatchAnswer(TypedDict):
    """How the mails of one request stand."""

    object: Literal["batch"]
    id: str
    created_at: Instant
    subject: str | None
    count: int
    by_state: dict[str, int]
    """How many of them are in which state; they add up to `count`."""


@with_config(EXACT)
class Replayed(TypedDict):
    """How many mails are pending again."""

    replayed: int
