"""What each state means to a reader: a label, a tone, an icon and one sentence. Tones never stand alone: the label does."""

from typing import NamedTuple


class Look(NamedTuple):
    """`tone` is good, busy, wait, warn, bad or calm: a class of fencepost.css."""

    label: str
    tone: str
    icon: str
    sentence: str


SCHEDULES = {
    "active": Look("Active", "good", "player-play", "It sends at every due instant."),
    "paused": Look("Paused", "wait", "player-pause", "What falls due is skipped, on record, until it is resumed."),
    "quarantined": Look(
        "Quarantined",
        "bad",
        "alert-triangle",
        "Its rule could not be worked out, so it was set aside; edit it to go on.",
    ),
    "finished": Look("Finished", "calm", "flag", "Its end has come: nothing more is due."),
    "archived": Look("Archived", "calm", "archive", "It was deleted. It can still be read, and restored."),
}

EMAILS = {
    "pending": Look("Pending", "wait", "hourglass", "It is planned, and waits for a sender or for its next attempt."),
    "sending": Look("Sending", "busy", "send", "A sender has claimed it and is calling the provider."),
    "accepted": Look("Accepted", "good", "check", "The provider took it, and gave a receipt."),
    "delivered": Look("Delivered", "good", "checks", "The recipient's server took it."),
    "bounced": Look("Bounced", "bad", "arrow-back-up", "The recipient's server refused it."),
    "complained": Look("Complained", "bad", "mood-sad", "The recipient reported it as unwanted."),
    "failed": Look("Failed", "bad", "x", "It was refused, or given up after many tries: nobody got it."),
    "unknown": Look(
        "Unknown",
        "warn",
        "help",
        "The call was made and its answer was lost: the provider may have sent this mail, or not. It is never sent again on a "
        "guess; the provider's own records settle it.",
    ),
    "held": Look("Held", "warn", "hand-stop", "It waits for a person's decision: nothing is sent on a guess."),
    "cancelled": Look(
        "Cancelled", "calm", "ban", "It was called off: no call is made for it any more, so nobody gets it."
    ),
    "suppressed": Look(
        "Suppressed", "calm", "bell-off", "Its recipient does not want mail, so no provider was called."
    ),
    "expired": Look(
        "Expired", "calm", "clock-off", "It could not be sent while it was worth sending, so no provider has it."
    ),
    "skipped": Look("Skipped", "calm", "player-skip-forward", "Its occurrence was skipped."),
}

KEYS = {
    "active": Look("Active", "good", "circle-check", "It opens what it is for."),
    "expired": Look("Expired", "calm", "clock-off", "Its time is over: it opens nothing."),
    "revoked": Look("Revoked", "bad", "ban", "It was revoked: it opens nothing."),
}

OCCURRENCES = {
    "planned": Look("Planned", "busy", "clock-play", "Its mails are on their way."),
    "skipped": Look("Skipped", "calm", "player-skip-forward", "Nothing was sent, for the reason given."),
    "done": Look("Done", "good", "check", "Every mail of it has come to an end."),
}

OUTCOMES = {
    "accepted": Look("Accepted", "good", "check", "The provider took the mail."),
    "rejected": Look("Rejected", "bad", "x", "The provider refused this mail."),
    "throttled": Look("Throttled", "wait", "hourglass", "The provider asked to slow down; nothing was sent."),
    "unavailable": Look("Unavailable", "wait", "plug-off", "The provider could not take mail; nothing was sent."),
    "unfit": Look(
        "Not this provider's", "wait", "arrow-back-up", "This provider takes no such mail; another is asked."
    ),
    "unknown": Look("Unknown", "warn", "help", "The answer was lost; the mail may have been sent, or not."),
}

EVENTS = {
    "planned": Look("Planned", "calm", "calendar-event", "The instant came; this mail was written down."),
    "claimed": Look("Claimed", "busy", "lock", "A sender took it, under a token that only grows."),
    "fenced": Look("Past the fence", "busy", "fence", "The last check before the call: no other attempt may pass."),
    "stopped": Look(
        "Stopped at the fence", "wait", "hand-stop", "The last check before the call refused it, so no call was made."
    ),
    "called": Look("Provider called", "busy", "send", "The one call of this attempt."),
    "released": Look("Given back", "wait", "arrow-back-up", "No call was made; it waits for its next attempt."),
    "resend": Look("To be sent again", "wait", "refresh", "It was settled that a new attempt is made."),
    "rescued": Look("Rescued", "wait", "lifebuoy", "Its sender had gone; another took it over."),
    **{name: EMAILS[name] for name in ("accepted", "delivered", "bounced", "complained", "failed", "unknown", "held")},
    "opened": Look("Opened", "good", "mail-opened", "The provider told that it was opened, for the first time."),
    "clicked": Look(
        "Link clicked", "good", "click", "The provider told that a link in it was clicked, for the first time."
    ),
    "unsubscribed": Look("Unsubscribed", "calm", "user-minus", "Its recipient wants no more mail that goes to many."),
    **{name: EMAILS[name] for name in ("cancelled", "suppressed", "expired", "skipped")},
    **{name: OUTCOMES[name] for name in ("rejected", "throttled", "unavailable", "unfit")},
}

DECISIONS = {
    "was_sent": Look(
        "It was sent", "good", "check", "It counts as accepted from now on, on your word, and is never sent again."
    ),
    "send_now": Look(
        "Send it now",
        "busy",
        "send",
        "A new attempt is made at once. If the provider took the first one after all, its recipient gets it twice.",
    ),
    "drop": Look(
        "Drop it",
        "calm",
        "ban",
        "It is called off for good. If the provider took it after all, its recipient has it all the same.",
    ),
}
"""What a person may decide about a mail that is held."""

FINDINGS = {
    "silent": Look(
        "Silent", "bad", "volume-off", "It was due, nothing of it is on record, and nobody will make it up by itself."
    ),
    "late": Look(
        "Late", "warn", "clock-exclamation", "It was due and is not on record yet; its schedule still waits for it."
    ),
    "missing_mail": Look(
        "Mail missing", "bad", "mail-off", "The occurrence is on record with fewer mails than it has recipients."
    ),
    "stuck": Look("Stuck", "warn", "hourglass-high", "A mail stays in a state that it should have left long ago."),
    "extra": Look(
        "Extra", "bad", "calendar-x", "An occurrence is on record at which its schedule was not due under its history."
    ),
    "twice": Look(
        "Sent twice", "bad", "copy", "A provider accepted more than one attempt of a mail: its recipient may have two."
    ),
}
"""What the auditor finds."""

PREVENTED = {
    "stale": Look(
        "Late sender", "good", "clock-x", "A sender whose lease had passed to another was stopped before it called."
    ),
    "taken": Look("Already decided", "good", "lock", "Another attempt had passed the fence for this mail."),
    "killed": Look("Declared dead", "good", "skull", "A rescuer had closed this attempt before it called."),
    "epoch": Look(
        "Memory lost", "good", "refresh-alert", "Redis had forgotten its records, so the attempt did not count."
    ),
}

DROPPED_IN_DOUBT = "It was called off. Whether it had been sent before is not known: the answer of a call was lost."

TESTED = "It went all its way. A key for tests asked for it, so no provider was called and nobody got it: what became of it is made up."
WENT = ("accepted", "delivered", "bounced", "complained")
"""The states of mail that a provider took."""

HINTS = {
    "unknown": "look at these",
    "held": "waiting for you",
}


def look(kind: dict[str, Look], name: str | None) -> Look:
    """How `name` is shown; one that this version of the pages does not know is shown by its name."""
    return kind.get(name or "", Look((name or "–").replace("_", " ").capitalize(), "calm", "point", ""))
