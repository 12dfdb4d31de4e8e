"""Events as JSON."""

from typing import Literal

from pydantic import with_config
from typing_extensions import TypedDict

from fencepost.clock import iso
from fencepost.events import Event, EventKind
from registry.answers.common import EXACT, Instant


@with_config(EXACT)
class EventAnswer(TypedDict):
    """One fact that a provider told of an email."""

    object: Literal["event"]
    id: str
    """The provider's own."""
    provider: str
    kind: EventKind
    at: Instant
    email_id: str
    attempt: int | None
    """Which attempt it is about, where the provider tells it."""
    receipt: str | None
    """What the provider calls the message."""
    message_id: str | None
    """What the mail calls itself in its header, without angle brackets."""
    recipient: str | None
    by_machine: bool
    """Of an opening or a click: a program's."""
    is_hard: bool
    """Of a bounce: this address will not take mail later either."""
    detail: str | None
    test: bool
    """About mail of a test key: no provider told it."""


@with_config(EXACT)
class EventList(TypedDict):
    """What is on record, the oldest first, a thousand at most."""

    data: list[EventAnswer]


def event_answer(event: Event) -> EventAnswer:
    return {
        "object": "event",
        "id": event.id,
        "provider": event.provider,
        "kind": event.kind,
        "at": iso(event.at),
        "email_id": event.delivery_id,
        "attempt": event.attempt_no,
        "receipt": event.receipt,
        "message_id": event.message_id,
        "recipient": event.recipient,
        "by_machine": event.by_machine,
        "is_hard": event.is_hard,
        "detail": event.detail,
        "test": event.is_test,
    }
