"""What several answers share."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any

from pydantic import ConfigDict, WithJsonSchema, with_config
from typing_extensions import TypedDict

from fencepost.clock import iso

Instant = Annotated[str, WithJsonSchema({"type": "string", "format": "date-time"})]
"""RFC 3339 in UTC."""

EXACT = ConfigDict(extra="forbid", use_attribute_docstrings=True)


@with_config(EXACT)
class Address(TypedDict):
    """A mailbox."""

    email: str
    name: str


@with_config(EXACT)
class AttachmentAnswer(TypedDict):
    """A file that goes with a mail; what it holds is not shown."""

    filename: str
    content_type: str
    content_id: str | None
    """With one it is shown within the html, which names it `cid:` and this."""
    size: int
    """In bytes."""
    file_id: str
    """May be sent in place of `content` in another text."""


@with_config(EXACT)
class TokenPair(TypedDict):
    """What tells a grant of a shard from every other; later ones are greater."""

    generation: int
    revision: int


def maybe_iso(instant: datetime | None) -> str | None:
    return iso(instant) if instant else None


def address(entry: Mapping[str, Any]) -> Address:
    return {"email": entry["email"], "name": entry.get("name") or ""}
