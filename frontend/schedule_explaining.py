"""Why mail was or was not sent at an instant of a schedule, and what its next run waits for."""

from flask import Blueprint, render_template, request
from flask.typing import ResponseReturnValue

from frontend.formatting import from_wall_time, wall_time
from frontend.mail_shapes import Explanation
from frontend.mailing import mailing
from frontend.registry_client import Refused
from frontend.views import registry

bp = Blueprint("schedule_explaining", __name__, url_prefix="/schedules/<id:schedule_id>/explain")


@bp.get("")
def show(schedule_id: str) -> ResponseReturnValue:
    """The gates of the instant `at`, which is local in the schedule's zone; without one, of the next run."""
    schedule = registry().schedule(schedule_id)
    zone = schedule["recurrence"].get("timezone") or "UTC"
    typed = request.args.get("at", "").strip()
    explanation: Explanation | None = None
    wrong = ""
    try:
        explanation = mailing().explain_instant(schedule_id, from_wall_time(typed, zone))
    except Refused as refusal:
        if refusal.status != 422:
            raise
        wrong = next((problem.detail for problem in refusal.problems), str(refusal))
    shown_at = typed or wall_time(explanation["at"] if explanation else None, zone)
    page = render_template(
        "schedules/explain.html",
        schedule=schedule,
        zone=zone,
        at=shown_at,
        is_next=not typed,
        explanation=explanation,
        wrong=wrong,
    )
    return page, 422 if wrong else 200
