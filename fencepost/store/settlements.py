"""W7 as MongoDB sees it: one update pipeline that gives each row the outcome of its own attempt."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from fencepost.deliveries import NOT_SENT, STRANGER, State
from fencepost.priorities import WEIGHTS
from fencepost.schedules import milliseconds
from fencepost.settlements import Author, Settlement
from fencepost.store.mongodb import Document, each_its_own, own
from fencepost.store.tracking import ACCEPTED
from fencepost.tracking import RANK

_WEIGHT_MS = {
    "$switch": {
        "branches": [
            {"case": {"$eq": ["$priority", priority.value]}, "then": weight // timedelta(milliseconds=1)}
            for priority, weight in WEIGHTS.items()
        ],
        "default": 0,
    }
}
"""How much a row's priority moves it in the queue."""


def in_turn(instant: object) -> Document:
    """The `queue_at` of a row that waits until then (an instant, or an expression of one; null: it does not): no sooner than it had,
    since a flood must not come forward by having been refused."""
    return {"$max": ["$queue_at", {"$add": [instant, _WEIGHT_MS]}]}


_NO_NEWS = {State.UNKNOWN, State.HELD, *RANK}
"""Where a row may be of which its owner says `unknown`, that being no more than is known already."""


def stands(row: Document | None, settlement: Settlement) -> bool:
    """Whether the record already says what the settlement says: it was written and the answer lost, or a rescuer found out
    before its owner that nobody knows how the call ended."""
    if row is None:
        return False
    if settlement.state is State.UNKNOWN and row["attempt_id"] == settlement.attempt_id:
        return row["state"] in _NO_NEWS
    # Events may have moved what is accepted on.
    if row["state"] not in (RANK if settlement.state is State.ACCEPTED else (settlement.state,)):
        return False
    if (settlement.state, settlement.author) == (State.ACCEPTED, Author.OWNER):
        # The same call, though somebody found out before its owner told.
        return bool(row["attempt_id"] == settlement.attempt_id)
    recorded: Document = next((attempt for attempt in row["attempts"] if attempt["id"] == settlement.attempt_id), {})
    if settlement.verdict:
        # Two people may decide the same in the same millisecond; each is told whether it was theirs.
        ours = {**settlement.verdict, "at": milliseconds(settlement.verdict["at"])}
        return ours in recorded.get("settlements", [])
    ended_at = settlement.attempt.get("ended_at")
    return recorded.get("ended_at") == (ended_at and milliseconds(ended_at))


def each_once(settlements: Sequence[Settlement]) -> list[list[Settlement]]:
    """The same in parts that name no delivery twice. Two attempts of one delivery may end in one batch, when the first was
    taken for dead; the table of one update would give the row of the second what became of the first."""
    parts: list[dict[str, Settlement]] = []
    for settlement in settlements:
        part = next((part for part in parts if settlement.delivery_id not in part), None)
        if part is None:
            parts.append(part := {})
        part[settlement.delivery_id] = settlement
    return [list(part.values()) for part in parts]


def _begins_anew(settlement: Settlement) -> bool:
    """Whether the next look at the provider's records is the first again."""
    by_evidence = settlement.author in (Author.RECONCILER, Author.PERSON)
    return settlement.state is State.UNKNOWN or (by_evidence and settlement.state is State.PENDING)


_TAKEN = [state.value for state in RANK if state is not State.BOUNCED]
"""What `tracking.told` is where a provider took the mail. `bounced` may be of one that it took and then refused to send."""


def _says_not_sent(settlement: Settlement) -> bool:
    """Whether it ends an attempt that was under way as if no provider had taken the mail. The reconciler's word is not doubted: it has
    read what was told, and would be asked again for ever where that is no longer kept; nor is a person's, or a provider's."""
    not_sent = settlement.state in (State.PENDING, *NOT_SENT)
    return not_sent and settlement.author in (Author.OWNER, Author.RESCUER)


def settling(ids: Sequence[str], settlements: Sequence[Settlement]) -> list[Document]:
    """The pipeline for these settlements, one for each of `ids` in order."""
    columns: dict[str, list[Any]] = {
        "state": [settlement.state.value for settlement in settlements],
        "reason": [settlement.reason for settlement in settlements],
        "receipt": [settlement.receipt for settlement in settlements],
    }
    gained = {"$mergeObjects": ["$$this", own([settlement.attempt for settlement in settlements])]}
    if any(settlement.verdict for settlement in settlements):
        verdicts = own([[settlement.verdict] if settlement.verdict else None for settlement in settlements])
        settled = {"$concatArrays": [{"$ifNull": ["$$this.settlements", []]}, verdicts]}
        # Joined with null a list is null: then what is there stays, and stays missing where nothing is.
        gained["$mergeObjects"].append({"settlements": {"$ifNull": [settled, "$$this.settlements"]}})
    is_ours = {"$eq": ["$$this.id", "$attempt_id"]}
    enters: Document = own([settlement.state is State.UNKNOWN for settlement in settlements])
    begins: Document = own([_begins_anew(settlement) for settlement in settlements])
    expressions: Document = {
        "updated_at": "$$NOW",
        "state": own(columns.pop("state")),
        "attempts": {"$map": {"input": "$attempts", "in": {"$cond": [is_ours, gained, "$$this"]}}},
    }
    if any(settlement.state is State.ACCEPTED for settlement in settlements):
        # What was told before this is on the row by now, and what is told after this finds it accepted: none is lost.
        is_accepted = own([settlement.state is State.ACCEPTED for settlement in settlements])
        expressions["state"] = {"$cond": [is_accepted, ACCEPTED, expressions["state"]]}
    if not_sent := any(map(_says_not_sent, settlements)):
        # A provider told meanwhile that it took it, under an earlier attempt: the reconciler reads what it told.
        is_told = {"$in": [{"$ifNull": ["$tracking.told", ""]}, _TAKEN]}
        doubted = {"$and": [own([_says_not_sent(settlement) for settlement in settlements]), is_told]}
        expressions["state"] = {"$cond": [doubted, State.UNKNOWN.value, expressions["state"]]}
        enters, begins = {"$or": [enters, doubted]}, {"$or": [begins, doubted]}
    if any(settlement.not_before for settlement in settlements):
        wait = own([settlement.not_before for settlement in settlements])
        expressions["not_before"] = {"$ifNull": [wait, "$not_before"]}
        expressions["queue_at"] = in_turn(wait)
    if not_sent or any(settlement.state is State.UNKNOWN for settlement in settlements):
        # Counted by the server's clock, from entering the state: the settling window must not hang on a sender's clock.
        expressions["unknown_since"] = {"$cond": [enters, "$$NOW", "$unknown_since"]}
    if not_sent or any(_begins_anew(settlement) for settlement in settlements):
        # Also of one that is sent again: a sender of an older version does not do it when that call's reply is lost in turn.
        expressions["look_up_at"] = {"$cond": [begins, None, "$look_up_at"]}
    if any(_is_order(settlement) for settlement in settlements):
        is_order = own([_is_order(settlement) for settlement in settlements])
        expressions["ordered"] = is_order
        # As of a replay: no time to live ends what a person has sent.
        expressions["expires_at"] = {"$cond": [is_order, None, "$expires_at"]}
    if any(settlement.adopt for settlement in settlements):
        adopted = own([settlement.adopt for settlement in settlements])
        number, holder = {"$arrayElemAt": [adopted, 0]}, {"$arrayElemAt": [adopted, 1]}
        known_from_the_fence = {"id": holder, "no": number, "fence": "TAKEN", "outcome": "unknown"}
        known_from_the_fence |= {"provider": "$provider", "sender": STRANGER, "token": "$token", "claimed_at": "$$NOW"}
        expressions |= {
            "attempt_no": {"$ifNull": [number, "$attempt_no"]},
            "attempt_id": {"$ifNull": [holder, "$attempt_id"]},
            # Into the row's own history too, or the fence would refuse every later attempt as a stranger's.
            "attempts": {
                "$concatArrays": [
                    expressions["attempts"],
                    {"$cond": [{"$ifNull": [adopted, False]}, [known_from_the_fence], []]},
                ]
            },
        }
    return each_its_own(ids, columns, expressions)


def _is_order(settlement: Settlement) -> bool:
    return settlement.author is Author.PERSON and settlement.state is State.PENDING
