"""Asking the fence (W4): one question for all who wait for an answer. Belongs to the courier's thread."""

from collections import Counter

from fencepost.clock import Clock
from fencepost.coordination.fences import Fence, FenceAnswer, Verdict
from fencepost.errors import Unreachable
from fencepost.outages import Outages
from sender.executor import Epochs, Executor
from sender.seats import Seat

_RETRY_SECONDS = 0.25


class FenceQueue:
    """Seats that wait for the fence's answer. `refusals` counts what it refused, by verdict."""

    def __init__(self, fence: Fence, executor: Executor, epochs: Epochs, outages: Outages, clock: Clock) -> None:
        self._fence, self._executor, self._epochs = fence, executor, epochs
        self._outages, self._clock = outages, clock
        self._waiting: list[Seat] = []
        self._again_at = 0.0
        self.refusals: Counter[str] = Counter()

    def put(self, seat: Seat) -> None:
        """`seat.asks` is what it asks."""
        self._waiting.append(seat)

    def seconds_until(self, idle: float) -> float:
        """When to ask: at once, or after a while where the fence was away; `idle` where nobody waits."""
        if not self._waiting:
            return idle
        return min(idle, _RETRY_SECONDS) if self._clock.steady() < self._again_at else 0.0

    def ask(self) -> list[tuple[Seat, FenceAnswer | None]]:
        """Who waited, with the answer; None where there was none. Nobody while it is not time to ask."""
        if not self._waiting or self._clock.steady() < self._again_at:
            return []
        asking, self._waiting = self._waiting, []
        try:
            with self._executor.passing("W4"):
                answers = self._fence.claim([seat.asks.request for seat in asking if seat.asks])
        except Unreachable as error:
            # Whether they were decided is not known; the same question will be answered the same.
            self._outages.note(error)
            self._epochs.forget()
            self._again_at = self._clock.steady() + _RETRY_SECONDS
            return [(seat, None) for seat in asking]
        self._outages.over("redis")
        self.refusals.update(answer.verdict.value.lower() for answer in answers if answer.verdict is not Verdict.OK)
        return list(zip(asking, answers, strict=True))
