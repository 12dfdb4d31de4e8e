"""Webhooks as they are answered, and the log of what they were told."""

from typing import Literal

from pydantic import with_config
from typing_extensions import TypedDict

from fencepost.clock import iso
from fencepost.webhooks import Endpoint, Message
from registry.answers.common import EXACT, Instant, maybe_iso


@with_config(EXACT)
class WebhookAnswer(TypedDict):
    """An endpoint, without its secret."""

    object: Literal["webhook"]
    id: str
    url: str
    types: list[str]
    """Of which events it is told; empty: of all."""
    description: str
    enabled: bool
    disabled_reason: str | None
    """Why it was turned off without its owner."""
    failing_since: Instant | None
    """Since when it took nothing."""
    created_at: Instant
    updated_at: Instant


@with_config(EXACT)
class WebhookMade(WebhookAnswer):
    """An endpoint with its secret, which is shown this once."""

    secret: str


@with_config(EXACT)
class WebhookList(TypedDict):
    """One page of endpoints."""

    data: list[WebhookAnswer]
    next_cursor: str | None


@with_config(EXACT)
class MessageAttempt(TypedDict):
    """One call."""

    at: Instant
    status: int | None
    """None: there was no answer; `answer` says why."""
    duration_ms: int
    answer: str
    """How the answer began."""


@with_config(EXACT)
class MessageAnswer(TypedDict):
    """What an endpoint was told, or is to be."""

    object: Literal["webhook_message"]
    id: str
    """As in the header webhook-id: the same for every attempt."""
    type: str
    email_id: str | None
    state: Literal["pending", "delivered", "failed"]
    attempts: list[MessageAttempt]
    """The latest fifty."""
    next_attempt_at: Instant | None
    created_at: Instant
    payload: str
    """What is sent, byte for byte."""


@with_config(EXACT)
class MessageList(TypedDict):
    """One page of messages."""

    data: list[MessageAnswer]
    next_cursor: str | None


def webhook_answer(endpoint: Endpoint) -> WebhookAnswer:
    return {
        "object": "webhook",
        "id": endpoint.id,
        "url": endpoint.url,
        "types": list(endpoint.types),
        "description": endpoint.description,
        "enabled": endpoint.enabled,
        "disabled_reason": endpoint.disabled_reason,
        "failing_since": maybe_iso(endpoint.failing_since),
        "created_at": iso(endpoint.created_at),
        "updated_at": iso(endpoint.updated_at),
    }


def webhook_made(endpoint: Endpoint) -> WebhookMade:
    return {**webhook_answer(endpoint), "secret": endpoint.secrets[0].value}


def message_answer(message: Message) -> MessageAnswer:
    return {
        "object": "webhook_message",
        "id": message.id,
        "type": message.kind,
        "email_id": message.email_id,
        "state": message.state.value,
        "attempts": [
            {
                "at": iso(each["at"]),
                "status": each["status"],
                "duration_ms": each["duration_ms"],
                "answer": each["answer"],
            }
            for each in message.attempts
        ],
        "next_attempt_at": maybe_iso(message.next_attempt_at),
        "created_at": iso(message.created_at),
        "payload": message.body,
    }
