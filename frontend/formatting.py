"""How instants, spans, numbers and addresses are written on the pages.

The server writes UTC; a script in the page turns each `<time>` into the reader's own zone, so that without scripts
what is shown is still right.
"""

import json
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from flask import Flask
from markupsafe import Markup

_MINUTE, _HOUR, _DAY = 60, 3600, 86_400
_NARROW_SPACE = "\u202f"
_INSTANT = re.compile(r"(\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,6})?Z)")


def install(app: Flask, now: Callable[[], datetime]) -> None:
    """Give the templates their filters; `now` is the clock that relative times are counted from."""
    filters = {
        "when": when,
        "relative": lambda value: relative(value, now()),
        "due": lambda value: relative(value, now(), "due"),
        "coming": lambda value: relative(value, now(), "coming"),
        "sentence": sentence,
        "with_times": with_times,
        "local_time": local_time,
        "number": number,
        "span": span,
        "address": address,
        "addresses": addresses,
        "path_of": path_of,
        "size": size,
        "files_of": files_of,
    }
    app.jinja_env.filters.update(filters)


def parse(value: str) -> datetime:
    """An instant of the API as an aware UTC datetime. Raises ValueError where it isn't one."""
    instant = datetime.fromisoformat(value)
    return instant.replace(tzinfo=UTC) if instant.tzinfo is None else instant.astimezone(UTC)


def when(value: str | None, style: str = "minute") -> str | Markup:
    """`Tue 1 Dec 2026, 09:00 UTC`, as a <time>. `style`: minute, second, day, milli for the time of day alone, or within for a place
    in a sentence."""
    if not value:
        return "–"
    instant = parse(value)
    text = {
        "minute": f"{_day(instant)}, {instant:%H:%M} UTC",
        "second": f"{_day(instant)}, {instant:%H:%M:%S} UTC",
        "within": f"{instant:%H:%M:%S} UTC on {_day(instant)}",
        "day": _day(instant),
        "milli": f"{instant:%H:%M:%S}.{instant.microsecond // 1000:03d} UTC",
    }[style]
    return Markup('<time datetime="{}" data-when="{}">{}</time>').format(_iso(instant), style, text)


def with_times(text: str) -> Markup:
    """A sentence of the API in which each instant is written as the pages write them."""
    parts = _INSTANT.split(text)
    return Markup("").join(when(part, "within") if number % 2 else part for number, part in enumerate(parts))


def relative(value: str | None, now: datetime, style: str = "ago") -> str | Markup:
    """`in 3 min`, and for what is past `2 h ago` or, in the style `due`, `late by 2 h`, or, in the style `coming`, `now`: a
    <time> that a script keeps up to date."""
    if not value:
        return ""
    instant = parse(value)
    seconds = (instant - now).total_seconds()
    text = lateness(seconds) if style == "due" else distance(max(seconds, 0) if style == "coming" else seconds)
    return Markup('<time datetime="{}" data-relative="{}">{}</time>').format(_iso(instant), style, text)


def distance(seconds: float) -> str:
    """Seconds from now in words: `now`, `in 40 s`, `3 min ago`, `in 2 days`."""
    if abs(seconds) < 1:
        return "now"
    text = span(abs(seconds))
    return f"in {text}" if seconds > 0 else f"{text} ago"


def lateness(seconds: float) -> str:
    """Seconds to a due instant in words: `in 3 min`, `due now` up to a minute after it, then `late by 2 h`."""
    if seconds > 0:
        return distance(seconds)
    return "due now" if seconds > -_MINUTE else f"late by {span(-seconds)}"


def span(seconds: float) -> str:
    """A length of time with one unit: `40 s`, `3 min`, `5 h`, `2 days`."""
    if seconds < _MINUTE:
        return f"{int(seconds)} s"
    if seconds < _HOUR:
        return f"{int(seconds // _MINUTE)} min"
    if seconds < 2 * _DAY:
        return f"{int(seconds // _HOUR)} h"
    return f"{int(seconds // _DAY)} days"


def local_time(value: str) -> str:
    """A wall-clock time of a schedule's own zone: `Tue 1 Dec 2026, 09:00`, with seconds only where there are any."""
    wall = datetime.fromisoformat(value)
    return f"{_day(wall)}, {wall:%H:%M:%S}" if wall.second else f"{_day(wall)}, {wall:%H:%M}"


def wall_time(value: str | None, zone: str) -> str:
    """An instant as an <input type="datetime-local"> holds it, in `zone`; empty where there is none."""
    if not value:
        return ""
    instant = parse(value).astimezone(zone_of(zone))
    return f"{instant:%Y-%m-%dT%H:%M:%S}" if instant.second else f"{instant:%Y-%m-%dT%H:%M}"


def from_wall_time(value: str, zone: str) -> str:
    """What a person typed as local time in `zone`, as an instant in UTC; what can't be read is passed on as it is."""
    try:
        wall = datetime.fromisoformat(value)
    except ValueError:
        return value
    instant = wall if wall.tzinfo else wall.replace(tzinfo=zone_of(zone))
    return f"{instant.astimezone(UTC):%Y-%m-%dT%H:%M:%S}Z"


def second_before(value: str) -> str:
    """The instant one second earlier: runs are asked for strictly after an instant, and whole seconds apart at least."""
    return f"{parse(value) - timedelta(seconds=1):%Y-%m-%dT%H:%M:%S}Z"


def zone_of(name: str) -> ZoneInfo:
    """The zone, or UTC where there is none of that name: the registry is the one who says what is wrong with it."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return ZoneInfo("UTC")


def number(value: float) -> str:
    """`12 345`, with a space that does not break."""
    return f"{value:,.0f}".replace(",", _NARROW_SPACE)


def address(value: Mapping[str, Any] | None) -> str:
    """`Ada Lovelace <ada@example.com>`, or the bare address."""
    if not value:
        return ""
    name = value.get("name") or ""
    if not name:
        return str(value["email"])
    quoted = f'"{name}"' if re.search(r'[",;<>@]', name) else name
    return f"{quoted} <{value['email']}>"


def addresses(values: list[Mapping[str, Any]] | None) -> str:
    return ", ".join(address(value) for value in values or ())


def size(count: int) -> str:
    """A number of bytes with one unit: `512 B`, `12 kB`, `3.4 MB`."""
    if count < 1000:
        return f"{count} B"
    return f"{count / 1000:.0f} kB" if count < 999_500 else f"{count / 1e6:.1f} MB"


def files_of(text: str) -> list[Mapping[str, Any]]:
    """The attachments that a field of the schedule form holds, as JSON; none of what can't be read."""
    try:
        found = json.loads(text)
    except ValueError:
        return []
    return [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []


def path_of(pointer: str) -> str:
    """A JSON Pointer for people: `/message/to/3/email` -> `message › to › 4 › email`."""
    parts = [part for part in pointer.split("/") if part]
    return " › ".join(str(int(part) + 1) if part.isdigit() else part.replace("_", " ") for part in parts)


def sentence(text: str | None) -> str:
    """The text with a capital first letter and a full stop."""
    stripped = (text or "").strip()
    if not stripped:
        return ""
    return stripped[0].upper() + stripped[1:] + ("" if stripped[-1] in ".!?:" else ".")


def _iso(instant: datetime) -> str:
    return instant.isoformat(timespec="milliseconds" if instant.microsecond else "seconds").replace("+00:00", "Z")


def _day(instant: datetime) -> str:
    return f"{instant:%a} {instant.day} {instant:%b %Y}"
