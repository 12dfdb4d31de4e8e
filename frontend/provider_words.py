"""How a provider stands and what became of it, in words."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from frontend.operating_shapes import Cap, Change, Provider
from frontend.states import Look, look

STANDINGS = {
    "closed": Look("Well", "good", "circle-check", "It takes mail."),
    "open": Look(
        "Kept from mail",
        "bad",
        "plug-off",
        "Its breaker is open: mail goes by the others, or waits for a trial to succeed.",
    ),
    "half_open": Look(
        "On trial",
        "warn",
        "heartbeat",
        "Its breaker is half open: one mail at a time finds out whether it is well again.",
    ),
    "recovering": Look(
        "Coming back", "wait", "trending-up", "It took mail again: its traffic returns to it bit by bit."
    ),
    "spent": Look(
        "Done for today", "wait", "hourglass", "It has had all its calls of today: mail goes by the others, or waits."
    ),
    "off": Look("Switched off", "calm", "power", "Somebody switched it off: it gets no mail until it is switched on."),
    "unseen": Look("Not known", "warn", "help", "Breakers are kept in Redis, which does not answer."),
}

REGISTRATIONS = {
    "registered": Look("Registered", "good", "circle-check", "From now on it is told to the address."),
    "known": Look("Known already", "calm", "check", "It was told to this address before."),
    "taken": Look("No room", "warn", "alert-triangle", "It is told elsewhere, and nothing was changed."),
}
_LONGEST_SECONDS = 10 * 365 * 86_400


def standing(provider: Provider) -> Look:
    """How it stands, in a word and a sentence."""
    if not provider["enabled"]:
        return STANDINGS["off"]
    state = provider["breaker"]["state"] if provider["breaker"] else "unseen"
    return look(STANDINGS, "spent" if state in ("closed", "recovering") and is_spent(provider["cap"]) else state)


def is_spent(cap: Cap | None) -> bool:
    """Whether there are no calls left today."""
    return cap is not None and cap["used"] is not None and cap["used"] >= cap["most"]


def since(provider: Provider, now: datetime) -> str | None:
    """When it came to stand so, as an instant; None: nobody knows, or for as long as is known."""
    breaker = provider["breaker"]
    if not provider["enabled"]:
        turned = (change["at"] for change in provider["changes"] if change["kind"] == "enabled")
        return next(turned, None)
    # One that never changed counts from 1970.
    return _from_now(now, -breaker["for_seconds"]) if breaker and breaker["for_seconds"] < _LONGEST_SECONDS else None


def next_try(provider: Provider, now: datetime) -> str | None:
    """When a mail may find out whether it is well again; None: nobody waits for that."""
    breaker = provider["breaker"]
    if not provider["enabled"] or breaker is None or breaker["state"] not in ("open", "half_open"):
        return None
    return _from_now(now, max(breaker["retry_seconds"], breaker["wait_seconds"]))


def part(provider: Provider, all_of_them: Sequence[Provider]) -> str:
    """Which part of the mail is its own, when all are well."""
    total = sum(each["weight_in_effect"] for each in all_of_them)
    if not provider["enabled"]:
        return "No mail"
    if provider["weight_in_effect"] <= 0 or not total:
        return "Fallback: only what the others can't take"
    percent = 100 * provider["weight_in_effect"] / total
    return "All mail" if percent >= 100 else f"{percent:.0f} % of the mail" if percent >= 1 else "Under 1 % of the mail"


def weight_text(weight: float | str | None) -> str:
    """A weight as a person writes it: `80`, `0.5`; empty where there is none."""
    return "" if weight in (None, "") else f"{float(weight or 0):g}"


def told(change: Change) -> Look:
    """What became of it, by a change: a title for the history."""
    match change["kind"]:
        case "breaker":
            return _BREAKERS.get(change["became"], Look(f"Breaker {change['became']}", "calm", "point", ""))
        case "enabled":
            return _ON if change["became"] == "true" else _OFF
        case "webhook":
            return Look("Webhook address registered", "busy", "webhook", change["became"])
    before, after = (weight_text(change[name]) or "as it is set" for name in ("was", "became"))
    return Look(f"Weight {after}", "busy", "scale", f"It was {before} before.")


_BREAKERS = {
    "open": Look("Kept from mail", "bad", "plug-off", "Mail moved on to the next provider, or waits."),
    "half_open": Look("On trial", "warn", "heartbeat", "One mail at a time finds out whether it is well."),
    "recovering": Look("Coming back", "wait", "trending-up", "It took mail again; its traffic returns bit by bit."),
    "closed": Look("Well again", "good", "circle-check", "All of its traffic is back."),
}
_ON = Look("Switched on", "good", "power", "It gets mail again.")
_OFF = Look("Switched off", "calm", "power", "It gets no new mail.")


def _from_now(now: datetime, seconds: float) -> str:
    return (now + timedelta(seconds=seconds)).isoformat(timespec="seconds").replace("+00:00", "Z")
