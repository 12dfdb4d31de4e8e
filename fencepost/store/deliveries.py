"""The collection `deliveries`: W1's insert, W3's claim, W7's settlement, and the scans between them."""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import cast

from pymongo import ASCENDING, DESCENDING, IndexModel
from pymongo.database import Database

from fencepost.deliveries import Delivery, State
from fencepost.errors import NotFound
from fencepost.settlements import Settlement
from fencepost.store.claims import Claim, alike, claiming
from fencepost.store.mongodb import Document, answering, insert_missing
from fencepost.store.pages import Cursor, Page, page
from fencepost.store.settlements import each_once, in_turn, settling, stands

OPEN = [State.PENDING.value, State.SENDING.value]
DOUBTFUL = [State.UNKNOWN.value, State.HELD.value]

# What the pages list by state: everything but the many that went well or are on their way.
_REMARKABLE = [
    state.value for state in State if state not in (State.PENDING, State.SENDING, State.ACCEPTED, State.DELIVERED)
]

INDEXES = [
    IndexModel(
        [("shard", ASCENDING), ("queue_at", ASCENDING), ("not_before", ASCENDING)],
        name="pending",
        partialFilterExpression={"state": "pending"},
    ),
    IndexModel(
        [("shard", ASCENDING), ("low", ASCENDING), ("not_before", ASCENDING), ("queue_at", ASCENDING)],
        name="ready",
        partialFilterExpression={"state": "pending"},
    ),
    IndexModel(
        [("shard", ASCENDING), ("token", ASCENDING)], name="sending", partialFilterExpression={"state": "sending"}
    ),
    IndexModel(
        [("state", ASCENDING), ("_id", DESCENDING)],
        name="remarkable",
        partialFilterExpression={"state": {"$in": _REMARKABLE}},
    ),
    IndexModel(
        [("shard", ASCENDING), ("look_up_at", ASCENDING)],
        name="doubtful",
        partialFilterExpression={"state": {"$in": DOUBTFUL}},
    ),
    IndexModel([("schedule_id", ASCENDING)], name="open", partialFilterExpression={"state": {"$in": OPEN}}),
    IndexModel(
        [("shard", ASCENDING), ("expires_at", ASCENDING)],
        name="expiring",
        partialFilterExpression={"state": "pending", "expires_at": {"$gt": datetime(1970, 1, 1, tzinfo=UTC)}},
    ),
    IndexModel(
        [("owner_id", ASCENDING)], name="waiting", partialFilterExpression={"state": "pending", "origin": "api"}
    ),
    IndexModel([("batch_id", ASCENDING), ("_id", DESCENDING)], name="of_batch", sparse=True),
    IndexModel(
        [("provider", ASCENDING), ("_id", DESCENDING)],
        name="of_provider",
        partialFilterExpression={"provider": {"$gt": ""}},
    ),
    IndexModel([("tags", ASCENDING), ("_id", DESCENDING)], name="tags", sparse=True),
    IndexModel([("occurrence_id", ASCENDING)], name="of_occurrence"),
    IndexModel([("schedule_id", ASCENDING), ("_id", DESCENDING)], name="of_schedule"),
    IndexModel([("to.email", ASCENDING), ("_id", DESCENDING)], name="to"),
    IndexModel([("owner_id", ASCENDING), ("_id", DESCENDING)], name="newest_of_owner"),
    IndexModel([("purge_at", ASCENDING)], name="purge", expireAfterSeconds=0),
]


@dataclass(frozen=True, slots=True)
class Deliveries:
    """Deliveries by what is to be done with them, by occurrence and by owner."""

    database: Database[Document]

    def insert(self, rows: Sequence[Delivery]) -> set[str]:
        """W1: insert them all the same, whichever are there already. Returns the ids of those that carry the attempt (or
        for a pending row, exist) as given: repeated after a lost answer, it says the same."""
        if not rows:
            return set()
        mine = {row["_id"]: row["attempt_id"] for row in rows}
        taken = insert_missing(self.database.deliveries, cast("list[Document]", rows))
        if taken:
            with answering():
                stand = self.database.deliveries.find({"_id": {"$in": list(taken)}}, {"attempt_id": 1})
                taken -= {row["_id"] for row in stand if row["attempt_id"] == mine[row["_id"]]}
        return mine.keys() - taken

    def pending(self, shards: Iterable[int], now: datetime, limit: int) -> list[Delivery]:
        """What may be claimed now, in the order of the queue; behind it, where there is room, what a long list or a caller's flood
        queues for later although it may be claimed now; and behind that what is of low priority. Queries of their own, so that
        none reads what may not be claimed yet: jitter and retries put much of that ahead."""
        query = {"shard": {"$in": list(shards)}, "state": "pending", "not_before": {"$lte": now}}
        deliveries = self.database.deliveries
        with answering():
            rows = list(deliveries.find({**query, "queue_at": {"$lte": now}}).sort("queue_at", 1).limit(limit))
            for low in (None, True):
                if left := limit - len(rows):
                    ahead = deliveries.find({**query, "low": low, "queue_at": {"$gt": now}})
                    rows += ahead.sort([("not_before", 1), ("queue_at", 1)]).limit(left)
        return cast("list[Delivery]", rows)

    def next_queued_at(self, shards: Iterable[int], after: datetime) -> datetime | None:
        """When the next waiting delivery (a retry, say) may be claimed."""
        query = {
            "shard": {"$in": list(shards)},
            "low": {"$in": [None, True]},
            "state": "pending",
            "not_before": {"$gt": after},
        }
        with answering():
            row = self.database.deliveries.find_one(query, {"not_before": 1, "_id": 0}, sort=[("not_before", 1)])
        return row["not_before"] if row else None

    def claim(self, claims: Sequence[Claim], *, claim_id: str, epoch: str, deadline: datetime) -> set[str]:
        """W3: pending -> sending, if the row is as it was read, not put off since, and its token is not above ours. Returns the
        attempt ids that a majority has on record under this claim, also when an answer was lost on the way."""
        for group in alike(claims):
            guard, update = claiming(group, claim_id=claim_id, epoch=epoch, deadline=deadline)
            with answering():
                self.database.deliveries.update_many(guard, update)
        by_id = {claim.row["_id"]: claim.attempt["id"] for claim in claims}
        with answering():
            rows = self.database.deliveries.find({"_id": {"$in": list(by_id)}, "claim_id": claim_id}, {"attempt_id": 1})
            return {row["attempt_id"] for row in rows if row["attempt_id"] == by_id[row["_id"]]}

    def settle(self, settlements: Sequence[Settlement]) -> list[Settlement]:
        """W7: write how attempts ended, each guarded by its attempt id and by the states it may come from.

        Returns those that found their row elsewhere: nothing was written for them. The rest is on record.
        """
        groups: dict[tuple[State, ...], list[Settlement]] = defaultdict(list)
        for settlement in settlements:
            groups[settlement.allowed_from].append(settlement)
        return [
            missed
            for allowed, group in groups.items()
            for part in each_once(group)
            for missed in self._settle(part, allowed)
        ]

    def _settle(self, settlements: Sequence[Settlement], allowed: Collection[State]) -> list[Settlement]:
        ids = [settlement.delivery_id for settlement in settlements]
        attempts = [settlement.attempt_id for settlement in settlements]
        guard = {
            "_id": {"$in": ids},
            "attempt_id": {"$in": attempts},
            "state": {"$in": [state.value for state in allowed]},
        }
        with answering():
            result = self.database.deliveries.update_many(guard, settling(ids, settlements))
            if result.matched_count == len(settlements):
                return []
            rows = {
                row["_id"]: row
                for row in self.database.deliveries.find(
                    {"_id": {"$in": ids}}, {"state": 1, "attempts": 1, "attempt_id": 1}
                )
            }
        return [settlement for settlement in settlements if not stands(rows.get(settlement.delivery_id), settlement)]

    def settle_by_event(self, settlement: Settlement) -> State | None:
        """Write what a provider's own word settles, whichever attempt the row is at by now; the state in which it was found.
        One that `allowed_from` does not name is left as it is; None: there is no such delivery."""
        guard = {
            "_id": settlement.delivery_id,
            "state": {"$in": [state.value for state in settlement.allowed_from]},
        }
        update = settling([settlement.delivery_id], [settlement])
        with answering():
            found = self.database.deliveries.find_one_and_update(guard, update, {"state": 1})
            if found is None:
                found = self.database.deliveries.find_one({"_id": settlement.delivery_id}, {"state": 1})
        return State(found["state"]) if found else None

    def overdue(self, tokens: Mapping[int, int], passed: datetime, limit: int) -> list[Delivery]:
        """What is `sending` in these shards (shard -> our token) under a lower token, or past its deadline by `passed`."""
        shards_of: dict[int, list[int]] = defaultdict(list)
        for shard, token in tokens.items():
            shards_of[token].append(shard)
        late: list[Document] = [
            {"shard": {"$in": shards}, "token": {"$lt": token}} for token, shards in shards_of.items()
        ]
        late.append({"shard": {"$in": list(tokens)}, "deadline": {"$lt": passed}})
        with answering():
            rows = self.database.deliveries.find({"state": "sending", "$or": late}).limit(limit)
            return cast("list[Delivery]", list(rows))

    def claimed(self, shards: Iterable[int], claim_ids: Collection[str]) -> list[Delivery]:
        """What is `sending` in these shards under one of these claims."""
        query = {"state": "sending", "shard": {"$in": list(shards)}, "claim_id": {"$in": list(claim_ids)}}
        with answering():
            return cast("list[Delivery]", list(self.database.deliveries.find(query)))

    def cancel(self, rows: Mapping[str, int], reason: str) -> int:
        """Cancel pending ones (id -> attempt number as read); how many it was."""
        with answering():
            result = self.database.deliveries.update_many(
                {"_id": {"$in": list(rows)}, "state": "pending", "attempt_no": {"$in": list(set(rows.values()))}},
                _cancelled(reason),
            )
        return result.modified_count

    def defer(self, delivery_ids: Collection[str], until: datetime) -> None:
        """Look at these pending ones again then, not before; what its owner has put off further since it was read stays so."""
        with answering():
            self.database.deliveries.update_many(
                {"_id": {"$in": list(delivery_ids)}, "state": "pending"},
                [{"$set": {"not_before": {"$max": ["$not_before", until]}, "queue_at": in_turn(until)}}],
            )

    def cancel_of_schedule(self, schedule_id: str, until: datetime, reason: str) -> list[str]:
        """A pause or a delete that took effect at `until`: cancel what the schedule's own occurrences up to then still have
        pending. Returns the ids of those under way."""
        own = {"schedule_id": schedule_id, "origin": "schedule"}
        with answering():
            # Of later instants nothing is planned before a resume. A frozen server may get to this only after one.
            self.database.deliveries.update_many(
                {**own, "state": "pending", "ordered": {"$ne": True}, "due_at": {"$lte": until}}, _cancelled(reason)
            )
            return [
                row["_id"]
                for row in self.database.deliveries.find({**own, "state": "sending"}, {"_id": 1}).limit(10_000)
            ]

    def under_way(self, schedule_id: str) -> list[str]:
        """The ids of a schedule's deliveries that are `sending`."""
        with answering():
            rows = self.database.deliveries.find({"schedule_id": schedule_id, "state": "sending"}, {"_id": 1}).limit(
                10_000
            )
            return [row["_id"] for row in rows]

    def with_open(self, schedule_ids: Collection[str]) -> set[str]:
        """Those of these schedules of which something is still to be sent, or may be: what is unknown may become pending again,
        and a delete must still find its schedule live to take it back."""
        those = {"schedule_id": {"$in": list(schedule_ids)}}
        with answering():
            waiting = self.database.deliveries.distinct("schedule_id", {**those, "state": {"$in": OPEN}})
            # By state first: of what is unknown there is little, of a schedule's mail there may be much.
            unknown = self.database.deliveries.find({**those, "state": "unknown"}, {"schedule_id": 1}).hint(
                "remarkable"
            )
            return {*waiting, *(row["schedule_id"] for row in unknown)}

    def find(self, delivery_id: str) -> Delivery | None:
        """Whoever's it is; for who does not act for an owner."""
        with answering():
            return cast("Delivery | None", self.database.deliveries.find_one({"_id": delivery_id}))

    def get(self, owner_id: str, delivery_id: str) -> Delivery:
        """Raises NotFound, also for another owner's."""
        with answering():
            row = self.database.deliveries.find_one({"_id": delivery_id, "owner_id": owner_id})
        if row is None:
            raise NotFound(f"there is no email {delivery_id}")
        return cast("Delivery", row)

    def page_of(
        self, owner_id: str, filters: Document, limit: int, cursor: Cursor | None, *, oldest_first: bool = False
    ) -> Page[Delivery]:
        """An owner's deliveries by their instants. `filters` are built by the caller from typed values."""
        query = {"owner_id": owner_id, **filters}
        keys = [("_id", ASCENDING if oldest_first else DESCENDING)]
        return page(self.database.deliveries, query, keys, limit, cursor, lambda row: cast("Delivery", row))

    def count_by_state(self, occurrence_ids: Collection[str]) -> dict[str, Counter[str]]:
        """For each occurrence, how many of its deliveries are in which state."""
        counts: dict[str, Counter[str]] = {occurrence_id: Counter() for occurrence_id in occurrence_ids}
        stages: list[Document] = [
            {"$match": {"occurrence_id": {"$in": list(occurrence_ids)}}},
            {"$group": {"_id": {"occurrence": "$occurrence_id", "state": "$state"}, "count": {"$sum": 1}}},
        ]
        with answering():
            for row in self.database.deliveries.aggregate(stages):
                counts[row["_id"]["occurrence"]][row["_id"]["state"]] = row["count"]
        return counts


def _cancelled(reason: str) -> list[Document]:
    return [{"$set": {"state": "cancelled", "reason": {"$literal": reason}, "updated_at": "$$NOW"}}]
