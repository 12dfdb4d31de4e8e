"""What this sender holds: written by the thread that reads etcd and by the sender's own calls, read without a lock."""

from collections.abc import Callable, Iterable, Mapping, Set
from dataclasses import dataclass, replace
from threading import Lock
from types import MappingProxyType
from typing import NamedTuple

from fencepost.coordination.cluster import Grant, Origin
from fencepost.coordination.tokens import Token


@dataclass(frozen=True, slots=True)
class Held:
    """A shard that this sender holds."""

    token: int
    """The number of its token (tokens.py)."""
    draining: bool
    """It is to be given back: start nothing more of it, and `release` it when nothing of it is in flight."""
    origin: Origin
    """Whether its last holder gave it back, or may have died over it."""

    @property
    def revision(self) -> int:
        return Token.from_number(self.token).revision


@dataclass(frozen=True, slots=True)
class Holding:
    """What is held under one lease; with another lease it means nothing."""

    lease: int
    shards: Mapping[int, Held]


class GivenBack(NamedTuple):
    """A grant that is ours no more, while its key still says so. `clean`: nothing of it was in flight."""

    revision: int
    clean: bool


NOTHING = Holding(0, MappingProxyType({}))


class HeldShards:
    """`current` is replaced as a whole, never changed. `on_change` is called, without the lock, after each replacement."""

    def __init__(self, on_change: Callable[[], None]) -> None:
        self.current = NOTHING
        self._on_change = on_change
        self._lock = Lock()
        # By shard, the revision of the grant that is meant: a later grant of the same shard starts afresh.
        self._draining: dict[int, int] = {}
        self._given_back: dict[int, GivenBack] = {}

    def keep(self, lease: int, grants: Mapping[int, Grant]) -> None:
        """Forget whatever is not among these grants, which are all that etcd shows as ours under this lease."""
        with self._lock:
            known = self.current.shards if self.current.lease == lease else {}
            kept = {shard: held for shard, held in known.items() if _stands(grants, shard, held.revision)}
            changed = self._publish(lease, kept)
        self._tell(changed)

    def clear(self) -> None:
        """Forget everything."""
        self.keep(NOTHING.lease, {})

    def update(self, lease: int, grants: Mapping[int, Grant], tokens: Mapping[int, Token]) -> None:
        """Hold exactly these, but for what has been given back since."""
        with self._lock:
            self._draining = {shard: at for shard, at in self._draining.items() if _stands(grants, shard, at)}
            self._given_back = {
                shard: back for shard, back in self._given_back.items() if _stands(grants, shard, back.revision)
            }
            held = {
                shard: Held(tokens[shard].number, shard in self._draining, grant.origin)
                for shard, grant in grants.items()
                if shard not in self._given_back
            }
            changed = self._publish(lease, held)
        self._tell(changed)

    def drain(self, shards: Iterable[int] | None = None) -> None:
        """Mark these, or all that are held, as to be given back."""
        with self._lock:
            held = dict(self.current.shards)
            for shard in held.keys() & set(held if shards is None else shards):
                self._draining[shard] = held[shard].revision
                held[shard] = replace(held[shard], draining=True)
            changed = self._publish(self.current.lease, held)
        self._tell(changed)

    def give_back(self, shard: int, token: int, *, clean: bool) -> None:
        """Hold it no more. Its key is still to be deleted: see `given_back`."""
        with self._lock:
            held = self.current.shards.get(shard)
            if held is None or held.token != token:
                return
            self._given_back[shard] = GivenBack(held.revision, clean)
            rest = {other: value for other, value in self.current.shards.items() if other != shard}
            changed = self._publish(self.current.lease, rest)
        self._tell(changed)

    def given_back(self) -> Mapping[int, GivenBack]:
        """Shards whose keys are still to be deleted."""
        with self._lock:
            return dict(self._given_back)

    def leaving(self) -> Set[int]:
        """Shards that are draining or given back: on their way to others."""
        with self._lock:
            return self._draining.keys() | self._given_back.keys()

    def _publish(self, lease: int, shards: dict[int, Held]) -> bool:
        before, self.current = self.current, Holding(lease, MappingProxyType(shards))
        return before != self.current

    def _tell(self, changed: bool) -> None:
        if changed:
            self._on_change()


def _stands(grants: Mapping[int, Grant], shard: int, revision: int) -> bool:
    return shard in grants and grants[shard].revision == revision
