"""The collection `deliveries` in memory: the methods of the store's Deliveries and Doubts, each a generator of commands.

Documents are never changed, only replaced, so that what was read stays as it was. tests/contract/test_simulated_store.py runs
the same operations here and on MongoDB, and compares what they answer and leave.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, cast

from fencepost.deliveries import Attempt, Delivery, State
from fencepost.reconciliation import Postponed
from fencepost.settlements import Author, Settlement
from fencepost.store.claims import Claim
from fencepost.store.settlements import each_once, stands
from tests.simulation.clocks import Time
from tests.simulation.scans import DOUBTFUL, Scans, command
from tests.simulation.steps import Steps

Watcher = Callable[[Delivery | None, Delivery], None]
"""Is told of each write: the row before (None: inserted) and after."""


class Deliveries(Scans):
    """Linearizable: each command happens at one moment."""

    def __init__(self, time: Time, watcher: Watcher = lambda _before, _after: None) -> None:
        super().__init__()
        self._time, self._watcher = time, watcher

    # -- writes ------------------------------------------------------------------------------------------------------

    def insert(self, rows: Sequence[Delivery]) -> Steps[set[str]]:
        if not rows:
            return set()
        taken: set[str] = yield from command("W1 insert deliveries", lambda: self._insert(rows))
        mine = {row["_id"]: row["attempt_id"] for row in rows}
        if taken:
            stand: list[Delivery] = yield from command("W1 read back", lambda: [self.rows[name] for name in taken])
            taken -= {row["_id"] for row in stand if row["attempt_id"] == mine[row["_id"]]}
        return mine.keys() - taken

    def _insert(self, rows: Sequence[Delivery]) -> set[str]:
        taken = {row["_id"] for row in rows if row["_id"] in self.rows}
        for row in rows:
            if row["_id"] not in self.rows:
                self._write(None, row)
        return taken

    def claim(self, claims: Sequence[Claim], *, claim_id: str, epoch: str, deadline: datetime) -> Steps[set[str]]:
        groups: dict[tuple[int, int], list[Claim]] = defaultdict(list)
        for claim in claims:
            groups[claim.row["attempt_no"], claim.attempt["token"]].append(claim)
        for (number, token), group in groups.items():
            yield from command("W3 claim", self._claiming(group, number, token, claim_id, epoch, deadline))
        by_id = {claim.row["_id"]: claim.attempt["id"] for claim in claims}
        return (yield from command("W3 read back", lambda: self._claimed_as(by_id, claim_id)))

    def _claiming(
        self, claims: Sequence[Claim], number: int, token: int, claim_id: str, epoch: str, deadline: datetime
    ) -> Callable[[], None]:
        latest = max(claim.row["not_before"] for claim in claims)

        def run() -> None:
            for claim in claims:
                row = self.rows.get(claim.row["_id"])
                if row is None or row["not_before"] > latest or not self.may_claim(row, number, token):
                    continue
                attempt = claim.attempt
                self._write(
                    row,
                    {
                        **row,
                        "state": "sending",
                        "attempt_no": number + 1,
                        "attempt_id": attempt["id"],
                        "attempts": [*row["attempts"], attempt],
                        "token": token,
                        "epoch": epoch,
                        "provider": attempt["provider"],
                        "revision_id": claim.revision_id,
                        "version": claim.version,
                        "deadline": deadline,
                        "claim_id": claim_id,
                        "sender": claims[0].attempt["sender"],
                        "updated_at": self._time.instant,
                    },
                )

        return run

    def may_claim(self, row: Delivery, number: int, token: int) -> bool:
        """W3's guard."""
        return row["state"] == "pending" and row["attempt_no"] == number and row["token"] <= token

    def _claimed_as(self, by_id: Mapping[str, str], claim_id: str) -> set[str]:
        rows = [self.rows[name] for name in by_id if name in self.rows]
        return {
            row["attempt_id"] or ""
            for row in rows
            if row["claim_id"] == claim_id and row["attempt_id"] == by_id[row["_id"]]
        }

    def settle(self, settlements: Sequence[Settlement]) -> Steps[list[Settlement]]:
        groups: dict[tuple[State, ...], list[Settlement]] = defaultdict(list)
        for settlement in settlements:
            groups[settlement.allowed_from].append(settlement)
        missed: list[Settlement] = []
        for allowed, group in groups.items():
            for part in each_once(group):
                matched: int = yield from command("W7 settle", self._settling(part, allowed))
                if matched == len(part):
                    continue
                rows: dict[str, Any] = yield from command("W7 read back", lambda: self.rows)
                missed += [one for one in part if not stands(rows.get(one.delivery_id), one)]
        return missed

    def _settling(self, settlements: Sequence[Settlement], allowed: Collection[State]) -> Callable[[], int]:
        attempts = {settlement.attempt_id for settlement in settlements}
        ordered = any(is_order(settlement) for settlement in settlements)

        def run() -> int:
            matched = 0
            for settlement in settlements:
                row = self.rows.get(settlement.delivery_id)
                if row is not None and self.may_settle(row, attempts, allowed):
                    matched += 1
                    self._write(row, self._settled(row, settlement, ordered))
            return matched

        return run

    def may_settle(self, row: Delivery, attempts: Collection[str], allowed: Collection[State]) -> bool:
        """W7's guard."""
        return row["attempt_id"] in attempts and row["state"] in allowed

    def _settled(self, row: Delivery, settlement: Settlement, ordered: bool) -> Delivery:
        now = self._time.instant
        attempts = [
            _after(attempt, settlement) if attempt["id"] == row["attempt_id"] else attempt
            for attempt in row["attempts"]
        ]
        after: dict[str, Any] = {
            **row,
            "state": settlement.state.value,
            "reason": settlement.reason,
            "receipt": settlement.receipt,
            "attempts": attempts,
            "updated_at": now,
        }
        if settlement.not_before:
            after |= {"not_before": settlement.not_before, "queue_at": max(row["queue_at"], settlement.not_before)}
        if settlement.state is State.UNKNOWN:
            after["unknown_since"] = now
        if begins_anew(settlement):
            after["look_up_at"] = None
        if ordered:
            after["ordered"] = is_order(settlement)
        if is_order(settlement):
            after["expires_at"] = None
        if settlement.adopt:
            number, holder = settlement.adopt
            known = Attempt(id=holder, no=number, fence="TAKEN", outcome="unknown", sender="unknown", claimed_at=now)
            known |= Attempt(provider=row["provider"] or "", token=row["token"])
            after |= {"attempt_no": number, "attempt_id": holder, "attempts": [*attempts, known]}
        return cast("Delivery", after)

    def settle_by_event(self, settlement: Settlement) -> Steps[State | None]:
        def run() -> State | None:
            row = self.rows.get(settlement.delivery_id)
            if row is not None and self.may_settle_by_event(row, settlement.allowed_from):
                self._write(row, self._settled(row, settlement, ordered=False))
            return State(row["state"]) if row else None

        return (yield from command("settle by event", run))

    def may_settle_by_event(self, row: Delivery, allowed: Collection[State]) -> bool:
        """The guard of a provider's own word."""
        return row["state"] in allowed

    def cancel(self, rows: Mapping[str, int], reason: str) -> Steps[int]:
        numbers = set(rows.values())
        return (
            yield from command(
                "cancel",
                lambda: self._cancel(
                    [row for name in rows if (row := self.rows.get(name)) and row["attempt_no"] in numbers], reason
                ),
            )
        )

    def cancel_of_schedule(self, schedule_id: str, until: datetime, reason: str) -> Steps[list[str]]:
        def own() -> list[Delivery]:
            return [
                row for row in self.rows.values() if row["schedule_id"] == schedule_id and row["origin"] == "schedule"
            ]

        def unordered() -> list[Delivery]:
            return [row for row in own() if not row["ordered"] and row["due_at"] <= until]

        yield from command("cancel those of the schedule", lambda: self._cancel(unordered(), reason))
        return (
            yield from command(
                "read those under way", lambda: [row["_id"] for row in own() if row["state"] == "sending"]
            )
        )

    def _cancel(self, rows: Iterable[Delivery], reason: str) -> int:
        pending = [row for row in rows if row["state"] == "pending"]
        for row in pending:
            self._write(row, {**row, "state": "cancelled", "reason": reason, "updated_at": self._time.instant})
        return len(pending)

    def defer(self, delivery_ids: Collection[str], until: datetime) -> Steps[None]:
        def run() -> None:
            for name in delivery_ids:
                if (row := self.rows.get(name)) and row["state"] == "pending":
                    later, queue_at = max(row["not_before"], until), max(row["queue_at"], until)
                    self._write(row, {**row, "not_before": later, "queue_at": queue_at})

        yield from command("defer", run)

    def look_again(self, postponed: Sequence[Postponed]) -> Steps[None]:
        def run() -> None:
            for one in postponed:
                row = self.rows.get(one.delivery_id)
                if row and row["attempt_id"] == one.attempt_id and row["state"] in DOUBTFUL:
                    self._write(row, {**row, "look_up_at": one.until})

        yield from command("look again", run)

    def _write(self, before: Delivery | None, after: Delivery) -> None:
        self.rows[after["_id"]] = after
        self._watcher(before, after)

    # -- occurrences that wait for one another (fencepost.store.waiting) ----------------------------------------------

    def defer_occurrences(self, occurrence_ids: Collection[str], now: datetime, until: datetime) -> Steps[None]:
        def run() -> None:
            for row in list(self.rows.values()):
                ours = row["occurrence_id"] in occurrence_ids and row["state"] == "pending" and not row["ordered"]
                if ours and row["not_before"] <= now:
                    queue_at = max(until, row["queue_at"] + (until - now))
                    self._write(row, {**row, "not_before": until, "queue_at": queue_at})

        yield from command("defer occurrences", run)


def _after(attempt: Attempt, settlement: Settlement) -> Attempt:
    after: Attempt = {**attempt, **settlement.attempt}
    if settlement.verdict:
        after["settlements"] = [*attempt.get("settlements", []), settlement.verdict]
    return after


def begins_anew(settlement: Settlement) -> bool:
    """Whether the next look at the provider's records is the first again."""
    by_evidence = settlement.author in (Author.RECONCILER, Author.PERSON)
    return settlement.state is State.UNKNOWN or (by_evidence and settlement.state is State.PENDING)


def is_order(settlement: Settlement) -> bool:
    return settlement.author is Author.PERSON and settlement.state is State.PENDING
