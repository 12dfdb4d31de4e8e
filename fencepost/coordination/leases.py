"""Shard leases: which shards this sender holds, under which tokens, and for how long it may act on that.

Two threads. One keeps the process's lease (keepalive.py). The other reads etcd once a second and makes the world fit
(cycle.py): it forgets what etcd no longer shows as ours, registers this member, hands back, takes what is free and ours by
right, and starts to give where others have too few.

The sender reads two immutable values, without a lock: the lease, and the holding, which names the lease that it was read
under. A lease that is lost takes its holding with it in that very moment.
"""

from collections.abc import Callable, Mapping
from threading import Event, Thread
from typing import NamedTuple

from fencepost import settings
from fencepost.clock import Clock
from fencepost.coordination.cluster import Member, read_snapshot
from fencepost.coordination.cycle import NO_LEASE, Cycle
from fencepost.coordination.etcd import Etcd
from fencepost.coordination.generations import CurrentGeneration, Generations
from fencepost.coordination.held import NOTHING, Held, HeldShards
from fencepost.coordination.keepalive import Keepalive, Watcher
from fencepost.coordination.tokens import Token
from fencepost.errors import FencepostError, LeaseLost, Unreachable
from fencepost.logs import Unforeseen, get_logger

log = get_logger(__name__)


class Status(NamedTuple):
    """Whether this sender takes part, and a sentence about it."""

    ready: bool
    detail: str


class ShardLeases:
    """The shards of one sender, from start() to stop(). Nothing else waits for a server: what `release`, `drop` and `drain`
    ask for is done by the thread."""

    def __init__(
        self,
        config: settings.Etcd,
        member: Member,
        *,
        shards: int,
        ttl_seconds: int,
        margin_seconds: float,
        clock: Clock,
        generations: Generations,
        on_change: Callable[[], None] = lambda: None,
        cycle_seconds: float = 1,
        watcher: Watcher | None = None,
    ) -> None:
        """`on_change` is called whenever `held` may have changed, from any thread, and must not wait. Without a `watcher`
        servers come and go unsaid. Make it in the process that uses it, not before a fork. Raises Misconfigured."""
        self._shards, self._cycle_seconds, self._clock = shards, cycle_seconds, clock
        self._on_change, self._watcher = on_change, watcher or _Silent()
        self._etcd = Etcd(config)
        self._held = HeldShards(self._changed)
        self._generation = CurrentGeneration(self._etcd, generations)
        self._keepalive = Keepalive(
            Etcd(config),
            clock,
            ttl_seconds=ttl_seconds,
            margin_seconds=margin_seconds,
            on_change=self._changed,
            watcher=self._watcher,
        )
        self._cycle = Cycle(self._etcd, member, shards, clock, self._keepalive, self._generation, self._held)
        self._problem = NO_LEASE
        self._unforeseen = Unforeseen(log)
        self._wake, self._draining, self._stopping = Event(), False, False
        self._thread = Thread(target=self._run, name="shard-leases", daemon=True)

    def start(self) -> None:
        """Start to take part. Raises Misconfigured if the cluster has another number of shards; an etcd that can't be reached
        is waited for."""
        try:
            self._cycle.check_layout(read_snapshot(self._etcd))
        except Unreachable as error:
            self._watcher.note(error)
        self._keepalive.start()
        self._thread.start()

    def drain(self) -> None:
        """The first step of leaving: take no more shards, and have all that are held given back. To be followed by
        `release` for each of them as its calls end, and then by `stop`."""
        self._draining = True
        self.step_aside()

    def step_aside(self) -> None:
        """Take no shards until `step_in`, and have all that are held given back, by `release` as their calls end."""
        self._cycle.leaving = True
        self._held.drain()
        self._wake.set()

    def step_in(self) -> None:
        """Take part again, unless this sender is leaving for good."""
        if self._cycle.leaving and not self._draining:
            self._cycle.leaving = False
            self._wake.set()

    def stop(self) -> None:
        """Delete the keys of what was released; end the threads and, last of all, the lease with every other key under it."""
        self.drain()
        self._stopping = True
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join()
        self._keepalive.stop()
        self._held.clear()
        self._etcd.close()

    def held(self) -> Mapping[int, Held]:
        """What this sender holds and may act on now, by shard; empty while its lease is not trusted."""
        lease, holding = self._keepalive.lease, self._held.current
        if lease is None or lease.id != holding.lease or self._clock.steady() >= lease.trusted_until:
            return NOTHING.shards
        return holding.shards

    def may_call(self, shard: int, token: int, until: float) -> bool:
        """Whether a call may start that ends by `until` (seconds of the steady clock): the shard is held under this token and
        not draining, and the lease is trusted for longer than that."""
        lease, holding = self._keepalive.lease, self._held.current
        if lease is None or lease.id != holding.lease or until >= lease.trusted_until:
            return False
        held = holding.shards.get(shard)
        return held is not None and held.token == token and not held.draining

    def release(self, shard: int, token: int) -> None:
        """Give the shard back: nothing of it is in flight under this token, and nothing more will be started."""
        self._held.give_back(shard, token, clean=True)

    def drop(self, shard: int, token: int, outranked_by: int = 0) -> None:
        """The fence said STALE to this token and named the one that outranks it: forget the shard. If etcd says that it is
        ours all the same, it is taken anew, under a token that is higher than that."""
        self._generation.outranked(Token.from_number(outranked_by))
        self._held.give_back(shard, token, clean=False)

    def trusted_until(self) -> float:
        """Until when the lease is trusted, in seconds of the steady clock; 0 without one."""
        lease = self._keepalive.lease
        return lease.trusted_until if lease is not None else 0.0

    def status(self) -> Status:
        """Ready: both threads live, the lease is trusted and the last cycle went through."""
        for name, alive in (("keepalive", self._keepalive.alive), ("shard", self._thread.is_alive())):
            if not alive:
                return Status(False, f"the {name} thread does not run; restart this sender")
        trusted = self.trusted_until() - self._clock.steady()
        if trusted <= 0:
            return Status(False, f"no lease is trusted: {self._keepalive.problem or 'waiting for etcd'}")
        if self._problem:
            return Status(False, self._problem)
        return Status(True, f"{len(self.held())} of {self._shards} shards, the lease is trusted for {trusted:.0f} s")

    def _changed(self) -> None:
        self._wake.set()
        self._on_change()

    def _run(self) -> None:
        next_cycle = self._clock.steady()
        while True:
            # Read before the cycle, so that the last one sees what was released before stop().
            stopping = self._stopping
            regular = self._clock.steady() >= next_cycle
            if regular:
                next_cycle = self._clock.steady() + self._cycle_seconds
            self._run_cycle(regular=regular)
            if stopping:
                return
            self._wake.wait(max(0.0, next_cycle - self._clock.steady()))
            self._wake.clear()

    def _run_cycle(self, *, regular: bool) -> None:
        self._problem = self._problem_of_cycle(regular=regular)

    def _problem_of_cycle(self, *, regular: bool) -> str:
        try:
            self._cycle.run(regular=regular)
        except Unreachable as error:
            self._watcher.note(error)
            return str(error)
        except LeaseLost as error:
            return str(error)  # the keepalive says why
        except FencepostError as error:
            if str(error) != self._problem:
                log.error("This sender can't take part.", action="lease.refused", detail=str(error))
            return str(error)
        except Exception as error:  # noqa: BLE001 it is said, and survived
            self._unforeseen.say("A look at the shards broke off; the next one follows.", action="lease.cycle_failed")
            return f"the cycle that keeps shards broke off: {error!r}"
        self._watcher.over("etcd")
        return ""


class _Silent:
    """A watcher that says nothing."""

    def note(self, error: Unreachable) -> None:
        pass

    def over(self, server: str) -> None:
        pass
