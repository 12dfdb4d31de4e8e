"""Mailgun's events: what its records and its webhooks say of a mail. Pure.

Facts are from Mailgun's API reference: `GET /v3/<domain>/events` filters by `message-id` (without angle brackets), answers
`{"items": [...], "paging": {"next": <address>, ...}}`, and is read on until a page is empty. An event and a webhook's
`event-data` have the same shape; `user-variables` brings our delivery id back.
"""

import json
import re
from base64 import b64encode
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from urllib.parse import urlencode, urlsplit

from fencepost.events import TAKEN, Event, EventKind
from fencepost.machines import is_machine
from fencepost.providers import hooks
from fencepost.providers.http import HttpReply, HttpRequest, Reply
from fencepost.reconciliation import Evidence, Reference, Trace
from fencepost.settings import Mailgun as MailgunSettings

DELIVERY_VARIABLE = "fencepost"
"""The custom variable that carries `<delivery id>/<attempt number>`: Mailgun's events and webhooks bring it back."""

PAGE = 300
_NUMBER = re.compile(r"[0-9]{1,6}", re.ASCII)
_LONGEST_ID = 256
_KEY = "FENCEPOST_PROVIDERS__MAILGUN__EVENTS_API_KEY"
_KINDS = {
    "accepted": EventKind.ACCEPTED,
    "delivered": EventKind.DELIVERED,
    "rejected": EventKind.REJECTED,
    "opened": EventKind.OPENED,
    "clicked": EventKind.CLICKED,
    "complained": EventKind.COMPLAINED,
    "unsubscribed": EventKind.UNSUBSCRIBED,
}
"""By their name there; `failed` depends on its severity."""
_LASTING = ("bounce", "suppress-bounce")
"""Reasons of a failure for good that are the address's own: mail that was given up after days has none of them."""


class MailgunEvents:
    """The events of one Mailgun domain."""

    def __init__(self, base_url: str, settings: MailgunSettings) -> None:
        self._url = f"{base_url}/v3/{settings.domain}/events"
        key = (settings.events_api_key or settings.api_key).get_secret_value()
        authorization = "Basic " + b64encode(f"api:{key}".encode()).decode()
        self._headers = {"Authorization": authorization, "Accept": "application/json", "User-Agent": "fencepost"}

    def look_up(self, reference: Reference) -> HttpRequest:
        """The first page of what is on record of a mail, the newest first."""
        query = urlencode({"message-id": reference.message_id, "limit": PAGE})
        return HttpRequest("GET", f"{self._url}?{query}", self._headers)

    def trace(self, reference: Reference, reply: Reply) -> Trace | HttpRequest:
        """What that page says of the mail, or the next page to read. Anything but a page that can be read is UNREADABLE: only
        an empty page shows that there is no trace."""
        if not isinstance(reply, HttpReply):
            return Trace(Evidence.UNREADABLE, f"Mailgun's records could not be read: {reply.detail}")
        if reply.status in (401, 402, 403, 404):
            detail = f"Mailgun does not let us read its records ({reply.status}): check {_KEY}; a sending key can't read them."
            return Trace(Evidence.UNREADABLE, detail, misconfigured=True)
        page = _json(reply.body)
        items = page.get("items") if isinstance(page, dict) else None
        if reply.status != 200 or not isinstance(items, list):
            return Trace(Evidence.UNREADABLE, f"Mailgun's records could not be read: it answered {reply.status}.")
        events = [event for item in items if (event := read_event(item)) and event.delivery_id == reference.delivery_id]
        if taken := [event for event in events if event.kind in TAKEN]:
            return Trace(Evidence.ACCEPTED, "Found in Mailgun's records: it took this mail.", receipt=taken[0].receipt)
        if events:
            return Trace(Evidence.REFUSED, "Mailgun's records show that it took this mail and then refused to send it.")
        if not items:
            return Trace(Evidence.NO_TRACE, "Mailgun's records show no trace of this mail.")
        following = _text(page, "paging", "next")
        # The key goes where that address says: nowhere but to Mailgun.
        if _origin(following) != _origin(self._url):
            return Trace(Evidence.UNREADABLE, "Mailgun's records name no next page.")
        return HttpRequest("GET", following, self._headers)


def read_event(item: object) -> Event | None:
    """An entry of the events, or a webhook's `event-data`, in our words; None for one that is not about a delivery of ours, or
    of a kind that we do not know."""
    if not isinstance(item, dict):
        return None
    delivery_id, _, number = _text(item, "user-variables", DELIVERY_VARIABLE).partition("/")
    kind, at, name = _kind(item), hooks.seconds(item.get("timestamp")), item.get("id")
    if not delivery_id or kind is None or not isinstance(name, str) or not 0 < len(name) <= _LONGEST_ID or at is None:
        return None
    message_id = _text(item, "message", "headers", "message-id").strip("<> ") or None
    return Event(
        id=name,
        provider="mailgun",
        kind=kind,
        at=at,
        delivery_id=delivery_id,
        attempt_no=int(number) if _NUMBER.fullmatch(number) else None,
        receipt=message_id,
        message_id=message_id,
        recipient=_text(item, "recipient") or None,
        by_machine=kind is EventKind.OPENED and _by_machine(item, at),
        is_hard=kind is EventKind.BOUNCED and item.get("reason") in _LASTING,
        detail=hooks.short(
            item.get("url"),
            _text(item, "delivery-status", "message"),
            _text(item, "delivery-status", "description"),
            _text(item, "reject", "reason"),
            item.get("reason"),
            _text(item, "client-info", "user-agent"),
        ),
    )


def _by_machine(item: Mapping[str, Any], at: datetime) -> bool:
    """Mailgun names the robot that it recognised."""
    agent = _text(item, "client-info", "user-agent")
    return (
        bool(_text(item, "client-info", "bot"))
        or _text(item, "client-info", "client-type") == "robot"
        or is_machine(agent, at, None)
    )


def _kind(item: Mapping[str, Any]) -> EventKind | None:
    name = str(item.get("event"))
    if name == "failed":
        return EventKind.DEFERRED if item.get("severity") == "temporary" else EventKind.BOUNCED
    return _KINDS.get(name)


def _text(item: object, *path: str) -> str:
    for name in path:
        item = item.get(name) if isinstance(item, dict) else None
    return item if isinstance(item, str) else ""


def _json(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def _origin(url: str) -> tuple[str, str] | None:
    """Scheme, host and port; None for what is no address."""
    try:
        return urlsplit(url)[:2]
    except ValueError:
        return None
