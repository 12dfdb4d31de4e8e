"""/schedules/{id}/backfill: run what a schedule missed, after its owner has seen how much that is."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from flask import Response

from fencepost import ids, occurrences
from fencepost.api_keys import Scope
from fencepost.backfills import range_of, still_to_run
from fencepost.clock import iso
from fencepost.definitions import rule_of
from fencepost.deliveries import Delivery
from fencepost.errors import Conflict, Invalid, Problem
from fencepost.logs import get_logger
from fencepost.occurrences import Occurrence, Origin
from fencepost.schedules import Schedule, milliseconds
from registry.access import needs
from registry.answers.occurrences import BackfillAnswer
from registry.caller import owner
from registry.documenting import TAGS, answers, blueprint, problems, takes
from registry.idempotency import answer_once
from registry.incoming import read
from registry.inputs import BackfillInput, IdempotencyKey, ScheduleId
from registry.parts import Parts, parts
from registry.replies import Reply, nudge_afterwards
from registry.schedules import refuse_archived

EXAMPLE = {"from": "2026-03-02T00:00:00Z", "until": "2026-03-08T23:59:59Z", "dry_run": True}
_SHOWN = 10

log = get_logger(__name__)
bp = blueprint("backfills", __name__, TAGS["schedules"])


@bp.post(
    "/schedules/<schedule:schedule_id>/backfill",
    request_body=takes(BackfillInput, EXAMPLE),
    responses={
        200: answers(BackfillAnswer, "What would be made; nothing was."),
        202: answers(BackfillAnswer, "What was made."),
        409: problems(
            "It is archived, it is another number by now, or a request with this Idempotency-Key is under way."
        ),
    },
)
@needs(Scope.SCHEDULES_WRITE)
def backfill_schedule(path: ScheduleId, header: IdempotencyKey) -> Response:
    """Backfill a schedule

    Its rule as it now is says what was due in a range of the past. What ran then, or was backfilled before, is left out;
    what was skipped is not. A dry run counts first; then exactly that number is made, with the text as it now is.
    """
    p, given = parts(), read(BackfillInput)
    if given.dry_run:
        schedule, instants = _missing(p, path.schedule_id, given, None)
        return Reply(_answer(schedule, instants, dry_run=True)).response()
    return answer_once(
        p,
        header.idempotency_key,
        lambda: ids.new_id(ids.BACKFILL),
        lambda backfill_id: _backfill(p, path.schedule_id, given, backfill_id),
    )


def _backfill(p: Parts, schedule_id: str, given: BackfillInput, backfill_id: str) -> Reply:
    if given.count is None:
        raise Invalid(Problem("/count", "is needed to make them: the number that a dry run of this range answered"))
    # What this same request made before it broke off counts as still to be made: it is made again under the same ids.
    schedule, instants = _missing(p, schedule_id, given, backfill_id)
    if len(instants) != given.count:
        raise Conflict(
            f"the range has {len(instants)} runs to make by now, and {given.count} were confirmed; look at a dry run again"
        )
    now = milliseconds(p.clock.now())
    made = [_occurrence(schedule, instant, backfill_id, now, p.settings.retention.days) for instant in instants]
    # The mails first: what breaks off before the occurrences are on record is found missing, and completed, by the next
    # request, while an occurrence without its mails would pass for one that ran.
    p.store.deliveries.insert(_rows(schedule, made, p.startup.shards, now))
    p.store.occurrences.insert(made)
    log.info("A schedule was backfilled.", action="schedule.backfilled", schedule_id=schedule_id, count=len(made))
    nudge_afterwards(p)
    return Reply(_answer(schedule, instants, dry_run=False), 202)


def _missing(
    p: Parts, schedule_id: str, given: BackfillInput, backfill_id: str | None
) -> tuple[Schedule, list[datetime]]:
    """The schedule, and the instants of the range that it did not run. Raises Conflict and Invalid."""
    schedule = p.store.schedules.get(owner(), schedule_id)
    refuse_archived(schedule)
    rule = rule_of(schedule.definition, schedule.created_at)
    retention = timedelta(days=p.settings.retention.days)
    instants = range_of(schedule, rule, given.from_, given.until, now=p.clock.now(), retention=retention)
    if not instants:
        return schedule, []
    # Read after the schedule: what it planned before its next run is on record since before that was written.
    on_record = p.store.occurrences.on_record(schedule_id, instants[0], instants[-1], but_of=backfill_id)
    return schedule, still_to_run(schedule, instants, on_record)


def _occurrence(schedule: Schedule, instant: datetime, backfill_id: str, now: datetime, days: int) -> Occurrence:
    version = schedule.versions[-1]
    made = occurrences.occurrence(
        ids.backfilled_occurrence_id(schedule.id, instant),
        owner_id=owner(),
        schedule_id=schedule.id,
        revision_id=version.revision_id,
        version=version.no,
        origin=Origin.BACKFILL,
        at=instant,
        deliveries=len(occurrences.recipients(schedule.definition)),
        now=now,
        retention=timedelta(days=days),
    )
    return {**made, "backfill_id": backfill_id}


def _rows(schedule: Schedule, made: Sequence[Occurrence], shards: int, now: datetime) -> list[Delivery]:
    rows: list[Delivery] = []
    for occurrence in made:
        rows += occurrences.deliveries(
            occurrence, schedule.definition, shard=schedule.shard, shards=shards, now=now, queued_before=len(rows)
        )
    return rows


def _answer(schedule: Schedule, instants: Sequence[datetime], *, dry_run: bool) -> BackfillAnswer:
    return {
        "count": len(instants),
        "emails": len(instants) * len(occurrences.recipients(schedule.definition)),
        "occurrences": [iso(instant) for instant in instants[:_SHOWN]],
        "dry_run": dry_run,
    }
