"""What signs in a provider's place: a key of SendGrid's, and a certificate of SNS's."""

import json
from base64 import b64encode
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.hashes import SHA1, SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID

TOPIC = "arn:aws:sns:us-west-2:123456789012:MyTopic"
CERTIFICATE_URL = "https://sns.us-west-2.amazonaws.com/SimpleNotificationService-f3ecfb7224c7233fe7bb5f59f96de52f.pem"
_ORDER = ("Message", "MessageId", "Subject", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type")


@dataclass(frozen=True)
class SendGridKey:
    """A pair of keys; `public` is as SendGrid shows it."""

    private: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))

    @property
    def public(self) -> str:
        der = self.private.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        return b64encode(der).decode()

    def headers(self, body: bytes, at: datetime) -> dict[str, str]:
        stamp = str(int(at.timestamp()))
        signature = self.private.sign(stamp.encode() + body, ec.ECDSA(SHA256()))
        return {
            "x-twilio-email-event-webhook-timestamp": stamp,
            "x-twilio-email-event-webhook-signature": b64encode(signature).decode(),
        }


@dataclass(frozen=True)
class Sns:
    """A topic's signer, with a certificate that it has made itself."""

    private: rsa.RSAPrivateKey
    certificate: bytes

    def message(self, said: object, at: datetime, version: str = "1", **changes: Any) -> dict[str, Any]:
        """A Notification, signed; `changes` are made before."""
        message = {
            "Type": "Notification",
            "MessageId": "22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324",
            "TopicArn": TOPIC,
            "Message": said if isinstance(said, str) else json.dumps(said),
            "Timestamp": f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%S}.{at.microsecond // 1000:03}Z",
            "SignatureVersion": version,
            "SigningCertURL": CERTIFICATE_URL,
            "UnsubscribeURL": "https://sns.us-west-2.amazonaws.com/?Action=Unsubscribe&SubscriptionArn=x",
            **changes,
        }
        signed = "".join(f"{name}\n{message[name]}\n" for name in _ORDER if name in message)
        # A notification's address to subscribe at is no part of what is signed; it has none.
        made = self.private.sign(signed.encode(), padding.PKCS1v15(), SHA256() if version == "2" else SHA1())
        return {**message, "Signature": b64encode(made).decode()}


@cache
def sns() -> Sns:
    """One for all tests: a key takes its time."""
    private = rsa.generate_private_key(65537, 2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sns.amazonaws.com")])
    begin = datetime(2020, 1, 1, tzinfo=UTC)
    made = x509.CertificateBuilder(name, name, private.public_key(), 1, begin, begin + timedelta(days=36_500))
    return Sns(private, made.sign(private, SHA256()).public_bytes(Encoding.PEM))
