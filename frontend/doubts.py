"""What is known of a mail that may have been sent, or not: how its answer was lost, what the records said, what comes. Pure."""

from dataclasses import dataclass

from frontend.mail_shapes import Attempt, Email, Settlement

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
    decision_due_at: str | None
    """When an unknown mail that has left no trace is decided by its schedule's policy."""


def doubt(mail: Email) -> Doubt:
    """Of a mail that is unknown or held."""
    call: Attempt | None = next((each for each in reversed(mail["attempts"]) if each["outcome"] == "unknown"), None)
    held = mail["state"] == "held"
    newest = mail["attempts"][-1]["settlements"] if mail["attempts"] else []
    verdict = next((each for each in reversed(newest) if each["state"] == "held"), None) if held else None
    look_up_at = mail.get("look_up_at")
    return Doubt(
        mail,
        called_at=call["called_at"] or call["claimed_at"] if call else None,
        lost=call["detail"] if call else None,
        found=verdict["why"] if verdict else mail["reason"],
        held_since=(verdict["at"] if verdict else mail["updated_at"]) if held else None,
        look_up_at=look_up_at if look_up_at and not look_up_at.startswith(_NO_MORE) else None,
        decision_due_at=mail.get("decision_due_at"),
    )


def may_have_gone(mail: Email) -> bool:
    """Whether nobody knows of a cancelled mail if it was sent: the answer of a call was lost, and it was not the reconciler who
    called it off, since that one does so only where it is certain that nobody called."""
    if mail["state"] != "cancelled" or all(attempt["outcome"] != "unknown" for attempt in mail["attempts"]):
        return False
    last = last_settlement(mail)
    return not last or (last["state"], last["by"]) != ("cancelled", "reconciler")


def last_settlement(mail: Email) -> Settlement | None:
    """The one made last, from the provider's records or by a person; None where there is none."""
    settlements = [settlement for attempt in mail["attempts"] for settlement in attempt["settlements"]]
    return max(settlements, key=lambda settlement: settlement["at"], default=None)
