"""AWS's Signature Version 4, in the Authorization header. Pure.

A request is boiled down to a canonical text; its hash, the instant and the scope (day, region, service) are signed with a key
that is derived from the secret for that scope. AWS takes a signature for a few minutes.
"""

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import quote, urlsplit

_ALGORITHM = "AWS4-HMAC-SHA256"


@dataclass(frozen=True, slots=True)
class Signer:
    """Signs for one service in one region with one access key."""

    access_key_id: str
    secret_access_key: str
    region: str
    service: str

    def sign(self, method: str, url: str, headers: Mapping[str, str], body: bytes, at: datetime) -> dict[str, str]:
        """`headers` with X-Amz-Date and Authorization beside them. All of them are signed, and Host as the URL has it: none may
        be changed on the way. `at` is aware."""
        stamp = at.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")
        dated = {**headers, "X-Amz-Date": stamp}
        signed = {name.lower(): " ".join(value.split()) for name, value in dated.items()}
        signed["host"] = urlsplit(url).netloc
        names = ";".join(sorted(signed))
        scope = f"{stamp[:8]}/{self.region}/{self.service}/aws4_request"
        text = "\n".join((_ALGORITHM, stamp, scope, _hash(_canonical(method, url, signed, names, body))))
        signature = _hmac(self._key(stamp[:8]), text).hex()
        credential = f"{self.access_key_id}/{scope}"
        authorization = f"{_ALGORITHM} Credential={credential}, SignedHeaders={names}, Signature={signature}"
        return {**dated, "Authorization": authorization}

    def _key(self, day: str) -> bytes:
        key = f"AWS4{self.secret_access_key}".encode()
        for part in (day, self.region, self.service, "aws4_request"):
            key = _hmac(key, part)
        return key


def _canonical(method: str, url: str, headers: Mapping[str, str], names: str, body: bytes) -> bytes:
    parts = urlsplit(url)
    # The path is written as it travels, and encoded once more; the query is only put in order.
    path = quote(parts.path or "/", safe="/-_.~")
    pairs = sorted(pair.partition("=")[::2] for pair in parts.query.split("&") if pair)
    query = "&".join(f"{name}={value}" for name, value in pairs)
    lines = [f"{name}:{headers[name]}" for name in sorted(headers)]
    return "\n".join([method, path, query, *lines, "", names, _hash(body)]).encode()


def _hash(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _hmac(key: bytes, text: str) -> bytes:
    return hmac.new(key, text.encode(), hashlib.sha256).digest()
