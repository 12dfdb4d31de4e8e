"""Members of a cluster for tests of shard leases, and a record of generations that needs no MongoDB."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from threading import Lock

from fencepost import settings
from fencepost.clock import SystemClock
from fencepost.coordination.cluster import Member
from fencepost.coordination.generations import Generations
from fencepost.coordination.held import Held
from fencepost.coordination.leases import ShardLeases
from fencepost.errors import Unreachable
from fencepost.generations import Generation

SHARDS = 64
TTL_SECONDS = 3
MARGIN_SECONDS = 0.5
CYCLE_SECONDS = 0.2


class MemoryGenerations:
    """The record of generations, as long as the test lasts. `away` makes it unreachable."""

    def __init__(self) -> None:
        self.away = False
        self._now = Generation(0, "")
        self._lock = Lock()

    def current(self) -> Generation:
        self._ask()
        return self._now

    def raise_from(self, seen: Generation, nonce: str) -> Generation:
        self._ask()
        with self._lock:
            if (seen.value, seen.nonce) == (self._now.value, self._now.nonce):
                self._now = Generation(seen.value + 1, nonce)
            return self._now

    def record(self, value: int, revision: int) -> None:
        self._ask()
        with self._lock:
            if value == self._now.value > 0:
                self._now = Generation(value, self._now.nonce, max(revision, self._now.highest_revision))

    def _ask(self) -> None:
        if self.away:
            raise Unreachable("mongodb", "away, as the test wants it")


class PoliteMember:
    """A member that gives draining shards back as soon as it is asked to: one with no calls to finish."""

    def __init__(self, name: str, config: settings.Etcd, generations: Generations, **options: float) -> None:
        self.drained_at: list[float] = []
        self._clock = SystemClock()
        self.leases = make_leases(name, config, generations, on_change=self._release_draining, **options)
        self._releasing = False

    def _release_draining(self) -> None:
        if self._releasing:
            return
        self._releasing = True
        for shard, held in self.leases.held().items():
            if held.draining:
                self.drained_at.append(self._clock.steady())
                self.leases.release(shard, held.token)
        self._releasing = False


def make_leases(
    name: str,
    config: settings.Etcd,
    generations: Generations,
    *,
    on_change: Callable[[], None] = lambda: None,
    shards: float = SHARDS,
    ttl_seconds: float = TTL_SECONDS,
    margin_seconds: float = MARGIN_SECONDS,
    cycle_seconds: float = CYCLE_SECONDS,
) -> ShardLeases:
    return ShardLeases(
        config,
        Member(name, "host", 1, datetime(2026, 3, 1, tzinfo=UTC), 128, "127.0.0.1:9000"),
        shards=int(shards),
        ttl_seconds=int(ttl_seconds),
        margin_seconds=margin_seconds,
        clock=SystemClock(),
        generations=generations,
        on_change=on_change,
        cycle_seconds=cycle_seconds,
    )


@contextmanager
def running(leases: ShardLeases) -> Iterator[ShardLeases]:
    """Started, and stopped whatever happens."""
    leases.start()
    try:
        yield leases
    finally:
        leases.stop()


def counts(*all_leases: ShardLeases) -> list[int]:
    return [len(leases.held()) for leases in all_leases]


def tokens(leases: ShardLeases) -> Mapping[int, int]:
    return {shard: held.token for shard, held in leases.held().items()}


def only(leases: ShardLeases) -> tuple[int, Held]:
    """One shard that is held."""
    return next(iter(sorted(leases.held().items())))
