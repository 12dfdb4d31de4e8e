"""The mail itself in a form: from whom, to whom, what it says, for a schedule as for mail that is sent once. Pure."""

import json
import re
from collections.abc import Mapping
from typing import Any, Final

from frontend import recipients
from frontend.formatting import address

DEFAULTS: Final[dict[str, str]] = {
    "from": "",
    "reply_to": "",
    "to": "",
    "cc": "",
    "bcc": "",
    "together": "",
    "subject": "",
    "text": "",
    "html": "",
    "attachments": "",
}
LABELS: Final = {
    "from": "From",
    "reply_to": "Reply to",
    "to": "Recipients",
    "cc": "Cc",
    "bcc": "Bcc",
    "together": "One joint email",
    "subject": "Subject",
    "text": "Text",
    "html": "HTML",
    "attachments": "Attachments",
}
FIELDS: Final = ("from", "reply_to", "to", "cc", "bcc", "subject", "html", "text", "attachments")
"""Those that the API has in a message, under their own names."""
LISTS: Final = ("bcc", "cc", "to")


def fields_of(message: Mapping[str, Any]) -> dict[str, str]:
    """The fields that stand for a message as the registry holds it."""
    files = message.get("attachments")
    return {
        "from": address(message.get("from")),
        "reply_to": address(message.get("reply_to")),
        **{name: recipients.text_of(message.get(name)) for name in LISTS},
        "subject": message.get("subject") or "",
        "text": message.get("text") or "",
        "html": message.get("html") or "",
        "attachments": json.dumps(files, separators=(",", ":")) if files else "",
    }


def message_of(values: Mapping[str, str], saved: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The message that the fields stand for. Of the `saved` one, what the form does not show (headers, variables) is kept."""
    kept = dict(saved or {})
    return {
        **kept,
        "from": recipients.parse(values["from"]),
        "reply_to": recipients.parse(values["reply_to"]) if values["reply_to"].strip() else None,
        **{name: recipients.addresses_of(values[name], kept.get(name) or ()) for name in LISTS},
        "subject": values["subject"],
        "text": values["text"] or None,
        "html": values["html"] or None,
        "attachments": _attachments(values["attachments"]),
    }


def one_recipient_a_line(values: Mapping[str, str]) -> dict[str, str]:
    """So that "line 4" in a problem is the fourth line of the field."""
    return {**values, **{name: "\n".join(recipients.lines_of(values[name])) for name in LISTS}}


def plainer(errors: Mapping[str, list[str]], values: Mapping[str, str]) -> dict[str, list[str]]:
    """The same problems, where an empty field gets a sentence that says what to write there."""
    empty = {"to": "write down who is to get it, one address a line", "from": "write down who sends it"}
    return {
        name: [empty[name]] if name in empty and not values[name].strip() else sentences
        for name, sentences in errors.items()
    }


def line_of(pointer: str) -> str:
    """`Line 4: ` for a pointer into the fourth of the recipients, which has that line of its field."""
    match = re.match(r"(?:/message)?/(?:to|cc|bcc)/([0-9]+)", pointer)
    return f"Line {int(match[1]) + 1}: " if match else ""


def whole(text: str) -> int | str | None:
    """A number, or what was typed instead of one, which the registry then refuses by name."""
    stripped = text.strip()
    if not stripped:
        return None
    return int(stripped) if re.fullmatch(r"-?[0-9]{1,9}", stripped) else stripped


def _attachments(text: str) -> object:
    """The files that the form was given, as the registry named them; what is no JSON it then refuses by name."""
    try:
        return json.loads(text) if text else []
    except ValueError:
        return text
