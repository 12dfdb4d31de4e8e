"""The one lease of this process: asked for, kept alive and, when it is lost, replaced, by a thread of its own.

The thread has its own connections, so that no slow call of another kind can hold it up.
"""

from collections.abc import Callable
from dataclasses import dataclass
from threading import Event, Lock, Thread
from typing import Protocol

from fencepost.clock import Clock
from fencepost.coordination.etcd import Etcd
from fencepost.errors import FencepostError, Misconfigured, Unreachable
from fencepost.logs import Unforeseen, get_logger

_BEATS_PER_TTL = 5
"""A call may start while the lease is trusted for as long as a call takes. With the usual numbers (TTL 15 s, margin 2 s, call
8 s) a beat every third of the TTL would leave nothing to spare just before it, and calls would be refused."""
_RETRIES_PER_TTL = 15

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Lease:
    """etcd's grant of time. `trusted_until` is in seconds of the steady clock: counted from before the request that last
    renewed it, so that it always ends before etcd's own count does."""

    id: int
    trusted_until: float


class Watcher(Protocol):
    """Is told of every call to a server, and says aloud when one goes and comes back."""

    def note(self, error: Unreachable) -> None:
        """This server did not answer."""
        ...

    def over(self, server: str) -> None:
        """This server answers."""
        ...


class Keepalive:
    """Holds a lease from start() to stop(); `lease` is None while there is none.

    A lease that can't be renewed stays what it is, trusted no longer than it was: only etcd can say that it is lost. If etcd
    does say so, another is asked for at once, and `on_change` is called, in this thread, at each of these turns.
    """

    def __init__(
        self,
        etcd: Etcd,
        clock: Clock,
        *,
        ttl_seconds: int,
        margin_seconds: float,
        on_change: Callable[[], None],
        watcher: Watcher,
    ) -> None:
        """`etcd` must not be used by anybody else. Raises Misconfigured for a margin that leaves no time to trust in."""
        if ttl_seconds - margin_seconds <= ttl_seconds / _BEATS_PER_TTL:
            raise Misconfigured(
                f"FENCEPOST_SENDER__LEASE_MARGIN_SECONDS is {margin_seconds:g}: of a lease of {ttl_seconds} s too little is"
                f" left to send in; set it below {ttl_seconds * (1 - 1 / _BEATS_PER_TTL):g}"
            )
        self.lease: Lease | None = None
        self.problem = "not started"
        """Why the last beat failed, as a sentence; empty if it did not."""
        self._etcd, self._clock, self._on_change, self._watcher = etcd, clock, on_change, watcher
        self._unforeseen = Unforeseen(log)
        self._ttl_seconds, self._margin_seconds = ttl_seconds, margin_seconds
        self._lock, self._wake, self._stopping = Lock(), Event(), False
        self._thread = Thread(target=self._run, name="keepalive", daemon=True)

    @property
    def alive(self) -> bool:
        return self._thread.is_alive()

    def start(self) -> None:
        self._thread.start()

    def lost(self, lease_id: int) -> None:
        """Somebody saw that etcd does not know this lease: replace it now, unless that has happened."""
        with self._lock:
            if self.lease is None or self.lease.id != lease_id:
                return
            self.lease = None
        self._wake.set()
        self._on_change()

    def stop(self) -> None:
        """Revoke the lease, which deletes every key under it, or leave it to run out if etcd does not answer."""
        self._stopping = True
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join()
        lease, self.lease = self.lease, None
        try:
            if lease is not None:
                self._etcd.revoke(lease.id)
        except FencepostError as error:
            log.warning(
                "The lease could not be revoked and will run out.", action="lease.not_revoked", reason=str(error)
            )
        self._etcd.close()

    def _run(self) -> None:
        while not self._stopping:
            beats = _RETRIES_PER_TTL if self._beat_failed() else _BEATS_PER_TTL
            self._wake.wait(self._ttl_seconds / beats)
            self._wake.clear()

    def _beat_failed(self) -> bool:
        self.problem = self._problem_of_beat()
        return bool(self.problem)

    def _problem_of_beat(self) -> str:
        try:
            self._beat()
        except Unreachable as error:
            self._watcher.note(error)
            return str(error)
        except FencepostError as error:
            return str(error)
        except Exception as error:  # noqa: BLE001 it is said, and survived
            # A thread that ended here would take this sender out of the cluster for good.
            self._unforeseen.say("The lease was not kept alive; it is tried again.", action="lease.not_renewed")
            return f"keeping the lease alive broke off: {error!r}"
        self._watcher.over("etcd")
        return ""

    def _beat(self) -> None:
        lease = self.lease
        if lease is not None and self._renewed(lease):
            return
        if lease is not None:
            log.warning(
                "etcd has ended our lease, and all shards with it are gone; a new one is taken.", action="lease.lost"
            )
            self.lost(lease.id)
        started = self._clock.steady()
        self.lease = Lease(self._etcd.grant(self._ttl_seconds), self._trusted_from(started))
        self._on_change()

    def _renewed(self, lease: Lease) -> bool:
        started = self._clock.steady()
        if not self._etcd.keep_alive(lease.id):
            return False
        with self._lock:
            # Another thread may have seen meanwhile that the lease is lost; then it stays lost.
            if self.lease is lease:
                self.lease = Lease(lease.id, self._trusted_from(started))
        if started >= lease.trusted_until:
            self._on_change()  # what was held is held again
        return True

    def _trusted_from(self, started: float) -> float:
        return started + self._ttl_seconds - self._margin_seconds
