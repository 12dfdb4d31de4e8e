"""What the registry answers about mail, as the pages read it (its OpenAPI document is the source)."""

from typing import NotRequired, TypedDict

from frontend.shapes import Address, Attachment, Token


class Settlement(TypedDict):
    at: str
    state: str
    by: str
    why: str


class Attempt(TypedDict):
    id: str
    number: int
    provider: str
    sender: str
    token: Token | None
    claimed_at: str | None
    fence: str | None
    fenced_at: str | None
    called_at: str | None
    ended_at: str | None
    outcome: str | None
    detail: str | None
    status: int | None
    settlements: list[Settlement]
    """What was found out, or decided, about a call whose reply was lost, in order."""


class Moment(TypedDict):
    at: str
    event: str
    detail: str | None


class Tracking(TypedDict):
    """What its provider told of it afterwards: instants of first times, None where it never was."""

    delivered_at: str | None
    bounced_at: str | None
    complained_at: str | None
    opened_at: str | None
    clicked_at: str | None
    unsubscribed_at: str | None
    opens: int
    clicks: int
    machine_opens: int
    """None of `opens`: openings by programs that fetch the pictures of every mail."""


Email = TypedDict(
    "Email",
    {
        "id": str,
        "schedule_id": str | None,
        "schedule_name": str | None,
        "occurrence_id": str | None,
        "batch_id": str | None,
        "priority": str,
        "tags": list[str],
        "expires_at": str | None,
        "test": bool,
        "origin": str,
        "due_at": str,
        "state": str,
        "reason": str | None,
        "from": Address | None,
        "to": list[Address],
        "subject": str | None,
        "attachments": list[Attachment],
        "text": NotRequired[str | None],
        "html": NotRequired[str | None],
        "provider": str | None,
        "message_id": str | None,
        "receipt": str | None,
        "unknown_since": NotRequired[str | None],
        "look_up_at": NotRequired[str | None],
        "decision_due_at": NotRequired[str | None],
        "shard": int,
        "created_at": str,
        "updated_at": str,
        "tracking": Tracking,
        "attempts": list[Attempt],
        "timeline": list[Moment],
    },
)


class Made(TypedDict):
    """One mail of a request: its id, and its recipient or the first of them."""

    id: str
    to: str


class BatchMade(TypedDict):
    """The mails of one request."""

    id: str
    created_at: str
    emails: list[Made]


class Batch(TypedDict):
    """How the mails of one request stand; `by_state` adds up to `count`."""

    id: str
    created_at: str
    subject: str | None
    count: int
    by_state: dict[str, int]


class Gate(TypedDict):
    """One thing that a mail has to pass. `holds` is None where it is not known."""

    gate: str
    title: str
    holds: bool | None
    detail: str
    until: str | None


class Explanation(TypedDict):
    """`reason` names the first gate that holds; None: none does."""

    subject: str
    at: str | None
    verdict: str
    reason: str | None
    next_try_at: str | None
    gates: list[Gate]
