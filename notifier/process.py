"""One notifier process: builds its parts from the settings; one thread reads what changes, one sends, until a signal comes."""

import os
import secrets
import signal
import socket
from datetime import timedelta
from threading import Event, Thread
from types import FrameType

from fencepost.clock import SystemClock
from fencepost.errors import Unreachable
from fencepost.failpoints import Failpoints
from fencepost.logs import get_logger
from fencepost.metrics import Metrics
from fencepost.names import resolve
from fencepost.outages import Outages
from fencepost.settings import Settings
from fencepost.status_server import Checks, StatusServer
from fencepost.store import Store
from notifier.following import Follower
from notifier.gauges import Gauges
from notifier.sending import Dispatcher

log = get_logger(__name__)
_STALLED_SECONDS = 120.0
_RETRY_SECONDS = 1.0


class NotifierProcess:
    """The parts of one notifier, wired. Any number may run."""

    def __init__(self, settings: Settings) -> None:
        """Nothing is read yet. Raises Misconfigured."""
        options = settings.notifier
        self._clock, self._stop = SystemClock(), Event()
        self._name = f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(2)}"
        self._store = Store.open(settings.mongodb)
        failpoints = Failpoints.from_environment()
        self._gauges = Gauges(Metrics(), lambda: float(self._follower.reads))
        self._outages, self._starting = Outages(self._clock), True
        self._dispatcher = Dispatcher(
            self._store, options, self._clock, failpoints, resolve, self._gauges.called, self._outages
        )
        lease = timedelta(seconds=options.lease_seconds)
        self._follower = Follower(self._store, self._name, lease, self._clock, self._outages, failpoints, self._wrote)
        self._status = StatusServer(
            options.metrics_host,
            options.metrics_port,
            setting="FENCEPOST_NOTIFIER",
            alive=self._alive,
            checks=self._checks,
            metrics=self._gauges.metrics.exposition,
            metrics_type=Metrics.content_type,
        )

    def run(self) -> int:
        """Tell until a signal comes; the exit status."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_signal)
        log.info("A notifier starts.", action="notifier.starting", notifier=self._name, status=self._status.address)
        self._migrate()
        reading = Thread(target=self._follower.run, args=(self._stop,), name="follower")
        reading.start()
        self._dispatcher.run(self._stop)
        reading.join()
        self._status.stop()
        self._store.close()
        log.info("The notifier has ended.", action="notifier.ended", notifier=self._name)
        return 0

    def _migrate(self) -> None:
        while not self._stop.is_set():
            try:
                self._store.migrate()
                self._starting = False
                return
            except Unreachable as error:
                self._outages.note(error)
                self._stop.wait(_RETRY_SECONDS)

    def _wrote(self, count: int) -> None:
        self._gauges.wrote(count)
        self._dispatcher.wake()

    def _alive(self) -> bool:
        last = min(self._dispatcher.beaten_at, self._follower.beaten_at)
        return self._clock.steady() - last < _STALLED_SECONDS

    def _checks(self) -> Checks:
        away = self._outages.current().get("mongodb") or ("starting" if self._starting else "")
        return {"mongodb": (not away, away or "answers")}

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        self._stop.set()
        self._dispatcher.wake()
