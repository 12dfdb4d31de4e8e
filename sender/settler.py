"""W7 in batches: outcomes are written as they come, many in one command, until they are on record."""

from collections import deque
from collections.abc import Callable, Sequence
from threading import Condition, Thread

from fencepost.errors import Unreachable
from fencepost.logs import get_logger
from fencepost.outages import Outages
from fencepost.settlements import Settlement
from sender.effects import SettleAll
from sender.executor import Executor

log = get_logger(__name__)

_MOST = 500
_WORTH_WRITING = 64
_LINGER_SECONDS = 0.008
"""A write costs the store much the same for one as for many: a small batch waits this long for company."""
_RETRY_SECONDS = 0.5


class Settler:
    """A thread that writes settlements. `done` is called with those written and those that found their row elsewhere."""

    def __init__(
        self, executor: Executor, outages: Outages, done: Callable[[Sequence[Settlement], Sequence[Settlement]], None]
    ) -> None:
        self._executor, self._outages, self._done = executor, outages, done
        self._queue: deque[Settlement] = deque()
        self._ready = Condition()
        self._stopping = False
        self._thread = Thread(target=self._run, name="settler", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def put(self, settlements: Sequence[Settlement]) -> None:
        """Queue them; returns at once."""
        with self._ready:
            self._queue.extend(settlements)
            self._ready.notify()

    def stop(self, seconds: float) -> None:
        """Write what is queued, for at most so long. What can't be written is for a rescuer to settle."""
        with self._ready:
            self._stopping = True
            self._ready.notify()
        self._thread.join(seconds)

    def _run(self) -> None:
        while batch := self._next_batch():
            missed = self._write(batch)
            self._done(batch, missed)

    def _next_batch(self) -> list[Settlement]:
        with self._ready:
            self._ready.wait_for(lambda: self._queue or self._stopping)
            self._ready.wait_for(lambda: len(self._queue) >= _WORTH_WRITING or self._stopping, _LINGER_SECONDS)
            return [self._queue.popleft() for _ in range(min(_MOST, len(self._queue)))]

    def _write(self, batch: Sequence[Settlement]) -> list[Settlement]:
        """The outcome of a call exists nowhere else: it is written again until MongoDB has it."""
        while True:
            try:
                missed: list[Settlement] = self._executor.perform(SettleAll(batch))
                self._outages.over("mongodb")
                return missed
            except Unreachable as error:
                self._outages.note(error)
                with self._ready:
                    self._ready.wait(_RETRY_SECONDS)
            except Exception:
                if len(batch) > 1:
                    return [missed for one in batch for missed in self._write([one])]
                log.exception(
                    "A settlement can't be written; its mail will be found as unknown.",
                    action="delivery.unsettled",
                    delivery_id=batch[0].delivery_id,
                )
                return list(batch)
