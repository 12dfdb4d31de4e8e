"""One sender process: builds its parts from the settings, starts them, waits for a signal, drains."""

import os
import secrets
import signal
import socket
from datetime import timedelta
from threading import Event
from types import FrameType

from fencepost.clock import Clock, SystemClock
from fencepost.coordination.breakers import Breakers
from fencepost.coordination.caps import Caps
from fencepost.coordination.cluster import Member
from fencepost.coordination.fences import Fence
from fencepost.coordination.leases import ShardLeases
from fencepost.coordination.limits import Limiter
from fencepost.coordination.nudges import NudgeListener
from fencepost.errors import Unreachable
from fencepost.failpoints import Failpoints
from fencepost.logs import get_logger
from fencepost.metrics import Metrics
from fencepost.outages import Outages
from fencepost.providers import create
from fencepost.providers.transport import Transport
from fencepost.schedules import milliseconds
from fencepost.settings import Settings
from fencepost.status_server import Checks, StatusServer
from fencepost.store import Store
from fencepost.unsubscribing import SECRET, Links
from sender.courier import Courier
from sender.delivering import Patience
from sender.executor import Epochs, Executor
from sender.files import FileCache
from sender.gauges import Gauges
from sender.health import Health
from sender.housekeeping import Housekeeper
from sender.look_ups import LookUps
from sender.loop import Loop
from sender.permits import Permits
from sender.reconciler import Reconciler
from sender.routes import Lanes, Routes
from sender.timekeeper import ClockIsOff, Timekeeper

log = get_logger(__name__)
_LOOK_SECONDS = 1.0
_GRANT_MARGIN_SECONDS = 5.0
"""How much longer than a call a sender may be the one that finds out whether a provider is well again."""


class SenderProcess:
    """The parts of one sender, wired."""

    def __init__(self, settings: Settings, clock: Clock | None = None) -> None:
        """Nothing is sent yet. Without a `clock` the machine's is used. Raises Misconfigured."""
        options = settings.sender
        self._settings = settings
        self._clock = clock or SystemClock()
        self._outages = Outages(self._clock)
        self._stop = Event()
        self._wake, self._wake_housekeeper = Event(), Event()
        self._store = Store.open(settings.mongodb)
        self._timekeeper = Timekeeper(
            self._clock, self._store.now, options.max_clock_skew_seconds, self._on_clock_compared
        )
        self._fence = Fence(settings.redis, timedelta(seconds=settings.breaker.window_seconds))
        self._failpoints = Failpoints.from_environment()
        self._epochs = Epochs(self._fence, self._failpoints)
        self._providers = {name: create(name, settings.providers, self._clock) for name in settings.providers.order}
        self._gauges = Gauges(Metrics())
        self._parts_started = False
        self._name = f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(2)}"
        self._breakers = Breakers(
            settings.redis, settings.failover, self._name, options.call_timeout_seconds + _GRANT_MARGIN_SECONDS
        )
        self._limiter = Limiter(settings.redis)
        self._caps = Caps(settings.redis, settings.providers)
        self._health = Health(self._breakers, self._caps, settings, self._clock, self._outages, self._on_health_change)
        self._status = StatusServer(
            options.metrics_host,
            options.metrics_port,
            setting="FENCEPOST_SENDER",
            alive=self._is_alive,
            checks=self._checks,
            metrics=self._gauges.metrics.exposition,
            metrics_type=Metrics.content_type,
        )

    def run(self) -> int:
        """Work until a signal comes or a part dies; the exit status."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_signal)
        log.info("A sender starts.", action="sender.starting", sender=self._name, status=self._status.address)
        if not self._prepare():
            return 0
        self._build()
        self._start()
        status = 0
        while not self._stop.wait(_LOOK_SECONDS):
            if not self._is_alive():
                log.error("A part of this sender died; it stops, the others take over.", action="sender.broken")
                status = 1
                break
        self._drain()
        return status

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        self._stop.set()

    def _on_shards_change(self) -> None:
        self._wake.set()
        self._wake_housekeeper.set()

    def _on_health_change(self) -> None:
        self._wake.set()
        if self._parts_started:
            self._courier.wake()

    def _on_clock_compared(self, problem: str) -> None:
        """Show an alarm for this machine while its clock is off, whichever of its senders found out."""
        alarm = f"clock.{socket.gethostname()}"
        if problem:
            self._store.cluster.raise_alarm(alarm, problem, milliseconds(self._store.now()))
        else:
            self._store.cluster.clear_alarm(alarm)

    def _prepare(self) -> bool:
        """Wait for MongoDB, migrate, fix the layout, and wait for a clock that is right; False if a signal came first. Raises
        Misconfigured."""
        while not self._stop.is_set():
            try:
                self._store.migrate()
                self._store.cluster.fix_layout(self._settings.sender.shards)
                self._links = Links(self._settings.public_url, self._store.cluster.secret(SECRET))
                self._outages.over("mongodb")
                self._timekeeper.now()
                return True
            except Unreachable as error:
                self._outages.note(error)
            except ClockIsOff:
                pass  # it is said, and others do the work meanwhile
            self._stop.wait(_LOOK_SECONDS)
        return False

    def _build(self) -> None:
        settings, options = self._settings, self._settings.sender
        self._leases = ShardLeases(
            settings.etcd,
            Member(
                id=self._name,
                host=socket.gethostname(),
                pid=os.getpid(),
                started_at=self._clock.now(),
                seats=options.seats,
                address=self._status.address,
            ),
            shards=options.shards,
            ttl_seconds=options.lease_ttl_seconds,
            margin_seconds=options.lease_margin_seconds,
            clock=self._clock,
            generations=self._store.cluster,
            on_change=self._on_shards_change,
            cycle_seconds=options.lease_cycle_seconds,
            watcher=self._outages,
        )
        retention = timedelta(days=settings.retention.days)
        self._executor = Executor(
            self._store,
            self._fence,
            self._epochs,
            self._leases,
            self._failpoints,
            self._clock,
            retention,
            FileCache(self._store.files, options.attachments_bytes),
        )
        lanes = Lanes(settings)
        self._courier = Courier(
            executor=self._executor,
            fence=self._fence,
            epochs=self._epochs,
            providers=self._providers,
            transport=Transport(connections=options.seats),
            health=self._health,
            permits=Permits(self._limiter, self._caps, self._health, lanes, self._clock, self._outages),
            lane_of=lanes.of_claimed,
            outages=self._outages,
            failpoints=self._failpoints,
            patience=Patience(
                options.call_timeout_seconds,
                options.retry_base_seconds,
                options.retry_cap_seconds,
                options.retry_give_up_seconds,
            ),
            links=self._links,
            clock=self._clock,
            seats=options.seats,
            capacity=options.deliveries_per_claim,
            attachments_bytes=options.attachments_bytes,
            observe=self._gauges.observe,
            hungry=lambda: self._loop.hungry(),
            pending=self._wake.set,
        )
        self._loop = Loop(
            settings=settings,
            sender=self._name,
            store=self._store,
            leases=self._leases,
            executor=self._executor,
            epochs=self._epochs,
            courier=self._courier,
            routes=Routes(self._health, lanes, self._courier.waiting),
            outages=self._outages,
            clock=self._clock,
            timekeeper=self._timekeeper,
            wake=self._wake,
            shards=options.shards,
        )
        self._housekeeper = Housekeeper(
            settings=settings,
            store=self._store,
            leases=self._leases,
            executor=self._executor,
            epochs=self._epochs,
            courier=self._courier,
            health=self._health,
            breakers=self._breakers,
            outages=self._outages,
            clock=self._clock,
            timekeeper=self._timekeeper,
            loop=self._loop,
            wake=self._wake_housekeeper,
        )
        self._reconciler = Reconciler(
            settings=settings,
            store=self._store,
            leases=self._leases,
            executor=self._executor,
            look_ups=LookUps(self._providers, options.call_timeout_seconds),
            outages=self._outages,
            clock=self._clock,
            gauges=self._gauges,
            wake=self._wake,
        )
        self._gauges.watch(lambda: len(self._leases.held()), self._courier.under_way)

    def _start(self) -> None:
        self._leases.start()
        self._nudges = NudgeListener(self._settings.redis, on_nudge=self._wake.set)
        self._health.start()
        self._courier.start()
        self._loop.start()
        self._housekeeper.start()
        self._reconciler.start()
        self._parts_started = True

    def _drain(self) -> None:
        """Claim no more, finish the calls under way, hand back the rest, give the shards back, revoke the lease last."""
        log.info("Draining: calls under way are finished, the rest is handed back.", action="sender.draining")
        ends = self._clock.steady() + self._settings.sender.drain_seconds
        for part in (self._loop, self._courier, self._housekeeper, self._reconciler, self._health):
            part.stop(max(0.0, ends - self._clock.steady()))
        self._leases.drain()
        for shard, held in self._leases.held().items():
            if not self._courier.busy_with(shard):
                self._leases.release(shard, held.token)
        self._leases.stop()
        self._nudges.stop()
        self._status.stop()
        self._store.close()
        self._fence.close()
        self._breakers.close()
        self._caps.close()
        self._limiter.close()
        log.info("The sender has ended.", action="sender.ended", sender=self._name)

    def _is_alive(self) -> bool:
        if not self._parts_started:
            return True
        parts = (self._loop, self._courier, self._housekeeper, self._reconciler, self._health)
        return all(part.is_alive() for part in parts)

    def _checks(self) -> Checks:
        if not self._parts_started:
            starting = {"mongodb": (False, self._outages.current().get("mongodb", "starting"))}
            return starting | ({"clock": (False, problem)} if (problem := self._timekeeper.problem) else {})
        away = self._outages.current()
        checks = {server: (server not in away, away.get(server, "answers")) for server in ("mongodb", "redis")}
        ready, detail = self._leases.status()
        checks["etcd"] = (ready, detail)
        checks["clock"] = (not self._timekeeper.problem, self._timekeeper.problem or "right")
        problems = {name: self._health.problem(name) for name in self._providers}
        # Mail that one of them takes is on its way.
        one_takes_mail = not all(problems.values())
        for name, problem in problems.items():
            checks[name] = (one_takes_mail, problem or "takes mail")
        return checks
