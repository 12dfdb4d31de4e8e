"""What has to be done now and then: rescue, giving shards back, archiving, counting, alarms."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from threading import Event, Thread

from fencepost import caps
from fencepost.clock import Clock, iso
from fencepost.coordination.breakers import Breakers
from fencepost.coordination.leases import ShardLeases
from fencepost.errors import Misconfigured, Unreachable
from fencepost.failover import BreakerState, alarm
from fencepost.logs import Unforeseen, get_logger
from fencepost.outages import Outages
from fencepost.schedules import milliseconds
from fencepost.settings import Settings
from fencepost.store import Store
from fencepost.store.providers import ProviderChange
from sender.courier import Courier
from sender.executor import Epochs, Executor
from sender.health import Health
from sender.loop import Loop
from sender.pretending import pretend
from sender.rescuing import rescue
from sender.timekeeper import ClockIsOff, Timekeeper

log = get_logger(__name__)
_MOST = 500


@dataclass
class Housekeeper:
    """One thread that keeps house, four rounds a second; not every chore comes in every round. A chore whose server is away is
    tried again in the next round."""

    settings: Settings
    store: Store
    leases: ShardLeases
    executor: Executor
    epochs: Epochs
    courier: Courier
    health: Health
    breakers: Breakers
    outages: Outages
    clock: Clock
    timekeeper: Timekeeper
    loop: Loop
    wake: Event
    """Set when other shards are held: mail of a lost sender that comes with them can't wait for its round."""
    every_seconds: float = 0.25

    def __post_init__(self) -> None:
        self._stopping = False
        self._unforeseen = Unforeseen(log)
        self._quiet, self._refusals = set[str](), Counter[str]()
        """Kinds of alarms that are not raised, as far as is known here."""
        self._last_pass: dict[int, int] = {}
        self._thread = Thread(target=self._run, name="housekeeper", daemon=True)
        self._rounds = 0

    def start(self) -> None:
        self._thread.start()

    def stop(self, seconds: float) -> None:
        self._stopping = True
        self.wake.set()
        self._thread.join(seconds)

    def is_alive(self) -> bool:
        return self._thread.is_alive()

    def _run(self) -> None:
        chores: list[tuple[Callable[[], None], int]] = [
            (self.give_back_shards, 1),
            (self.rescue_abandoned, 2),
            (self.record_refusals, 4),
            (self.watch_providers, 4),
            (self.record_changes, 4),
            (self.follow_choices, 4),
            (self.end_worthless, 4),
            (self.tell_of_test_mail, 4),
            (self.archive_finished, 8),
            (self.watch_fence, 8),
        ]
        while not self._stopping:
            woken = self.wake.wait(self.every_seconds)
            self.wake.clear()
            self._rounds += 1
            for chore, rounds in chores:
                if self._rounds % rounds == 0 or (woken and chore == self.rescue_abandoned):
                    self._do(chore)
        self._do(self.record_refusals)

    def _do(self, chore: Callable[[], None]) -> None:
        try:
            chore()
        except Unreachable as error:
            self.outages.note(error)
        except ClockIsOff:
            pass  # the loop steps aside
        except Exception:  # noqa: BLE001 it is said, and survived
            self._unforeseen.say(
                "A chore broke; it is tried again.", action="housekeeping.failed", chore=chore.__name__
            )

    def give_back_shards(self) -> None:
        """Let go of draining shards of which nothing is under way."""
        draining = {held.token: shard for shard, held in self.leases.held().items() if held.draining}
        begun = self.loop.passes_begun
        self._last_pass = {token: self._last_pass.get(token, begun) for token in draining}
        for token, shard in draining.items():
            # A pass that began before the draining may still claim what it found; later ones leave the shard alone.
            if self.loop.passes_ended < self._last_pass[token]:
                continue
            if self.courier.busy_with(shard):
                self.courier.hand_back(shard)
            else:
                self.leases.release(shard, token)

    def rescue_abandoned(self) -> None:
        """Take over what lost senders left `sending`, or we ourselves lost track of."""
        tokens = {shard: held.token for shard, held in self.leases.held().items() if not held.draining}
        if not tokens:
            return
        now = milliseconds(self.timekeeper.now())
        rows = self.store.deliveries.overdue(
            tokens, now - timedelta(seconds=self.settings.sender.clock_skew_seconds), _MOST
        )
        if not rows:
            return
        memory = timedelta(seconds=self.settings.redis.record_ttl_seconds / 2)
        settlements = self.executor.run(rescue(rows, tokens, now, memory))
        if settlements:
            ended = Counter(settlement.state.value for settlement in settlements)
            log.warning("Mails of a lost sender were taken over.", action="delivery.rescued", **ended)
            self.loop.wake.set()

    def record_refusals(self) -> None:
        """Add the fence's refusals to the cluster's record: each is a call that was not made."""
        self._refusals += self.courier.take_refusals()
        if self._refusals:
            self.store.cluster.count_refusals(self._refusals)
            self._refusals.clear()

    def watch_providers(self) -> None:
        """Raise an alarm while mail does not go to a provider as it should, or it has had all its calls of today, though mail goes by
        another; clear it when that is over, whoever raised it."""
        now = milliseconds(self.clock.now())
        for name in self.settings.providers.order:
            if breaker := self.health.breaker(name):
                self._sound(alarm(name), breaker.reason, now, wrong=breaker.state is not BreakerState.CLOSED)
                spent = f"It has had all its calls of today. Mail goes by another, or waits until {iso(caps.day_after(now))}."
                self._sound(caps.alarm(name), spent, now, wrong=self.health.is_spent(name))

    def _sound(self, kind: str, detail: str, now: datetime, *, wrong: bool) -> None:
        if wrong:
            # Again and again: another sender may have cleared it that had not heard yet.
            self._quiet.discard(kind)
            self.store.cluster.raise_alarm(kind, detail, now)
        elif kind not in self._quiet:
            self.store.cluster.clear_alarm(kind)
            self._quiet.add(kind)

    def record_changes(self) -> None:
        """Put on record what became of the breakers. Every sender does it: each change has one id, and is taken away only once it is
        on record."""
        changes = self.breakers.changes()
        if changes:
            self.store.providers.record(
                [
                    ProviderChange(
                        id=change.id,
                        provider=change.provider,
                        kind="breaker",
                        was=change.was.value,
                        became=change.became.value,
                        reason=change.reason,
                        at=change.at,
                        by=change.who,
                    )
                    for change in changes
                ]
            )
            self.breakers.recorded(changes)

    def follow_choices(self) -> None:
        """Read what people chose for the providers by API."""
        self.health.follow(self.store.providers.choices())

    def end_worthless(self) -> None:
        """Let mail expire that waits past its time to live, for a provider that is away, say."""
        shards = [shard for shard, held in self.leases.held().items() if not held.draining]
        if shards and (ended := self.store.emails.expire(shards, milliseconds(self.timekeeper.now()))):
            log.warning("Mails have expired before they could be sent.", action="delivery.expired", count=ended)

    def tell_of_test_mail(self) -> None:
        """Say of mail of test keys what providers would have said."""
        shards = [shard for shard, held in self.leases.held().items() if not held.draining]
        if shards:
            pretend(
                self.store,
                shards,
                milliseconds(self.timekeeper.now()),
                timedelta(days=self.settings.retention.days),
            )

    def watch_fence(self) -> None:
        """Look after Redis, also while there is no mail to find out with."""
        try:
            self.epochs.recheck()
            self.outages.over("redis")
        except Misconfigured as error:
            self.outages.note(Unreachable("redis", str(error)))

    def archive_finished(self) -> None:
        """Move schedules of which nothing more will come to the archive, once none of their mail is open."""
        shards = [shard for shard, held in self.leases.held().items() if not held.draining]
        if not shards:
            return
        now = milliseconds(self.timekeeper.now())
        retention = timedelta(days=self.settings.retention.days)
        ended = self.store.schedules.finished(shards, now, _MOST)
        still_open = self.store.deliveries.with_open([schedule.id for schedule in ended]) if ended else set()
        ended = [schedule for schedule in ended if schedule.id not in still_open]
        self.store.occurrences.record_skips(ended, now, retention)
        if archived := self.store.schedules.archive(ended, now):
            log.info("Schedules that ended are in the archive.", action="schedule.archived", count=len(archived))
