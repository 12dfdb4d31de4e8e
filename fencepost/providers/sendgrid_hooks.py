"""SendGrid's Event Webhook: whether it was SendGrid who called, and what it tells. Pure.

The body is an array of events; the signature in `X-Twilio-Email-Event-Webhook-Signature` is ECDSA (P-256, SHA-256) over the
timestamp of `X-Twilio-Email-Event-Webhook-Timestamp` and the body as it came, in base64. Our custom arguments stand at the top
of each event. A call that is not answered is repeated for a day, and the same event may be told more than once anyhow.
"""

from base64 import b64decode
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_der_public_key

from fencepost.errors import Misconfigured
from fencepost.events import Event, EventKind
from fencepost.machines import is_machine
from fencepost.providers import hooks
from fencepost.providers.answers import receipt
from fencepost.providers.hooks import Told, Unsigned
from fencepost.providers.sendgrid import ATTEMPT_ARGUMENT, DELIVERY_ARGUMENT

SIGNATURE, TIMESTAMP = "x-twilio-email-event-webhook-signature", "x-twilio-email-event-webhook-timestamp"
LONGEST = timedelta(hours=25)
_MOST_DIGITS = 11
_KINDS = {
    "processed": EventKind.ACCEPTED,
    "dropped": EventKind.REJECTED,
    "deferred": EventKind.DEFERRED,
    "delivered": EventKind.DELIVERED,
    "bounce": EventKind.BOUNCED,
    "open": EventKind.OPENED,
    "click": EventKind.CLICKED,
    "spamreport": EventKind.COMPLAINED,
    "unsubscribe": EventKind.UNSUBSCRIBED,
    "group_unsubscribe": EventKind.UNSUBSCRIBED,
}
"""By their name there. A bounce whose `type` is `blocked` was refused for now, not for good."""


class SendGridHooks:
    """Calls that the private half of one of these keys signed."""

    def __init__(self, public_keys: Sequence[str]) -> None:
        """`public_keys` as SendGrid shows them: base64 of DER. Raises Misconfigured for what is none."""
        self._keys = [_public_key(text) for text in public_keys]

    def read(self, body: bytes, headers: Mapping[str, str], now: datetime) -> Sequence[Told]:
        stamp, signature = headers.get(TIMESTAMP, ""), headers.get(SIGNATURE, "")
        if not (stamp.isascii() and stamp.isdigit() and len(stamp) <= _MOST_DIGITS and signature):
            raise Unsigned("there is no signature")
        if not any(_fits(key, signature, stamp.encode() + body) for key in self._keys):
            raise Unsigned("the signature was not made with the private half of our key")
        hooks.check_age(datetime.fromtimestamp(int(stamp), UTC), now, LONGEST)
        items = hooks.parsed(body)
        return [_told(item) for item in (items if isinstance(items, list) else [items])]


def _public_key(text: str) -> ec.EllipticCurvePublicKey:
    try:
        key = load_der_public_key(b64decode(text, validate=True))
    except ValueError:
        key = None
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        name = "FENCEPOST_PROVIDERS__SENDGRID__WEBHOOK_PUBLIC_KEY"
        raise Misconfigured(f"{name}: copy the verification key from Mail Settings, Event Webhook; it begins with MFkw")
    return key


def _fits(key: ec.EllipticCurvePublicKey, signature: str, signed: bytes) -> bool:
    try:
        key.verify(b64decode(signature, validate=True), signed, ec.ECDSA(SHA256()))
    except (InvalidSignature, ValueError):
        return False
    return True


def _told(item: object) -> Told:
    known: Mapping[str, Any] = item if isinstance(item, dict) else {}
    name = hooks.name_of(known.get("sg_event_id"))
    return Told(name or hooks.fingerprint(item), read_event(known) if name else None, item)


def read_event(item: Mapping[str, Any]) -> Event | None:
    """An event in our words; None for one that is not about a delivery of ours, or of a kind that we do not know."""
    delivery_id, at = hooks.name_of(item.get(DELIVERY_ARGUMENT)), hooks.seconds(item.get("timestamp"))
    kind = _KINDS.get(str(item.get("event")))
    if not delivery_id or at is None or kind is None:
        return None
    agent = hooks.short(item.get("useragent"))
    opened = kind is EventKind.OPENED
    return Event(
        id=hooks.name_of(item.get("sg_event_id")),
        provider="sendgrid",
        kind=kind,
        at=at,
        delivery_id=delivery_id,
        attempt_no=hooks.number(item.get(ATTEMPT_ARGUMENT)),
        # The id of the call is followed by where the message was processed, one for each recipient.
        receipt=receipt(str(item.get("sg_message_id") or "").partition(".")[0]),
        message_id=receipt(item.get("smtp-id")),
        recipient=hooks.short(item.get("email")),
        by_machine=opened and (item.get("sg_machine_open") is True or is_machine(agent, at, None)),
        is_hard=kind is EventKind.BOUNCED and item.get("type", "bounce") == "bounce",
        detail=hooks.short(item.get("url"), item.get("reason"), item.get("response"), agent),
    )
