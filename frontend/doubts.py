"""What is known of a mail that may have been sent, or not: how its answer was lost, what the records said, what comes. Pure."""

from dataclasses import dataclass
from datetime import timedelta

from frontend.formatting import parse
from frontend.shapes import Attempt, Email

_NO_MORE = "9999"
"""The year in which records are read that will not tell more."""


@dataclass(frozen=True, slots=True)
class Doubt:
    """Instants are those of the API; None where it does not say."""

    mail: Email
    called_at: str | None
    """When the provider was called whose answer was lost."""
    lost: str | None
    """How it was lost, in the sender's words."""
    found: str | None
    """What the provider's records said when they were read."""
    held_since: str | None
    look_up_at: str | None
    """When the records are read next; None: at once, or never more."""
    decided_at: str | None
    """When the settling window of an unknown mail ends: what has left no trace by then is decided by its schedule's policy."""


def doubt(mail: Email, window_seconds: float) -> Doubt:
    """Of a mail that is unknown or held; `window_seconds` is the settling window."""
    call: Attempt | None = next((each for each in reversed(mail["attempts"]) if each["outcome"] == "unknown"), None)
    verdict = last_settlement(mail)
    held = mail["state"] == "held"
    since, look_up_at = mail.get("unknown_since"), mail.get("look_up_at")
    return Doubt(
        mail,
        called_at=call["called_at"] or call["claimed_at"] if call else None,
        lost=call["detail"] if call else None,
        found=(verdict.get("settled_why") if verdict else None) or mail["reason"],
        held_since=((verdict.get("settled_at") if verdict else None) or mail["updated_at"]) if held else None,
        look_up_at=look_up_at if look_up_at and not look_up_at.startswith(_NO_MORE) else None,
        decided_at=_later(since, window_seconds) if since and not held else None,
    )


def last_settlement(mail: Email) -> Attempt | None:
    """The attempt that was settled last, by the provider's records or by a person; None where none was."""
    settled = [attempt for attempt in mail["attempts"] if attempt.get("settled_at")]
    return max(settled, key=lambda attempt: attempt.get("settled_at") or "", default=None)


def _later(instant: str, seconds: float) -> str:
    return (parse(instant) + timedelta(seconds=seconds)).isoformat().replace("+00:00", "Z")
