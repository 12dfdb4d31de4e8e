"""Amazon SNS, through which SES tells: whether it was SNS who called, for a topic of ours, and what it says. Pure but for the
certificate, which whoever makes the reader fetches.

The body is one message; which of its fields are signed, and in which order, depends on its type. The certificate stands at
`SigningCertURL`, so that address is looked at before anything is fetched: an SNS host of Amazon's, over https, and no other. The
call that confirms a subscription (`SubscribeURL`) goes nowhere else either, and only for a topic that the settings name.
"""

import re
from base64 import b64decode
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA1, SHA256
from cryptography.x509 import load_pem_x509_certificate

from fencepost.providers import hooks
from fencepost.providers.hooks import Told, Unacceptable, Unsigned
from fencepost.providers.ses_events import read_events

LONGEST = timedelta(hours=25)
# A region and nothing else: sns.s3-us-west-2.amazonaws.com is a bucket that anybody may have named "sns".
PINNED = re.compile(r"https://sns\.[a-z]+(?:-[a-z]+)+-[0-9]+\.amazonaws\.com(\.cn)?/[\x21-\x7e]*")
_HASHES = {"1": SHA1, "2": SHA256}
_SIGNED = {
    "Notification": ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"),
    "SubscriptionConfirmation": ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"),
    "UnsubscribeConfirmation": ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"),
}
_OPTIONAL = {"Subject"}


class SnsHooks:
    """Messages for our topics."""

    def __init__(
        self, topic_arns: Sequence[str], certificate: Callable[[str], bytes], stand_in: str | None = None
    ) -> None:
        """`certificate` fetches an address that is known to be SNS's: a PEM. It raises Unreachable. `stand_in`: the origin of
        whatever stands in for SNS; nothing but its addresses is taken then."""
        self._topics, self._certificate = topic_arns, certificate
        self._pinned = re.compile(re.escape(stand_in.rstrip("/")) + r"/[\x21-\x7e]*") if stand_in else PINNED

    def read(self, body: bytes, headers: Mapping[str, str], now: datetime) -> Sequence[Told]:  # noqa: ARG002 signed inside
        found = hooks.parsed(body)
        message: Mapping[str, Any] = found if isinstance(found, dict) else {}
        # Before anything is fetched on behalf of whoever called.
        if message.get("TopicArn") not in self._topics:
            raise Unacceptable("this topic is none of ours: FENCEPOST_PROVIDERS__SES__TOPIC_ARNS names ours")
        kind = self._verified(message)
        signed_at = hooks.instant(message.get("Timestamp"))
        if signed_at is None:
            raise Unsigned("its timestamp can't be read")
        hooks.check_age(signed_at, now, LONGEST)
        name = hooks.name_of(message.get("MessageId"))
        if kind == "SubscriptionConfirmation":
            return [Told(name, None, found, visit=self._ours(message.get("SubscribeURL")))]
        said = hooks.parsed(str(message["Message"]).encode())
        events = read_events(said, name) if kind == "Notification" else []
        return [Told(event.id, event, said) for event in events] or [
            Told(name, None, said if said is not None else found)
        ]

    def _verified(self, message: Mapping[str, Any]) -> str:
        """The message's type, once its signature was found right. Raises Unsigned."""
        kind, version, signature = (message.get(name) for name in ("Type", "SignatureVersion", "Signature"))
        names = _SIGNED.get(str(kind))
        if names is None or str(version) not in _HASHES or not isinstance(signature, str):
            raise Unsigned("there is no signature")
        parts = [(name, message.get(name)) for name in names if name not in _OPTIONAL or message.get(name) is not None]
        if not all(isinstance(value, str) for _, value in parts):
            raise Unsigned("the message is not one of SNS's")
        signed = "".join(f"{name}\n{value}\n" for name, value in parts).encode()
        key = _public_key(self._certificate(self._ours(message.get("SigningCertURL"))))
        try:
            key.verify(b64decode(signature, validate=True), signed, padding.PKCS1v15(), _HASHES[str(version)]())
        except (InvalidSignature, ValueError):
            raise Unsigned("the signature was not made with the key of that certificate") from None
        return str(kind)

    def _ours(self, url: object) -> str:
        """The address, if it is SNS's own. Raises Unsigned."""
        if not isinstance(url, str) or not self._pinned.fullmatch(url):
            raise Unsigned("the address that it names is not one of SNS's")
        return url


def _public_key(pem: bytes) -> rsa.RSAPublicKey:
    try:
        key = load_pem_x509_certificate(pem).public_key()
    except ValueError:
        raise Unsigned("what stands at the address of the certificate is none") from None
    if not isinstance(key, rsa.RSAPublicKey):
        raise Unsigned("the certificate holds no RSA key")
    return key
