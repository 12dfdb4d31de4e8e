"""A delivery's states, the outcomes of a provider call, and what follows from each."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, NotRequired, TypedDict

SCHEMA = 1


class State(StrEnum):
    """Where a delivery stands. docs/state-machines.md draws the arrows."""

    PENDING = "pending"
    SENDING = "sending"
    ACCEPTED = "accepted"
    DELIVERED = "delivered"
    BOUNCED = "bounced"
    COMPLAINED = "complained"
    FAILED = "failed"
    UNKNOWN = "unknown"
    HELD = "held"
    CANCELLED = "cancelled"
    SUPPRESSED = "suppressed"
    EXPIRED = "expired"
    SKIPPED = "skipped"


SETTLES = (State.SENDING, State.UNKNOWN, State.HELD)
"""From where the owner of an attempt, or what the provider's records say, may settle a delivery."""

NOT_SENT = (State.FAILED, State.CANCELLED, State.SUPPRESSED, State.EXPIRED, State.SKIPPED)
"""States that say that no provider took it: one that did all the same is a suspect."""


class OutcomeKind(StrEnum):
    """How a provider call ended, by what may follow."""

    ACCEPTED = "accepted"
    REJECTED = "rejected"
    """This mail was refused, and would be again."""
    THROTTLED = "throttled"
    """Provably not accepted; wait as long as the provider says."""
    UNAVAILABLE = "unavailable"
    """Provably not accepted: the provider, or our account there, can't take mail now."""
    UNKNOWN = "unknown"
    """The request may have been accepted. Never called again by guess; settled from the provider's records."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one call ended. `detail` is a sentence for people, free of addresses and keys."""

    kind: OutcomeKind
    detail: str
    receipt: str | None = None
    """The provider's id of the accepted message."""
    status: int | None = None
    """The HTTP status, where there was one."""
    retry_after_seconds: float | None = None
    """The wait that the provider asked for, if it did."""
    misconfigured: bool = False
    """The provider refuses us, not the mail (a wrong key, an unknown domain): an alarm, and no mail is burnt."""


STRANGER = "unknown"
"""The `sender` of an attempt that is known from the fence alone, and of which its provider is a guess: the row's own."""


class Verdict(TypedDict):
    """What was found out, or decided, about a call of which nobody had known how it ended."""

    at: datetime
    state: str
    """Which the delivery took thereby; `pending`: it is sent again."""
    by: str
    """`reconciler`, the provider that told of it, or the person who decided."""
    why: str


class Attempt(TypedDict, total=False):
    """One provider call for a delivery, or what stopped it. The first six are written when it is claimed."""

    id: str
    no: int
    provider: str
    sender: str
    token: int
    claimed_at: datetime
    fence: str
    fenced_at: datetime
    called_at: datetime
    ended_at: datetime
    outcome: str
    detail: str
    status: int | None
    copy_of: str
    """The delivery of which this would have been a copy, so that the breaker held it."""
    settlements: list[Verdict]
    """In the order in which they were made: one that was held is decided by a person later. Missing where nobody had to."""


class Delivery(TypedDict):
    """One mail to one recipient, as it is on record."""

    _id: str
    owner_id: str
    schema: int
    created_at: datetime
    updated_at: datetime
    shard: int
    occurrence_id: str | None
    schedule_id: str | None
    """None, like its occurrence, where it was asked for by POST /emails."""
    batch_id: NotRequired[str | None]
    """What was asked for together; of API mail alone."""
    revision_id: str | None
    """The text that it is rendered from: a schedule's revision, or the message of an API request."""
    version: int
    origin: str
    due_at: datetime
    jitter_ms: NotRequired[int]
    """How much later than due it is sent. Missing, like the next one, where a sender of an older version wrote the row."""
    after_occurrence: NotRequired[str | None]
    """The occurrence that has to have no mail pending or sending before this one is claimed."""
    not_before: datetime
    """A retry waits until then, and what has jitter."""
    queue_at: datetime
    """The order in which senders take what may be sent."""
    priority: NotRequired[str]
    low: NotRequired[bool]
    """Of low priority: it waits until nothing else may be sent, or its `queue_at` has come. Missing where it is not."""
    expires_at: NotRequired[datetime | None]
    """From then on it is worth nothing any more: it ends `expired` instead of being called."""
    route: NotRequired[list[str]]
    """The providers that may carry it, the preferred one first. Missing: all that are set, in their order."""
    tags: NotRequired[list[str]]
    bulk: NotRequired[bool]
    """API mail that goes to many, as a schedule's does: who unsubscribed gets none of it."""
    test: NotRequired[bool]
    """Asked for with a test key: it goes all its way, and no provider is called."""
    recipient: str
    to: list[dict[str, str]]
    state: str
    reason: str | None
    attempt_no: int
    attempt_id: str | None
    attempts: list[Attempt]
    token: int
    epoch: str | None
    provider: str | None
    deadline: datetime | None
    sender: str | None
    claim_id: str | None
    unknown_since: datetime | None
    look_up_at: datetime | None
    """When the provider's records are read next for an unknown or held one; None: at once."""
    ordered: bool
    """A person had it sent again: a pause or an edit of its schedule does not take it back."""
    receipt: str | None
    tracking: NotRequired[Mapping[str, Any]]
    """What its provider told of it (`tracking.Tracking`). Missing before the first event."""
    purge_at: datetime


def pending(
    delivery_id: str,
    *,
    owner_id: str,
    shard: int,
    revision_id: str | None,
    version: int,
    origin: str,
    recipient: str,
    to: list[dict[str, str]],
    due_at: datetime,
    not_before: datetime,
    queue_at: datetime,
    now: datetime,
    purge_at: datetime,
    occurrence_id: str | None = None,
    schedule_id: str | None = None,
) -> Delivery:
    """The row of a delivery of which nothing has happened yet."""
    return Delivery(
        _id=delivery_id,
        owner_id=owner_id,
        schema=SCHEMA,
        created_at=now,
        updated_at=now,
        shard=shard,
        occurrence_id=occurrence_id,
        schedule_id=schedule_id,
        revision_id=revision_id,
        version=version,
        origin=origin,
        due_at=due_at,
        not_before=not_before,
        queue_at=queue_at,
        recipient=recipient,
        to=to,
        state=State.PENDING.value,
        reason=None,
        attempt_no=0,
        attempt_id=None,
        attempts=[],
        token=0,
        epoch=None,
        provider=None,
        deadline=None,
        sender=None,
        claim_id=None,
        unknown_since=None,
        look_up_at=None,
        ordered=False,
        receipt=None,
        purge_at=purge_at,
    )


def claimed(
    row: Delivery, attempt: Attempt, *, epoch: str, deadline: datetime, claim_id: str, now: datetime
) -> Delivery:
    """The row of a pending delivery once an attempt has claimed it."""
    return {
        **row,
        "state": State.SENDING.value,
        "attempt_no": attempt["no"],
        "attempt_id": attempt["id"],
        "attempts": [*row["attempts"], attempt],
        "token": attempt["token"],
        "epoch": epoch,
        "provider": attempt["provider"],
        "deadline": deadline,
        "sender": attempt["sender"],
        "claim_id": claim_id,
        "updated_at": now,
    }


EXPIRED = "Its time to live ended before it could be called."


def is_worthless(row: Delivery, now: datetime) -> bool:
    """Whether its time to live is over: whoever would read it now would have no use for it."""
    expires_at = row.get("expires_at")
    return expires_at is not None and expires_at <= now


def schedule_of(row: Delivery) -> str:
    """The id of the schedule that made it; only for deliveries that one made."""
    assert row["schedule_id"] is not None
    return row["schedule_id"]


def occurrence_of(row: Delivery) -> str:
    """The id of the occurrence that it is of; only for deliveries that a schedule made."""
    assert row["occurrence_id"] is not None
    return row["occurrence_id"]
