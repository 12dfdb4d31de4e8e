"""The form that sends mail once: its fields, what the API is told of them, and at which field an answer's problem belongs. Pure.

All fields are strings, as a browser sends them; `send_at` is local in the zone beside it.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final
from zoneinfo import available_timezones

from werkzeug.datastructures import MultiDict

from frontend import mail_values, recipients
from frontend.formatting import from_wall_time, parse
from frontend.registry_client import FieldProblem

DEFAULTS: Final[dict[str, str]] = {
    **mail_values.DEFAULTS,
    "send_at": "",
    "timezone": "UTC",
    "priority": "normal",
    "life": "",
    "life_unit": "60",
    "provider": "",
    "on_unknown": "hold",
    "tags": "",
    "bulk": "",
}
LABELS: Final = {
    **mail_values.LABELS,
    "send_at": "Send at",
    "timezone": "Time zone",
    "priority": "Priority",
    "life": "Give up after",
    "provider": "Provider",
    "on_unknown": "Lost answer",
    "tags": "Tags",
    "bulk": "To many",
}
PRIORITIES: Final = {
    "high": "High, before all other mail: a code that somebody waits for",
    "normal": "Normal",
    "low": "Low, when nothing else waits",
}
UNITS: Final = {"60": "minutes", "3600": "hours", "86400": "days"}
"""Each with its seconds."""

_FIELD_OF: Final = {
    **{name: name for name in mail_values.FIELDS},
    "together": "together",
    "scheduled_at": "send_at",
    "priority": "priority",
    "ttl_seconds": "life",
    "providers": "provider",
    "on_unknown": "on_unknown",
    "tags": "tags",
    "bulk": "bulk",
    "": "text",
}


def from_form(form: MultiDict[str, str]) -> dict[str, str]:
    """The fields as they were sent; what was not sent has its default, a box that is not ticked is empty."""
    values = {name: form.get(name, default) for name, default in DEFAULTS.items()}
    return values | {name: form.get(name, "") for name in ("together", "bulk")}


def incomplete(values: Mapping[str, str]) -> dict[str, str]:
    """What the registry would not notice, since it is told instants and seconds: field -> sentence."""
    zone = values["timezone"].strip()
    if values["send_at"].strip() and zone not in available_timezones():
        return {"timezone": "is no time zone; take one by region and city, such as Europe/Berlin, or UTC"}
    return {}


def body(values: Mapping[str, str], providers: Sequence[str] = ()) -> dict[str, Any]:
    """The request for this mail. `providers` are those that there are, for "this one first, then the others"."""
    asked = {
        **mail_values.message_of(values),
        "together": bool(values["together"]),
        "bulk": bool(values["bulk"]),
        "priority": values["priority"],
        "on_unknown": values["on_unknown"],
        "tags": [tag.strip() for tag in values["tags"].split(",") if tag.strip()],
        "providers": route(values["provider"], providers),
        "scheduled_at": from_wall_time(values["send_at"].strip(), values["timezone"].strip()) or None,
        "ttl_seconds": seconds(values),
    }
    # The registry counts what is null as not given where it may be; the rest it is not told at all.
    return {name: value for name, value in asked.items() if value is not None}


def route(choice: str, providers: Sequence[str]) -> list[str]:
    """`first:NAME` prefers it and falls back on the others, `only:NAME` takes no other; empty leaves it to the senders."""
    how, _, name = choice.partition(":")
    if not name:
        return []
    return [name, *(other for other in providers if other != name)] if how == "first" else [name]


def seconds(values: Mapping[str, str]) -> int | str | None:
    """The time to live; what is no number is passed on for the registry to refuse."""
    count = mail_values.whole(values["life"])
    unit = values["life_unit"] if values["life_unit"] in UNITS else DEFAULTS["life_unit"]
    return count * int(unit) if isinstance(count, int) else count


def place(problems: Iterable[FieldProblem]) -> tuple[dict[str, list[str]], list[str]]:
    """Each problem at its field: field -> sentences; and those that belong to no field of the form."""
    at_fields: dict[str, list[str]] = {}
    others: list[str] = []
    for problem in problems:
        name = _FIELD_OF.get(problem.pointer.strip("/").partition("/")[0])
        if name is None:
            others.append(f"{problem.pointer}: {problem.detail}")
            continue
        at_fields.setdefault(name, []).append(mail_values.line_of(problem.pointer) + problem.detail)
    return at_fields, others


def summary(values: Mapping[str, str], now: datetime) -> dict[str, Any]:
    """What would leave, and when: how many `mails` to which `people`, the instant `at` (None: at once), the one after which
    it is given up, and what is `missing` or odd."""
    people = recipients.lines_of(values["to"])
    at = None
    if values["send_at"].strip() and not incomplete(values):
        given = from_wall_time(values["send_at"].strip(), values["timezone"].strip())
        at = given if _is_instant(given) else None
    life = seconds(values)
    begins = parse(at) if at else now
    ends = begins + timedelta(seconds=life) if isinstance(life, int) and 0 < life <= 31 * 86_400 else None
    return {
        "people": people,
        "mails": min(len(people), 1) if values["together"] else len(people),
        "at": at,
        "is_past": at is not None and parse(at) < now,
        "ends_at": f"{ends:%Y-%m-%dT%H:%M:%SZ}" if ends else None,
    }


def _is_instant(text: str) -> bool:
    try:
        parse(text)
    except ValueError:
        return False
    return True
