"""Fields that people fill in: texts of one line, addresses, instants, names.

Each refuses with a sentence that says what would be right.
"""

import math
import re
from datetime import date, datetime
from typing import Annotated, Any

from email_validator import EmailNotValidError, validate_email
from pydantic import AfterValidator, AwareDatetime, BeforeValidator, Field, WithJsonSchema
from pydantic_core import PydanticCustomError

from fencepost.clock import as_utc

CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
"""What no text of one line holds: some program on its way would take it for the end of the line."""
_HEADER_NAME = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,75}")
_OURS = {
    "from",
    "to",
    "cc",
    "bcc",
    "subject",
    "reply-to",
    "message-id",
    "date",
    "sender",
    "return-path",
    "content-type",
    "content-transfer-encoding",
    "mime-version",
}
_QUOTED = r'"((?:[^"\\]|\\.)*)"'
_MAILBOX = re.compile(rf'((?:{_QUOTED}|[^"<>,;\\])*)<\s*([^<>,;\s]+)\s*>')
_BESIDE_AN_ADDRESS = re.compile(r"[\s,;<>]")
_RFC3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d")
_DAY = re.compile(r"\d{4}-\d\d-\d\d")
_FIRST_YEAR, _LAST_YEAR = 1971, 2199
_TAG = re.compile(r"[ -~]{1,128}")
_LARGEST_WHOLE = 10**15 - 1
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")


def wrong(detail: str) -> PydanticCustomError:
    return PydanticCustomError("wrong", "{detail}", {"detail": detail})


def one_line(text: str) -> str:
    """The text, stripped. Raises for line breaks and control characters."""
    if CONTROL.search(text):
        raise wrong("must be one line: no line breaks and no control characters")
    return text.strip()


def not_empty(text: str) -> str:
    if not text:
        raise wrong("must not be empty")
    return text


def _email(text: str) -> str:
    if len(text) > 254:
        raise wrong("an address has at most 254 characters")
    try:
        return validate_email(text, check_deliverability=False).normalized
    except EmailNotValidError as error:
        raise wrong(f"is not a mail address such as ann@example.com: {error}") from None


def from_text(value: object) -> object:
    """`"Ann <ann@example.com>"` and `"ann@example.com"` stand for an address object."""
    if not isinstance(value, str):
        return value
    # Read to its end: what stands behind a first address may be a second one, who would get no mail and hear nothing of it.
    text = one_line(value) if len(value) <= 600 else ""
    if found := _MAILBOX.fullmatch(text):
        name = re.sub(_QUOTED, lambda part: re.sub(r"\\(.)", r"\1", part[1]), found[1])
        return {"email": found[3], "name": name.strip()}
    if not text or _BESIDE_AN_ADDRESS.search(text):
        raise wrong(
            'is not one address; write "Ann <ann@example.com>" or "ann@example.com", each in an entry of its own'
        )
    return {"email": text, "name": ""}


def _rfc3339(value: object) -> object:
    """Texts only: a number would be read as seconds since 1970."""
    if isinstance(value, datetime) or (isinstance(value, str) and _RFC3339.match(value)):
        return value
    raise wrong("must be an instant with a zone offset, such as 2026-03-29T09:00:00Z or 2026-03-29T11:00:00+02:00")


def _within_reach(instant: datetime) -> datetime:
    if not _FIRST_YEAR <= instant.year <= _LAST_YEAR:
        raise wrong(f"must lie in the years {_FIRST_YEAR} to {_LAST_YEAR}")
    return as_utc(instant)


def _whole_second(instant: datetime) -> datetime:
    if instant.microsecond:
        raise wrong("must be a whole second")
    return instant


def _day(value: object) -> object:
    """Texts only: a number would be read as seconds since 1970."""
    if isinstance(value, date) or (isinstance(value, str) and _DAY.fullmatch(value)):
        return value
    raise wrong("must be a day such as 2026-03-29")


def _year_within_reach(day: date) -> date:
    if not _FIRST_YEAR <= day.year <= _LAST_YEAR:
        raise wrong(f"must lie in the years {_FIRST_YEAR} to {_LAST_YEAR}")
    return day


def _tag(text: str) -> str:
    if not _TAG.fullmatch(text):
        raise wrong("must be 1 to 128 ASCII characters without control characters")
    return text


def _variable(value: object) -> object:
    if isinstance(value, str | bool):
        return value
    if isinstance(value, int) and abs(value) <= _LARGEST_WHOLE:
        return value
    if isinstance(value, float) and math.isfinite(value):
        return value
    raise wrong("must be a text, a truth value or a number of at most 15 digits")


def identifiers(values: dict[str, Any]) -> dict[str, Any]:
    for name in values:
        if not _NAME.fullmatch(name):
            raise wrong(
                f"{name[:80]!r} can't be a name here; use letters, digits and underscores, a letter first, at most 64"
            )
    return values


def header_names(values: dict[str, str]) -> dict[str, str]:
    for name in values:
        if not _HEADER_NAME.fullmatch(name):
            raise wrong(f"{name[:80]!r} is not a header name; use letters, digits and hyphens, such as X-Campaign")
        if name.lower() in _OURS:
            raise wrong(f"{name!r} is set from its own field and can't be given as a header")
    return values


OneLine = Annotated[str, Field(max_length=998), AfterValidator(one_line)]
Email = Annotated[str, AfterValidator(one_line), AfterValidator(_email)]
Moment = Annotated[AwareDatetime, BeforeValidator(_rfc3339), AfterValidator(_within_reach)]
Instant = Annotated[Moment, AfterValidator(_whole_second)]
Day = Annotated[date, BeforeValidator(_day), AfterValidator(_year_within_reach)]
Variable = Annotated[
    Any, AfterValidator(_variable), WithJsonSchema({"type": ["string", "boolean", "integer", "number"]})
]
Tag = Annotated[str, AfterValidator(_tag), WithJsonSchema({"type": "string", "pattern": "^[ -~]{1,128}$"})]
