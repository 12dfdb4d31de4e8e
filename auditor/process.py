"""One auditor process: builds its parts from the settings, and rounds until a signal comes."""

import os
import secrets
import signal
import socket
from collections.abc import Callable
from datetime import datetime, timedelta
from threading import Event
from types import FrameType

from auditor.counting import CounterThread
from auditor.gauges import Gauges
from auditor.rounds import Rounds
from fencepost.clock import SystemClock
from fencepost.coordination.cluster import read_cluster
from fencepost.coordination.etcd import Etcd
from fencepost.errors import Unreachable
from fencepost.logs import get_logger
from fencepost.metrics import Metrics
from fencepost.outages import Outages
from fencepost.settings import Settings
from fencepost.status_server import Checks, StatusServer
from fencepost.store import Store

log = get_logger(__name__)
_RETRY_SECONDS = 1.0
_STALLED_SECONDS = 300.0
_COUNTER_SECONDS = 5.0


class AuditorProcess:
    """The parts of one auditor, wired. Several may run: the lease lets one of them work."""

    def __init__(self, settings: Settings) -> None:
        """Nothing is read yet. Raises Misconfigured."""
        options = settings.auditor
        self._settings, self._clock = settings, SystemClock()
        self._stop = Event()
        self._store = Store.open(settings.mongodb)
        self._etcd = Etcd(settings.etcd)
        self._name = f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(2)}"
        self._lease = timedelta(seconds=options.lease_seconds)
        self._beaten_at = self._ended_at = self._clock.steady()
        self._renewed_at = 0.0
        self._outages, self._starting, self._works = Outages(self._clock), True, False
        self._rounds: Rounds | None = None
        self._counter = CounterThread(settings, self._store, lambda: self._works)
        self._gauges = Gauges(Metrics(), lambda: self._clock.steady() - self._ended_at)
        self._status = StatusServer(
            options.metrics_host,
            options.metrics_port,
            setting="FENCEPOST_AUDITOR",
            alive=lambda: self._clock.steady() - self._beaten_at < _STALLED_SECONDS,
            checks=self._checks,
            metrics=self._gauges.metrics.exposition,
            metrics_type=Metrics.content_type,
        )

    def run(self) -> int:
        """Audit until a signal comes; the exit status."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_signal)
        log.info("An auditor starts.", action="auditor.starting", auditor=self._name, status=self._status.address)
        self._counter.start()
        while not self._stop.is_set():
            began = self._clock.steady()
            self._beaten_at = began
            try:
                self._round()
                self._on_answer()
                wait = self._settings.auditor.every_seconds - (self._clock.steady() - began)
            except Unreachable as error:
                self._outages.note(error)
                wait = _RETRY_SECONDS
            except Exception:
                log.exception("A round of the audit broke; the next one follows.", action="audit.failed")
                wait = self._settings.auditor.every_seconds
            self._stop.wait(max(0.0, wait))
        self._end()
        return 0

    def _round(self) -> None:
        shards = self._store.cluster.shards()
        if self._rounds is None:
            self._store.migrate()
        if shards is None:  # no sender has ever run: nothing was to happen
            return
        progress = self._store.audits.acquire(self._name, self._lease)
        if (progress is not None) != self._works:
            self._works = progress is not None
            said = "This auditor works." if self._works else "Another auditor works; this one stands by."
            log.info(said, action="auditor.works" if self._works else "auditor.stands_by", auditor=self._name)
        if progress is None:
            self._rounds = None  # what another has proved meanwhile is not known here
            return
        if self._rounds is None:
            self._rounds = Rounds(self._settings, self._store, self._gauges, shards, self._served)
        self._renewed_at = self._clock.steady()
        done = self._rounds.run(progress, self._server_clock(), self._beat)
        if done is None or not self._store.audits.save(self._name, done):
            self._rounds = None
            return
        self._ended_at = self._clock.steady()

    def _server_clock(self) -> Callable[[], datetime]:
        """The server's clock, read once and carried on by the steady one."""
        read_at, steady = self._store.now(), self._clock.steady()
        return lambda: read_at + timedelta(seconds=self._clock.steady() - steady)

    def _beat(self) -> bool:
        """Go on? The lease is renewed on the way."""
        self._beaten_at = self._clock.steady()
        if self._stop.is_set():
            return False
        if self._beaten_at - self._renewed_at < self._lease.total_seconds() / 4:
            return True
        self._renewed_at = self._beaten_at
        return self._store.audits.acquire(self._name, self._lease) is not None

    def _served(self) -> list[int]:
        return [view.shard for view in read_cluster(self._etcd).shards if view.holder]

    def _on_answer(self) -> None:
        self._starting = False
        for server in ("mongodb", "etcd"):
            self._outages.over(server)

    def _checks(self) -> Checks:
        away = "; ".join(self._outages.current().values()) or ("starting" if self._starting else "")
        return {"mongodb": (not away, away or "answers")}

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        self._stop.set()

    def _end(self) -> None:
        self._counter.stop(_COUNTER_SECONDS)
        try:
            self._store.audits.release(self._name)
        except Unreachable:
            log.info("The lease was not given back; it runs out by itself.", action="auditor.lease_left")
        self._status.stop()
        self._etcd.close()
        self._store.close()
        log.info("The auditor has ended.", action="auditor.ended", auditor=self._name)
