"""What the schedule form shows while one types: the rule in words with its next runs, pasted recipients, the mail's HTML."""

from typing import Any

from flask import Blueprint, request
from flask.typing import ResponseReturnValue

from frontend import recipients, recurrence_form, schedule_values
from frontend.recurrence_form import Values
from frontend.registry_client import Refused, RegistryDown
from frontend.views import registry, render_fragment, sealed

bp = Blueprint("previews", __name__, url_prefix="/schedules/preview")

SHOWN_RUNS = 10


@bp.get("")
def show_runs() -> ResponseReturnValue:
    """The rule in words and its next runs, for the time fields in the address."""
    values = schedule_values.from_form(request.args)
    shown = preview_of(values, request.args.get("anchor"))
    return render_fragment("schedule_form/_preview.html", "Next runs", values=values, **shown)


@bp.post("/recipients")
def show_recipients() -> ResponseReturnValue:
    """The recipients' field with a pasted table added to it."""
    values, pasted = with_table(schedule_values.from_form(request.form), request.form.get("table", ""))
    return render_fragment("schedule_form/_recipients.html", "Recipients", values=values, pasted=pasted, errors={})


@bp.post("/html")
def show_html() -> ResponseReturnValue:
    """The mail's HTML as it was typed, for the sandboxed frame."""
    return sealed(request.form.get("html", "") or "<p>There is no HTML yet.</p>")


def with_table(values: Values, table: str) -> tuple[Values, recipients.Pasted]:
    """The fields with the recipients of a pasted table behind those already there."""
    already = recipients.lines_of(values["to"])
    pasted = recipients.from_table(table, already)
    return values | {"to": "\n".join([*already, *pasted.lines])}, pasted


def preview_of(values: Values, anchor: str | None = None) -> dict[str, Any]:
    """`preview`, or None with `preview_problems`: (label, sentence) for each thing that keeps the rule from being read.

    `anchor` is `created_at` of a schedule that exists: what intervals count from.
    """
    if wrong := recurrence_form.incomplete(values):
        return _without([(schedule_values.LABELS[name], sentence) for name, sentence in wrong.items()])
    try:
        asked = {**schedule_values.time_body(values), "anchor": anchor or None, "count": SHOWN_RUNS}
        return {"preview": registry().preview(asked), "preview_problems": []}
    except Refused as refusal:
        errors, others = schedule_values.place(refusal.problems, values)
        named = [
            (schedule_values.LABELS[name], sentence) for name, sentences in errors.items() for sentence in sentences
        ]
        return _without([*named, *(("", sentence) for sentence in others or ([] if named else [str(refusal)]))])
    except RegistryDown as down:
        return _without([("", f"The next runs can't be shown now: {down}.")])


def _without(problems: list[tuple[str, str]]) -> dict[str, Any]:
    return {"preview": None, "preview_problems": problems}
