"""What may be done with a schedule: pause, resume, trigger, restore."""

import secrets
from datetime import datetime, timedelta

from flask import Response
from flask_openapi.types import ResponseDict

from fencepost import ids, occurrences
from fencepost.api_keys import Scope
from fencepost.errors import Conflict
from fencepost.logs import get_logger
from fencepost.occurrences import Origin
from fencepost.schedules import Schedule, SkipReason, Status, Stop, milliseconds
from registry.access import needs
from registry.answers.occurrences import OccurrenceAnswer, occurrence_answer
from registry.answers.schedules import EditedSchedule, edited_schedule
from registry.caller import owner
from registry.documenting import TAGS, answers, blueprint, problems, takes
from registry.editing import Change, Decide, edit
from registry.idempotency import answer_once
from registry.incoming import read
from registry.inputs import IdempotencyKey, IfMatch, Nothing, PauseInput, ScheduleId
from registry.parts import Parts, parts
from registry.replies import Reply, etag, nudge_afterwards
from registry.schedules import refuse_archived

log = get_logger(__name__)
bp = blueprint("schedule_verbs", __name__, TAGS["schedules"])

_EDITED: ResponseDict = {
    200: answers(EditedSchedule, "The schedule as it now is.", "ETag"),
    409: problems("Its state does not allow that."),
    412: problems("It has another version than If-Match names."),
}


@bp.post(
    "/schedules/<schedule:schedule_id>/pause",
    request_body=takes(PauseInput, {"reason": "holiday"}, required=False),
    responses=_EDITED,
)
@needs(Scope.SCHEDULES_WRITE)
def pause_schedule(path: ScheduleId, header: IfMatch) -> Response:
    """Pause a schedule

    Mail that waits is cancelled; what is in flight is named in the answer.
    """
    p, given = parts(), read(PauseInput, optional=True)

    def decide(schedule: Schedule, now: datetime) -> Change | None:
        refuse_archived(schedule)
        if schedule.status in (Status.FINISHED, Status.QUARANTINED):
            raise Conflict(f"schedule {schedule.id} is {schedule.status} and does not run anyway")
        if schedule.paused:
            return None
        return Change(stops={"paused": Stop(milliseconds(now), given.reason)})

    schedule = edit(p, path.schedule_id, header.if_match, decide)
    # After the edit: what is planned from now on finds the schedule paused. A request that broke off here is repeated.
    in_flight = p.store.deliveries.cancel_of_schedule(schedule.id, schedule.versions[-1].since, SkipReason.PAUSED)
    log.info("A schedule was paused.", action="schedule.paused", schedule_id=schedule.id, in_flight=len(in_flight))
    return Reply(edited_schedule(schedule, in_flight), headers=etag(schedule)).response()


@bp.post("/schedules/<schedule:schedule_id>/resume", request_body=takes(Nothing, {}, required=False), responses=_EDITED)
@needs(Scope.SCHEDULES_WRITE)
def resume_schedule(path: ScheduleId, header: IfMatch) -> Response:
    """Resume a schedule

    One that is paused goes on with the first instant to come, one in quarantine where it broke.
    """

    def decide(schedule: Schedule, _now: datetime) -> Change | None:
        refuse_archived(schedule)
        if schedule.status is Status.FINISHED:
            raise Conflict(f"schedule {schedule.id} is finished: nothing is left to come; give it a later end first")
        if schedule.status is Status.ACTIVE:
            return None
        return Change(stops={"paused": None, "quarantined": None})

    return _edited(path.schedule_id, header, decide, "A schedule was resumed.", "schedule.resumed")


@bp.post(
    "/schedules/<schedule:schedule_id>/restore", request_body=takes(Nothing, {}, required=False), responses=_EDITED
)
@needs(Scope.SCHEDULES_WRITE)
def restore_schedule(path: ScheduleId, header: IfMatch) -> Response:
    """Restore a schedule

    It comes back from the archive, paused.
    """

    def decide(schedule: Schedule, now: datetime) -> Change | None:
        if schedule.status is not Status.ARCHIVED:
            raise Conflict(f"schedule {schedule.id} is {schedule.status}, not archived")
        paused = Stop(milliseconds(now), "restored from the archive")
        return Change(stops={"paused": paused, "deleted": None, "quarantined": None, "archived_at": None})

    return _edited(path.schedule_id, header, decide, "A schedule was restored from the archive.", "schedule.restored")


def _edited(schedule_id: str, header: IfMatch, decide: Decide, sentence: str, action: str) -> Response:
    p = parts()
    read(Nothing, optional=True)
    schedule = edit(p, schedule_id, header.if_match, decide)
    log.info(sentence, action=action, schedule_id=schedule.id, version=schedule.version)
    nudge_afterwards(p)
    return Reply(
        edited_schedule(schedule, p.store.deliveries.under_way(schedule.id)), headers=etag(schedule)
    ).response()


@bp.post(
    "/schedules/<schedule:schedule_id>/trigger",
    request_body=takes(Nothing, {}, required=False),
    responses={
        202: answers(OccurrenceAnswer, "The occurrence that was made."),
        409: problems("It is archived, or a request with this Idempotency-Key is under way."),
    },
)
@needs(Scope.SCHEDULES_WRITE)
def trigger_schedule(path: ScheduleId, header: IdempotencyKey) -> Response:
    """Trigger a schedule

    Its mail is sent now, once, whatever its recurrence says; also while it is paused.
    """
    p = parts()
    read(Nothing, optional=True)

    def new_id() -> str:
        key = header.idempotency_key or secrets.token_hex(16)
        return ids.triggered_occurrence_id(path.schedule_id, milliseconds(p.clock.now()), key)

    return answer_once(
        p, header.idempotency_key, new_id, lambda occurrence_id: _trigger(p, path.schedule_id, occurrence_id)
    )


def _trigger(p: Parts, schedule_id: str, occurrence_id: str) -> Reply:
    schedule = p.store.schedules.get(owner(), schedule_id)
    refuse_archived(schedule)
    now, version = milliseconds(p.clock.now()), schedule.versions[-1]
    occurrence = occurrences.occurrence(
        occurrence_id,
        owner_id=owner(),
        schedule_id=schedule_id,
        revision_id=version.revision_id,
        version=version.no,
        origin=Origin.TRIGGER,
        at=ids.instant_of(occurrence_id),
        deliveries=len(occurrences.recipients(schedule.definition)),
        now=now,
        retention=timedelta(days=p.settings.retention.days),
    )
    rows = list(
        occurrences.deliveries(occurrence, schedule.definition, shard=schedule.shard, shards=p.startup.shards, now=now)
    )
    p.store.occurrences.insert([occurrence])
    p.store.deliveries.insert(rows)
    log.info(
        "A schedule was triggered.", action="schedule.triggered", schedule_id=schedule_id, occurrence_id=occurrence_id
    )
    nudge_afterwards(p)
    return Reply(occurrence_answer(occurrence, {"pending": len(rows)}), 202)
