"""Performing decisions over simulated servers: what sender/executor.py, and the courier for its seats, do over real ones."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

from fencepost.coordination.fences import FenceAnswer
from fencepost.errors import Unreachable
from fencepost.planning import Limits
from fencepost.reconciliation import Window
from fencepost.settlements import Settlement
from fencepost.unsubscribing import Links
from sender import effects
from sender.delivering import Patience, deliver
from sender.effects import Decisions
from sender.passes import Claimed
from tests.simulation.clocks import SimulatedClock
from tests.simulation.engine import Engine, Process
from tests.simulation.leases import Leases
from tests.simulation.provider import Provider
from tests.simulation.redis import Redis
from tests.simulation.routing import Routing, Single
from tests.simulation.steps import Sleep, Steps
from tests.simulation.store import SimulatedStore
from tests.simulation.watch import Watch

T = TypeVar("T")
LINKS = Links("http://127.0.0.1:5000", b"a secret")
RETENTION = timedelta(days=90)

_PATIENCE = Patience(call_seconds=3, retry_base_seconds=1, retry_cap_seconds=4)
_LIMITS = Limits(1000, grace=timedelta(seconds=4))
_SKEW_SECONDS = 1
# The settling window is what the protocol asks for and not more: the records' lag, a call, and what clocks differ, twice.
_WINDOW = Window(
    settling=timedelta(seconds=Provider.lag_seconds + _PATIENCE.call_seconds + 2 * _SKEW_SECONDS),
    look_ups=(timedelta(seconds=2), timedelta(seconds=6)),
    give_up=timedelta(seconds=25),
    recheck_held=(timedelta(seconds=5), timedelta(seconds=20), timedelta(seconds=100)),
)


@dataclass(frozen=True, slots=True)
class Options:
    """A sender's settings, shortened like everything here: a lease of seconds, a window of less than a minute."""

    attempt_seconds: float = 10
    skew_seconds: float = _SKEW_SECONDS
    seats: int = 6
    max_sleep_seconds: float = 4
    rescue_seconds: float = 3
    reconcile_seconds: float = 3
    limits: Limits = _LIMITS
    patience: Patience = _PATIENCE
    window: Window = _WINDOW


_ALONE = Single()


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What all senders share."""

    engine: Engine
    store: SimulatedStore
    redis: Redis
    provider: Provider
    watch: Watch
    numbers: Iterator[int]
    options: Options
    routing: Routing = _ALONE


class Hands:
    """What one sender can do. A process that is killed does nothing any more."""

    def __init__(self, name: str, around: Surroundings, clock: SimulatedClock, leases: Leases) -> None:
        self.process = Process(name)
        self.clock, self.leases, self._options, self._around = clock, leases, around.options, around
        self._engine, self._store, self._redis, self._provider = (
            around.engine,
            around.store,
            around.redis,
            around.provider,
        )
        self._watch = around.watch
        self._epoch: str | None = None

    def decide(self, decisions: Decisions[T]) -> Steps[T]:
        """Perform every effect; what the decisions return. Raises Unreachable if they do not catch it."""
        step: Callable[[], effects.Effect] = lambda: next(decisions)  # noqa: E731
        while True:
            try:
                effect = step()
            except StopIteration as stop:
                result: T = stop.value
                return result
            try:
                answer = yield from self.perform(effect)
            except Unreachable as error:
                step = _throwing(decisions, error)
            else:
                step = _sending(decisions, answer)

    def delivering(self, item: Claimed) -> Decisions[Settlement]:
        chance, moves_on = self._engine.random.random(), self._around.routing.moves_on
        return deliver(item, self._options.patience, LINKS, self.clock, chance, moves_on)

    def deliver(self, item: Claimed) -> Steps[None]:
        """W4 to W7 of one delivery."""
        decisions = self.delivering(item)
        attempt = item.attempt
        answer: Any = None
        self._watch.has_seat(item.row)
        while True:
            try:
                effect = decisions.send(answer)
            except StopIteration:
                return
            match effect:
                case effects.AskFence(request):
                    self._watch.asks(item.row)
                    answer = yield from self._ask(request)
                case effects.Settle(settlement):
                    answer = yield from self._settle(settlement)
                case effects.Call(provider, mail):
                    yield Sleep(0, "W6")
                    self._watch.calls(self.process.name, item.row, attempt, provider, mail)
                    answer = yield from self._provider.call(provider, mail, self._options.patience.call_seconds)
                case effects.CheckTrust():
                    yield Sleep(0, "W5")
                    answer = yield from self.perform(effect)
                    self._watch.trusts(attempt["id"], answer)
                case _:
                    answer = yield from self.perform(effect)

    def _ask(self, request: Any) -> Steps[FenceAnswer | None]:
        try:
            return (yield from self._redis.claim(self.process.name, [request]))[0]
        except Unreachable:
            self._epoch = None
            yield Sleep(0.25)
            return None

    def _settle(self, settlement: Settlement) -> Steps[bool]:
        """The outcome of a call exists nowhere else: it is written again until it is on record."""
        while True:
            try:
                return not (yield from self._store.deliveries.settle([settlement]))
            except Unreachable:
                yield Sleep(0.5)

    def perform(self, effect: effects.Effect) -> Steps[Any]:
        """Do it; its result as the effect describes it."""
        store = self._store
        match effect:
            case effects.ReadRevisions(ids):
                return (yield from store.records.find(ids)) if ids else {}
            case effects.ReadSchedules(ids):
                return (yield from store.schedules.find(ids))
            case effects.ReadSkips(instants):
                return (yield from store.occurrences.skipped(instants))
            case effects.ReadOpen(schedule_ids):
                return (yield from store.deliveries.open_occurrences(schedule_ids))
            case effects.DeferOccurrences(ids, now, until):
                return (yield from store.deliveries.defer_occurrences(ids, now, until))
            case effects.Insert(occurrences, deliveries):
                yield from store.occurrences.insert(occurrences)
                return (yield from store.deliveries.insert(deliveries))
            case effects.Advance(plans):
                return (yield from store.schedules.advance(plans))
            case effects.RecordSkips(schedules):
                return (yield from store.occurrences.record_skips(schedules, self.clock.now(), RETENTION))
            case effects.Quarantine(schedule, reason):
                return (yield from store.schedules.quarantine(schedule, reason, self.clock.now()))
            case effects.ClaimRows(claims, claim_id, epoch, deadline):
                return (yield from store.deliveries.claim(claims, claim_id=claim_id, epoch=epoch, deadline=deadline))
            case effects.Cancel(rows, reason):
                return (yield from store.deliveries.cancel(rows, reason))
            case effects.Defer(ids, until):
                return (yield from store.deliveries.defer(ids, until))
            case effects.SettleAll(settlements):
                return (yield from store.deliveries.settle(settlements))
            case effects.Kill(requests):
                return (yield from self._redis.kill(self.process.name, requests))
            case effects.ReadEvents(delivery_ids):
                return (yield from store.records.events_of(delivery_ids))
            case effects.LookUp(references):
                return (yield from self._provider.look_up(references))
            case effects.LookAgain(postponed):
                return (yield from store.deliveries.look_again(postponed))
            case effects.CheckTrust(shard, token, until):
                return self.leases.may_call(shard, token, until)
            case effects.DropShard(shard, token, outranked_by):
                return self.leases.drop(shard, token, outranked_by)
            case effects.RenewEpoch():
                self._epoch = None
                return None
        raise AssertionError(f"{type(effect).__name__} is not an effect of this sender")


def _sending(decisions: Decisions[Any], answer: Any) -> Callable[[], effects.Effect]:
    return lambda: decisions.send(answer)


def _throwing(decisions: Decisions[Any], error: Unreachable) -> Callable[[], effects.Effect]:
    return lambda: decisions.throw(error)
