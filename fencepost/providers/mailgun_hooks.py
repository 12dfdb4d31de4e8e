"""Mailgun's webhooks: whether it was Mailgun who called, and what it tells. Pure.

The body is `{"signature": {"timestamp", "token", "signature"}, "event-data": {...}}`; the signature is the hex HMAC-SHA256 of
timestamp and token. The event itself is not signed, so a token is good for one event only, and for as long as Mailgun repeats.
"""

import hashlib
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from fencepost.providers import hooks
from fencepost.providers.hooks import Told, Unacceptable, Unsigned
from fencepost.providers.mailgun_events import read_event

__all__ = ["Hook", "MailgunHooks", "Unacceptable", "Unsigned", "read_hook", "sign"]

LONGEST = timedelta(hours=9)
"""Mailgun repeats a call for eight hours."""
_MOST_DIGITS = 11
_LONGEST_TOKEN = 200


@dataclass(frozen=True, slots=True)
class Hook:
    """What Mailgun signed and said. The token is its name for this call, the same when it repeats it."""

    token: str
    event_data: object


@dataclass(frozen=True, slots=True)
class MailgunHooks:
    """Calls that one of these signing keys signed."""

    keys: Sequence[str]

    def read(self, body: bytes, headers: Mapping[str, str], now: datetime) -> Sequence[Told]:  # noqa: ARG002 signed inside
        document = hooks.parsed(body)
        hook = read_hook(document if isinstance(document, dict) else {}, self.keys, now)
        return [Told(hook.token, read_event(hook.event_data), hook.event_data, is_single=True)]


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
    hooks.check_age(datetime.fromtimestamp(int(stamp), UTC), now, LONGEST)
    return Hook(token, document.get("event-data"))


def sign(key: str, timestamp: str, token: str) -> str:
    """What Mailgun writes under these two, in hex."""
    return hmac.new(key.encode(), f"{timestamp}{token}".encode(), hashlib.sha256).hexdigest()
