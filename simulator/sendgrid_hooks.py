"""What SendGrid tells of a mail: arrays of events, signed over the timestamp and the body."""

import json
from base64 import b64decode, b64encode
from collections.abc import Sequence
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_private_key

from simulator.fates import LINK, Happening

_KINDS = {
    "accepted": "processed",
    "delivered": "delivered",
    "bounced": "bounce",
    "opened": "open",
    "clicked": "click",
    "complained": "spamreport",
    "unsubscribed": "unsubscribe",
}


class SendGridHooks:
    """What happens within a moment goes in one call. Repeated for a day, less and less often, until it is answered with 2xx."""

    provider = "sendgrid"
    waits_seconds: Sequence[float] = tuple(60 * 2.0**number for number in range(10))
    gather_seconds, most = 0.2, 1000

    def __init__(self, private_key: str) -> None:
        """`private_key`: PKCS 8 in DER, in base64. Raises ValueError for what is none of P-256."""
        key = load_der_private_key(b64decode(private_key, validate=True), password=None)
        if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
            raise ValueError("FENCEPOST_SIMULATOR__SENDGRID_WEBHOOK_KEY is no private key of the curve P-256")
        self._key = key

    @property
    def public_key(self) -> str:
        """What verifies the signatures, as SendGrid's pages show it."""
        found = self._key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        return b64encode(found).decode()

    def tells(self, happening: Happening) -> bool:  # noqa: ARG002 of all of them
        return True

    def body(self, happenings: Sequence[Happening], now: float) -> bytes:  # noqa: ARG002 told in a header
        return json.dumps([event(each) for each in happenings]).encode() + b"\r\n"

    def headers(self, body: bytes, now: float) -> dict[str, str]:
        stamp = str(int(now))
        signature = self._key.sign(stamp.encode() + body, ec.ECDSA(SHA256()))
        return {
            "Content-Type": "application/json",
            "X-Twilio-Email-Event-Webhook-Timestamp": stamp,
            "X-Twilio-Email-Event-Webhook-Signature": b64encode(signature).decode(),
        }

    def is_over(self, status: int | None, happenings: Sequence[Happening]) -> bool:  # noqa: ARG002
        return status is not None and 200 <= status < 300


def event(happening: Happening) -> dict[str, Any]:
    """It in SendGrid's words, with the mail's custom arguments beside them."""
    mail = happening.entry.mail
    shown: dict[str, Any] = {
        **mail.variables,
        "email": happening.recipient,
        "timestamp": int(happening.at),
        "smtp-id": f"<{mail.message_id}@simulator>",
        "event": _KINDS[happening.kind],
        "category": list(mail.tags),
        "sg_event_id": happening.id,
        "sg_message_id": f"{mail.message_id}.filterdrecv-5645d9c87f-78xpc-19-0",
    }
    match happening.kind:
        case "delivered":
            shown["response"] = "250 OK"
        case "bounced":
            hard = {"type": "bounce", "status": "5.1.1", "reason": "550 5.1.1 No such user here"}
            soft = {"type": "blocked", "status": "4.2.2", "reason": "452 4.2.2 Mailbox full"}
            shown |= hard if happening.is_hard else soft
        case "opened" | "clicked":
            shown |= {"useragent": happening.agent, "ip": "192.0.2.1"}
            shown |= {"sg_machine_open": happening.by_machine} if happening.kind == "opened" else {"url": LINK}
    return shown
