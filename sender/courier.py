"""The courier: takes claimed deliveries through W4 to W7, as many at once as there are seats.

One thread drives all of them. In each turn it asks the fence for all who wait for it in one round trip, starts the calls of
those that may, and collects the calls that ended; settlements are written by the settler beside it. A seat is free again when
its outcome is on record, so that a killed sender never leaves more unsettled than it has seats.
"""

import random
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from threading import Thread
from typing import Any

from fencepost.clock import Clock
from fencepost.coordination.fences import Fence
from fencepost.deliveries import Delivery, Outcome, OutcomeKind, State
from fencepost.errors import FencepostError
from fencepost.failover import moves_on
from fencepost.failpoints import Failpoints
from fencepost.logs import Unforeseen, get_logger
from fencepost.outages import Outages
from fencepost.providers import Provider, request_of
from fencepost.providers.http import Reply
from fencepost.providers.transport import Transport
from fencepost.settlements import Settlement, released
from fencepost.unsubscribing import Links
from sender.asking import FenceQueue
from sender.delivering import Patience, broken_off, deliver
from sender.effects import AskFence, Call, Effect, ReadFiles, Settle
from sender.executor import Epochs, Executor
from sender.files import FileReader
from sender.health import Health
from sender.passes import Claimed
from sender.permits import Open, Permits
from sender.provider_health import Gate
from sender.queue import Queue
from sender.routes import Lane
from sender.seats import Seat, Seats
from sender.settler import Settler

log = get_logger(__name__)

_IDLE_SECONDS = 0.5
_LATE_SECONDS = 0.5
"""How often what waits is searched for mail whose deadline has come."""


class Courier:
    """Seats, and what waits for one."""

    def __init__(
        self,
        *,
        executor: Executor,
        fence: Fence,
        epochs: Epochs,
        providers: Mapping[str, Provider],
        transport: Transport,
        health: Health,
        permits: Permits,
        lane_of: Callable[[Claimed], Lane],
        outages: Outages,
        failpoints: Failpoints,
        patience: Patience,
        links: Links,
        clock: Clock,
        seats: int,
        capacity: int,
        attachments_bytes: int,
        observe: Callable[[Claimed, Settlement], None],
        hungry: Callable[[], None],
        pending: Callable[[], None],
    ) -> None:
        """`capacity` deliveries may wait for the `seats`, or until the attachments of those who have one hold less than
        `attachments_bytes`. `observe` is told of each settlement; `hungry` is called when there is room for more, `pending`
        when something may be claimed again."""
        self._executor, self._providers, self._transport = executor, providers, transport
        self._health, self._permits = health, permits
        self._failpoints, self._patience, self._links, self._clock = failpoints, patience, links, clock
        self._seats = Seats(seats, attachments_bytes)
        self._capacity, self._observe, self._hungry = capacity, observe, hungry
        self._pending = pending
        self._queue = Queue(lane_of)
        self._late_at = 0.0
        self._asking = FenceQueue(fence, executor, epochs, outages, clock)
        self._files: FileReader[Seat] = FileReader(executor.perform, transport.wake)
        self._settled: deque[tuple[Settlement, bool]] = deque()
        self._unforeseen = Unforeseen(log)
        self._stopping = False
        self._chance = random.Random().random
        self._settler = Settler(executor, outages, self._on_record)
        self._thread = Thread(target=self._run, name="courier", daemon=True)

    def start(self) -> None:
        self._settler.start()
        self._files.start()
        self._thread.start()

    def offer(self, items: Sequence[Claimed]) -> None:
        """Take these claimed deliveries; each is sent, or handed back."""
        self._queue.put(items)
        self._transport.wake()

    def room(self) -> int:
        """How many more may be claimed now."""
        return max(0, self._capacity - len(self._queue))

    def busy_with(self, shard: int) -> bool:
        """Whether any delivery of this shard is here and not settled."""
        return self._queue.busy_with(shard)

    def hand_back(self, shard: int) -> None:
        """Let go of what waits here of this shard and has no seat; what has one is finished."""
        self._queue.let_go_of(shard)
        self._transport.wake()

    def take_refusals(self) -> Counter[str]:
        """How often the fence refused a call since this was asked last, by verdict."""
        refusals, self._asking.refusals = self._asking.refusals, Counter()
        return refusals

    def waiting(self) -> Counter[Lane]:
        """How many deliveries wait for a seat or a permit, by lane."""
        return self._queue.lanes()

    def wake(self) -> None:
        """More may be called than a moment ago."""
        self._transport.wake()

    def under_way(self) -> int:
        """Deliveries that have a seat."""
        return len(self._seats)

    def is_alive(self) -> bool:
        return self._thread.is_alive()

    def stop(self, seconds: float) -> None:
        """Finish the calls under way, hand back what has no seat yet; for at most so long."""
        ends = self._clock.steady() + seconds
        self._stopping = True
        self._transport.wake()
        self._thread.join(seconds)
        self._settler.stop(max(0.0, ends - self._clock.steady()))

    # -- the thread --------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        while not (self._stopping and not self._seats and not self._queue):
            try:
                self._turn()
            except Exception:  # noqa: BLE001 it is said, and survived
                self._unforeseen.say("The courier stumbled; it goes on.", action="courier.failed")
        self._transport.close()

    def _turn(self) -> None:
        self._free_seats()
        self._fill_seats()
        for reading, contents in self._files.collect():
            self._resume(reading, contents)
        for asking, answer in self._asking.ask():
            self._resume(asking, answer)
        idle = self._asking.seconds_until(_IDLE_SECONDS)
        idle = self._permits.seconds_until(idle)
        for seat, reply in self._transport.poll(idle):
            assert isinstance(seat, Seat)
            self._failpoints.hit("W6.after")
            self._resume(seat, self._outcome(seat, reply))

    def _outcome(self, seat: Seat, reply: Reply) -> Outcome:
        name, now = seat.item.attempt["provider"], self._clock.steady()
        try:
            outcome = self._providers[name].outcome(reply)
        except Exception:  # noqa: BLE001 it is said, and survived
            self._unforeseen.say("A provider's answer could not be read.", action="provider.unreadable", provider=name)
            outcome = Outcome(
                OutcomeKind.UNKNOWN, "The provider's answer could not be read: the mail may have been sent."
            )
        self._health.observe(name, seat.item.attempt["id"], outcome, seat.called_at or now)
        return outcome

    def _fill_seats(self) -> None:
        handed_back = [self._released(item, "The shard is being handed over.") for item in self._queue.unwanted()]
        handed_back += [self._released(item, "It would have waited beyond its deadline.") for item in self._late()]
        waiting = self._queue.lanes()
        open_lanes = Open(waiting, {}) if self._stopping else self._permits.open(waiting, self._seats.free())
        while self._seats.free() or self._stopping:
            if (taken := self._queue.take(open_lanes.lanes())) is None:
                break
            lane, item = taken
            if why := self._why_back(item, spent=lane in open_lanes.spent):
                handed_back.append(self._released(item, why))
                continue
            open_lanes.use(lane)
            seat = Seat(item, deliver(item, self._patience, self._links, self._clock, self._chance(), self._moves_on))
            self._seats.take(seat)
            self._resume(seat, None)
        self._permits.put_back(open_lanes)
        if handed_back:
            self._settler.put(handed_back)
        if len(self._queue) * 2 < self._capacity:
            self._hungry()

    def _why_back(self, item: Claimed, *, spent: bool) -> str:
        """Why this one is handed back instead of taking a seat; empty if it takes one."""
        if self._stopping:
            return "The sender is stopping."
        if spent:
            return "The provider has had all its calls of today."
        if self._health.gate(item.attempt["provider"], item.attempt["id"]) is Gate.BACK:
            return "The provider is left alone for a while."
        return ""

    def _late(self) -> list[Claimed]:
        """What can't be called before its deadline any more, looked for now and then."""
        now = self._clock.steady()
        if not self._queue or now < self._late_at:
            return []
        self._late_at = now + _LATE_SECONDS
        return self._queue.late(now + self._patience.call_seconds + _LATE_SECONDS)

    def _moves_on(self, row: Delivery) -> bool:
        return moves_on(row, self._health.standings())

    def _released(self, item: Claimed, why: str) -> Settlement:
        self._seats.take(Seat(item, None))
        return released(item.row, f"{why} Nothing was called.", self._clock.now())

    def _resume(self, seat: Seat, result: Any) -> None:
        """Go on with one delivery until it waits for the fence, for its call or for the record."""
        seat.asks = None
        if seat.decisions is None:
            return
        try:
            effect: Effect = seat.decisions.send(result)
            while True:
                match effect:
                    case AskFence():
                        seat.asks = effect
                        self._asking.put(seat)
                        return
                    case Settle(settlement):
                        self._settler.put([settlement])
                        return
                    case ReadFiles():
                        self._files.ask(seat, effect)
                        return
                    case Call(provider, mail):
                        try:
                            request = request_of(self._providers[provider], mail)
                        except FencepostError as error:
                            effect = seat.decisions.throw(error)
                            continue
                        self._failpoints.hit("W6.before")
                        seat.called_at = self._clock.steady()
                        self._transport.start(seat, request, self._patience.call_seconds)
                        return
                    case _:
                        effect = seat.decisions.send(self._executor.perform(effect))
        except StopIteration:
            pass
        except Exception:
            log.exception(
                "One mail broke off; the others go on.",
                action="delivery.broke_off",
                delivery_id=seat.item.row["_id"],
            )
            self._settler.put([broken_off(seat.item, called=seat.called_at is not None, now=self._clock.now())])

    def _free_seats(self) -> None:
        while self._settled:
            settlement, written = self._settled.popleft()
            seat = self._seats.leave(settlement.attempt_id)
            self._resume(seat, written)
            self._queue.done(seat.item)
            if "called_at" not in settlement.attempt:
                self._health.not_called(seat.item.attempt["provider"], settlement.attempt_id)
                if seat.decisions:
                    self._permits.not_used(seat.item.attempt["provider"])
            if settlement.state is State.PENDING:
                self._pending()
            # A lost sender that goes on is told so by the fence, and what it hands back has long been taken over.
            if not written and settlement.state is not State.PENDING:
                log.warning(
                    "A mail had moved on before its outcome was written; nothing was changed.",
                    action="delivery.duplicate_suspect",
                    delivery_id=settlement.delivery_id,
                    attempt_id=settlement.attempt_id,
                    outcome=settlement.attempt.get("outcome"),
                )
            self._observe(seat.item, settlement)

    def _on_record(self, written: Sequence[Settlement], missed: Sequence[Settlement]) -> None:
        lost = {settlement.attempt_id for settlement in missed}
        self._settled.extend((settlement, settlement.attempt_id not in lost) for settlement in written)
        self._transport.wake()
