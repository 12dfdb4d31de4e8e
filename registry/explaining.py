"""/emails/{id}/explain and /schedules/{id}/explain: why a mail is not sent, why nothing came at an instant."""

from math import ceil

from flask import Response
from pydantic import Field

from fencepost import ids
from fencepost.api_keys import Scope
from fencepost.clock import iso
from fencepost.coordination.cluster import ClusterView
from fencepost.definitions import rule_of
from fencepost.deliveries import Delivery, State
from fencepost.errors import Unreachable
from fencepost.explaining import emails, instants
from fencepost.failover import alarm, unfit
from fencepost.fields import Instant
from fencepost.occurrences import Origin
from fencepost.reconciliation import policy_of, window_of
from fencepost.schedules import Schedule, Version
from fencepost.suppression import kept_back
from registry.access import needs
from registry.answers.explaining import ExplanationAnswer, explanation_answer
from registry.caller import owner
from registry.documenting import TAGS, answers, blueprint
from registry.inputs import EmailId, Parameters, ScheduleId
from registry.parts import Parts, if_it_answers, parts
from registry.replies import Reply

bp = blueprint("explaining", __name__, TAGS["emails"])
_MOST_AHEAD = 100_000


class ExplainQuery(Parameters):
    """Which instant."""

    at: Instant | None = Field(None, description="The instant that is asked about; by default the schedule's next run.")


@bp.get("/emails/<email:email_id>/explain", responses={200: answers(ExplanationAnswer, "The gates on its way.")})
@needs(Scope.EMAILS_READ)
def explain_email(path: EmailId) -> Response:
    """Explain an email

    Each gate on its way, in order, whether it holds it back, and when it will be tried next.
    """
    p = parts()
    row = p.store.deliveries.get(owner(), path.email_id)
    return Reply(explanation_answer(row["_id"], None, emails.explain(row, _facts(p, row)))).response()


@bp.get(
    "/schedules/<schedule:schedule_id>/explain",
    responses={200: answers(ExplanationAnswer, "The gates of the instant.")},
)
@needs(Scope.SCHEDULES_READ)
def explain_instant(path: ScheduleId, query: ExplainQuery) -> Response:
    """Explain an instant of a schedule

    Why mail came at it, or did not.
    """
    p = parts()
    schedule = p.store.schedules.get(owner(), path.schedule_id)
    at = query.at or schedule.next_run_at or schedule.last_run_at or p.clock.now().replace(microsecond=0)
    found = instants.explain(schedule, at, _facts_at(p, schedule, at))
    return Reply(explanation_answer(schedule.id, iso(at), found)).response()


def _facts(p: Parts, row: Delivery) -> emails.Facts:
    revision_id, now = row["revision_id"] or "", p.clock.now()
    text = p.store.texts([revision_id]).get(revision_id)
    of_schedule = row["origin"] == Origin.SCHEDULE and row["schedule_id"] is not None
    schedules = p.store.schedules.find([row["schedule_id"]]) if of_schedule and row["schedule_id"] else {}
    before = row.get("after_occurrence")
    opened = p.store.waiting.open_occurrences([row["schedule_id"]]) if before and row["schedule_id"] else {}
    addresses = [address["email"] for address in row["to"]]
    suppressed = p.store.suppressions.of({(row["owner_id"], address.lower()) for address in addresses})
    view = if_it_answers(p.read_cluster)
    pending = row["state"] == State.PENDING
    return emails.Facts(
        now=now,
        window=window_of(p.settings),
        policy=policy_of(text.definition if text else None),
        schedule=schedules.get(row["schedule_id"] or ""),
        open_before=opened.get(row["schedule_id"] or "", {}).get(before or "", 0),
        suppressed=len(kept_back(row, addresses, suppressed)) == len(addresses),
        holder=_holder(view, row["shard"]),
        senders=len(view.members) if view else None,
        redis=_redis_answers(p),
        providers=_providers(p, row),
        caps=if_it_answers(lambda: p.read_caps(now)) or {},
        ahead=p.store.emails.ahead(row, now, _MOST_AHEAD) if pending else 0,
    )


def _providers(p: Parts, row: Delivery) -> dict[str, str]:
    """Those that may carry it, with what keeps mail from them."""
    alarms = {raised["kind"]: str(raised["detail"]) for raised in p.store.cluster.alarms()}
    order = row.get("route") or p.settings.providers.order
    choices = p.store.providers.choices()
    off = {name: "it is switched off" for name, choice in choices.items() if not choice.enabled}
    off |= {name: "it is not set up any more" for name in order if name not in p.settings.providers.order}
    off |= dict.fromkeys(unfit(row["attempts"]), "it takes no such mail")
    waits = {
        name: f"it asked for a pause, and {ceil(breaker.wait_seconds):,} s of it are left"
        for name, breaker in (if_it_answers(p.read_breakers) or {}).items()
        if breaker.wait_seconds
    }
    return {name: off.get(name) or alarms.get(alarm(name)) or waits.get(name, "") for name in order}


def _facts_at(p: Parts, schedule: Schedule, at: Instant) -> instants.Facts:
    owned_by = schedule.owner_of(at) or schedule.versions[0]
    view = if_it_answers(p.read_cluster)
    occurrence_id = ids.occurrence_id(schedule.id, at)
    return instants.Facts(
        now=p.clock.now(),
        rule=rule_of(_text(p, schedule, owned_by), schedule.created_at),
        paused_then=not owned_by.runs,
        skipped=p.store.occurrences.skip_reason(schedule.id, at) or _held_skip(schedule, at),
        mails=p.store.deliveries.count_by_state([occurrence_id])[occurrence_id],
        senders=len(view.members) if view else None,
    )


def _held_skip(schedule: Schedule, at: Instant) -> str | None:
    """What the latest plan skipped stands in the schedule before it is on record by itself."""
    return next((skip.reason.value for skip in schedule.skips if skip.covers(at)), None)


def _text(p: Parts, schedule: Schedule, version: Version) -> dict[str, object]:
    if version.revision_id == schedule.versions[-1].revision_id:
        return dict(schedule.definition)
    revision = p.store.revisions.find([version.revision_id]).get(version.revision_id)
    return dict(revision.definition if revision else schedule.definition)


def _holder(view: ClusterView | None, shard: int) -> str | None:
    return next((one.holder for one in view.shards if one.shard == shard), None) if view else None


def _redis_answers(p: Parts) -> bool:
    try:
        p.ping_redis()
    except Unreachable:
        return False
    return True
