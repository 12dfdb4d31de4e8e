"""The schedule form: new and edit, and what happens when a save is refused. Nothing typed is ever lost."""

from typing import Any

from flask import Blueprint, render_template, request
from flask.typing import ResponseReturnValue

from frontend import conflicts, mail_values, recurrence_form, schedule_values
from frontend.previews import preview_of, with_table
from frontend.recurrence_form import Values
from frontend.registry_client import Refused, RegistryDown
from frontend.shapes import Schedule
from frontend.views import go_to, new_key, registry

bp = Blueprint("schedule_form", __name__, url_prefix="/schedules")


@bp.get("/new")
def new() -> ResponseReturnValue:
    """An empty form, or one that holds what another schedule says (`?like=sch_…`)."""
    values = dict(schedule_values.DEFAULTS)
    if like := request.args.get("like"):
        copied = registry().schedule(like)
        values = schedule_values.from_schedule(copied) | {"name": f"{copied['name']} (copy)"}
    return _page(values)


@bp.post("/new")
def create() -> ResponseReturnValue:
    """Save a new schedule and go to its page; refused, the form comes back with what is wrong at each field."""
    values = schedule_values.from_form(request.form)
    if request.form.get("do") in _WITHOUT_SAVING:
        return _helped(values)
    if wrong := recurrence_form.incomplete(values):
        return _page(values, status=422, errors=_each(wrong))
    try:
        schedule = registry().create_schedule(
            schedule_values.body(values), idempotency_key=request.form.get("key") or new_key()
        )
    except Refused as refusal:
        if refusal.kind == "key-reused":
            return _page(values, status=409, others=[_ARRIVED])
        return _refused(values, refusal)
    except RegistryDown as down:
        # With the same key again, because the first try may have arrived.
        return _page(values, status=503, others=[_unanswered(down)], key=request.form.get("key"))
    return go_to("schedules.show", schedule_id=schedule["id"], done="created")


@bp.get("/<id:schedule_id>/edit")
def edit(schedule_id: str) -> ResponseReturnValue:
    schedule = registry().schedule(schedule_id)
    values = schedule_values.from_schedule(schedule)
    return _page(values, **_opened(schedule))


@bp.post("/<id:schedule_id>/edit")
def change(schedule_id: str) -> ResponseReturnValue:
    """Save over the version that the reader saw; if another was saved meanwhile, show both and save neither."""
    values = schedule_values.from_form(request.form)
    still: dict[str, Any] = {
        "schedule_id": schedule_id,
        "version": _version(),
        "opened_with": request.form.get("opened_with", ""),
        "anchor": request.form.get("anchor"),
    }
    if request.form.get("do") in _WITHOUT_SAVING:
        return _helped(values, **still)
    if wrong := recurrence_form.incomplete(values):
        return _page(values, status=422, errors=_each(wrong), **still)
    try:
        schedule = registry().schedule(schedule_id)
        if schedule["version"] != _version():
            return _conflict(values, schedule)
        registry().change_schedule(schedule_id, schedule_values.body(values, schedule), version=_version())
    except Refused as refusal:
        if refusal.status == 412:
            return _conflict(values, registry().schedule(schedule_id))
        return _refused(values, refusal, **still)
    except RegistryDown as down:
        return _page(values, status=503, others=[_unanswered(down)], **still)
    return go_to("schedules.show", schedule_id=schedule_id, done="changed")


_ARRIVED = (
    "Your first try did arrive, so the schedule is in the list as you had typed it then. Look there first: "
    "saving this form now makes a second schedule."
)
_WITHOUT_SAVING = ("show-runs", "add-recipients")


def _helped(values: Values, **still: Any) -> ResponseReturnValue:
    """The form again with what a button asked for, for browsers without scripts."""
    pasted = None
    if request.form.get("do") == "add-recipients":
        values, pasted = with_table(values, request.form.get("table", ""))
    return _page(values, pasted=pasted, **still)


def _refused(values: Values, refusal: Refused, **still: Any) -> ResponseReturnValue:
    errors, others = schedule_values.place(refusal.problems, values)
    if not errors and not others:
        others = [str(refusal)]
    return _page(
        mail_values.one_recipient_a_line(values),
        status=refusal.status,
        errors=mail_values.plainer(errors, values),
        others=others,
        **still,
    )


def _conflict(values: Values, schedule: Schedule) -> ResponseReturnValue:
    merged, changes = conflicts.merge(
        request.form.get("opened_with", ""), values, schedule_values.from_schedule(schedule)
    )
    return _page(merged, status=412, changes=changes, **_opened(schedule))


def _opened(schedule: Schedule) -> dict[str, Any]:
    """What the form of a saved schedule remembers of it, to notice when another is saved meanwhile."""
    fingerprint = conflicts.fingerprint(schedule_values.from_schedule(schedule))
    return {
        "schedule_id": schedule["id"],
        "version": schedule["version"],
        "opened_with": fingerprint,
        "anchor": schedule["created_at"],
    }


def _page(
    values: Values,
    *,
    status: int = 200,
    errors: dict[str, list[str]] | None = None,
    others: list[str] | None = None,
    **context: Any,
) -> ResponseReturnValue:
    page = render_template(
        "schedule_form/form.html",
        values=values,
        errors=errors or {},
        others=others or [],
        labels=schedule_values.LABELS,
        builder=recurrence_form,
        **preview_of(values, context.get("anchor")),
        **context,
    )
    return page, status


def _each(wrong: dict[str, str]) -> dict[str, list[str]]:
    return {name: [sentence] for name, sentence in wrong.items()}


def _unanswered(down: RegistryDown) -> str:
    return (
        f"Nothing is known to be saved: {down}. What you typed is still here; save it again when the registry is back."
    )


def _version() -> int:
    text = request.form.get("version", "")
    return int(text) if text.isdecimal() else 0
