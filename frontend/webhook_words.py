"""How an endpoint stands and what it is told, in words."""

from collections.abc import Mapping
from typing import Final

from frontend.operating_shapes import Try, Webhook
from frontend.states import Look, look

STANDINGS = {
    "on": Look("On", "good", "circle-check", "It is told within seconds."),
    "failing": Look("Failing", "warn", "alert-triangle", "It takes nothing at present; what it misses is tried again."),
    "off": Look("Off", "calm", "power", "It is told nothing."),
    "given_up": Look("Turned off", "bad", "plug-off", "It is told nothing until somebody switches it on."),
}
MESSAGES = {
    "pending": Look("Pending", "wait", "hourglass", "It is sent, or tried again when its time comes."),
    "delivered": Look("Delivered", "good", "check", "The endpoint took it."),
    "failed": Look("Failed", "bad", "x", "It was given up after three days; it can be sent again."),
}
KINDS: Final[Mapping[str, str]] = {
    "email.accepted": "A provider took it",
    "email.delivered": "The recipient's server took it",
    "email.deferred": "The recipient's server asked for patience",
    "email.bounced": "The recipient's server refused it",
    "email.complained": "The recipient reported it",
    "email.failed": "It failed",
    "email.unknown": "A call's answer was lost",
    "email.held": "It waits for a decision",
    "email.cancelled": "It was called off",
    "email.suppressed": "Its recipient gets no mail",
    "email.expired": "It became too late",
    "email.opened": "It was opened",
    "email.clicked": "A link in it was clicked",
    "email.unsubscribed": "Its recipient unsubscribed",
}
"""What an endpoint may be told of; tests it is sent in any case."""
OVERLAPS: Final[Mapping[str, str]] = {
    "0": "Not at all: the old secret ends now",
    "1": "One hour",
    "24": "One day",
    "168": "One week",
}
"""For how many hours the old secret signs beside the new one."""


def standing(webhook: Webhook) -> Look:
    if not webhook["enabled"]:
        return look(STANDINGS, "given_up" if webhook["disabled_reason"] else "off")
    return look(STANDINGS, "failing" if webhook["failing_since"] else "on")


def kinds_in_words(types: list[str]) -> str:
    """`Everything`, `bounced, complained`, or the first few of many."""
    if not types:
        return "Everything"
    short = [kind.removeprefix("email.") for kind in types]
    return ", ".join(short) if len(short) <= 4 else f"{', '.join(short[:3])} and {len(short) - 3} more"


def answered(attempt: Try) -> Look:
    """How one call ended."""
    status = attempt["status"]
    if status is None:
        return Look("No answer", "bad", "plug-off", "")
    return Look(str(status), "good", "check", "") if 200 <= status < 300 else Look(str(status), "bad", "x", "")
