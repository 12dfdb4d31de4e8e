"""What people may write for an option, and what the API gets for it."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import click

_UNITS: Final[Mapping[str, int]] = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_DURATION = re.compile(r"(\d{1,9})([smhd]?)")
_KINDS: Final[Mapping[str, str]] = {
    "eml": "an email",
    "sch": "a schedule",
    "bat": "a batch",
    "occ": "an occurrence",
    "key": "a key",
    "sup": "a suppression",
    "whk": "a webhook",
    "whm": "a message",
}


class Id(click.ParamType[str]):
    """An id of one of these kinds, by their prefixes."""

    name = "id"

    def __init__(self, *prefixes: str) -> None:
        self._prefixes = prefixes

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        if re.fullmatch(rf"(?:{'|'.join(self._prefixes)})_[0-9A-HJKMNP-TV-Z]{{26}}", value):
            return str(value)
        wanted = " or ".join(f"{_KINDS[prefix]} ({prefix}_ and 26 characters)" for prefix in self._prefixes)
        raise click.BadParameter(f"{value!r} is not the id of {wanted}", ctx, param)


class Seconds(click.ParamType[int]):
    """A duration, in seconds."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if isinstance(value, int):
            return value
        if seconds := seconds_of(value):
            return seconds
        raise click.BadParameter(f"{value!r} is not a duration such as 90s, 15m, 2h or 3d", ctx, param)


class Instant(click.ParamType[str]):
    """An instant, as the API takes it."""

    name = "instant"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        try:
            return instant_of(value, datetime.now(UTC))
        except (ValueError, OverflowError):
            wanted = "2026-03-29T09:00:00+02:00, 2026-03-29 09:00 (local time), +15m or -2h"
            raise click.BadParameter(f"{value!r} is not an instant such as {wanted}", ctx, param) from None


class Pair(click.ParamType[tuple[str, str]]):
    """NAME=VALUE, or with another sign between."""

    name = "pair"

    def __init__(self, sign: str = "=") -> None:
        self._sign = sign

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, str]:
        if isinstance(value, tuple):
            return value
        name, sign, rest = value.partition(self._sign)
        if not sign or not name.strip():
            raise click.BadParameter(f"{value!r} is not NAME{self._sign}VALUE", ctx, param)
        return name.strip(), rest.strip() if self._sign == ":" else rest


EMAIL, SCHEDULE, BATCH, OCCURRENCE = Id("eml"), Id("sch"), Id("bat"), Id("occ")
EMAIL_OR_SCHEDULE, EMAIL_OR_BATCH = Id("eml", "sch"), Id("eml", "bat")
KEY, SUPPRESSION, WEBHOOK, WEBHOOK_MESSAGE = Id("key"), Id("sup"), Id("whk"), Id("whm")
SECONDS, INSTANT, PAIR, HEADER = Seconds(), Instant(), Pair(), Pair(":")


def seconds_of(text: str) -> int | None:
    """`90`, `90s`, `15m`, `2h`, `3d`; None for anything else, and for nothing at all."""
    written = _DURATION.fullmatch(text)
    return (int(written[1]) * _UNITS[written[2] or "s"] or None) if written else None


def instant_of(text: str, now: datetime) -> str:
    """RFC 3339, to the second: what has no offset is local time, and `+15m` counts from now. Raises ValueError,
    and OverflowError for what no calendar has."""
    if text.startswith(("+", "-")):
        seconds = seconds_of(text[1:])
        if seconds is None:
            raise ValueError(text)
        instant = now + timedelta(seconds=seconds if text[0] == "+" else -seconds)
    else:
        instant = datetime.fromisoformat(text)
    return instant.astimezone(UTC).replace(microsecond=0).isoformat().replace("+00:00", "Z")


def given(**fields: Any) -> dict[str, Any]:
    """Those fields that were given: neither None nor empty nor a flag that is off."""
    return {name: value for name, value in fields.items() if value not in (None, "", (), [], {}, False)}
