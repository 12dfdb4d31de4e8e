"""Who takes which shard, and who gives one back: pure decisions from what stands in etcd.

Every member decides alike from the same snapshot, so that as a rule nobody reaches for a shard that another reaches for;
where snapshots differ, etcd's transaction decides. All members end within one shard of each other.
"""

import hashlib
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass

PATIENCE = 3
"""Cycles in which a free shard waits for the member that it belongs to, before the next in its order takes it."""


@dataclass(frozen=True, slots=True)
class Holdings:
    """Who holds what: `holders` by shard (free ones are missing), `members` who take shards at all. A holder that is no
    member is stopping, or its lease is running out."""

    shard_count: int
    holders: Mapping[int, str]
    members: Collection[str]

    @property
    def least(self) -> int:
        """The fewest shards that a member ends with."""
        return self.shard_count // len(self.members)

    @property
    def most(self) -> int:
        """The quota: the most shards that a member keeps."""
        return -(-self.shard_count // len(self.members))

    @property
    def free(self) -> list[int]:
        return [shard for shard in range(self.shard_count) if shard not in self.holders]

    def counts(self) -> Counter[str]:
        """How many shards each member holds."""
        held = Counter(dict.fromkeys(self.members, 0))
        held.update(holder for holder in self.holders.values() if holder in self.members)
        return held


def score(shard: int, member: str) -> int:
    """How much a shard prefers a member (rendezvous hashing): the same for every observer, and unmoved by others that come
    and go."""
    return int.from_bytes(hashlib.sha256(f"{shard}\0{member}".encode()).digest()[:8])


def takers(now: Holdings, waited: Mapping[int, int]) -> dict[int, str]:
    """Who is to take each free shard; `waited` says for how many cycles a shard has been seen free.

    A shard goes to its rendezvous owner, unless that has its share and another does not. One that is still free after
    PATIENCE cycles goes to the next in its order, then to the one after: its first choice may be dying.
    """
    if not now.members:
        return {}
    counts = now.counts()
    chosen: dict[int, str] = {}
    for shard in now.free:
        order = _order(shard, now, counts)
        chosen[shard] = order[waited.get(shard, 0) // PATIENCE % len(order)]
        counts[chosen[shard]] += 1
    return chosen


def to_give(now: Holdings, me: str) -> int | None:
    """The one shard that member `me` should start to give back, or None.

    What `me` gives back already is not to be among `now.holders`. What is free counts as on its way to those who have too
    few, and where several could give, they take turns by name.
    """
    if me not in now.members:
        return None
    counts, on_its_way = now.counts(), len(now.free)
    if counts[me] > now.most:
        wanted = sum(max(0, now.most - count) for count in counts.values()) - on_its_way
        turn = 0
    elif counts[me] > now.least:
        given_anyway = sum(max(0, count - now.most) for count in counts.values())
        wanted = sum(max(0, now.least - count) for count in counts.values()) - on_its_way - given_anyway
        turn = sorted(name for name, count in counts.items() if count == now.most).index(me)
    else:
        return None
    return _given(now, me, counts) if turn < wanted else None


def _order(shard: int, now: Holdings, counts: Counter[str]) -> list[str]:
    """Members by whose turn it is to take the shard: those short of their share first, then by preference."""

    def rank(name: str) -> tuple[bool, bool, int]:
        return counts[name] >= now.least, counts[name] >= now.most, -score(shard, name)

    return sorted(now.members, key=rank)


def _given(now: Holdings, me: str, counts: Counter[str]) -> int:
    """Of my shards, the one that prefers somebody with room the most."""
    short = [name for name, count in counts.items() if count < now.least]
    receivers = short or [name for name, count in counts.items() if count < now.most]
    mine = [shard for shard, holder in now.holders.items() if holder == me]
    return max(mine, key=lambda shard: max(score(shard, name) for name in receivers))
