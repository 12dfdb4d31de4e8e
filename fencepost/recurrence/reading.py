"""Reading the fields of a definition as people sent them: any JSON value may stand anywhere."""

import re
from collections.abc import Collection, Mapping
from datetime import UTC, datetime, timedelta

from fencepost.clock import as_utc
from fencepost.errors import Invalid, Problem

EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)
_TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d(:\d\d(\.\d{1,6})?)?([Zz]|[+-]\d\d:\d\d)?")


def invalid(pointer: str, detail: str) -> Invalid:
    """One wrong field."""
    return Invalid(Problem(pointer, detail))


def child(pointer: str, key: object) -> str:
    """The JSON Pointer of a member, with `~` and `/` escaped."""
    return f"{pointer}/{str(key)[:100].replace('~', '~0').replace('/', '~1')}"


def read_text(value: object, pointer: str, *, wanted: str, longest: int) -> str:
    """A text that is neither empty nor absurdly long. `wanted` says what would be right."""
    if value is None:
        raise invalid(pointer, f"This field is required: {wanted}.")
    if not isinstance(value, str):
        raise invalid(pointer, f"This must be a text: {wanted}.")
    if len(value) > longest:
        raise invalid(pointer, f"This has {len(value)} characters; {longest} are the most. It takes {wanted}.")
    if not value.strip():
        raise invalid(pointer, f"This is empty: it takes {wanted}.")
    return value.strip()


def read_choice(value: object, pointer: str, choices: Collection[str]) -> str:
    """One of a few words."""
    if not isinstance(value, str) or value not in choices:
        raise invalid(pointer, f"This must be one of {', '.join(choices)}.")
    return value


def refuse_unknown(given: Mapping[str, object], known: Collection[str], pointer: str, owner: str) -> None:
    """Raises Invalid for members that mean nothing here."""
    problems = [
        Problem(child(pointer, key), f"This is not a field of {owner}, which takes {', '.join(known)}.")
        for key in given
        if key not in known
    ]
    if problems:
        raise Invalid(*problems[:20])


def read_instant(value: object, pointer: str) -> datetime:
    """An aware datetime, or its text in RFC 3339, as UTC. Raises Invalid for one without an offset: its zone would be a guess."""
    moment = value if isinstance(value, datetime) else read_timestamp(value, pointer)
    try:
        instant = as_utc(moment)
    except (ValueError, OverflowError):
        example = moment.replace(microsecond=0, tzinfo=None).isoformat()
        raise invalid(
            pointer, f"An instant needs its offset from UTC, such as {example}Z or {example}+01:00."
        ) from None
    if instant < EARLIEST:
        raise invalid(pointer, "An instant must not lie before 1970.")
    return instant


def read_timestamp(value: object, pointer: str) -> datetime:
    """A date and time of day, with or without an offset."""
    wanted = "a date and time such as 2026-12-01T09:00:00"
    text = read_text(value, pointer, wanted=wanted, longest=40)
    try:
        if not _TIMESTAMP.fullmatch(text):
            raise ValueError(text)
        return datetime.fromisoformat(text.upper())
    except ValueError:
        raise invalid(
            pointer, f"“{text}” is not a date and time. Write {wanted.removeprefix('a date and time ')}."
        ) from None


def whole_second(instant: datetime, *, up: bool = False) -> datetime:
    """The instant without its fraction of a second; `up`: the next whole second, where there is a fraction."""
    floor = instant.replace(microsecond=0)
    return floor + timedelta(seconds=1) if up and instant.microsecond else floor
