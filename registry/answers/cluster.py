"""The cluster as JSON."""

from typing import Literal

from pydantic import with_config
from typing_extensions import TypedDict

from fencepost.clock import iso
from fencepost.coordination.cluster import ClusterView, Membership, ShardView
from registry.answers.common import EXACT, Instant, TokenPair


@with_config(EXACT)
class MemberAnswer(TypedDict):
    """A sender."""

    id: str
    host: str
    pid: int
    started_at: Instant
    seats: int
    draining: bool
    """It is about to stop and takes no more shards."""
    shards: list[int]
    in_flight: int | None
    """Emails of its that are `sending`; null while MongoDB does not answer."""


@with_config(EXACT)
class ShardAnswer(TypedDict):
    """A shard and who holds it; both null while it is free."""

    shard: int
    holder: str | None
    token: TokenPair | None


@with_config(EXACT)
class DoubleSendsPrevented(TypedDict):
    """Calls that the fence refused, by its verdict."""

    total: int
    stale: int
    killed: int
    taken: int
    epoch: int


@with_config(EXACT)
class AlarmAnswer(TypedDict):
    """Something that waits for a person."""

    since: Instant
    kind: str
    detail: str


@with_config(EXACT)
class NoteAnswer(TypedDict):
    """A server that does not answer, and why: the parts from it are null."""

    server: Literal["etcd", "mongodb", "redis"]
    detail: str


@with_config(EXACT)
class ClusterAnswer(TypedDict):
    """Who is there, who holds what, what waits. Parts of a server that does not answer are null."""

    members: list[MemberAnswer] | None
    shards: list[ShardAnswer] | None
    shard_count: int | None
    lag_seconds: float | None
    """Now minus the oldest due occurrence that is not planned yet; 0 where there is none."""
    due_schedules: int | None
    emails_by_state: dict[str, int] | None
    """Those that are pending, sending, unknown or held."""
    double_sends_prevented: DoubleSendsPrevented | None
    alarms: list[AlarmAnswer] | None
    notes: list[NoteAnswer]


def member_answer(membership: Membership, shards: list[int], in_flight: int | None) -> MemberAnswer:
    member = membership.member
    return {
        "id": member.id,
        "host": member.host,
        "pid": member.pid,
        "started_at": iso(member.started_at),
        "seats": member.seats,
        "draining": membership.draining,
        "shards": shards,
        "in_flight": in_flight,
    }


def shard_answer(view: ShardView) -> ShardAnswer:
    token: TokenPair | None = None
    if view.token:
        token = {"generation": view.token.generation, "revision": view.token.revision}
    return {"shard": view.shard, "holder": view.holder, "token": token}


def member_answers(view: ClusterView, in_flight: dict[str, int] | None) -> list[MemberAnswer]:
    """`in_flight` by sender; None while that is not known."""
    held: dict[str, list[int]] = {}
    for shard in view.shards:
        if shard.holder:
            held.setdefault(shard.holder, []).append(shard.shard)
    return [
        member_answer(
            membership,
            held.get(membership.member.id, []),
            None if in_flight is None else in_flight.get(membership.member.id, 0),
        )
        for membership in view.members
    ]
