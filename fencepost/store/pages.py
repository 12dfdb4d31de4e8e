"""Keyset pages: a cursor is where the last page ended, so a page costs the same wherever it is and nothing is shown twice."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar

import bson
import bson.errors
from bson.codec_options import CodecOptions

from fencepost.errors import Invalid, Problem
from fencepost.store.mongodb import Document, Documents, answering

T = TypeVar("T")
_AWARE: CodecOptions[Document] = CodecOptions(tz_aware=True)


@dataclass(frozen=True, slots=True)
class Cursor:
    """The sort values of the last row that was shown."""

    values: tuple[str | datetime, ...]

    def __str__(self) -> str:
        return urlsafe_b64encode(bson.encode({"v": list(self.values)})).decode().rstrip("=")

    @classmethod
    def parse(cls, text: str) -> "Cursor":
        """Raises Invalid for anything but what a page gave out."""
        try:
            values = bson.decode(urlsafe_b64decode(text + "=" * (-len(text) % 4)), _AWARE)["v"]
            if not values or not all(isinstance(value, str | datetime) for value in values):
                raise ValueError
        except (ValueError, TypeError, KeyError, bson.errors.BSONError):
            raise Invalid(
                Problem("/cursor", "is not a cursor of this list; take `next_cursor` of the page before")
            ) from None
        return cls(tuple(values))


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Some rows, and the cursor to what follows them; None at the end."""

    items: Sequence[T]
    next_cursor: Cursor | None


def page(
    collection: Documents,
    query: Document,
    keys: Sequence[tuple[str, int]],
    limit: int,
    cursor: Cursor | None,
    convert: Callable[[Document], T],
    projection: Document | None = None,
) -> Page[T]:
    """`limit` rows of the query in the order of `keys`, after the cursor. Raises Invalid for another list's cursor."""
    if cursor:
        if len(cursor.values) != len(keys):
            raise Invalid(Problem("/cursor", "belongs to another list; take `next_cursor` of the page before"))
        query = {"$and": [query, _after(keys, cursor.values)]}
    with answering():
        rows = list(collection.find(query, projection).sort(list(keys)).limit(limit + 1))
    more = len(rows) > limit
    rows = rows[:limit]
    following = Cursor(tuple(rows[-1][name] for name, _ in keys)) if more else None
    return Page([convert(row) for row in rows], following)


def _after(keys: Sequence[tuple[str, int]], values: Sequence[Any]) -> Document:
    """The rows that sort behind these values: a later first key, or the same and a later second one, and so on."""
    choices = []
    for index, (name, direction) in enumerate(keys):
        same = {keys[earlier][0]: values[earlier] for earlier in range(index)}
        choices.append({**same, name: {"$gt" if direction > 0 else "$lt": values[index]}})
    return {"$or": choices}
