"""Schedules: the list, changes to several at once, and the page of one."""

from typing import Any

from flask import Blueprint, render_template, request
from flask.typing import ResponseReturnValue

from frontend.formatting import second_before
from frontend.registry_client import Refused
from frontend.shapes import PreviewRow, Schedule
from frontend.views import go_to, ids_in, registry, render_fragment, still_leaving, wants_fragment

bp = Blueprint("schedules", __name__)

PER_PAGE = 25
UPCOMING = 10
PAST_SHOWN = 12
NEWEST = "-created_at"
SORTS = {NEWEST: "Newest first", "next_run_at": "Next run first"}
STATUSES = ("active", "paused", "quarantined", "finished", "archived")


@bp.get("/schedules")
def index() -> ResponseReturnValue:
    """The list; for htmx only its rows."""
    filters = list_filters()
    page = registry().schedules(**filters, limit=PER_PAGE, cursor=request.args.get("cursor"))
    template = "schedules/_results.html" if wants_fragment() else "schedules/index.html"
    return render_template(template, page=page, filters=filters, sorts=SORTS, statuses=STATUSES)


def list_filters() -> dict[str, str]:
    """What the address asks for; values that mean nothing are left out."""
    status, sort = request.values.get("status", ""), request.values.get("sort", "")
    return {
        "q": request.values.get("q", "").strip()[:200],
        "status": status if status in STATUSES else "",
        "sort": sort if sort in SORTS else NEWEST,
    }


@bp.post("/schedules/bulk")
def change_several() -> ResponseReturnValue:
    """Pause or resume what is ticked, one by one; the list then says how many, and which were refused."""
    action = "resume" if request.form.get("action") == "resume" else "pause"
    chosen = list(dict.fromkeys(ids_in(",".join(request.form.getlist("ids")), limit=200)))
    changed = {schedule_id: change(action, schedule_id) for schedule_id in chosen}
    refused = [schedule_id for schedule_id, schedule in changed.items() if schedule is None]
    leaving = [email_id for schedule in changed.values() if schedule for email_id in schedule.get("in_flight", ())]
    return go_to(
        "schedules.index",
        done=f"{action}d-several" if chosen else "none-chosen",
        count=len(chosen) - len(refused),
        refused=",".join(refused) or None,
        **still_leaving(leaving if action == "pause" else None),
        **{name: value for name, value in list_filters().items() if value and value != NEWEST},
        cursor=request.form.get("cursor") or None,
    )


def change(action: str, schedule_id: str) -> Schedule | None:
    """The schedule as it now is; None where the registry refused: it is finished, say, or gone."""
    try:
        if action == "pause":
            return registry().pause(schedule_id, reason="paused with others from the list")
        return registry().resume(schedule_id)
    except Refused as refusal:
        if refusal.status not in (404, 409):
            raise
        return None


@bp.get("/schedules/<id:schedule_id>")
def show(schedule_id: str) -> ResponseReturnValue:
    """One schedule: what it is, what comes, what was."""
    schedule = registry().schedule(schedule_id)
    return render_template("schedules/show.html", schedule=schedule, upcoming=upcoming(schedule), **past(schedule_id))


@bp.get("/schedules/<id:schedule_id>/upcoming")
def show_upcoming(schedule_id: str) -> ResponseReturnValue:
    """Its status and its next runs, which change while one looks on."""
    schedule = registry().schedule(schedule_id)
    return render_fragment("schedules/_upcoming.html", "Next runs", schedule=schedule, upcoming=upcoming(schedule))


@bp.get("/schedules/<id:schedule_id>/occurrences")
def show_occurrences(schedule_id: str) -> ResponseReturnValue:
    """Its past occurrences."""
    schedule = registry().schedule(schedule_id)
    return render_fragment("schedules/_occurrences.html", "Past occurrences", schedule=schedule, **past(schedule_id))


def past(schedule_id: str) -> dict[str, Any]:
    state = request.args.get("state", "")
    state = state if state in ("planned", "skipped", "done") else ""
    cursor = request.args.get("cursor", "")
    occurrences = registry().occurrences(schedule_id, state=state, cursor=cursor, limit=PAST_SHOWN)
    return {"occurrences": occurrences, "state": state, "cursor": cursor}


def upcoming(schedule: Schedule) -> list[PreviewRow]:
    """The next instants of a schedule that has any, the first of them as the registry holds it."""
    first, limit = schedule["next_run_at"], schedule["max_occurrences"]
    left = None if limit is None else limit - schedule["occurrence_count"]
    if first is None or (left is not None and left <= 0):
        return []
    body = {
        "recurrence": schedule["recurrence"],
        "starts_at": schedule["starts_at"],
        "ends_at": schedule["ends_at"],
        "max_occurrences": left,
        "dst": schedule["dst"],
        "anchor": schedule["created_at"],
        "after": second_before(first),
        "count": UPCOMING,
    }
    try:
        return registry().preview(body)["occurrences"]
    except Refused:
        # A rule that the arithmetic can't follow: its page must open all the same, and says what is wrong.
        return []
