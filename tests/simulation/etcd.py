"""etcd in memory: leases that run out, shard keys under them, revisions; and what happens if its data is lost."""

from collections.abc import Collection
from dataclasses import dataclass

from tests.simulation.clocks import Time
from tests.simulation.steps import Steps, ask


@dataclass(frozen=True, slots=True)
class Key:
    """Who holds a shard: under which lease, since which revision."""

    member: str
    lease: int
    revision: int


@dataclass(frozen=True, slots=True)
class Reading:
    """All keys at one revision."""

    revision: int
    mark: tuple[int, str] | None
    """(generation, nonce): which life of etcd this is."""
    shards: dict[int, Key]


class Etcd:
    """Linearizable; time-outs of leases by the true time."""

    def __init__(self, time: Time, shards: Collection[int]) -> None:
        self._time, self.shard_ids = time, tuple(shards)
        self._next_lease = 1
        self.lose_data()
        self._mark: tuple[int, str] | None = (1, "first")

    def lose_data(self) -> None:
        """It starts again from nothing: revisions too."""
        self._revision, self._mark = 1, None
        self._ends: dict[int, int] = {}
        self._keys: dict[int, Key] = {}

    def hand_over(self, shard: int) -> None:
        """The key vanishes under a holder that lives and knows nothing of it."""
        self._keys.pop(shard, None)

    def grant(self, ttl_seconds: float) -> Steps[int]:
        def run() -> int:
            lease, self._next_lease = self._next_lease, self._next_lease + 1
            self._ends[lease] = self._time.milliseconds + round(ttl_seconds * 1000)
            return lease

        return (yield from ask("etcd", run, "grant a lease"))

    def keep_alive(self, lease: int, ttl_seconds: float) -> Steps[bool]:
        def run() -> bool:
            if not self._lives(lease):
                return False
            self._ends[lease] = self._time.milliseconds + round(ttl_seconds * 1000)
            return True

        return (yield from ask("etcd", run, "keep the lease alive"))

    def read(self) -> Steps[Reading]:
        def run() -> Reading:
            self._expire()
            return Reading(self._revision, self._mark, dict(self._keys))

        return (yield from ask("etcd", run, "read members and shards"))

    def take(self, shard: int, member: str, lease: int, mark: tuple[int, str] | None) -> Steps[bool]:
        """Create the key, if it is absent, the lease lives and the mark is what was read."""

        def run() -> bool:
            self._expire()
            if shard in self._keys or not self._lives(lease) or self._mark != mark:
                return False
            self._revision += 1
            self._keys[shard] = Key(member, lease, self._revision)
            return True

        return (yield from ask("etcd", run, "take a shard"))

    def delete(self, shard: int, revision: int) -> Steps[None]:
        def run() -> None:
            if shard in self._keys and self._keys[shard].revision == revision:
                self._revision += 1
                del self._keys[shard]

        yield from ask("etcd", run, "give a shard back")

    def write_mark(self, seen: tuple[int, str] | None, mark: tuple[int, str]) -> Steps[None]:
        def run() -> None:
            if self._mark == seen:
                self._revision += 1
                self._mark = mark

        yield from ask("etcd", run, "mark the generation")

    def _lives(self, lease: int) -> bool:
        return self._ends.get(lease, 0) > self._time.milliseconds

    def _expire(self) -> None:
        gone = {shard for shard, key in self._keys.items() if not self._lives(key.lease)}
        for shard in gone:
            self._revision += 1
            del self._keys[shard]
