"""What comes next, for people to look at before they save."""

from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Literal

from fencepost.recurrence.local import is_repeated
from fencepost.recurrence.rules import Rule

Mark = Literal["gap", "repeat"]


@dataclass(frozen=True, slots=True)
class PreviewRow:
    """One due instant. `local` is the same instant in the rule's zone.

    `dst`: `gap`, the time that the rule names does not exist that night and was moved here; `repeat`, the clock shows this
    time twice that night; None, an ordinary time.
    """

    at: datetime
    local: datetime
    dst: Mark | None


def preview(rule: Rule, *, after: datetime, count: int) -> list[PreviewRow]:
    """The first `count` due instants strictly after `after`; fewer where the rule ends."""
    return [PreviewRow(at, at.astimezone(rule.timezone), _mark(rule, at)) for at in islice(rule.instants(after), count)]


def _mark(rule: Rule, at: datetime) -> Mark | None:
    if rule.series.moved(at):
        return "gap"
    return "repeat" if is_repeated(at, rule.timezone) else None
