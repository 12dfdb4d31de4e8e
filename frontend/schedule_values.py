"""The schedule form: its fields, what the API is told of them, and at which field an answer's problem belongs. Pure.

All fields are strings, as a browser sends them; times are local in the schedule's own zone.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from werkzeug.datastructures import MultiDict

from frontend import mail_values, recurrence_form
from frontend.formatting import from_wall_time, wall_time
from frontend.recurrence_form import Values
from frontend.registry_client import FieldProblem
from frontend.shapes import Schedule

DEFAULTS: Final[Values] = {
    "name": "",
    **recurrence_form.DEFAULTS,
    "starts_at": "",
    "ends_at": "",
    "max_occurrences": "",
    "misfire_policy": "latest",
    "misfire_window": "1440",
    "jitter": "0",
    "overlap": "allow",
    "dst_gap": "shift",
    "dst_repeat": "first",
    "on_unknown": "hold",
    **mail_values.DEFAULTS,
}
TIME_FIELDS: Final = (*recurrence_form.DEFAULTS, "starts_at", "ends_at", "max_occurrences", "dst_gap", "dst_repeat")
LABELS: Final = {
    "name": "Name",
    "kind": "When",
    "timezone": "Time zone",
    "once_at": "Day and time",
    "unit": "Repeat",
    "every": "Every",
    "weekdays": "On these days",
    "month_by": "On",
    "month_day": "Day of the month",
    "month_nth": "On the",
    "month_weekday": "Day of the week",
    "year_month": "Month",
    "at": "At",
    "rule": "Rule",
    "expression": "Cron expression",
    "starts_at": "Starts",
    "ends_at": "Ends",
    "max_occurrences": "At most",
    "misfire_policy": "Found late",
    "misfire_window": "Not later than",
    "jitter": "Spread over",
    "overlap": "Run still busy",
    "dst_gap": "Skipped hour",
    "dst_repeat": "Repeated hour",
    "on_unknown": "Lost answer",
    **mail_values.LABELS,
}

_FIELD_OF = (
    ("/name", "name"),
    ("/recurrence/timezone", "timezone"),
    ("/recurrence/expression", "expression"),
    ("/recurrence/every", "every"),
    ("/recurrence/at", "once_at"),
    ("/starts_at", "starts_at"),
    ("/ends_at", "ends_at"),
    ("/max_occurrences", "max_occurrences"),
    ("/misfire/policy", "misfire_policy"),
    ("/misfire", "misfire_window"),
    ("/jitter_seconds", "jitter"),
    ("/overlap", "overlap"),
    ("/dst/gap", "dst_gap"),
    ("/dst", "dst_repeat"),
    ("/on_unknown", "on_unknown"),
    ("/together", "together"),
    *((f"/message/{name}", name) for name in mail_values.FIELDS),
    ("/message", "text"),
)


def from_form(form: MultiDict[str, str]) -> Values:
    """The fields as they were sent; what was not sent has its default, a box that is not ticked is empty."""
    values = {name: form.get(name, default) for name, default in DEFAULTS.items()}
    values["together"] = form.get("together", "")
    if "kind" in form:
        values["weekdays"] = ",".join(day for day in form.getlist("weekdays") if day in recurrence_form.WEEKDAYS)
    return values


def from_schedule(schedule: Schedule) -> Values:
    """The fields that stand for a schedule as the registry holds it."""
    message, zone = schedule["message"], schedule["recurrence"].get("timezone") or "UTC"
    misfire, dst = schedule.get("misfire") or {}, schedule.get("dst") or {}
    window, limit = misfire.get("window_seconds"), schedule.get("max_occurrences")
    return {
        **DEFAULTS,
        **recurrence_form.fields_of(schedule["recurrence"]),
        "name": schedule["name"],
        "starts_at": wall_time(schedule.get("starts_at"), zone),
        "ends_at": wall_time(schedule.get("ends_at"), zone),
        "max_occurrences": "" if limit is None else str(limit),
        "misfire_policy": misfire.get("policy") or DEFAULTS["misfire_policy"],
        "misfire_window": DEFAULTS["misfire_window"] if window is None else f"{window / 60:.10g}",
        "jitter": str(schedule.get("jitter_seconds", DEFAULTS["jitter"])),
        "overlap": schedule.get("overlap", DEFAULTS["overlap"]),
        "dst_gap": dst.get("gap") or DEFAULTS["dst_gap"],
        "dst_repeat": dst.get("repeat") or DEFAULTS["dst_repeat"],
        "on_unknown": schedule.get("on_unknown") or DEFAULTS["on_unknown"],
        "together": "on" if schedule.get("together") else "",
        **mail_values.fields_of(message),
    }


def time_body(values: Mapping[str, str]) -> dict[str, Any]:
    """The time fields of a schedule: all that a preview needs."""
    zone = values["timezone"].strip()
    return {
        "recurrence": recurrence_form.recurrence_of(values),
        "starts_at": from_wall_time(values["starts_at"], zone) or None,
        "ends_at": from_wall_time(values["ends_at"], zone) or None,
        "max_occurrences": mail_values.whole(values["max_occurrences"]),
        "dst": {"gap": values["dst_gap"], "repeat": values["dst_repeat"]},
    }


def body(values: Mapping[str, str], saved: Schedule | None = None) -> dict[str, Any]:
    """The whole of a schedule. Of the `saved` one, what this form does not show (headers, tags, variables) is kept."""
    window = values["misfire_window"].strip()
    # An edit is a merge patch, in which null means the default; a new schedule leaves the field out for that.
    unset = {"window_seconds": None} if saved else {}
    jitter = mail_values.whole(values["jitter"])
    return {
        "name": values["name"].strip(),
        **time_body(values),
        "misfire": {"policy": values["misfire_policy"], **({"window_seconds": _seconds(window)} if window else unset)},
        **({"jitter_seconds": jitter} if saved or jitter is not None else {}),
        "overlap": values["overlap"],
        "on_unknown": values["on_unknown"],
        "together": bool(values["together"]),
        "message": mail_values.message_of(values, saved["message"] if saved else None),
    }


def place(problems: Iterable[FieldProblem], values: Mapping[str, str]) -> tuple[dict[str, list[str]], list[str]]:
    """Each problem at its field: field -> sentences; and those that belong to no field of the form."""
    at_fields: dict[str, list[str]] = {}
    others: list[str] = []
    for problem in problems:
        name = field_of(problem.pointer, values)
        if name is None:
            others.append(f"{problem.pointer}: {problem.detail}" if problem.pointer else problem.detail)
            continue
        at_fields.setdefault(name, []).append(mail_values.line_of(problem.pointer) + problem.detail)
    return at_fields, others


def field_of(pointer: str, values: Mapping[str, str]) -> str | None:
    """The field that a JSON Pointer into `body` stands for; None where the form has none."""
    if pointer.startswith("/recurrence/rule"):
        return "rule" if values["unit"] == "rule" else "every"
    if pointer == "/recurrence":
        return {"once": "once_at", "cron": "expression"}.get(values["kind"], "every")
    return next((name for prefix, name in _FIELD_OF if pointer == prefix or pointer.startswith(prefix + "/")), None)


def _seconds(minutes: str) -> int | str:
    try:
        return round(float(minutes) * 60)
    except (ValueError, OverflowError):
        return minutes
