"""What a schedule's edit history makes due, by arithmetic of the checker's own. It imports nothing of Fencepost.

A call that was answered took effect somewhere between its sending and its answer; one without an answer may have, at any
time after its sending, or never. So at an instant a field of a schedule has a *set* of possible values: what the last call
that is surely over set it to, and what each call set it to that may have come since.
"""

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import product
from typing import Any
from zoneinfo import ZoneInfo

Rule = Mapping[str, Any]
"""A recurrence as the API takes it, with `starts_at` and `ends_at` beside it; all in ISO 8601."""

_SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}
_TRUNCATED_SECONDS = 0.002
"""The registry keeps milliseconds: a version may begin so much before the call was sent."""


@dataclass(frozen=True)
class Call:
    """One call of the API on one schedule. `sets` are the fields that it gives a value; an answer of 400 to 499 says that it
    did nothing. Seconds since 1970."""

    verb: str
    sent: float
    answered: float | None
    status: int | None
    sets: Mapping[str, Any]
    answer: Mapping[str, Any]

    @property
    def happened(self) -> bool:
        """Whether it surely did."""
        return self.status is not None and 200 <= self.status < 300

    @property
    def refused(self) -> bool:
        """Whether it surely did not."""
        return self.status is not None and 400 <= self.status < 500

    @property
    def earliest(self) -> float:
        return self.sent - _TRUNCATED_SECONDS

    @property
    def latest(self) -> float:
        return self.answered if self.happened and self.answered is not None else math.inf


class Story:
    """One schedule as people wrote it: its calls in the order of their sending, refused ones left out."""

    def __init__(self, name: str, calls: Sequence[Mapping[str, Any]]) -> None:
        named = ("verb", "sent", "answered", "status", "sets", "answer")
        all_calls = [Call(*(call[field] for field in named)) for call in calls]
        self.name = name
        self.calls = sorted((call for call in all_calls if not call.refused), key=lambda call: call.sent)

    @property
    def created(self) -> Call | None:
        return next((call for call in self.calls if call.verb == "create"), None)

    def values(self, field: str, at: float) -> list[Any]:
        """What the field may have been at that instant; at infinity: what may be stored in the end."""
        sure: list[Any] = []
        possible: list[Any] = []
        for call in self.calls:
            if field not in call.sets or call.earliest >= at:
                continue
            if call.latest < at:
                sure = [call.sets[field]]
            else:
                possible.append(call.sets[field])
        found = sure + possible
        return [value for index, value in enumerate(found) if value not in found[:index]]

    def instants(self, until: float) -> list[float]:
        """Every instant up to then that any version of the schedule has."""
        rules = [call.sets["rule"] for call in self.calls if "rule" in call.sets]
        return sorted({at for rule in rules for at in due(rule, until)})

    def due(self, at: float) -> tuple[bool, bool]:
        """Whether the instant may be due, and whether it surely is. An instant of a paused schedule is due, and skipped."""
        exists = self.created is not None and at > self.created.latest
        may_exist = self.created is not None and at > self.created.earliest
        worlds = [
            at in set(due(rule, at)) and not deleted
            for rule, deleted in product(self.values("rule", at), self.values("deleted", at))
        ]
        return may_exist and any(worlds), exists and bool(worlds) and all(worlds)

    def stops_after(self, at: float) -> bool:
        """Whether a pause or a delete may have come at that instant or later: it takes away what was not sent yet."""
        return any(call.verb in ("pause", "delete") and call.latest >= at for call in self.calls)


def due(rule: Rule, until: float) -> Iterator[float]:
    """The instants of one rule up to `until`, ascending, in seconds since 1970. Raises ValueError for what it can't compute."""
    begins, ends = (_seconds(rule[field]) if rule.get(field) else None for field in ("starts_at", "ends_at"))
    last = min(until, math.inf if ends is None else ends)
    for at in _series(rule, begins, last):
        if at <= last and (begins is None or at >= begins):
            yield at


def _series(rule: Rule, begins: float | None, last: float) -> Iterator[float]:
    match rule["type"]:
        case "once":
            yield _seconds(rule["at"])
        case "interval":
            if begins is None:
                raise ValueError("an interval without starts_at counts from when it was written, to the millisecond")
            number, unit = re.fullmatch(r"(\d+)([smhdw])", rule["every"]).groups()  # type: ignore[union-attr]
            step = int(number) * _SECONDS[unit]
            yield from (begins + count * step for count in range(int((last - begins) // step) + 1))
        case "cron":
            yield from _daily(rule, begins, last)
        case other:
            raise ValueError(f"the checker can't compute {other}")


def _daily(rule: Rule, begins: float | None, last: float) -> Iterator[float]:
    """`M H * * *` in a time zone; of an hour that comes twice the first, as is the default."""
    found = re.fullmatch(r"(\d+) (\d+) \* \* \*", rule["expression"])
    if found is None or begins is None:
        raise ValueError(f"the checker can't compute {rule}")
    clock = time(int(found[2]), int(found[1]), tzinfo=ZoneInfo(rule["timezone"]), fold=0)
    day: date = datetime.fromtimestamp(begins, UTC).date() - timedelta(days=1)
    while (at := datetime.combine(day, clock).timestamp()) <= last:
        yield at
        day += timedelta(days=1)


def _seconds(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()
