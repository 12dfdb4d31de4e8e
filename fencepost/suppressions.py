"""Whom no mail is to be sent to any more, and why. Pure."""

from enum import StrEnum

from fencepost.events import Event, EventKind


class Reason(StrEnum):
    """Why a recipient gets no more mail."""

    BOUNCE = "bounce"
    """The address takes no mail, and will not later either."""
    COMPLAINT = "complaint"
    UNSUBSCRIBE = "unsubscribe"


_REASONS = {EventKind.COMPLAINED: Reason.COMPLAINT, EventKind.UNSUBSCRIBED: Reason.UNSUBSCRIBE}


def suppression_of(event: Event) -> Reason | None:
    """Why `event.recipient` is to get no more mail; None if the event is no reason for that. A bounce is one only where the
    provider says that it lasts: a full mailbox is emptied, and a server comes back."""
    if event.kind is EventKind.BOUNCED:
        return Reason.BOUNCE if event.is_hard else None
    return _REASONS.get(event.kind)
