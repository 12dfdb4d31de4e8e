"""Rules without a calendar: every so much elapsed time, and a single run."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, tzinfo

from fencepost.recurrence.local import LATEST, Policy, first_after_gap, instants_of
from fencepost.recurrence.reading import invalid, read_instant, read_text, read_timestamp

_EVERY = re.compile(r"(\d{1,9})\s*([smhdw])", re.ASCII)
_UNITS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}
_MOST_SECONDS = 3660 * 86_400
_WANTED = "a number and one of s, m, h, d or w, such as 15m or 2h"


class Interval:
    """Every `every` of elapsed time from `base` on, `base` included; clock changes do not touch it."""

    def __init__(self, every: timedelta, base: datetime) -> None:
        self._every = every
        self._base = base

    def after(self, instant: datetime) -> Iterator[datetime]:
        due = self._base + max(0, (instant - self._base) // self._every + 1) * self._every
        while due < LATEST:
            yield due
            due += self._every

    def moved(self, instant: datetime) -> bool:  # noqa: ARG002
        return False


class Once:
    """A single run."""

    def __init__(self, at: datetime, *, moved: bool = False) -> None:
        self.at = at
        self._moved = moved

    def after(self, instant: datetime) -> Iterator[datetime]:
        if self.at > instant:
            yield self.at

    def moved(self, instant: datetime) -> bool:
        return self._moved and instant == self.at


def read_every(value: object, pointer: str) -> timedelta:
    """`15m` as a duration, 1 s to ten years."""
    text = read_text(value, pointer, wanted=_WANTED, longest=20)
    found = _EVERY.fullmatch(text)
    if not found:
        raise invalid(pointer, f"“{text}” is not an interval. It takes {_WANTED}.")
    seconds = int(found[1]) * _UNITS[found[2]]
    if not 1 <= seconds <= _MOST_SECONDS:
        raise invalid(pointer, "An interval lasts from 1s to 3660d (ten years).")
    return timedelta(seconds=seconds)


def read_at(value: object, pointer: str, zone: tzinfo, policy: Policy) -> Once:
    """A single run: wall-clock time in `zone`, unless it has an offset of its own."""
    at = read_timestamp(value, pointer)
    if at.microsecond:
        raise invalid(pointer, "Runs start on whole seconds: leave the fraction out.")
    if at.tzinfo is not None:
        return Once(read_instant(at, pointer))
    read_instant(at.replace(tzinfo=UTC), pointer)
    shown = instants_of(at, zone)
    if not shown:
        if policy.gap == "skip":
            raise invalid(
                pointer,
                f"{at:%H:%M} does not exist on {at:%Y-%m-%d} in {zone}: the clocks go forward over it."
                f" Choose another time, or set dst.gap to shift.",
            )
        return Once(first_after_gap(at, zone), moved=True)
    if len(shown) == 2 and policy.repeat == "both":
        raise invalid(
            pointer,
            f"{at:%H:%M} comes twice on {at:%Y-%m-%d} in {zone}, and a single run can't be both."
            f" Set dst.repeat to first or second, or write the offset.",
        )
    return Once(shown[-1] if policy.repeat == "second" else shown[0])
