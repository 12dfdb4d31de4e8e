"""What a person does to a schedule from its page: pause, resume, trigger, delete, restore. Each asks on a page of its own
where there is no script to open a dialog."""

from flask import Blueprint, render_template, request
from flask.typing import ResponseReturnValue

from frontend.registry_client import Refused
from frontend.views import go_to, new_key, registry, still_leaving

bp = Blueprint("schedule_actions", __name__, url_prefix="/schedules/<id:schedule_id>")

MAX_REASON = 500


@bp.get("/<any(pause, trigger, delete):action>")
def ask(schedule_id: str, action: str) -> ResponseReturnValue:
    """The question behind a button, as a page."""
    return render_template("schedules/ask.html", schedule=registry().schedule(schedule_id), action=action)


@bp.post("/pause")
def pause(schedule_id: str) -> ResponseReturnValue:
    """Pause it; the page then names the mails that can't be held back any more."""
    answer = registry().pause(schedule_id, reason=request.form.get("reason", "").strip()[:MAX_REASON])
    return go_to("schedules.show", schedule_id=schedule_id, done="paused", **still_leaving(answer.get("in_flight")))


@bp.post("/resume")
def resume(schedule_id: str) -> ResponseReturnValue:
    registry().resume(schedule_id)
    return go_to("schedules.show", schedule_id=schedule_id, done="resumed")


@bp.post("/restore")
def restore(schedule_id: str) -> ResponseReturnValue:
    registry().restore(schedule_id)
    return go_to("schedules.show", schedule_id=schedule_id, done="restored")


@bp.post("/trigger")
def trigger(schedule_id: str) -> ResponseReturnValue:
    """Run it now, once for each key: the form carries one, so a second click is the same run."""
    answer = registry().trigger(schedule_id, idempotency_key=request.form.get("key") or new_key())
    return go_to("schedules.show", schedule_id=schedule_id, done="triggered", occurrence=answer.get("id"))


@bp.post("/delete")
def delete(schedule_id: str) -> ResponseReturnValue:
    """Archive it, unless it has changed since the reader saw it."""
    try:
        answer = registry().delete_schedule(schedule_id, version=_version())
    except Refused as refusal:
        if refusal.status != 412:
            raise
        return go_to("schedules.show", schedule_id=schedule_id, done="delete-refused")
    return go_to("schedules.show", schedule_id=schedule_id, done="deleted", **still_leaving(answer.get("in_flight")))


def _version() -> int:
    text = request.form.get("version", "")
    return int(text) if text.isdecimal() else 0
