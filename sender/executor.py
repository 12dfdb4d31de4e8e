"""The thin executor: performs one effect after the other, each with its failpoints before and after."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, TypeVar

from fencepost import breaker
from fencepost.clock import Clock
from fencepost.coordination.fences import Fence
from fencepost.coordination.leases import ShardLeases
from fencepost.errors import FencepostError, Misconfigured, Unreachable
from fencepost.failpoints import Failpoints
from fencepost.logs import get_logger
from fencepost.schedules import milliseconds
from fencepost.store import Store
from sender import effects
from sender.effects import Decisions, Effect
from sender.files import FileCache

T = TypeVar("T")
log = get_logger(__name__)


class Epochs:
    """The fence's epoch as this sender last read it. Nothing is claimed without one."""

    def __init__(self, fence: Fence, failpoints: Failpoints) -> None:
        self._fence, self._failpoints = fence, failpoints
        self._epoch: str | None = None

    def current(self) -> str:
        """Raises Unreachable, and Misconfigured if Redis came back as one that may forget."""
        epoch = self._epoch  # another thread may forget it meanwhile
        if epoch is None:
            self._failpoints.hit("W0.before")
            self._fence.check_server()
            epoch = self._epoch = self._fence.epoch()
            self._failpoints.hit("W0.after")
        return epoch

    def recheck(self) -> None:
        """Ask whether Redis is still as it must be, and can be written to: its settings can be changed while it runs, and its disk
        fill up. Raises what current() raises."""
        try:
            self._fence.check_server()
            self._epoch = self._fence.epoch()
        except (Unreachable, Misconfigured):
            self.forget()
            raise

    def forget(self) -> None:
        self._epoch = None


class Executor:
    """Runs decisions whose effects reach MongoDB, Redis and the leases, one at a time in the caller's thread."""

    def __init__(
        self,
        store: Store,
        fence: Fence,
        epochs: Epochs,
        leases: ShardLeases,
        failpoints: Failpoints,
        clock: Clock,
        retention: timedelta,
        files: FileCache,
    ) -> None:
        self._files = files
        self._store, self._fence, self._epochs, self._leases = store, fence, epochs, leases
        self._failpoints, self._clock, self._retention = failpoints, clock, retention

    def run(self, decisions: Decisions[T], perform: Callable[[Effect], Any] | None = None) -> T:
        """Perform every effect; what the decisions return. `perform` is for who has effects of its own, and hands the others
        back to this executor's. Raises what a server's failure makes of them."""
        perform = perform or self.perform
        step: Callable[[], Effect] = lambda: next(decisions)  # noqa: E731
        while True:
            try:
                effect = step()
            except StopIteration as stop:
                result: T = stop.value
                return result
            step = _resuming(decisions, effect, perform)

    def perform(self, effect: Effect) -> Any:
        """Do it; its result as the effect describes it."""
        store = self._store
        match effect:
            case effects.ReadRevisions(ids):
                return store.texts(ids)
            case effects.ReadSchedules(ids):
                return store.schedules.find(ids)
            case effects.ReadSkips(instants):
                return store.occurrences.skipped(instants)
            case effects.ReadOpen(schedule_ids):
                return store.waiting.open_occurrences(schedule_ids)
            case effects.Insert(occurrences, deliveries):
                with self.passing("W1"):
                    store.occurrences.insert(occurrences)
                    return store.deliveries.insert(deliveries)
            case effects.Advance(plans):
                with self.passing("W2"):
                    return store.schedules.advance(plans)
            case effects.RecordSkips(schedules):
                return store.occurrences.record_skips(schedules, milliseconds(self._clock.now()), self._retention)
            case effects.Quarantine(schedule, reason):
                log.error(
                    "A schedule's arithmetic broke; it is quarantined, the others go on.",
                    action="schedule.quarantined",
                    schedule_id=schedule.id,
                    reason=reason,
                )
                return store.schedules.quarantine(schedule, reason, milliseconds(self._clock.now()))
            case effects.Freeze(schedule_id, reason):
                return self._freeze(schedule_id, reason)
            case effects.ClaimRows(claims, claim_id, epoch, deadline):
                with self.passing("W3"):
                    return store.deliveries.claim(claims, claim_id=claim_id, epoch=epoch, deadline=deadline)
            case effects.Cancel(rows, reason):
                return store.deliveries.cancel(rows, reason)
            case effects.Defer(ids, until):
                return store.deliveries.defer(ids, until)
            case effects.DeferOccurrences(ids, now, until):
                return store.waiting.defer(ids, now, until)
            case effects.SettleAll(settlements):
                with self.passing("W7"):
                    return store.deliveries.settle(settlements)
            case effects.Kill(requests):
                return self._fence.kill(requests)
            case effects.ReadEvents(delivery_ids):
                return store.events.of(delivery_ids)
            case effects.ReadSuppressed(addresses):
                return store.suppressions.of(addresses)
            case effects.ReadFiles(owner_id, ids):
                return self._files.read(owner_id, ids)
            case effects.LookAgain(postponed):
                return store.doubts.look_again(postponed)
            case effects.CheckTrust(shard, token, until):
                with self.passing("W5"):
                    return self._leases.may_call(shard, token, until)
            case effects.DropShard(shard, token, outranked_by):
                return self._leases.drop(shard, token, outranked_by)
            case effects.RenewEpoch():
                return self._epochs.forget()
        raise FencepostError(f"{type(effect).__name__} is not an effect of this executor")

    def _freeze(self, schedule_id: str, reason: str) -> bool:
        now = milliseconds(self._clock.now())
        try:
            newly = self._store.schedules.freeze(schedule_id, reason, now)
            self._store.cluster.raise_alarm(breaker.alarm(schedule_id), reason, now)
        except Unreachable:
            return False
        if newly:
            log.error(
                "The breaker stopped a mail; its schedule is frozen until its owner resumes it.",
                action="breaker.froze",
                schedule_id=schedule_id,
                reason=reason,
            )
        return True

    @contextmanager
    def passing(self, step: str) -> Iterator[None]:
        """The failpoints round a step."""
        self._failpoints.hit(f"{step}.before")
        yield
        self._failpoints.hit(f"{step}.after")


def _resuming(decisions: Decisions[Any], effect: Effect, perform: Callable[[Effect], Any]) -> Callable[[], Effect]:
    try:
        result = perform(effect)
    except Unreachable as error:
        failure = error
        return lambda: decisions.throw(failure)
    return lambda: decisions.send(result)
