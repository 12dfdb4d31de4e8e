"""What stands in etcd, and how it is read.

<prefix>layout                 the number of shards; written once
<prefix>generation             which life of etcd this is: {"generation", "nonce"}
<prefix>members/<id>           a sender, under its lease
<prefix>shards/<number>        who holds the shard, under the holder's lease; the revision at which the key was
                               created is the token's
<prefix>handed_over/<number>   stands from when a holder gives the shard back until the next one takes it
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from fencepost.clock import iso
from fencepost.coordination.etcd import Etcd, KeyValue, Reading
from fencepost.coordination.tokens import Token


class Origin(StrEnum):
    """How the shard came free before it was taken."""

    HANDED_OVER = "handed_over"
    """Its holder gave it back, with no call under way."""
    EXPIRED = "expired"
    """Nobody gave it back: its holder died or was cut off, or there was none before."""


@dataclass(frozen=True, slots=True)
class Member:
    """A sender as it shows itself to the others. `id` is this process's alone: a restart is another member."""

    id: str
    host: str
    pid: int
    started_at: datetime
    seats: int
    address: str
    """Where it serves /metrics and its health, as host:port."""


@dataclass(frozen=True, slots=True)
class Membership:
    """A member on record. `draining` says that it is about to stop and takes no more shards."""

    member: Member
    draining: bool
    lease: int


@dataclass(frozen=True, slots=True)
class Grant:
    """A shard that somebody holds."""

    member_id: str
    origin: Origin
    revision: int
    lease: int


@dataclass(frozen=True, slots=True)
class Mark:
    """What etcd says about which life of it this is."""

    generation: int
    nonce: str


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All of it at one revision. `shard_count` and `mark` are None while nobody has written them."""

    revision: int
    shard_count: int | None
    mark: Mark | None
    mark_revision: int
    """When the mark was last written; 0 if there is none."""
    members: Mapping[str, Membership]
    shards: Mapping[int, Grant]
    handed_over: frozenset[int]

    def free(self, shard_count: int) -> list[int]:
        return [shard for shard in range(shard_count) if shard not in self.shards]

    def active(self) -> list[str]:
        """The members that take shards."""
        return sorted(member_id for member_id, found in self.members.items() if not found.draining)


@dataclass(frozen=True, slots=True)
class Keys:
    """The names of the keys below a prefix."""

    prefix: str

    @property
    def layout(self) -> str:
        return f"{self.prefix}layout"

    @property
    def generation(self) -> str:
        return f"{self.prefix}generation"

    def member(self, member_id: str) -> str:
        return f"{self.prefix}members/{member_id}"

    def shard(self, shard: int) -> str:
        return f"{self.prefix}shards/{shard}"

    def handed_over(self, shard: int) -> str:
        return f"{self.prefix}handed_over/{shard}"


def written_member(member: Member, *, draining: bool) -> str:
    return json.dumps(
        {
            "id": member.id,
            "host": member.host,
            "pid": member.pid,
            "started_at": iso(member.started_at),
            "seats": member.seats,
            "address": member.address,
            "draining": draining,
        }
    )


def written_grant(member_id: str, origin: Origin) -> str:
    return json.dumps({"member": member_id, "origin": origin})


def written_mark(mark: Mark) -> str:
    return json.dumps({"generation": mark.generation, "nonce": mark.nonce})


def read_snapshot(etcd: Etcd) -> Snapshot:
    """How things stand, no older than this call. Raises Unreachable."""
    return snapshot_of(etcd.read(), Keys(etcd.prefix))


def snapshot_of(reading: Reading, keys: Keys) -> Snapshot:
    layout, mark = reading.keys.get(keys.layout), reading.keys.get(keys.generation)
    return Snapshot(
        revision=reading.revision,
        shard_count=int(layout.value) if layout else None,
        mark=_mark(mark) if mark else None,
        mark_revision=mark.mod_revision if mark else 0,
        members={name: _membership(found) for name, found in _below(reading, keys.member(""))},
        shards={int(name): _grant(found) for name, found in _below(reading, f"{keys.prefix}shards/")},
        handed_over=frozenset(int(name) for name, _ in _below(reading, f"{keys.prefix}handed_over/")),
    )


@dataclass(frozen=True, slots=True)
class ShardView:
    """A shard for people: who holds it, under which token; both None while it is free."""

    shard: int
    holder: str | None
    token: Token | None


@dataclass(frozen=True, slots=True)
class ClusterView:
    """The cluster for people. Without a first sender ever, there are no shards."""

    members: tuple[Membership, ...]
    shards: tuple[ShardView, ...]

    @property
    def shard_count(self) -> int:
        return len(self.shards)


def read_cluster(etcd: Etcd) -> ClusterView:
    """Who is there and holds what. Raises Unreachable."""
    snapshot = read_snapshot(etcd)
    members = sorted(snapshot.members.values(), key=lambda found: (found.member.started_at, found.member.id))
    return ClusterView(
        members=tuple(members),
        shards=tuple(_shard_view(snapshot, shard) for shard in range(snapshot.shard_count or 0)),
    )


def _shard_view(snapshot: Snapshot, shard: int) -> ShardView:
    grant = snapshot.shards.get(shard)
    if grant is None:
        return ShardView(shard, None, None)
    token = Token(snapshot.mark.generation, grant.revision) if snapshot.mark else None
    return ShardView(shard, grant.member_id, token)


def _below(reading: Reading, prefix: str) -> Iterator[tuple[str, KeyValue]]:
    for key, found in reading.keys.items():
        if key.startswith(prefix):
            yield key.removeprefix(prefix), found


def _membership(found: KeyValue) -> Membership:
    fields = json.loads(found.value)
    member = Member(
        id=fields["id"],
        host=fields["host"],
        pid=fields["pid"],
        started_at=datetime.fromisoformat(fields["started_at"]),
        seats=fields["seats"],
        address=fields["address"],
    )
    return Membership(member, fields["draining"], found.lease)


def _grant(found: KeyValue) -> Grant:
    fields = json.loads(found.value)
    return Grant(fields["member"], Origin(fields["origin"]), found.create_revision, found.lease)


def _mark(found: KeyValue) -> Mark:
    fields = json.loads(found.value)
    return Mark(fields["generation"], fields["nonce"])
