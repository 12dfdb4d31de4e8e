"""Texts of others on a terminal: nothing in them may move the cursor, change colours or turn the direction of writing."""

import re
from datetime import UTC, datetime
from typing import Any

_SPACES = re.compile(r"[\t\n\v\f\r\x85\u2028\u2029]+")
_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def plain(value: object) -> str:
    """One line that shows as it is written; empty for None."""
    text = "" if value is None else str(value)
    return _CONTROLS.sub("\N{REPLACEMENT CHARACTER}", _SPACES.sub(" ", text))


def moment(value: str | None, *, utc: bool, exact: bool = False) -> str:
    """An instant of the API in the local zone, or in UTC, always with its offset; to the second, or `exact` to the millisecond. A
    dash for None; what is no instant stays as it is."""
    if value is None:
        return "-"
    try:
        instant = datetime.fromisoformat(value)
    except ValueError:
        return plain(value)
    shown = instant.astimezone(UTC if utc else None)
    return shown.isoformat(sep=" ", timespec="milliseconds" if exact else "seconds")


def mailbox(address: Any) -> str:
    """An address of the API as people write it; a dash for None."""
    if not address:
        return "-"
    name, email = plain(address.get("name")), plain(address.get("email"))
    return f"{name} <{email}>" if name else email


def mailboxes(addresses: list[Any]) -> str:
    """The first of them, and how many more there are."""
    if not addresses:
        return "-"
    more = f" and {len(addresses) - 1} more" if len(addresses) > 1 else ""
    return f"{mailbox(addresses[0])}{more}"


def counts(by_state: dict[str, int]) -> str:
    """`2 accepted, 1 pending`; `none` for nothing."""
    return ", ".join(f"{number} {plain(state)}" for state, number in by_state.items() if number) or "none"
