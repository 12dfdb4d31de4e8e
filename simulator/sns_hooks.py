"""What Amazon SES tells of a mail, through a topic of SNS's: one notification a call, signed with the key of a certificate that stands
at an address of this SNS. Nothing is told before the subscription was confirmed."""

import json
import secrets
import threading
from base64 import b64encode
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any
from urllib.parse import urlencode
from uuid import UUID, uuid4

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from flask import Blueprint, Response, request

from simulator.fates import LINK, Happening

PREFIX = "/sns"
_KINDS = {
    "accepted": "Send",
    "delivered": "Delivery",
    "bounced": "Bounce",
    "opened": "Open",
    "clicked": "Click",
    "complained": "Complaint",
    "unsubscribed": "Subscription",
}
_SIGNED = ("Message", "MessageId", "Subject", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type")
_DAYS = timedelta(days=3650)


class SnsHooks:
    """One notification a call. Repeated three times, 20 seconds apart, where a server failed; what is refused is not."""

    provider = "ses"
    waits_seconds: Sequence[float] = (20.0,) * 3
    gather_seconds, most = 0.0, 1

    def __init__(self, topic_arn: str, base_url: str) -> None:
        """`base_url`: at which those who verify reach this SNS."""
        self._topic, self._base = topic_arn, base_url.rstrip("/")
        self._lock = threading.Lock()
        self._token, self._confirmed = secrets.token_hex(64), False

    @property
    def is_open(self) -> bool:
        """Whether the subscription was confirmed."""
        with self._lock:
            return self._confirmed

    def subscribe(self) -> None:
        """Begin a subscription: it is to be confirmed by its own token."""
        with self._lock:
            self._token, self._confirmed = secrets.token_hex(64), False

    def confirm(self, topic_arn: str, token: str) -> bool:
        """Confirm the subscription; whether that was its topic and token."""
        with self._lock:
            if (topic_arn, token) != (self._topic, self._token):
                return False
            self._confirmed = True
            return True

    def invitation(self, now: float) -> bytes:
        """The message that asks for the confirmation."""
        asked = {"Action": "ConfirmSubscription", "TopicArn": self._topic, "Token": self._token}
        text = f"You have chosen to subscribe to the topic {self._topic}."
        url = f"{self._base}/?{urlencode(asked)}"
        return self._message(
            "SubscriptionConfirmation", str(uuid4()), text, now, {"Token": self._token, "SubscribeURL": url}
        )

    def tells(self, happening: Happening) -> bool:
        """A mail is sent once, to all of its recipients."""
        return happening.kind != "accepted" or happening.recipient == happening.entry.mail.recipients[0]

    def body(self, happenings: Sequence[Happening], now: float) -> bytes:
        [happening] = happenings
        leave = {"UnsubscribeURL": f"{self._base}/?Action=Unsubscribe&SubscriptionArn={self._topic}:1"}
        name = str(UUID(bytes=happening.digest[:16]))
        return self._message("Notification", name, json.dumps(notification(happening)), now, leave)

    def headers(self, body: bytes, now: float) -> dict[str, str]:  # noqa: ARG002 signed inside
        kind = json.loads(body)["Type"]
        return {"Content-Type": "text/plain; charset=UTF-8", "x-amz-sns-message-type": kind}

    def is_over(self, status: int | None, happenings: Sequence[Happening]) -> bool:  # noqa: ARG002
        return status is not None and 200 <= status < 500 and status != 429

    @property
    def certificate_name(self) -> str:
        """Another for each certificate: those who verify keep what they have fetched."""
        return f"SimpleNotificationService-{self.certificate.fingerprint(SHA256()).hex()[:32]}.pem"

    @cached_property
    def certificate(self) -> x509.Certificate:
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sns.amazonaws.com")])
        now = datetime.now(UTC)
        made = x509.CertificateBuilder(name, name, self._key.public_key(), 1, now - timedelta(days=1), now + _DAYS)
        return made.sign(self._key, SHA256())

    @cached_property
    def _key(self) -> rsa.RSAPrivateKey:
        return rsa.generate_private_key(65537, 2048)

    def _message(self, kind: str, name: str, said: str, now: float, more: dict[str, str]) -> bytes:
        at = datetime.fromtimestamp(now, UTC)
        message = {
            "Type": kind,
            "MessageId": name,
            "TopicArn": self._topic,
            "Message": said,
            "Timestamp": _stamp(at.timestamp()),
            "SignatureVersion": "2",
            "SigningCertURL": f"{self._base}/{self.certificate_name}",
            **more,
        }
        signed = "".join(f"{field}\n{message[field]}\n" for field in _SIGNED if field in message)
        signature = self._key.sign(signed.encode(), padding.PKCS1v15(), SHA256())
        return json.dumps({**message, "Signature": b64encode(signature).decode()}).encode()


def create(hooks: SnsHooks) -> Blueprint:
    """What SNS serves: its certificate, and the address that confirms a subscription."""
    bp = Blueprint("sns", __name__, url_prefix=PREFIX)

    @bp.get("/<name>")
    def certificate(name: str) -> Response:
        if name != hooks.certificate_name:
            return Response("NoSuchKey", 404, content_type="text/plain")
        return Response(hooks.certificate.public_bytes(Encoding.PEM), content_type="application/x-pem-file")

    @bp.get("/")
    def act() -> Response:
        asked = request.args
        known = asked.get("Action") == "ConfirmSubscription"
        if not known or not hooks.confirm(asked.get("TopicArn", ""), asked.get("Token", "")):
            return Response("<ErrorResponse><Error><Code>InvalidParameter</Code></Error></ErrorResponse>", 400)
        return Response("<ConfirmSubscriptionResponse/>", content_type="text/xml")

    return bp


def notification(happening: Happening) -> dict[str, Any]:
    """It in SES's words."""
    mail, kind = happening.entry.mail, _KINDS[happening.kind]
    tags = {**mail.variables, **{f"tag_{number}": tag for number, tag in enumerate(mail.tags)}}
    about = {
        "timestamp": _stamp(happening.entry.at),
        "source": mail.sender,
        "sendingAccountId": "123456789012",
        "messageId": mail.message_id,
        "destination": list(mail.recipients),
        "headersTruncated": False,
        "commonHeaders": {
            "from": [mail.sender],
            "to": list(mail.to),
            "messageId": mail.message_id,
            "subject": mail.subject,
        },
        "tags": {"ses:configuration-set": ["simulator"], **{name: [value] for name, value in tags.items()}},
    }
    part = {} if kind == "Send" else {"timestamp": _stamp(happening.at), **_part(happening)}
    return {"eventType": kind, "mail": about, kind.lower(): part}


def _part(happening: Happening) -> dict[str, Any]:
    person = {"emailAddress": happening.recipient}
    agent = {"ipAddress": "192.0.2.1", "userAgent": happening.agent}
    match happening.kind:
        case "delivered":
            return {"processingTimeMillis": 50, "recipients": [happening.recipient], "smtpResponse": "250 OK"}
        case "bounced":
            kinds = ("Permanent", "General") if happening.is_hard else ("Transient", "MailboxFull")
            text = "smtp; 550 5.1.1 user unknown" if happening.is_hard else "smtp; 452 4.2.2 mailbox full"
            people = [{**person, "action": "failed", "diagnosticCode": text}]
            return {"bounceType": kinds[0], "bounceSubType": kinds[1], "bouncedRecipients": people}
        case "complained":
            return {"complainedRecipients": [person], "complaintFeedbackType": "abuse"}
        case "clicked":
            return {**agent, "link": LINK, "linkTags": None}
        case "unsubscribed":
            return {
                "contactList": "simulator",
                "source": "UnsubscribeHeader",
                "newTopicPreferences": {"unsubscribeAll": True},
            }
    return agent


def _stamp(at: float) -> str:
    instant = datetime.fromtimestamp(at, UTC)
    return f"{instant:%Y-%m-%dT%H:%M:%S}.{instant.microsecond // 1000:03}Z"
