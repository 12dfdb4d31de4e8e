"""Whether a request carries AWS's signature, version 4, of a key: worked out from what AWS documents, and from nothing of ours."""

import hashlib
import hmac
import re
from datetime import UTC, datetime
from urllib.parse import quote

from flask import request

SERVICE = "ses"
LONGEST_SECONDS = 300
_AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256 Credential=(?P<key>[^/]+)/(?P<day>\d{8})/(?P<region>[a-z0-9-]+)/(?P<service>\w+)/aws4_request, "
    r"SignedHeaders=(?P<names>[a-z0-9;-]+), Signature=(?P<signature>[0-9a-f]{64})"
)
NO_KEY = "UnrecognizedClientException", "The security token included in the request is invalid."
NO_SIGNATURE = "MissingAuthenticationTokenException", "Missing Authentication Token"
WRONG = "InvalidSignatureException", "The request signature we calculated does not match the signature you provided."


def problem(keys: tuple[str, str], body: bytes, now: float, service: str = SERVICE) -> tuple[str, str] | None:
    """What that service of AWS would say of the request that is being served, as (name of the error, text); None: it is signed."""
    said = _AUTHORIZATION.fullmatch(request.headers.get("Authorization", ""))
    if not said:
        return NO_SIGNATURE
    if not hmac.compare_digest(said["key"].encode(), keys[0].encode()):
        return NO_KEY
    stamp = request.headers.get("X-Amz-Date", "")
    try:
        age = now - datetime.strptime(stamp, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC).timestamp()
    except ValueError:
        return WRONG
    if abs(age) > LONGEST_SECONDS or said["day"] != stamp[:8]:
        return "InvalidSignatureException", "Signature expired"
    names = said["names"].split(";")
    if said["service"] != service or names != sorted(names) or not {"host", "x-amz-date"} <= set(names):
        return WRONG
    headers = "".join(f"{name}:{' '.join(request.headers.get(name, '').split())}\n" for name in names)
    query = "&".join(
        sorted(part if "=" in part else f"{part}=" for part in request.query_string.decode().split("&") if part)
    )
    asked = f"{request.method}\n{quote(request.path)}\n{query}\n{headers}\n{said['names']}\n{_hash(body)}"
    scope = f"{said['day']}/{said['region']}/{said['service']}/aws4_request"
    key = f"AWS4{keys[1]}".encode()
    for part in (*scope.split("/"), f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{_hash(asked.encode())}"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return None if hmac.compare_digest(key.hex(), said["signature"]) else WRONG


def _hash(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
