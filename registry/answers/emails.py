"""Deliveries as JSON, under the name that the API has for them."""

from datetime import datetime
from typing import Annotated, Literal, NotRequired

from pydantic import Field, with_config
from typing_extensions import TypedDict

from fencepost.clock import iso
from fencepost.coordination.tokens import Token
from fencepost.deliveries import Attempt, Delivery, State
from fencepost.messages import Attachment, Mail
from fencepost.reconciliation import NEVER, Window
from registry.answers.common import EXACT, Address, AttachmentAnswer, Instant, TokenPair, address, maybe_iso
from registry.answers.timeline import timeline


@with_config(EXACT)
class SettlementAnswer(TypedDict):
    """What was found out, or decided, about a call of which nobody had known how it ended."""

    at: Instant
    state: str
    """Which the email took thereby; `pending`: it is sent again."""
    by: str
    """`reconciler`, the provider that told of it, or the person who decided."""
    why: str


@with_config(EXACT)
class AttemptAnswer(TypedDict):
    """One provider call, or what stopped it."""

    id: str
    number: int
    provider: str
    sender: str
    token: TokenPair
    claimed_at: Instant
    fence: str | None
    """What the fence answered: ok, stale, epoch, killed or taken."""
    fenced_at: Instant | None
    called_at: Instant | None
    ended_at: Instant | None
    outcome: str | None
    detail: str | None
    status: int | None
    settlements: list[SettlementAnswer]
    """In the order in which they were made: one that was held is decided by a person later. Empty if nobody had to."""


@with_config(EXACT)
class TimelineEvent(TypedDict):
    """One thing that happened to the email."""

    at: Instant
    event: str
    detail: str | None


@with_config(EXACT)
class TrackingAnswer(TypedDict):
    """What its provider told of it afterwards. Instants are those of the first time; null: it never was."""

    delivered_at: Instant | None
    bounced_at: Instant | None
    complained_at: Instant | None
    opened_at: Instant | None
    clicked_at: Instant | None
    unsubscribed_at: Instant | None
    opens: int
    clicks: int
    machine_opens: int
    """Openings by programs that fetch the pictures of every mail. They are none of `opens`."""


EmailAnswer = TypedDict(
    "EmailAnswer",
    {
        "object": Literal["email"],
        "id": str,
        "schedule_id": str | None,
        "schedule_name": str | None,
        "occurrence_id": str | None,
        "batch_id": str | None,
        "priority": str,
        "tags": list[str],
        "expires_at": Instant | None,
        "test": bool,
        "origin": str,
        "due_at": Instant,
        "state": str,
        "reason": str | None,
        "from": Address | None,
        "to": list[Address],
        "subject": str | None,
        "attachments": list[AttachmentAnswer],
        "text": NotRequired[str | None],
        "html": NotRequired[str | None],
        "provider": str | None,
        "message_id": str | None,
        "receipt": str | None,
        "unknown_since": Instant | None,
        "look_up_at": Annotated[
            Instant | None,
            Field(description="When its provider's records are read next; null if they are not any more."),
        ],
        "decision_due_at": Annotated[
            Instant | None,
            Field(
                description="Of an unknown email: when its settling window ends. What has left no trace in its provider's "
                "records by then is held, or sent again where its schedule says so; only records that can't be read are "
                "waited for longer. Null in every other state."
            ),
        ],
        "shard": int,
        "created_at": Instant,
        "updated_at": Instant,
        "tracking": TrackingAnswer,
        "attempts": list[AttemptAnswer],
        "timeline": list[TimelineEvent],
    },
)
with_config(EXACT)(EmailAnswer)


@with_config(EXACT)
class EmailList(TypedDict):
    """One page of emails, the latest due first."""

    data: list[EmailAnswer]
    next_cursor: str | None


def email_answer(
    row: Delivery, schedule_name: str | None, mail: Mail | None, window: Window, *, bodies: bool = False
) -> EmailAnswer:
    """`mail` is the delivery as it was rendered; None where the text that owns it is not decided yet, or can't be filled in.
    With `bodies` it carries `text` and `html`."""
    answer: EmailAnswer = {
        "object": "email",
        "id": row["_id"],
        "schedule_id": row["schedule_id"],
        "schedule_name": schedule_name,
        "occurrence_id": row["occurrence_id"],
        "batch_id": row.get("batch_id"),
        "priority": row.get("priority", "normal"),
        "tags": row.get("tags", []),
        "expires_at": maybe_iso(row.get("expires_at")),
        "test": row.get("test", False),
        "origin": row["origin"],
        "due_at": iso(row["due_at"]),
        "state": row["state"],
        "reason": row["reason"],
        "from": {"email": mail.sender.email, "name": mail.sender.name} if mail else None,
        "to": [address(entry) for entry in row["to"]],
        "subject": mail.subject if mail else None,
        "attachments": [_attachment(each) for each in mail.attachments] if mail else [],
        "provider": row["provider"],
        "message_id": mail.message_id if mail else None,
        "receipt": row["receipt"],
        "unknown_since": maybe_iso(row.get("unknown_since")),
        "look_up_at": maybe_iso(_next_look_up(row)),
        "decision_due_at": maybe_iso(_decision_due_at(row, window)),
        "shard": row["shard"],
        "created_at": iso(row["created_at"]),
        "updated_at": iso(row["updated_at"]),
        "tracking": _tracking(row),
        "attempts": [_attempt(attempt) for attempt in row["attempts"]],
        "timeline": [{"at": iso(at), "event": event, "detail": detail} for at, event, detail in timeline(row)],
    }
    if bodies:
        answer["text"] = mail.text if mail else None
        answer["html"] = mail.html if mail else None
    return answer


def _attachment(attachment: Attachment) -> AttachmentAnswer:
    return {
        "filename": attachment.filename,
        "content_type": attachment.content_type,
        "content_id": attachment.content_id,
        "size": attachment.size,
        "file_id": attachment.file_id,
    }


def _attempt(attempt: Attempt) -> AttemptAnswer:
    token = Token.from_number(attempt["token"])
    fence = attempt.get("fence")
    return {
        "id": attempt["id"],
        "number": attempt["no"],
        "provider": attempt["provider"],
        "sender": attempt["sender"],
        "token": {"generation": token.generation, "revision": token.revision},
        "claimed_at": iso(attempt["claimed_at"]),
        "fence": fence.lower() if fence else None,
        "fenced_at": maybe_iso(attempt.get("fenced_at")),
        "called_at": maybe_iso(attempt.get("called_at")),
        "ended_at": maybe_iso(attempt.get("ended_at")),
        "outcome": attempt.get("outcome"),
        "detail": attempt.get("detail"),
        "status": attempt.get("status"),
        "settlements": [{**verdict, "at": iso(verdict["at"])} for verdict in attempt.get("settlements", [])],
    }


def _tracking(row: Delivery) -> TrackingAnswer:
    told = row.get("tracking") or {}
    return {
        "delivered_at": maybe_iso(told.get("delivered_at")),
        "bounced_at": maybe_iso(told.get("bounced_at")),
        "complained_at": maybe_iso(told.get("complained_at")),
        "opened_at": maybe_iso(told.get("opened_at")),
        "clicked_at": maybe_iso(told.get("clicked_at")),
        "unsubscribed_at": maybe_iso(told.get("unsubscribed_at")),
        "opens": told.get("opens", 0),
        "clicks": told.get("clicks", 0),
        "machine_opens": told.get("machine_opens", 0),
    }


def _next_look_up(row: Delivery) -> datetime | None:
    """When the provider's records are read next; None where they are not read any more."""
    if row["state"] not in (State.UNKNOWN, State.HELD):
        return None
    at = row.get("look_up_at") or row.get("unknown_since")
    return at if at and at < NEVER else None


def _decision_due_at(row: Delivery, window: Window) -> datetime | None:
    since = row.get("unknown_since")
    return window.of(row["provider"]).ends(since) if since and row["state"] == State.UNKNOWN else None
