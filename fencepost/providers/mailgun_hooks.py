"""Mailgun's webhooks: whether it was Mailgun who called, and when. Pure.

The body is `{"signature": {"timestamp", "token", "signature"}, "event-data": {...}}`; the signature is the hex HMAC-SHA256 of
timestamp and token. The event itself is not signed, so a token is good for one event only, and for as long as Mailgun repeats.
"""

import hashlib
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from fencepost.errors import FencepostError

LONGEST = timedelta(hours=9)
"""Mailgun repeats a call for eight hours."""
AHEAD = timedelta(minutes=5)
_MOST_DIGITS = 11
_LONGEST_TOKEN = 200


class Unsigned(FencepostError):
    """Nothing shows that the provider called. It may do so again, once keys or clocks are right."""


class Unacceptable(FencepostError):
    """What came will not be taken however often it comes."""


@dataclass(frozen=True, slots=True)
class Hook:
    """What Mailgun signed and said. The token is its name for this call, the same when it repeats it."""

    token: str
    event_data: object


def read_hook(document: Mapping[str, Any], keys: Sequence[str], now: datetime) -> Hook:
    """The call in this body, if one of these keys signed it lately. Raises Unsigned and Unacceptable."""
    found = document.get("signature")
    signature = found if isinstance(found, dict) else {}
    stamp, token, signed = (signature.get(name) for name in ("timestamp", "token", "signature"))
    if isinstance(stamp, int) and not isinstance(stamp, bool):
        stamp = str(stamp) if abs(stamp) < 10**_MOST_DIGITS else ""
    if not (isinstance(stamp, str) and isinstance(token, str) and isinstance(signed, str)):
        raise Unsigned("there is no signature")
    # The signed text says nothing of where the timestamp ends: digits alone, and a range in which shifting that is of no use.
    if not (stamp.isascii() and stamp.isdigit() and len(stamp) <= _MOST_DIGITS and 0 < len(token) <= _LONGEST_TOKEN):
        raise Unsigned("the signature is not one of Mailgun's")
    # All of them, whichever fits: how long this takes tells nothing.
    fits = [hmac.compare_digest(sign(key, stamp, token).encode(), signed.encode()) for key in keys]
    if not any(fits):
        raise Unsigned("the signature was not made with our key")
    age = now - datetime.fromtimestamp(int(stamp), UTC)
    if age > LONGEST:
        raise Unacceptable("this was signed more than nine hours ago")
    if age < -AHEAD:
        raise Unsigned("this was signed in the future; one of the clocks is wrong")
    return Hook(token, document.get("event-data"))


def sign(key: str, timestamp: str, token: str) -> str:
    """What Mailgun writes under these two, in hex."""
    return hmac.new(key.encode(), f"{timestamp}{token}".encode(), hashlib.sha256).hexdigest()
