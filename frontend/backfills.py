"""Backfill from a schedule's page: choose a range, see how much it is, confirm that."""

from datetime import UTC, timedelta

from flask import Blueprint, render_template, request
from flask.typing import ResponseReturnValue

from frontend.formatting import from_wall_time, local_time, wall_time, zone_of
from frontend.registry_client import Refused
from frontend.shapes import Backfill, Schedule
from frontend.views import go_to, now, registry

bp = Blueprint("backfills", __name__, url_prefix="/schedules/<id:schedule_id>/backfill")

_DAYS = 7
_FIELD_OF = {"/from": "from", "/until": "until"}


@bp.get("")
def ask(schedule_id: str) -> ResponseReturnValue:
    """The range, and once it is in the address what a backfill of it would make."""
    schedule = registry().schedule(schedule_id)
    if not {"from", "until"} <= request.args.keys():
        return _page(schedule, _last_days(schedule))
    values = {name: request.args.get(name, "") for name in ("from", "until")}
    try:
        return _page(schedule, values, registry().backfill(schedule_id, *_instants(schedule, values)))
    except Refused as refusal:
        return _refused(schedule, values, refusal)


@bp.post("")
def make(schedule_id: str) -> ResponseReturnValue:
    """Make what was shown; the form carries the number and a key, so a second click makes nothing more. If it is another
    number by now, show that one, and make none."""
    schedule = registry().schedule(schedule_id)
    values = {name: request.form.get(name, "") for name in ("from", "until")}
    text = request.form.get("count", "")
    begin, until = _instants(schedule, values)
    try:
        made = registry().backfill(
            schedule_id,
            begin,
            until,
            count=int(text) if text.isdecimal() else 0,
            idempotency_key=request.form.get("key"),
        )
    except Refused as refusal:
        if refusal.status != 409:
            return _refused(schedule, values, refusal)
        return _page(
            schedule, values, registry().backfill(schedule_id, begin, until), others=[str(refusal)], status=409
        )
    return go_to("schedules.show", schedule_id=schedule_id, done="backfilled-several", count=made["count"])


def _refused(schedule: Schedule, values: dict[str, str], refusal: Refused) -> ResponseReturnValue:
    errors: dict[str, list[str]] = {}
    others: list[str] = []
    for problem in refusal.problems:
        if name := _FIELD_OF.get(problem.pointer):
            errors.setdefault(name, []).append(problem.detail)
        else:
            others.append(problem.detail)
    if not errors and not others:
        others = [str(refusal)]
    return _page(schedule, values, errors=errors, others=others, status=refusal.status)


def _page(
    schedule: Schedule,
    values: dict[str, str],
    found: Backfill | None = None,
    *,
    errors: dict[str, list[str]] | None = None,
    others: list[str] | None = None,
    status: int = 200,
) -> ResponseReturnValue:
    zone = _zone(schedule)
    page = render_template(
        "schedules/backfill.html",
        schedule=schedule,
        zone=zone,
        values=values,
        found=found,
        runs=[local_time(wall_time(instant, zone)) for instant in found["occurrences"]] if found else [],
        errors=errors or {},
        others=others or [],
    )
    return page, status


def _instants(schedule: Schedule, values: dict[str, str]) -> tuple[str, str]:
    zone = _zone(schedule)
    return from_wall_time(values["from"], zone), from_wall_time(values["until"], zone)


def _last_days(schedule: Schedule) -> dict[str, str]:
    zone = _zone(schedule)
    today = now().astimezone(zone_of(zone))
    begin = (today - timedelta(days=_DAYS)).replace(hour=0, minute=0, second=0, microsecond=0)
    return {"from": wall_time(begin.astimezone(UTC).isoformat(), zone), "until": f"{today:%Y-%m-%dT%H:%M}"}


def _zone(schedule: Schedule) -> str:
    """The zone that the range is typed in: the rule's own."""
    return schedule["recurrence"].get("timezone") or "UTC"
