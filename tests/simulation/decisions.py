"""What people asked for about single mails, and what may have come of it: the oracle's own account."""

from collections import Counter, defaultdict
from typing import Protocol

from fencepost.deliveries import Attempt, Delivery
from fencepost.reconciliation import Decision
from fencepost.settlements import Settlement

PERSON = "person-"
"""How the names of people begin."""


class Must(Protocol):
    """Raises Violation where it does not hold."""

    def __call__(self, holds: object, what: str) -> None: ...


def settled_by(row: Delivery) -> str:
    """Who settled its newest attempt last; empty for nobody but its owner."""
    newest = next((attempt for attempt in row["attempts"] if attempt["id"] == row["attempt_id"]), Attempt())
    verdicts = newest.get("settlements", [])
    return verdicts[-1]["by"] if verdicts else ""


class Decisions:
    """Kept by a Watch, of which it is a part."""

    def __init__(self, must: Must) -> None:
        self._must = must
        self.cancelled: set[str] = set()
        """Deliveries that somebody asked to be cancelled, or dropped."""
        self.orders: Counter[str] = Counter()
        """How often each was sent again at somebody's word."""
        self._asked: dict[str, set[Decision]] = defaultdict(set)
        self._acknowledged: set[tuple[str, str]] = set()

    def asked(self, delivery_id: str, decision: Decision) -> None:
        """It may come into effect from now on, or never."""
        self._asked[delivery_id].add(decision)
        if decision is Decision.DROP:
            self.cancelled.add(delivery_id)

    def acknowledged(self, settlement: Settlement) -> None:
        """Somebody was told that this is what became of it."""
        which = (settlement.delivery_id, settlement.attempt_id)
        self._must(which not in self._acknowledged, f"two people decided about {which}, and both are told so")
        self._acknowledged.add(which)

    def delivery(self, before: Delivery, after: Delivery) -> None:
        """A write."""
        name = after["_id"]
        if (before["state"], after["state"]) != ("held", "pending"):
            return
        if settled_by(after).startswith(PERSON):  # else its owner learns late that it was not called
            self._must(Decision.SEND_NOW in self._asked[name], f"{name} was held, and nobody asked to have it sent")
            self.orders[name] += 1

    def said_sent(self, delivery_id: str) -> bool:
        """Whether somebody may have decided that it was sent, be it so or not."""
        return Decision.WAS_SENT in self._asked[delivery_id]

    def decided(self, delivery_id: str) -> bool:
        """Whether people asked for anything about it while it was held: then its state is what they said."""
        return bool(self._asked[delivery_id])
