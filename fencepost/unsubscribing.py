"""The link by which a recipient wants no more mail, and the headers that offer it to mail programs (RFC 2369, RFC 8058). Pure.

The link says who and of whom, signed, so that it works as long as the secret is kept and nothing has to be looked up.
"""

import binascii
import hashlib
import hmac
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass

from fencepost.deliveries import Delivery
from fencepost.occurrences import TOGETHER, Origin

PATH = "/unsubscribe/"
SECRET = "unsubscribe"
"""By what name the installation keeps the secret that signs the links."""
LONGEST_TOKEN = 1000
_SIGNATURE_BYTES = 16


@dataclass(frozen=True, slots=True)
class Wish:
    """Who wants no more mail of whom, and which mail brought that up."""

    owner_id: str
    email: str
    delivery_id: str


class Links:
    """Makes the links of one installation, and reads them."""

    def __init__(self, public_url: str, secret: bytes) -> None:
        self._base, self._secret = public_url.rstrip("/") + PATH, secret

    def link(self, row: Delivery) -> str:
        """The link in the mail of this row; empty for one that carries none: transactional mail, and what goes to several together,
        of whom it could not tell which one wants no more."""
        if row["recipient"] == TOGETHER and len(row["to"]) > 1:
            return ""
        if row["origin"] == Origin.API and not row.get("bulk"):
            return ""
        return self._base + self.token(Wish(row["owner_id"], row["to"][0]["email"], row["_id"]))

    def token(self, wish: Wish) -> str:
        words = [wish.owner_id, wish.email, wish.delivery_id]
        payload = json.dumps(words, separators=(",", ":"), ensure_ascii=False).encode()
        return _text(payload) + "." + _text(self._sign(payload))

    def read(self, token: str) -> Wish | None:
        """What a token of ours says; None for any other."""
        if len(token) > LONGEST_TOKEN or not token.isascii():
            return None
        try:
            payload, signature = (_bytes(part) for part in token.split(".", 1))
        except (ValueError, binascii.Error):
            return None
        if not hmac.compare_digest(signature, self._sign(payload)):
            return None
        owner_id, email, delivery_id = json.loads(payload)
        return Wish(owner_id, email, delivery_id)

    def _sign(self, payload: bytes) -> bytes:
        return hmac.new(self._secret, payload, hashlib.sha256).digest()[:_SIGNATURE_BYTES]


def headers(link: str) -> dict[str, str]:
    """What a mail with this link carries, so that one press of a button in a mail program is enough (RFC 8058)."""
    return {"List-Unsubscribe": f"<{link}>", "List-Unsubscribe-Post": "List-Unsubscribe=One-Click"} if link else {}


def _text(data: bytes) -> str:
    return urlsafe_b64encode(data).decode().rstrip("=")


def _bytes(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))
