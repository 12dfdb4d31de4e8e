"""What comes back, read the same way for every provider: what an answer says, which wait it asks for, how a call without one
ended. Pure."""

import json
import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from fencepost.deliveries import Outcome, OutcomeKind
from fencepost.providers.fields import CONTROL
from fencepost.providers.http import HttpReply, Lost, NotSent, Reply
from fencepost.providers.smtp_call import SmtpReply
from fencepost.reconciliation import Evidence, Trace

MAX_WAIT_SECONDS = 86_400.0
"""A longer wait than a day is taken for a garbled one."""
_ADDRESS = re.compile(r"[^\s<>\"']+@[^\s<>\"']+")
_LONGEST_RECEIPT = 256


def document(body: bytes) -> Any:
    """The JSON in a body; None for anything else."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def at(found: object, *path: str | int) -> Any:
    """What stands at that place of a JSON document; None where there is no such place."""
    for step in path:
        if isinstance(found, dict) and isinstance(step, str):
            found = found.get(step)
        elif isinstance(found, list) and isinstance(step, int) and step < len(found):
            found = found[step]
        else:
            return None
    return found


def printable(text: str) -> str:
    """The same, fit for a log line: no addresses, no control characters, not long."""
    return _ADDRESS.sub("<address>", CONTROL.sub(" ", text)).strip()[:300]


def said(reply: HttpReply, *paths: tuple[str | int, ...]) -> str:
    """What an answer says, printable: the text at the first of these places of its JSON that holds any, else its beginning."""
    answer = document(reply.body)
    texts = (found for path in paths if isinstance(found := at(answer, *path), str) and found)
    return printable(next(texts, reply.body[:1000].decode("utf-8", "replace")))


def receipt(value: object) -> str | None:
    """The value, if it can be a provider's id of a message."""
    text = value.strip("<> ") if isinstance(value, str) else ""
    return text if 0 < len(text) <= _LONGEST_RECEIPT and text.isprintable() else None


def unanswered(reply: NotSent | Lost | SmtpReply, provider: str) -> Outcome:
    """How a call without a complete answer ended."""
    if isinstance(reply, NotSent):
        return Outcome(OutcomeKind.UNAVAILABLE, f"{provider} could not be reached: {reply.detail}")
    return Outcome(OutcomeKind.UNKNOWN, f"The request went out, and no complete answer came back: {reply.detail}")


def refuses_us(status: int, detail: str) -> Outcome:
    """The provider refuses our account or its set-up, whichever mail is sent."""
    return Outcome(OutcomeKind.UNAVAILABLE, detail, status=status, misconfigured=True)


def rejected(status: int, provider: str, text: str) -> Outcome:
    return Outcome(OutcomeKind.REJECTED, f"{provider} refuses this mail: {text}", status=status)


def throttled(status: int, provider: str, text: str, wait_seconds: float | None) -> Outcome:
    return Outcome(OutcomeKind.THROTTLED, f"{provider} asks for a pause: {text}", None, status, wait_seconds)


def undecided(status: int, text: str) -> Outcome:
    """An answer that does not say whether the mail was taken."""
    return Outcome(OutcomeKind.UNKNOWN, f"{status} does not say whether the mail was taken: {text}", status=status)


def records(reply: Reply, provider: str, variable: str, entries: tuple[str | int, ...]) -> list[Any] | Trace:
    """The entries of a page of the provider's records, at that place of its JSON; or why they can't be read. `variable` names
    the key that has to be able to."""
    if not isinstance(reply, HttpReply):
        return Trace(Evidence.UNREADABLE, f"{provider}'s records could not be read: {reply.detail}")
    if reply.status in (401, 402, 403, 404):
        detail = f"{provider} does not let us read its records ({reply.status}): check {variable}."
        return Trace(Evidence.UNREADABLE, detail, misconfigured=True)
    found = at(document(reply.body), *entries)
    if reply.status != 200 or not isinstance(found, list):
        return Trace(Evidence.UNREADABLE, f"{provider}'s records could not be read: it answered {reply.status}.")
    return found


def retry_after(reply: HttpReply, now: datetime) -> float | None:
    """The seconds in Retry-After, given as such or as a date; None: there are none, or they can't be read."""
    stated = reply.headers.get("retry-after", "").strip()
    return seconds(stated) if seconds(stated) is not None else until(stated, now)


def seconds(stated: str) -> float | None:
    """A wait in whole seconds; None for anything else."""
    return min(float(stated), MAX_WAIT_SECONDS) if stated.isascii() and stated.isdigit() else None


def until(date: str, now: datetime) -> float | None:
    """The seconds until a date of RFC 2822; None for what is none."""
    try:
        instant = parsedate_to_datetime(date.strip().rstrip("."))
    except (ValueError, OverflowError):
        return None
    if instant.tzinfo is None:  # -0000: UTC, and nothing about the place
        instant = instant.replace(tzinfo=UTC)
    return clamped((instant - now).total_seconds())


def clamped(wait_seconds: float) -> float:
    """Neither negative nor longer than a wait can be."""
    return min(max(wait_seconds, 0.0), MAX_WAIT_SECONDS)
