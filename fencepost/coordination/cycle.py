"""The cycle: read etcd, and make the world fit.

What is held follows from what was read and from nothing else. So a lost answer, an etcd that was wiped and a lease that was
replaced all take the same way: whatever was done, or undone, stands in the next reading.
"""

from collections.abc import Iterator, Mapping, Sequence

from fencepost.clock import Clock
from fencepost.coordination.assignment import PATIENCE, Holdings, takers, to_give
from fencepost.coordination.cluster import (
    Grant,
    Keys,
    Member,
    Origin,
    Snapshot,
    read_snapshot,
    written_grant,
    written_member,
)
from fencepost.coordination.etcd import Etcd, absent, created_at, delete, put, unchanged
from fencepost.coordination.generations import CurrentGeneration
from fencepost.coordination.held import HeldShards
from fencepost.coordination.keepalive import Keepalive, Lease
from fencepost.errors import LeaseLost, Misconfigured
from fencepost.logs import get_logger

_SHARDS_PER_TRANSACTION = 60
"""etcd takes 128 writes in one; a shard needs two."""
_LOOKS = 8
"""How often etcd is read again at once because something was changed."""
_KEEP_AFTER_STEPPING_IN_SECONDS = 60
"""Who took shards that another did not take in time gives nothing back for so long: they would only come back."""

NO_LEASE = "there is no lease to hold shards under"

log = get_logger(__name__)


class Cycle:
    """Used by one thread. `leaving` makes it take no more."""

    def __init__(
        self,
        etcd: Etcd,
        member: Member,
        shard_count: int,
        clock: Clock,
        keepalive: Keepalive,
        generation: CurrentGeneration,
        held: HeldShards,
    ) -> None:
        self.leaving = False
        self._etcd, self._keys = etcd, Keys(etcd.prefix)
        self._member, self._shard_count, self._clock = member, shard_count, clock
        self._keepalive, self._generation, self._held = keepalive, generation, held
        self._waited: dict[int, int] = {}
        """For how many cycles a shard has been seen free."""
        self._may_give = False
        self._gives_from = 0.0
        """From when shards may be given back, in seconds of the steady clock."""

    def check_layout(self, snapshot: Snapshot) -> None:
        """Raises Misconfigured if the cluster has another number of shards."""
        if snapshot.shard_count not in (None, self._shard_count):
            self._held.clear()
            raise Misconfigured(
                f"this cluster has {snapshot.shard_count} shards since its first start, and this sender is set to"
                f" {self._shard_count}; set FENCEPOST_SENDER__SHARDS to {snapshot.shard_count}"
            )

    def run(self, *, regular: bool) -> None:
        """Look until nothing is left to do. Regular is once a second; at other times something happened in between.
        Raises LeaseLost while there is no lease, Unreachable, Misconfigured."""
        self._may_give = regular
        for look in range(_LOOKS):
            lease = self._keepalive.lease
            if lease is None:
                raise LeaseLost(NO_LEASE)
            try:
                if not self._look(lease, count=regular and look == 0):
                    return
            except LeaseLost:
                self._keepalive.lost(lease.id)

    def _look(self, lease: Lease, *, count: bool) -> bool:
        """Read once and do the next thing; whether there was one. `count` this look as time that free shards waited."""
        snapshot = read_snapshot(self._etcd)
        self.check_layout(snapshot)
        ours = {
            shard: grant
            for shard, grant in snapshot.shards.items()
            if grant.member_id == self._member.id and grant.lease == lease.id
        }
        self._held.keep(lease.id, ours)
        if not self._generation.covers(snapshot):
            self._generation.learn()
            return True
        tokens = self._generation.tokens({shard: grant.revision for shard, grant in ours.items()})
        self._held.update(lease.id, ours, tokens)
        if self.leaving:
            self._held.drain()  # what was taken while drain() was called, too
        if count:
            self._waited = {shard: self._waited.get(shard, -1) + 1 for shard in snapshot.free(self._shard_count)}
        return (
            self._write_layout(snapshot)
            or self._register(snapshot, lease)
            or self._delete_given_back(ours)
            or self._take(snapshot, lease)
            or self._give(snapshot)
        )

    def _write_layout(self, snapshot: Snapshot) -> bool:
        if snapshot.shard_count is not None:
            return False
        self._etcd.transaction([absent(self._keys.layout)], [put(self._keys.layout, str(self._shard_count))])
        return True

    def _register(self, snapshot: Snapshot, lease: Lease) -> bool:
        found = snapshot.members.get(self._member.id)
        if found is not None and found.lease == lease.id and found.draining == self.leaving:
            return False
        value = written_member(self._member, draining=self.leaving)
        self._etcd.transaction([], [put(self._keys.member(self._member.id), value, lease.id)])
        return True

    def _delete_given_back(self, ours: Mapping[int, Grant]) -> bool:
        given_back = {shard: back for shard, back in self._held.given_back().items() if shard in ours}
        for part in _parts(sorted(given_back)):
            # The key may be another's by now, if our lease was lost in between: then the guard keeps it.
            guards = [created_at(self._keys.shard(shard), given_back[shard].revision) for shard in part]
            writes = [delete(self._keys.shard(shard)) for shard in part]
            writes += [put(self._keys.handed_over(shard), "") for shard in part if given_back[shard].clean]
            self._etcd.transaction(guards, writes)
        return bool(given_back)

    def _take(self, snapshot: Snapshot, lease: Lease) -> bool:
        now = self._clock.steady()
        if self.leaving or now >= lease.trusted_until:
            return False
        holders = {shard: grant.member_id for shard, grant in snapshot.shards.items()}
        chosen = takers(Holdings(self._shard_count, holders, snapshot.active()), self._waited)
        mine = [shard for shard, name in chosen.items() if name == self._member.id]
        if any(self._waited.get(shard, 0) >= PATIENCE for shard in mine):
            self._gives_from = now + _KEEP_AFTER_STEPPING_IN_SECONDS
        for part in _parts(mine):
            self._take_all(part, snapshot, lease)
        return bool(mine)

    def _take_all(self, shards: Sequence[int], snapshot: Snapshot, lease: Lease) -> None:
        # All or none; if another was faster with one, the next look decides anew. The generation must be the one that was
        # read: an etcd wiped in between would grant these with revisions that belong to the next.
        guards = [unchanged(self._keys.generation, snapshot.mark_revision)]
        guards += [absent(self._keys.shard(shard)) for shard in shards]
        writes = [delete(self._keys.handed_over(shard)) for shard in shards]
        for shard in shards:
            origin = Origin.HANDED_OVER if shard in snapshot.handed_over else Origin.EXPIRED
            writes.append(put(self._keys.shard(shard), written_grant(self._member.id, origin), lease.id))
        if self._etcd.transaction(guards, writes) is not None:
            log.info("Took shards.", action="shards.taken", shards=len(shards))

    def _give(self, snapshot: Snapshot) -> bool:
        if self.leaving or not self._may_give or self._clock.steady() < self._gives_from:
            return False
        self._may_give = False
        leaving = self._held.leaving()
        holders = {shard: grant.member_id for shard, grant in snapshot.shards.items() if shard not in leaving}
        shard = to_give(Holdings(self._shard_count, holders, snapshot.active()), self._member.id)
        if shard is not None:
            log.info("Giving a shard to a member that has too few.", action="shards.giving", shard=shard)
            self._held.drain([shard])
        return False


def _parts(shards: Sequence[int]) -> Iterator[Sequence[int]]:
    for at in range(0, len(shards), _SHARDS_PER_TRANSACTION):
        yield shards[at : at + _SHARDS_PER_TRANSACTION]
