"""One sender: the very decisions of sender/, driven by thin loops over simulated servers, as sender/loop.py, courier.py,
housekeeping.py and reconciler.py drive them over real ones."""

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TypeVar

from fencepost.deliveries import Attempt, Delivery
from fencepost.errors import Unreachable
from fencepost.rules import RuleCache
from fencepost.schedules import Schedule
from fencepost.settlements import Settlement
from sender import passes
from sender.claiming import claim_pending, hand_back
from sender.effects import Decisions
from sender.passes import Claimed
from sender.planning import plan_due
from sender.reconciling import reconcile_all
from sender.rescuing import rescue
from tests.simulation.clocks import SimulatedClock
from tests.simulation.leases import Leases
from tests.simulation.performing import RETENTION, Hands, Surroundings
from tests.simulation.steps import Sleep, Steps

T = TypeVar("T")
RULES = RuleCache()
"""Rules are pure, so all senders of all runs share them."""
MEMORY = timedelta(days=3)


@dataclass(frozen=True, slots=True)
class Terms(passes.Terms):
    """Terms whose attempts have short names, the same in every run of a seed."""

    numbers: Iterator[int] = field(kw_only=True)

    def attempt(self, row: Delivery, provider: str) -> Attempt:
        return {**passes.Terms.attempt(self, row, provider), "id": f"a{next(self.numbers)}"}


class Sender(Hands):
    """Its threads begin with start() and end with its process."""

    def __init__(self, name: str, around: Surroundings, clock: SimulatedClock, leases: Leases) -> None:
        super().__init__(name, around, clock, leases)
        self._numbers = around.numbers
        self._busy: Counter[int] = Counter()
        self._passing = False
        self._cut_off: list[str] = []

    def start(self) -> None:
        threads: Mapping[str, Steps[None]] = {
            "keepalive": self.leases.keep_alive(),
            "leases": self.leases.cycle(),
            "loop": self._loop(),
            "rescue": self._housekeeping(),
            "reconcile": self._reconciling(),
        }
        for name, steps in threads.items():
            self._engine.spawn(self.process, f"{self.process.name} {name}", steps)

    # -- threads -----------------------------------------------------------------------------------------------------

    def _loop(self) -> Steps[None]:
        while True:
            self._passing = True
            try:
                seconds = yield from self.one_pass()
            except Unreachable:
                seconds = 0.5
            self._passing = False
            yield Sleep(seconds)

    def one_pass(self) -> Steps[float]:
        """Claim what was planned before, then plan what is due; seconds until there is more to do."""
        tokens = self.tokens()
        if not tokens:
            return self._options.max_sleep_seconds / 4
        if self._cut_off:
            rows = yield from self._store.deliveries.claimed(tokens, self._cut_off)
            yield from self.decide(hand_back(rows, self.clock.now()))
            self._cut_off.clear()
        terms = yield from self.terms(tokens)
        rows = yield from self._store.deliveries.pending(tokens, terms.now, max(1, terms.room))
        if rows and terms.room:
            yield from self._claim(self.claiming(rows, terms), terms)
        terms = yield from self.terms(tokens)
        due = yield from self._store.schedules.due(tokens, terms.now, 10)
        if due:
            yield from self._claim(self.planning(due, terms), terms)
        now = self.clock.now()
        instants = [
            (yield from self._store.schedules.next_due_at(tokens)),
            (yield from self._store.deliveries.next_queued_at(tokens, now)),
        ]
        waits = [(instant - now).total_seconds() for instant in instants if instant is not None]
        return max(0.05, min([self._options.max_sleep_seconds, *waits]))

    def _claim(self, decisions: Decisions[list[Claimed]], terms: Terms) -> Steps[None]:
        try:
            claimed = yield from self.decide(decisions)
        except Unreachable:
            self._cut_off.append(terms.claim_id)
            raise
        for item in claimed:
            self._busy[item.row["shard"]] += 1
            self._engine.spawn(self.process, f"{self.process.name} {item.attempt['id']}", self._seat(item))

    def memory(self) -> str:
        """What it carries from one turn of its threads to the next."""
        return f"{self._epoch} {self._busy} {self._cut_off} {self.leases.held()}"

    def fill(self) -> None:
        """All seats are taken."""
        self._busy[-1] = self._options.seats

    def _seat(self, item: Claimed) -> Steps[None]:
        yield from self.deliver(item)
        self._busy[item.row["shard"]] -= 1

    def _housekeeping(self) -> Steps[None]:
        while True:
            for shard, held in self.leases.held().items():
                if held.draining and not self._busy[shard] and not self._passing:
                    self.leases.release(shard, held.token)
            with suppress(Unreachable):
                yield from self.rescue_abandoned()
                yield from self._archive_finished()
            yield Sleep(self._options.rescue_seconds)

    def rescue_abandoned(self) -> Steps[None]:
        """Take over what lost senders left `sending`."""
        tokens = self.tokens()
        if not tokens:
            return
        now = self.clock.now()
        passed = now - timedelta(seconds=self._options.skew_seconds)
        rows = yield from self._store.deliveries.overdue(tokens, passed, 500)
        if rows:
            yield from self.decide(self.rescuing(rows, tokens))

    def _archive_finished(self) -> Steps[None]:
        """Of archiving only this much: what the last plan of a schedule skipped is put on record."""
        ended = yield from self._store.schedules.finished(self.tokens(), self.clock.now())
        yield from self._store.occurrences.record_skips(ended, self.clock.now(), RETENTION)

    def planning(self, due: list[Schedule], terms: Terms) -> Decisions[list[Claimed]]:
        return plan_due(due, terms, RULES)

    def claiming(self, rows: list[Delivery], terms: Terms) -> Decisions[list[Claimed]]:
        return claim_pending(rows, terms, RULES)

    def rescuing(self, rows: list[Delivery], tokens: Mapping[int, int]) -> Decisions[list[Settlement]]:
        return rescue(rows, tokens, self.clock.now(), MEMORY)

    def _reconciling(self) -> Steps[None]:
        while True:
            with suppress(Unreachable):
                yield from self.reconcile()
            yield Sleep(self._options.reconcile_seconds)

    def reconcile(self) -> Steps[None]:
        """Settle what is in doubt."""
        tokens = self.tokens()
        if not tokens:
            return
        now = yield from self._store.now()
        rows = yield from self._store.deliveries.doubtful(tokens, now, 50)
        if rows:
            yield from self.decide(self.reconciling(rows, now))

    def reconciling(self, rows: list[Delivery], now: datetime) -> Decisions[list[Settlement]]:
        return reconcile_all(rows, self._options.window, now, lambda _: 50)

    # -- decisions ---------------------------------------------------------------------------------------------------

    def tokens(self) -> dict[int, int]:
        return {shard: held.token for shard, held in self.leases.held().items() if not held.draining}

    def terms(self, tokens: Mapping[int, int]) -> Steps[Terms]:
        options = self._options
        now, steady = self.clock.now(), self.clock.steady()
        epoch, room = self._epoch, max(0, options.seats - self._busy.total())
        if epoch is None:
            try:
                epoch = self._epoch = yield from self._redis.epoch(self.process.name)
                now, steady = self.clock.now(), self.clock.steady()
            except Unreachable:
                epoch, room = "", 0
        return Terms(
            now=now,
            sender=self.process.name,
            tokens=tokens,
            epoch=epoch,
            router=self._around.routing,
            claim_id=f"c{next(self._numbers)}",
            deadline=now + timedelta(seconds=options.attempt_seconds),
            deadline_steady=steady + options.attempt_seconds,
            room=room,
            shards=2,
            limits=options.limits,
            retention=RETENTION,
            numbers=self._numbers,
        )
