"""Outgoing webhooks by Standard Webhooks: how a message is signed, when it is tried again, what ends an endpoint. Pure.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

import base64
import hashlib
import hmac
import json
import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from fencepost.clock import iso
from fencepost.deliveries import State
from fencepost.events import EventKind
from fencepost.ids import WEBHOOK_MESSAGE, derived_id

SECRET_PREFIX = "whsec_"
SECRET_BYTES = 32
TEST = "webhook.test"
OF_STATES = (
    State.ACCEPTED, State.DELIVERED, State.BOUNCED, State.COMPLAINED, State.FAILED, State.UNKNOWN, State.HELD,
    State.CANCELLED, State.SUPPRESSED, State.EXPIRED,
)  # fmt: skip
"""The states whose beginning is an event."""
OF_EVENTS = (EventKind.DEFERRED, EventKind.OPENED, EventKind.CLICKED, EventKind.UNSUBSCRIBED)
"""What providers tell that changes no state."""
TYPES = (*(f"email.{kind.value}" for kind in (*OF_STATES, *OF_EVENTS)), TEST)
"""Every type of event that an endpoint may be told of."""

RETRY_SECONDS = (5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400)
"""The waits between two attempts: ten attempts in a little over three days."""
JITTER = 0.1
"""How much longer a wait may be, as a share of it."""
FAILING = timedelta(days=3)
"""An endpoint that took nothing for so long, while it was tried, is told nothing more."""


class MessageState(StrEnum):
    """Where a message to an endpoint stands."""

    PENDING = "pending"
    DELIVERED = "delivered"
    FAILED = "failed"
    """Given up; a person may have it sent again."""


@dataclass(frozen=True, slots=True)
class Secret:
    """One that signs; `until` None: for as long as it is not rotated away."""

    value: str
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Who is told of what. `types` empty: of everything."""

    id: str
    owner_id: str
    url: str
    types: tuple[str, ...]
    description: str
    secrets: tuple[Secret, ...]
    """The current one first."""
    enabled: bool
    disabled_reason: str | None
    failing_since: datetime | None
    """When it began to refuse everything; None: the last it was told it took."""
    created_at: datetime
    updated_at: datetime

    def wants(self, kind: str) -> bool:
        return self.enabled and (kind == TEST or not self.types or kind in self.types)

    def signing(self, now: datetime) -> list[str]:
        """The secrets that sign now."""
        return [secret.value for secret in self.secrets if secret.until is None or now < secret.until]


@dataclass(frozen=True, slots=True)
class News:
    """Something that happened to an email. `key` tells it from all else that happens to this email, however often it is read."""

    owner_id: str
    kind: str
    at: datetime
    email_id: str
    key: str
    data: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Message:
    """One event for one endpoint. `body` is what is sent, byte for byte; `attempt_no` counts since it was made or replayed."""

    id: str
    owner_id: str
    webhook_id: str
    kind: str
    email_id: str | None
    body: str
    state: MessageState
    attempt_no: int
    attempts: tuple[Mapping[str, Any], ...]
    """Each with at, status, duration_ms and answer; the latest fifty."""
    next_attempt_at: datetime | None
    claim: str | None
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Result:
    """How one attempt ended. `status` None: there was no answer."""

    status: int | None
    seconds: float
    answer: str
    """The beginning of it, or what went wrong."""

    @property
    def well(self) -> bool:
        return self.status is not None and 200 <= self.status < 300


def new_secret(entropy: bytes) -> str:
    return SECRET_PREFIX + base64.b64encode(entropy).decode()


def rotated(secrets: Iterable[Secret], new: str, until: datetime) -> tuple[Secret, ...]:
    """The new one signs, and those that signed go on until then at the latest; two at most, so that headers stay short."""
    current = next(iter(secrets))
    return Secret(new), replace(current, until=until)


def message_id(endpoint_id: str, news: News) -> str:
    """The one id of the message that tells this endpoint of this; its consumer tells repetitions by it."""
    return derived_id(WEBHOOK_MESSAGE, news.at, endpoint_id, news.kind, news.email_id, news.key)


def body(kind: str, at: datetime, data: Mapping[str, Any]) -> str:
    """What is sent, and signed, byte for byte."""
    document = {"type": kind, "timestamp": iso(at), "data": data}
    return json.dumps(document, ensure_ascii=False, separators=(",", ":"))


def message(endpoint: Endpoint, news: News) -> Message:
    """What this endpoint is told of it: due at once, that is from when it happened."""
    return Message(
        id=message_id(endpoint.id, news),
        owner_id=endpoint.owner_id,
        webhook_id=endpoint.id,
        kind=news.kind,
        email_id=news.email_id or None,
        body=body(news.kind, news.at, news.data),
        state=MessageState.PENDING,
        attempt_no=0,
        attempts=(),
        next_attempt_at=news.at,
        claim=None,
        created_at=news.at,
    )


def headers(identifier: str, sent_at: datetime, content: str, secrets: Iterable[str]) -> dict[str, str]:
    """The headers of one attempt, signed anew at its own time with each of the secrets."""
    timestamp = str(int(sent_at.timestamp()))
    signatures = " ".join(signature(secret, identifier, timestamp, content) for secret in secrets)
    return {
        "Content-Type": "application/json",
        "User-Agent": "fencepost",
        "webhook-id": identifier,
        "webhook-timestamp": timestamp,
        "webhook-signature": signatures,
    }


def signature(secret: str, identifier: str, timestamp: str, content: str) -> str:
    key = base64.b64decode(secret.removeprefix(SECRET_PREFIX))
    signed = hmac.digest(key, f"{identifier}.{timestamp}.{content}".encode(), hashlib.sha256)
    return f"v1,{base64.b64encode(signed).decode()}"


def next_attempt(attempts: int, failed_at: datetime, dice: random.Random) -> datetime | None:
    """When to try again after so many attempts, all failed; None: no more."""
    if attempts > len(RETRY_SECONDS):
        return None
    wait = RETRY_SECONDS[attempts - 1] * (1 + JITTER * dice.random())
    return failed_at + timedelta(seconds=wait)


def disabled_alarm(endpoint_id: str) -> str:
    """The kind of the alarm that an endpoint is told nothing more."""
    return f"webhook.disabled:{endpoint_id}"


def reason_to_disable(result: Result, failing_since: datetime | None, now: datetime) -> str | None:
    """Why the endpoint is told nothing more after this result; None: it goes on."""
    if result.status == 410:
        return "It answered 410 Gone."
    if not result.well and failing_since is not None and now - failing_since >= FAILING:
        return f"It took nothing for {FAILING.days} days."
    return None
