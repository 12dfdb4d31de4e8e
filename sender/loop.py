"""The loop: plans what is due, claims what is pending, and sleeps until the next due instant or a nudge."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from threading import Event, Thread

from fencepost import ids
from fencepost.clock import Clock
from fencepost.coordination.leases import ShardLeases
from fencepost.errors import Misconfigured, Unreachable
from fencepost.logs import Unforeseen, get_logger
from fencepost.outages import Outages
from fencepost.planning import Limits
from fencepost.rules import RuleCache
from fencepost.schedules import Schedule, milliseconds
from fencepost.settings import Settings
from fencepost.store import Store
from sender.claiming import claim_pending, hand_back
from sender.courier import Courier
from sender.effects import Decisions
from sender.executor import Epochs, Executor
from sender.passes import Claimed, Terms
from sender.planning import plan_due
from sender.routes import Routes
from sender.timekeeper import ClockIsOff, Timekeeper
from sender.withholding import claim_but_suppressed

log = get_logger(__name__)
_AWAY_SECONDS = 0.5
_CROWDED_SECONDS = 0.25
_PATIENCE = timedelta(seconds=15)
_PATIENCE_WITH_BACKLOG = timedelta(seconds=0.25)


@dataclass
class Loop:
    """One thread that turns due instants into claimed deliveries."""

    settings: Settings
    sender: str
    store: Store
    leases: ShardLeases
    executor: Executor
    epochs: Epochs
    courier: Courier
    routes: Routes
    outages: Outages
    clock: Clock
    timekeeper: Timekeeper
    wake: Event
    """Set by a nudge, by a change of shards, and by the courier when it has room again."""
    shards: int
    passes_begun: int = 0
    passes_ended: int = 0
    """Who gives a shard back waits until every pass that began before has ended: it may claim what it found then."""

    def __post_init__(self) -> None:
        self._cache = RuleCache()
        self._unforeseen = Unforeseen(log)
        self._stopping = False
        self._crowded = False
        self._cut_off: list[str] = []
        """Claims whose pass broke off: what is on record of them never came to the courier."""
        self._thread = Thread(target=self._run, name="loop", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self, seconds: float) -> None:
        self._stopping = True
        self.wake.set()
        self._thread.join(seconds)

    def is_alive(self) -> bool:
        return self._thread.is_alive()

    def hungry(self) -> None:
        """The courier has room: go on at once if work was left lying."""
        if self._crowded:
            self._crowded = False
            self.wake.set()

    def _run(self) -> None:
        while not self._stopping:
            self.wake.clear()
            try:
                self.passes_begun += 1
                seconds = self._pass()
                self.outages.over("mongodb")
            except (Unreachable, Misconfigured) as error:
                self._away(error)
                seconds = _AWAY_SECONDS
            except ClockIsOff:
                self.leases.step_aside()
                seconds = _AWAY_SECONDS
            except Exception:  # noqa: BLE001 it is said, and survived
                self._unforeseen.say("A pass of the loop broke; the next one follows.", action="loop.failed")
                seconds = _AWAY_SECONDS
            self.passes_ended += 1
            if seconds > 0:
                self.wake.wait(seconds)

    def _away(self, error: Unreachable | Misconfigured) -> None:
        self.outages.note(error if isinstance(error, Unreachable) else Unreachable("redis", str(error)))

    def _pass(self) -> float:
        """Claim what was planned before, then plan what is due; seconds until there is more to do."""
        self.timekeeper.now()
        self.leases.step_in()
        tokens = {shard: held.token for shard, held in self.leases.held().items() if not held.draining}
        if not tokens:
            self.store.ping()  # it is said of MongoDB that it answers when a pass went well
            return self.settings.sender.max_sleep_seconds
        if self._cut_off:
            self._hand_back_cut_off(tokens)
        terms = self._terms(tokens)
        backlog = self._claim_pending(terms)
        terms = self._terms(tokens)
        due, more_due = self._due(terms, _PATIENCE_WITH_BACKLOG if backlog else _PATIENCE)
        if due:
            self._claim(plan_due(due, terms, self._cache), terms)
        self._crowded = backlog or more_due
        if self._crowded:
            return 0.0 if self._may_claim(self.courier.room()) else _CROWDED_SECONDS
        return self._seconds_until_next(tokens)

    def _claim_pending(self, terms: Terms) -> bool:
        """Claim what waits, up to the room there is; whether more may be waiting."""
        rows = self.store.deliveries.pending(terms.tokens, terms.now, max(1, terms.room))
        if rows:
            # Without room but one was read, and that may be for a provider of which nothing can be found out now.
            self.routes.seek(rows if terms.room else [])
        if rows and terms.room:
            self._claim(claim_pending(rows, terms, self._cache), terms)
        return len(rows) >= max(1, terms.room)

    def _claim(self, decisions: Decisions[list[Claimed]], terms: Terms) -> None:
        try:
            self.courier.offer(self.executor.run(claim_but_suppressed(decisions, terms.now)))
        except Exception:
            self._cut_off.append(terms.claim_id)
            raise

    def _hand_back_cut_off(self, shards: Iterable[int]) -> None:
        """A server went away in the middle of a claim. Nothing of it was called, so it need not wait for a rescue."""
        rows = self.store.deliveries.claimed(shards, self._cut_off)
        self.executor.run(hand_back(rows, milliseconds(self.clock.now())))
        self._cut_off.clear()

    def _due(self, terms: Terms, patience: timedelta) -> tuple[list[Schedule], bool]:
        """What to plan now, and whether more is due: as much as there is room for, since a row that is claimed as it is
        inserted costs half. Once something has waited longer than `patience`, all of it: a slow provider must not make a
        misfire of what is in time, nor a long backlog make others late."""
        most = self.settings.sender.schedules_per_claim
        fitting = min(most, max(1, terms.room))
        due = self.store.schedules.due(terms.tokens, terms.now, fitting)
        if not due or due[0].next_run_at is None:
            return [], False
        self.routes.seek([])
        if terms.now - due[0].next_run_at > patience:
            due = self.store.schedules.due(terms.tokens, terms.now, most) if fitting < most else due
            return due, len(due) == most
        return (due, len(due) == fitting) if terms.room else ([], True)

    def _seconds_until_next(self, tokens: Mapping[int, int]) -> float:
        now = self.clock.now()
        instants = [self.store.schedules.next_due_at(tokens), self.store.deliveries.next_queued_at(tokens, now)]
        waits = [(instant - now).total_seconds() for instant in instants if instant is not None]
        return max(0.0, min([self.settings.sender.max_sleep_seconds, *waits]))

    def _terms(self, tokens: Mapping[int, int]) -> Terms:
        options = self.settings.sender
        epoch, room = self._fence_is_there()
        self.routes.begin()
        # The steady clock first: frozen between the two, an owner must not take for in time what its rescuer takes for late.
        steady = self.clock.steady()
        now = milliseconds(self.timekeeper.now())
        return Terms(
            now=now,
            sender=self.sender,
            tokens=tokens,
            epoch=epoch,
            router=self.routes,
            claim_id=ids.new_id(ids.CLAIM),
            deadline=now + timedelta(seconds=options.attempt_seconds),
            deadline_steady=steady + options.attempt_seconds,
            room=self._may_claim(room),
            shards=self.shards,
            limits=Limits(options.max_instants_per_plan, grace=timedelta(seconds=options.misfire_grace_seconds)),
            retention=timedelta(days=self.settings.retention.days),
            breaker_window=timedelta(seconds=self.settings.breaker.window_seconds)
            if self.settings.breaker.enabled
            else None,
        )

    def _may_claim(self, room: int) -> int:
        """How many may be claimed: none while every provider is left alone, one to find out whether it is well again."""
        return min(self.routes.room(room), self.settings.sender.deliveries_per_claim)

    def _fence_is_there(self) -> tuple[str, int]:
        """The epoch and the room for claims. Without the fence nothing is claimed, but what is due is put on record."""
        try:
            epoch = self.epochs.current()
        except (Unreachable, Misconfigured) as error:
            self._away(error)
            return "", 0
        self.outages.over("redis")
        return epoch, self.courier.room()
