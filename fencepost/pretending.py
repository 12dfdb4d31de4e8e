"""What becomes of mail that a test key asked for: the events that a provider would have told, had there been one. Pure.

It arrives, unless the part of the address before the @ (and before a +, behind which anything may stand) says something else. The
same row always makes the same events, so whoever is lost half-way leaves the rest to the next.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from fencepost.deliveries import Delivery
from fencepost.events import Event, EventKind

_ARRIVES = (EventKind.ACCEPTED, EventKind.DELIVERED)
MAGIC = {
    "bounced": (EventKind.ACCEPTED, EventKind.BOUNCED),
    "complained": (*_ARRIVES, EventKind.COMPLAINED),
    "opened": (*_ARRIVES, EventKind.OPENED),
    "clicked": (*_ARRIVES, EventKind.OPENED, EventKind.CLICKED),
    "unsubscribed": (*_ARRIVES, EventKind.OPENED, EventKind.UNSUBSCRIBED),
}
"""What happens, by the address's first part."""
_APART = timedelta(milliseconds=1)


def pretended(row: Delivery) -> Sequence[Event]:
    """The events of an accepted delivery of a test key. None of them is a reason to suppress an address: nothing that a test says
    keeps real mail back."""
    accepted_at = row["attempts"][-1]["ended_at"]
    return [
        _event(row, kind, index, address["email"], accepted_at + number * _APART)
        for index, address in enumerate(row["to"])
        for number, kind in enumerate(kinds_of(address["email"]))
    ]


def kinds_of(email: str) -> Sequence[EventKind]:
    """What happens to a mail to this address, in order."""
    return MAGIC.get(email.partition("@")[0].partition("+")[0].lower(), _ARRIVES)


def _event(row: Delivery, kind: EventKind, index: int, email: str, at: datetime) -> Event:
    return Event(
        id=f"test/{row['_id']}/{index}/{kind.value}",
        provider=row["provider"] or "",
        kind=kind,
        at=at,
        delivery_id=row["_id"],
        attempt_no=row["attempt_no"],
        receipt=None,
        recipient=email,
        is_hard=kind is EventKind.BOUNCED,
        detail="A test key asked for it: no provider was called.",
        is_test=True,
    )
