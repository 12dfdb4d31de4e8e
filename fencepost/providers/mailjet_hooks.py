"""Mailjet's Event API: whether it was Mailjet who called, and what it tells. Pure.

Mailjet signs nothing: the address that it is given carries a user and a password, which it sends as basic authentication. The
body is one event, or an array of those of a second. Events have no ids, so one is named by all that it says: told again, it is
the same. A call that is not answered is repeated for a day. There is no timestamp to go by: the password is all.
"""

import hmac
from base64 import b64encode
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from fencepost.events import Event, EventKind
from fencepost.machines import is_machine
from fencepost.providers import answers, hooks
from fencepost.providers.hooks import Told, Unsigned
from fencepost.providers.mailjet import ATTEMPT_VARIABLE

_KINDS = {
    "sent": EventKind.DELIVERED,
    "open": EventKind.OPENED,
    "click": EventKind.CLICKED,
    "bounce": EventKind.BOUNCED,
    "blocked": EventKind.REJECTED,
    "spam": EventKind.COMPLAINED,
    "unsub": EventKind.UNSUBSCRIBED,
}
"""By their name there: `sent` is told when the recipient's server has taken it, `blocked` when Mailjet did not even try."""


class MailjetHooks:
    """Calls with one of these credentials."""

    def __init__(self, credentials: Sequence[str]) -> None:
        """`credentials`: `user:password`, as they stand before the @ of the address that Mailjet calls."""
        self._accepted = [f"Basic {b64encode(pair.encode()).decode()}".encode() for pair in credentials]

    def read(self, body: bytes, headers: Mapping[str, str], now: datetime) -> Sequence[Told]:  # noqa: ARG002 no timestamp
        given = headers.get("authorization", "").encode()
        # All of them, whichever fits: how long this takes tells nothing.
        fits = [hmac.compare_digest(accepted, given) for accepted in self._accepted]
        if not any(fits):
            raise Unsigned("the user and password in the address are not ours")
        items = hooks.parsed(body)
        return [_told(item) for item in (items if isinstance(items, list) else [items])]


def _told(item: object) -> Told:
    name = hooks.fingerprint(item)
    return Told(name, read_event(item, name) if isinstance(item, dict) else None, item)


def read_event(item: Mapping[str, Any], name: str) -> Event | None:
    """An event in our words, under that name; None for one that is not about a delivery of ours, or of a kind that we do not
    know."""
    delivery_id, at = hooks.name_of(item.get("CustomID")), hooks.seconds(item.get("time"))
    kind = _KINDS.get(str(item.get("event")))
    if not delivery_id or at is None or kind is None:
        return None
    payload, agent = item.get("Payload"), hooks.short(item.get("agent"))
    known = hooks.parsed(payload.encode()) if isinstance(payload, str) else None
    return Event(
        id=name,
        provider="mailjet",
        kind=kind,
        at=at,
        delivery_id=delivery_id,
        attempt_no=hooks.number(answers.at(known, ATTEMPT_VARIABLE)),
        receipt=answers.receipt(item.get("Message_GUID")) or hooks.name_of(item.get("MessageID")) or None,
        recipient=hooks.short(item.get("email")),
        by_machine=kind is EventKind.OPENED and is_machine(agent, at, None),
        is_hard=kind is EventKind.BOUNCED and item.get("hard_bounce") is True,
        detail=hooks.short(item.get("url"), _error(item), item.get("smtp_reply"), agent),
    )


def _error(item: Mapping[str, Any]) -> str | None:
    """What Mailjet says about mail that did not get there: where the fault lies, which it is, and in words."""
    parts = [hooks.short(item.get(name)) for name in ("error_related_to", "error", "comment")]
    return ": ".join(part for part in parts if part) or None
