"""What pydantic finds wrong with an input, as pointers into the JSON that was sent and sentences that say what would be right."""

import re
from typing import Any

from pydantic import ValidationError

from fencepost.errors import Problem

_MOST = 100
_MOST_READ = 50_000
"""Pydantic tells all of them or none; a million cost a gigabyte."""
_RECURRENCES = ("cron", "interval", "rrule", "once")
_SHOULD = re.compile(r"^(Input|String|List|Dictionary|Value) should ")


def problems(error: ValidationError) -> list[Problem]:
    """One for each thing that is wrong, the first hundred of them, and one that counts the rest."""
    count = error.error_count()
    if count > _MOST_READ:
        return [Problem("", f"has {count} mistakes, more than can be named: it seems to be something else")]
    found = error.errors(include_url=False, include_input=False)[:_MOST]
    named = [Problem(_pointer(item["type"], item["loc"]), _sentence(dict(item))) for item in found]
    return named if count <= _MOST else [*named, Problem("", f"and {count - _MOST} more mistakes, which are not named")]


def _pointer(kind: str, location: tuple[int | str, ...]) -> str:
    # pydantic names the kind of recurrence that it looked at; no such field was sent.
    parts = [
        str(part)
        for index, part in enumerate(location)
        if not (index == 1 and location[0] == "recurrence" and part in _RECURRENCES)
    ]
    if kind in ("union_tag_invalid", "union_tag_not_found"):
        parts.append("type")
    return "".join("/" + part.replace("~", "~0").replace("/", "~1") for part in parts)


def _sentence(item: dict[str, Any]) -> str:
    kind, context = item["type"], item.get("ctx", {})
    match kind:
        case "missing":
            return "is required"
        case "extra_forbidden":
            return "is not a field here; check the spelling"
        case "timezone_aware":
            return "needs a zone offset, such as 2026-03-29T09:00:00Z or 2026-03-29T11:00:00+02:00"
        case "datetime_parsing" | "datetime_from_date_parsing":
            return f"is not an instant such as 2026-03-29T09:00:00Z: {context.get('error', 'it can not be read')}"
        case "literal_error" | "enum" | "union_tag_invalid":
            return f"must be one of {context.get('expected') or context.get('expected_tags')}"
        case "union_tag_not_found":
            return f"is required: one of {', '.join(_RECURRENCES)}"
        case "model_type" | "model_attributes_type" | "dict_type":
            return "must be an object, in braces"
        case "list_type":
            return "must be a list, in brackets"
        case "too_long" if context.get("field_type") == "Value":
            return f"must have at most {context['max_length']} characters"
    message = _SHOULD.sub("must ", str(item["msg"])).replace(" after validation", "")
    return message[:1].lower() + message[1:]
