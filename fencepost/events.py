"""Events: what a provider said of a delivery afterwards, in one vocabulary for all providers. Pure."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class EventKind(StrEnum):
    """What happened, as a provider's webhook or its records tell it."""

    ACCEPTED = "accepted"
    DELIVERED = "delivered"
    DEFERRED = "deferred"
    BOUNCED = "bounced"
    REJECTED = "rejected"
    """The provider had taken it, and then did not send it."""
    COMPLAINED = "complained"
    OPENED = "opened"
    CLICKED = "clicked"
    UNSUBSCRIBED = "unsubscribed"


TAKEN = frozenset(EventKind) - {EventKind.REJECTED}
"""Each of these shows that the provider took the mail."""


@dataclass(frozen=True, slots=True)
class Event:
    """One fact about one delivery. `id` is the provider's own, so that what is told twice is kept once."""

    id: str
    provider: str
    kind: EventKind
    at: datetime
    delivery_id: str
    attempt_no: int | None
    receipt: str | None
    """The provider's id of the message."""
    message_id: str | None = None
    """The Message-ID header of the mail, without angle brackets, where the provider tells it."""
    recipient: str | None = None
    """Whom of the delivery's recipients it is about, where the provider tells it."""
    by_machine: bool = False
    """Of an opening or a click: a program fetched it, no person."""
    is_hard: bool = False
    """Of a bounce: this address will not take mail later either."""
    detail: str | None = None
    """What the provider says about it, for people: a bounce's reason, say, or the link that was clicked."""
    is_test: bool = False
    """About mail of a test key: no provider told it, and none was called."""
