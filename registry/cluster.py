"""/cluster: who is there, who holds what, what waits."""

from datetime import datetime, timedelta

from flask import Response

from fencepost.api_keys import Scope
from fencepost.clock import iso
from fencepost.coordination.cluster import ClusterView
from fencepost.errors import Unreachable
from fencepost.store.audit import Progress
from registry.access import needs
from registry.answers.cluster import AlarmAnswer, ClusterAnswer, NoteAnswer, member_answers, shard_answer
from registry.documenting import TAGS, answers, blueprint
from registry.parts import Parts, parts
from registry.replies import Reply

_AUDITED_WITHIN = timedelta(minutes=5)
bp = blueprint("cluster", __name__, TAGS["cluster"])


@bp.get("/cluster", responses={200: answers(ClusterAnswer, "The cluster as it stands.")})
@needs(Scope.CLUSTER_READ)
def get_cluster() -> Response:
    """Read the cluster

    A server that does not answer makes its parts null, with a note. Of Redis nothing is shown here; a note says that senders are
    without their fence, and send nothing.
    """
    p = parts()
    answer: ClusterAnswer = {
        "members": None,
        "shards": None,
        "shard_count": None,
        "lag_seconds": None,
        "due_schedules": None,
        "emails_by_state": None,
        "double_sends_prevented": None,
        "alarms": None,
        "notes": [],
    }
    in_flight: dict[str, int] | None = None
    try:
        in_flight = _read_store(p, answer)
    except Unreachable as error:
        answer["notes"].append(_note("mongodb", error))
    try:
        _read_etcd(p.read_cluster(), answer, in_flight)
    except Unreachable as error:
        answer["notes"].append(_note("etcd", error))
    try:
        p.ping_redis()
    except Unreachable as error:
        answer["notes"].append(_note("redis", error))
    return Reply(answer).response()


def _read_store(p: Parts, answer: ClusterAnswer) -> dict[str, int]:
    """Fill in what MongoDB knows; what is in flight, by sender. Raises Unreachable."""
    store, now = p.store, p.clock.now()
    shards = range(p.startup.shards)
    oldest = store.schedules.next_due_at(shards)
    refusals, alarms = store.cluster.refusals(), store.cluster.alarms()
    in_flight = store.reports.sending_by_sender()
    answer["due_schedules"] = store.schedules.count_due(shards, now)
    answer["emails_by_state"] = store.reports.open_by_state()
    answer["lag_seconds"] = round(max(0.0, (now - oldest).total_seconds()), 3) if oldest else 0.0
    answer["double_sends_prevented"] = {
        "total": sum(refusals.values()),
        "stale": refusals["stale"],
        "killed": refusals["killed"],
        "taken": refusals["taken"],
        "epoch": refusals["epoch"],
    }
    answer["alarms"] = [_alarm(alarm) for alarm in [*alarms, *_absent_auditor(store.audits.progress(), now)]]
    answer["shard_count"] = p.startup.shards
    return in_flight


def _read_etcd(view: ClusterView, answer: ClusterAnswer, in_flight: dict[str, int] | None) -> None:
    answer["members"] = member_answers(view, in_flight)
    answer["shards"] = [shard_answer(shard) for shard in view.shards]


def _absent_auditor(progress: Progress | None, now: datetime) -> list[dict[str, object]]:
    """The alarm that an auditor cannot raise: that there is none any more. Where there never was one nobody misses it."""
    ended = progress.last_round_at if progress else None
    if ended is None or now - ended < _AUDITED_WITHIN:
        return []
    detail = f"No auditor has ended a round since {iso(ended)}: nobody sees what goes silent."
    return [{"since": ended, "kind": "audit.absent", "detail": detail}]


def _alarm(alarm: dict[str, object]) -> AlarmAnswer:
    return {"since": iso(alarm["since"]), "kind": str(alarm["kind"]), "detail": str(alarm["detail"])}  # type: ignore[arg-type]


def _note(server: str, error: Unreachable) -> NoteAnswer:
    return {"server": server, "detail": str(error)}  # type: ignore[typeddict-item]
