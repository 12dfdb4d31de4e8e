"""Tracking, as MongoDB sees it: what events say of a mail is joined with what its row says, in one update of the row. In
`deliveries`, whose fields `tracking` and, for mail that was accepted, `state` it moves forward."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, cast

from pymongo import UpdateOne
from pymongo.database import Database

from fencepost.deliveries import Delivery, State
from fencepost.store.mongodb import Document, answering
from fencepost.tracking import RANK, Tracking

_ORDER = [state.value for state in sorted(RANK, key=lambda state: RANK[state])]
ACCEPTED: Document = {"$ifNull": ["$tracking.told", State.ACCEPTED.value]}
"""The state that a row takes which is accepted now: what its events imply already, if any came before."""


@dataclass(frozen=True, slots=True)
class Trackings:
    """Deliveries by what their providers told."""

    database: Database[Document]

    def owners(self, delivery_ids: Collection[str]) -> dict[str, str]:
        """Whose each of these deliveries is; those that there are."""
        with answering():
            rows = self.database.deliveries.find({"_id": {"$in": list(delivery_ids)}}, {"owner_id": 1})
            return {row["_id"]: row["owner_id"] for row in rows}

    def rows(self, delivery_ids: Collection[str]) -> list[Delivery]:
        with answering():
            return cast("list[Delivery]", list(self.database.deliveries.find({"_id": {"$in": list(delivery_ids)}})))

    def join(self, trackings: Mapping[str, Tracking]) -> None:
        """Join each row's tracking with what is given, and move its state forward where that follows (`tracking.joined`,
        `tracking.moved`). Repeated, in any order and by several at once, the rows end the same."""
        updates = [UpdateOne({"_id": name}, _joining(tracking)) for name, tracking in trackings.items() if tracking]
        if updates:
            with answering():
                self.database.deliveries.bulk_write(updates, ordered=False)


def _joining(tracking: Tracking) -> list[Document]:
    given: dict[str, Any] = {**tracking}
    told = given.pop("told", None)
    joined: Document = {
        # Minimum and maximum pass over what is missing.
        f"tracking.{name}": {"$min" if name.endswith("_at") else "$max": [value, f"$tracking.{name}"]}
        for name, value in given.items()
    }
    if told:
        joined["tracking.told"] = _further(told, {"$ifNull": ["$tracking.told", ""]})
    moved = {"$cond": [{"$in": ["$state", _ORDER]}, _further({"$ifNull": ["$tracking.told", ""]}, "$state"), "$state"]}
    is_as_it_was = {"$eq": ["$_was", ["$tracking", "$state"]]}
    return [
        {"$set": {"_was": ["$tracking", "$state"]}},
        {"$set": joined},
        {"$set": {"state": moved}},
        {"$set": {"updated_at": {"$cond": [is_as_it_was, "$updated_at", "$$NOW"]}}},
        {"$unset": "_was"},
    ]


def _further(one: object, other: object) -> Document:
    """The state of higher rank of these two expressions; one that is none ranks lowest."""
    place = {"$indexOfArray": [_ORDER, one]}
    return {"$cond": [{"$gt": [place, {"$indexOfArray": [_ORDER, other]}]}, one, other]}
