"""Who gets no mail any more, and of which kind. Pure.

An address whose mailbox does not exist, or whose owner complained, gets none at all; one who unsubscribed gets none that goes to
many, but still what they asked for themselves.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from fencepost import ids
from fencepost.deliveries import Delivery
from fencepost.events import Event, EventKind
from fencepost.occurrences import Origin


class Scope(StrEnum):
    """Which mail is kept back."""

    ALL = "all"
    BULK = "bulk"
    """That of schedules, and API mail that says it goes to many."""


class Reason(StrEnum):
    """Why an address is suppressed."""

    BOUNCE = "bounce"
    COMPLAINT = "complaint"
    UNSUBSCRIBE = "unsubscribe"
    MANUAL = "manual"


_SCOPES = {Reason.UNSUBSCRIBE: Scope.BULK}
_REASONS = {EventKind.COMPLAINED: Reason.COMPLAINT, EventKind.UNSUBSCRIBED: Reason.UNSUBSCRIBE}


def suppression_of(event: Event) -> Reason | None:
    """Why `event.recipient` is to get no more mail; None if the event is no reason for that. A bounce is one only where the
    provider says that it lasts: a full mailbox is emptied, and a server comes back."""
    if event.kind is EventKind.BOUNCED:
        return Reason.BOUNCE if event.is_hard else None
    return _REASONS.get(event.kind)


@dataclass(frozen=True, slots=True)
class Suppression:
    """One address that an owner's mail is not sent to. `email` is in lower case; `detail` says where it comes from."""

    owner_id: str
    email: str
    scope: Scope
    reason: Reason
    detail: str
    created_at: datetime

    @property
    def id(self) -> str:
        return ids.suppression_id(self.owner_id, self.email, self.scope)


def suppress(owner_id: str, email: str, reason: Reason, detail: str, now: datetime) -> Suppression:
    """A suppression of the scope that its reason calls for."""
    return Suppression(owner_id, email.lower(), _SCOPES.get(reason, Scope.ALL), reason, detail, now)


def is_bulk(row: Delivery) -> bool:
    """Whether a delivery goes to many: those who unsubscribed get none of it."""
    return row["origin"] != Origin.API or bool(row.get("bulk"))


def kept_back(row: Delivery, emails: Collection[str], suppressed: Collection[tuple[str, str, str]]) -> frozenset[str]:
    """Those of these addresses that may not get this delivery. `suppressed` are (owner, address, scope)."""
    scopes = tuple(Scope) if is_bulk(row) else (Scope.ALL,)
    return frozenset(
        email for email in emails if any((row["owner_id"], email.lower(), scope) in suppressed for scope in scopes)
    )
