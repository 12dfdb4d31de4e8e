"""What providers tell by themselves: one way to verify and read it for all of them. Pure.

A reader is given the bytes of a call as they came, its headers and the time, and answers with what is told in it, or refuses:
nothing that it did not find signed gets any further. Reading asks nobody; the one thing that has to be fetched (the
certificate that Amazon signs with) is fetched by whoever made the reader.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from pydantic_core import from_json

from fencepost.errors import FencepostError
from fencepost.events import Event

AHEAD = timedelta(minutes=5)
"""How far the provider's clock may be ahead of ours."""
_LONGEST_NAME = 256
_LONGEST_DETAIL = 500


class Unsigned(FencepostError):
    """Nothing shows that the provider called. It may do so again, once keys or clocks are right."""


class Unacceptable(FencepostError):
    """What came will not be taken however often it comes."""


@dataclass(frozen=True, slots=True)
class Told:
    """One thing that a provider told. It may have told it before, and may tell it again."""

    name: str
    """The provider's name for it, the same whenever it is told."""
    event: Event | None
    """In our words; None for what is about no mail of ours, or of a kind that we do not know."""
    raw: object
    """As it was said."""
    is_single: bool = False
    """The signature covers the name and not what is told under it: a name that comes with anything else is refused."""
    visit: str | None = None
    """An address of the provider's, checked, that it wants called before it goes on telling."""


class HookReader(Protocol):
    """The calls of one provider."""

    def read(self, body: bytes, headers: Mapping[str, str], now: datetime) -> Sequence[Told]:
        """What is told in this call; names of headers are looked up in lower case. Raises Unsigned and Unacceptable, and
        Unreachable where what it is verified by can't be fetched."""
        ...


def parsed(body: bytes) -> Any:
    """The JSON of a body; None for what is none: no NaN, no half characters, a bounded depth."""
    try:
        return from_json(body, allow_inf_nan=False)
    except ValueError:
        return None


def check_age(signed_at: datetime, now: datetime, longest: timedelta) -> None:
    """Raises Unacceptable for what was signed longer ago than its provider repeats, Unsigned for what is still to come."""
    age = now - signed_at
    if age > longest:
        raise Unacceptable(f"this was signed more than {longest.total_seconds() / 3600:g} hours ago")
    if age < -AHEAD:
        raise Unsigned("this was signed in the future; one of the clocks is wrong")


def fingerprint(item: object) -> str:
    """The same text for the same JSON, whatever the order of its fields."""
    return hashlib.sha256(json.dumps(item, sort_keys=True).encode()).hexdigest()


def seconds(stamp: object) -> datetime | None:
    """An instant given in seconds since 1970; None for anything that can't be such."""
    if isinstance(stamp, bool) or not isinstance(stamp, int | float) or not 0 < stamp < 1e11:
        return None
    return datetime.fromtimestamp(stamp, UTC)


def instant(text: object) -> datetime | None:
    """An instant given as RFC 3339; None for anything that can't be such."""
    try:
        found = datetime.fromisoformat(text) if isinstance(text, str) else None
        return found.astimezone(UTC) if found and found.tzinfo else None
    except (ValueError, OverflowError):
        return None


def name_of(value: object) -> str:
    """The value, if it can name something of a provider's; empty if not."""
    text = str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""
    return text if 0 < len(text) <= _LONGEST_NAME and text.isprintable() else ""


def short(*values: object) -> str | None:
    """The first of these that is a text with something in it, cut to what a page shows."""
    text = next((value.strip() for value in values if isinstance(value, str) and value.strip()), None)
    return text[:_LONGEST_DETAIL] if text else None


def number(value: object) -> int | None:
    """An attempt's number as it travelled; None for anything else."""
    text = str(value)
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 6 else None
