"""The reconciler: a thread that settles what is in doubt, and says aloud what waits for a person."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from threading import Event, Thread

from fencepost.clock import Clock
from fencepost.coordination.leases import ShardLeases
from fencepost.deliveries import State
from fencepost.errors import Unreachable
from fencepost.logs import Unforeseen, get_logger
from fencepost.outages import Outages
from fencepost.reconciliation import Evidence, Reference, Trace, window_of
from fencepost.schedules import milliseconds
from fencepost.settings import Settings
from fencepost.store import Store
from sender.effects import Effect, LookUp
from sender.executor import Executor
from sender.gauges import Gauges
from sender.look_ups import LookUps
from sender.reconciling import reconcile_all

log = get_logger(__name__)
_ROUND_SECONDS = 0.5
_ROUNDS_BETWEEN_COUNTS = 4
_MOST = 500
_BURST_SECONDS = 4.0
"""What was not looked up for so long may be made up for at once: a round lasts as long as its slowest look-up."""
HELD = "held"
"""The kind of the alarm that mails wait for a person's decision."""


@dataclass
class Reconciler:
    """One thread, two rounds a second, as many look-ups as each provider bears. A round waits for all of its own, so records that
    hang make rounds as long as a call may take, and no longer; what others' mail misses by that is made up for."""

    settings: Settings
    store: Store
    leases: ShardLeases
    executor: Executor
    look_ups: LookUps
    outages: Outages
    clock: Clock
    gauges: Gauges
    wake: Event
    """Set when something became pending: the loop sends it."""
    every_seconds: float = _ROUND_SECONDS
    _misconfigured: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._stopped = Event()
        self._unforeseen = Unforeseen(log)
        self._held = False
        self._budgets: dict[str, float] = defaultdict(lambda: 1.0)
        self._filled_at, self._rounds = self.clock.steady(), 0
        self._window = window_of(self.settings)
        self._thread = Thread(target=self._run, name="reconciler", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self, seconds: float) -> None:
        self._stopped.set()
        self._thread.join(seconds)

    def is_alive(self) -> bool:
        return self._thread.is_alive()

    def _run(self) -> None:
        while not self._stopped.wait(self.every_seconds):
            try:
                self._round()
            except Unreachable as error:
                self.outages.note(error)
            except Exception:  # noqa: BLE001 it is said, and survived
                self._unforeseen.say("A round of settling broke; the next one follows.", action="reconciler.failed")
        self.look_ups.close()

    def _round(self) -> None:
        shards = [shard for shard, held in self.leases.held().items() if not held.draining]
        if not shards:
            return
        self._fill()
        self._settle(shards)
        self._rounds += 1
        if self._rounds % _ROUNDS_BETWEEN_COUNTS == 1:
            self._tell(shards)

    def _fill(self) -> None:
        """Let the budgets grow by the time that has passed."""
        rate, now = self.settings.settlement.look_ups_per_second, self.clock.steady()
        passed, self._filled_at = now - self._filled_at, now
        for name, budget in self._budgets.items():
            self._budgets[name] = min(max(1.0, rate * _BURST_SECONDS), budget + rate * passed)

    def _settle(self, shards: list[int]) -> None:
        now = self.store.now()
        rows = self.store.doubts.due(shards, now, _MOST)
        if len(rows) == _MOST:
            # A long list of one provider's must not keep what another's records could tell.
            rows += self.store.doubts.due(shards, now, _MOST, but={row["provider"] for row in rows})
        if not rows:
            return
        decisions = reconcile_all(rows, self._window, now, lambda name: int(self._budgets[name]))
        settled = self.executor.run(decisions, self._perform)
        if settled:
            ended = Counter(settlement.state.value for settlement in settled)
            log.info("Mails that were in doubt are settled.", action="delivery.reconciled", **ended)
        if any(settlement.state is State.PENDING for settlement in settled):
            self.wake.set()

    def _perform(self, effect: Effect) -> object:
        """Look-ups are this thread's own; whatever else is asked is the executor's."""
        if not isinstance(effect, LookUp):
            return self.executor.perform(effect)
        for reference in effect.references:
            self._budgets[reference.provider] -= 1
        traces = self.look_ups.run(effect.references)
        self._watch_records(effect.references, traces)
        return traces

    def _watch_records(self, references: Sequence[Reference], traces: dict[str, Trace]) -> None:
        """Raise the alarm while a provider's records are closed to us, and clear it when they can be read."""
        for name in {reference.provider for reference in references}:
            found = [traces[reference.delivery_id] for reference in references if reference.provider == name]
            closed = next((trace for trace in found if trace.misconfigured), None)
            kind = f"records.{name}"
            if closed:
                self.store.cluster.raise_alarm(kind, closed.detail, milliseconds(self.clock.now()))
                if name not in self._misconfigured:
                    log.error(
                        "A provider's records are closed to us; lost replies can't be settled until that is mended.",
                        action="records.closed",
                        provider=name,
                        detail=closed.detail,
                    )
                self._misconfigured.add(name)
            elif any(trace.evidence is not Evidence.UNREADABLE for trace in found):
                self.store.cluster.clear_alarm(kind)
                self._misconfigured.discard(name)

    def _tell(self, shards: list[int]) -> None:
        """Count what is in doubt, and raise the alarm while anything is held anywhere: only a person can decide it."""
        self.gauges.doubtful(self.store.doubts.count(shards))
        held = self.store.doubts.count_held()
        if held:
            detail = f"{held} {'mail is' if held == 1 else 'mails are'} held: only a person can decide what becomes of them. Decide at the settlement desk."
            self.store.cluster.raise_alarm(HELD, detail, milliseconds(self.clock.now()))
        else:
            # Whoever raised it may be gone.
            self.store.cluster.clear_alarm(HELD)
        if held and not self._held:
            log.error("Mails wait for a person's decision.", action="delivery.held", held=held)
        elif self._held and not held:
            log.info("No mail is held any more.", action="delivery.none_held")
        self._held = held > 0
