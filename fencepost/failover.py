"""Failover: which provider the next attempt of a mail goes to. Pure and the same for whoever asks: what is chance in it is
derived from the delivery's id.

Mail that was provably not accepted moves on to the next provider that is usable; when all have refused it, it waits. Mail
that is `unknown` is not pending, so it never comes here: only its own provider's records settle it.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from fencepost.deliveries import Attempt, Delivery, OutcomeKind

PUT_OFF = (OutcomeKind.THROTTLED.value, OutcomeKind.UNAVAILABLE.value)
"""Outcomes that show that the provider did not accept the mail, and might another time."""

UNFIT = "unfit"
"""The outcome of an attempt that was not made: this provider takes no such mail, for its limits say; another may."""


class BreakerState(StrEnum):
    """Whether mail goes to a provider."""

    CLOSED = "closed"
    OPEN = "open"
    """It gets none for a while."""
    HALF_OPEN = "half_open"
    """One mail at a time finds out whether it is well again."""
    RECOVERING = "recovering"
    """It took one: a share of its mail goes to it, and ever more."""


def alarm(provider: str) -> str:
    """The kind of the alarm that mail does not go to a provider as it should."""
    return f"provider.{provider}"


@dataclass(frozen=True, slots=True)
class Standing:
    """How a provider stands at present."""

    weight: float
    """Its part of the mail, beside those of the others; 0: a fallback."""
    share: float = 1.0
    """How much of the mail that is meant for it it gets: 0 none, 1 all."""
    enabled: bool = True
    left: int | None = None
    """How many more calls it may be made today; None: it has no cap."""


def weights(configured: Mapping[str, float | None]) -> dict[str, float]:
    """The weights in effect of these providers, in their order. Where none has any, the first takes all."""
    if not any(configured.values()):
        return {name: float(number == 0) for number, name in enumerate(configured)}
    return {name: weight or 0.0 for name, weight in configured.items()}


def preferences(row: Delivery, standings: Mapping[str, Standing]) -> list[str]:
    """The providers that may and can carry this mail, in the order in which it prefers them: the order that it names itself; else
    the one that its part of the traffic falls to, and the others behind it."""
    route = row.get("route")
    never = unfit(row["attempts"])
    names = [name for name in route or standings if name in standings and standings[name].enabled and name not in never]
    total = sum(standings[name].weight for name in names)
    if route or not total:
        return names
    point = _fraction(row["_id"], "weight") * total
    for name in names:
        point -= standings[name].weight
        if point < 0:
            return [name, *(other for other in names if other != name)]
    return names


def choose(row: Delivery, standings: Mapping[str, Standing]) -> str | None:
    """The provider of the next attempt; None: none is usable now. Who refused it in this round is asked last."""
    names = preferences(row, standings)
    refused = refusals(row["attempts"], names)
    return _first(row, [name for name in names if name not in refused], standings) or _first(
        row, [name for name in names if name in refused], standings
    )


def moves_on(row: Delivery, standings: Mapping[str, Standing]) -> bool:
    """Whether another provider can take it at once that has not refused it in this round; of one that its provider can't take ever,
    whether there is another at all. The newest attempt, which was not accepted, is among the row's."""
    names = preferences(row, standings)
    if row["attempts"][-1].get("outcome") == UNFIT:
        return bool(names)
    refused = refusals(row["attempts"], names)
    return bool(refused) and _first(row, [name for name in names if name not in refused], standings) is not None


def refusals(attempts: Iterable[Attempt], names: Sequence[str]) -> set[str]:
    """Which of these providers have refused a mail in this round; a round ends when all have, or one has twice."""
    refused: set[str] = set()
    for attempt in attempts:
        if attempt.get("outcome") not in PUT_OFF:
            continue
        if attempt["provider"] in refused:
            refused = set()
        refused.add(attempt["provider"])
        if refused.issuperset(names):
            refused = set()
    return refused


def unfit(attempts: Iterable[Attempt]) -> set[str]:
    """The providers that can't take this mail, as was found since a person or the provider's records last had a say in it."""
    return {attempt["provider"] for attempt in _lately(attempts) if attempt.get("outcome") == UNFIT}


def times_refused(attempts: Sequence[Attempt]) -> int:
    """How often the provider that refused a mail most often did, since a person or the provider's records last had a say in it: each
    round counts once."""
    providers = [attempt["provider"] for attempt in _lately(attempts) if attempt.get("outcome") in PUT_OFF]
    return max((providers.count(name) for name in set(providers)), default=0)


def refused_since(attempts: Iterable[Attempt]) -> datetime | None:
    """When the first call was made that was not accepted, since a person or the provider's records last had a say in the mail;
    None if there was none."""
    return next((attempt["ended_at"] for attempt in _lately(attempts) if attempt.get("outcome") in PUT_OFF), None)


def _lately(attempts: Iterable[Attempt]) -> list[Attempt]:
    """Those after the last of which a person, or the provider's records, have said how it ended."""
    found: list[Attempt] = []
    for attempt in attempts:
        found.append(attempt)
        if attempt.get("settlements"):
            found.clear()
    return found


def _first(row: Delivery, names: Sequence[str], standings: Mapping[str, Standing]) -> str | None:
    usable = [name for name in names if standings[name].share > 0]
    # Where each gets but a part, somebody has to take the rest.
    return next(
        (name for name in usable if _fraction(row["_id"], name) < standings[name].share), usable[0] if usable else None
    )


def _fraction(delivery_id: str, salt: str) -> float:
    """A number from 0 to below 1, always the same for the same arguments."""
    digest = hashlib.sha256(f"{delivery_id}\0{salt}".encode()).digest()
    return int.from_bytes(digest[:6]) / 2**48
