"""/schedules: written, listed, read, changed and deleted."""

from contextlib import suppress
from datetime import datetime

from flask import Response

from fencepost import ids
from fencepost.api_keys import Scope
from fencepost.definitions import ScheduleInput
from fencepost.errors import Conflict, NotFound
from fencepost.logs import get_logger
from fencepost.schedules import Schedule, SkipReason, Status, Stop, Version, milliseconds
from fencepost.store.pages import Cursor
from fencepost.store.revisions import Revision
from registry.access import needs
from registry.answers.schedules import (
    EditedSchedule,
    ScheduleAnswer,
    ScheduleList,
    edited_schedule,
    listed_schedule,
    schedule_answer,
)
from registry.attaching import attached
from registry.caller import owner
from registry.documenting import TAGS, answers, blueprint, problems, takes, takes_changes
from registry.editing import Change, edit
from registry.idempotency import answer_once
from registry.incoming import carries_messages, document
from registry.inputs import IdempotencyKey, IfMatch, ScheduleId, ScheduleQuery
from registry.merging import changed
from registry.parts import Parts, parts
from registry.replies import Reply, etag, list_reply, nudge_afterwards
from registry.timing import TIMING, read_definition, refuse_ended

log = get_logger(__name__)
bp = blueprint("schedules", __name__, TAGS["schedules"])

EXAMPLE = {
    "name": "Weekly figures",
    "recurrence": {"type": "cron", "expression": "0 9 * * 1", "timezone": "Europe/Berlin"},
    "message": {
        "from": "Figures <figures@example.com>",
        "to": [{"email": "ann@example.com", "name": "Ann", "variables": {"team": "North"}}],
        "subject": "Figures of {{ team }}",
        "text": "Hello {{ name }}, here are the figures of {{ team }}.",
    },
}


@bp.post(
    "/schedules",
    request_body=takes(ScheduleInput, EXAMPLE),
    responses={
        201: answers(ScheduleAnswer, "The schedule.", "ETag", "Location"),
        409: problems("A request with this Idempotency-Key is under way."),
        413: problems("It is too large."),
    },
)
@carries_messages
@needs(Scope.SCHEDULES_WRITE)
def create_schedule(header: IdempotencyKey) -> Response:
    """Write a schedule

    It is active at once.
    """
    p = parts()
    key = header.idempotency_key

    def act(schedule_id: str) -> Reply:
        if key is not None:
            with suppress(NotFound):
                # A request with this key had come so far before it broke off; its instants may have passed since.
                return _created(p, p.store.schedules.get(owner(), schedule_id))
        return _create(p, schedule_id)

    return answer_once(p, key, lambda: ids.new_id(ids.SCHEDULE), act)


def _create(p: Parts, schedule_id: str) -> Reply:
    now = milliseconds(p.clock.now())
    definition, rule = read_definition(document(), now)
    refuse_ended(rule, definition, now)
    definition = attached(p, definition, "/message")
    revision = Revision(ids.new_id(ids.REVISION), schedule_id, definition, now)
    schedule = Schedule(
        id=schedule_id,
        owner_id=owner(),
        shard=ids.shard_of(schedule_id, p.startup.shards),
        definition=definition,
        versions=(Version(1, now, revision.id),),
        created_at=now,
        updated_at=now,
        next_run_at=rule.after(now),
    )
    p.store.revisions.append(revision, owner(), now)
    if not p.store.schedules.create(schedule):
        # The request that broke off was only slow, and wrote it meanwhile.
        schedule = p.store.schedules.get(owner(), schedule_id)
    log.info("A schedule was written.", action="schedule.created", schedule_id=schedule_id)
    return _created(p, schedule)


def _created(p: Parts, schedule: Schedule) -> Reply:
    nudge_afterwards(p)
    return Reply(schedule_answer(schedule), 201, {**etag(schedule), "Location": f"/schedules/{schedule.id}"})


@bp.get("/schedules", responses={200: answers(ScheduleList, "One page of schedules.", "Link")})
@needs(Scope.SCHEDULES_READ)
def list_schedules(query: ScheduleQuery) -> Response:
    """List schedules

    Their messages come without bodies and with the first recipients only.
    """
    schedules = parts().store.schedules
    page = schedules.page_of(
        owner(),
        status=query.status,
        text=query.q or None,
        sort=query.sort,
        limit=query.limit,
        cursor=Cursor.parse(query.cursor) if query.cursor else None,
    )
    counts = schedules.recipient_counts(schedule.id for schedule in page.items)
    data = [listed_schedule(schedule, counts.get(schedule.id, 0)) for schedule in page.items]
    return list_reply(data, page.next_cursor).response()


@bp.get("/schedules/<schedule:schedule_id>", responses={200: answers(ScheduleAnswer, "The schedule.", "ETag")})
@needs(Scope.SCHEDULES_READ)
def get_schedule(path: ScheduleId) -> Response:
    """Read a schedule

    An archived one too.
    """
    schedule = parts().store.schedules.get(owner(), path.schedule_id)
    return Reply(schedule_answer(schedule), headers=etag(schedule)).response()


@bp.patch(
    "/schedules/<schedule:schedule_id>",
    request_body=takes_changes({"recurrence": {"expression": "30 8 * * 1-5"}, "max_occurrences": None}),
    responses={
        200: answers(EditedSchedule, "The schedule as it now is.", "ETag"),
        409: problems("It is archived."),
        412: problems("It has another version than If-Match names."),
        413: problems("It is too large."),
    },
)
@carries_messages
@needs(Scope.SCHEDULES_WRITE)
def change_schedule(path: ScheduleId, header: IfMatch) -> Response:
    """Change a schedule

    By a JSON merge patch. What was due before the change is sent as it was written then.
    """
    p, patch = parts(), document()

    def decide(schedule: Schedule, now: datetime) -> Change | None:
        refuse_archived(schedule)
        definition, rule = read_definition(changed(schedule.definition, patch), schedule.created_at)
        if any(definition[name] != schedule.definition[name] for name in TIMING):
            refuse_ended(rule, definition, milliseconds(now), schedule.occurrence_count)
        definition = attached(p, definition, "/message")
        return None if definition == schedule.definition else Change(definition, {"quarantined": None})

    schedule = edit(p, path.schedule_id, header.if_match, decide)
    log.info("A schedule was changed.", action="schedule.changed", schedule_id=schedule.id, version=schedule.version)
    nudge_afterwards(p)
    return Reply(
        edited_schedule(schedule, p.store.deliveries.under_way(schedule.id)), headers=etag(schedule)
    ).response()


@bp.delete(
    "/schedules/<schedule:schedule_id>",
    responses={
        200: answers(EditedSchedule, "The schedule, which runs no more.", "ETag"),
        412: problems("It has another version than If-Match names."),
    },
)
@needs(Scope.SCHEDULES_WRITE)
def delete_schedule(path: ScheduleId, header: IfMatch) -> Response:
    """Delete a schedule

    It runs no more, mail that waits is cancelled, and it goes to the archive. What is in flight is named in the answer.
    """
    p = parts()

    def decide(schedule: Schedule, now: datetime) -> Change | None:
        if schedule.status is Status.ARCHIVED:
            return None
        return Change(stops={"deleted": Stop(milliseconds(now), "deleted")})

    schedule = edit(p, path.schedule_id, header.if_match, decide)
    # After the edit: what is planned from now on finds the schedule deleted. A request that broke off here is repeated.
    in_flight = p.store.deliveries.cancel_of_schedule(schedule.id, schedule.versions[-1].since, SkipReason.DELETED)
    log.info("A schedule was deleted.", action="schedule.deleted", schedule_id=schedule.id, in_flight=len(in_flight))
    return Reply(edited_schedule(schedule, in_flight), headers=etag(schedule)).response()


def refuse_archived(schedule: Schedule) -> None:
    """Raises Conflict for a schedule that is in the archive, or on its way there."""
    if schedule.status is Status.ARCHIVED:
        raise Conflict(f"schedule {schedule.id} is archived; restore it first")
