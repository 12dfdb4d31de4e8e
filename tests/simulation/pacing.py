"""When mail may be sent: what jitter puts off, and what gives way to an earlier occurrence. The oracle's own account of what was
open, from the writes alone."""

from collections import defaultdict
from datetime import datetime, timedelta

from fencepost.deliveries import Delivery, schedule_of
from fencepost.schedules import Schedule
from tests.simulation.clocks import BEGINNING, Time
from tests.simulation.decisions import Must
from tests.simulation.texts import Text

_SKEW = timedelta(seconds=1)
_OPEN = ("pending", "sending")


class Pacing:
    """Kept by a Watch, of which it is a part."""

    def __init__(self, time: Time, must: Must) -> None:
        self._time, self._must = time, must
        self._not_before: dict[str, datetime] = {}
        self._open: dict[tuple[str, datetime], set[str]] = defaultdict(set)
        self._last_open: dict[tuple[str, datetime], datetime] = {}
        self._reopened: set[str] = set()
        self._passes: dict[str, list[tuple[datetime, datetime]]] = defaultdict(list)

    def delivery(self, before: Delivery | None, after: Delivery, longest: timedelta) -> None:
        """A write. `longest`: the most that any text of its schedule puts it off."""
        name, which = after["_id"], (schedule_of(after), after["due_at"])
        if before is None:
            self._not_before[name] = after["not_before"]
            wait = after["not_before"] - after["due_at"]
            self._must(timedelta(0) <= wait <= longest, f"{name} is put off by {wait}, which no text asks for")
            if any(after["due_at"] <= last for _, last in self._passes[schedule_of(after)]):
                # Its pass came too late: another has decided about this instant without it, and nobody waits for it.
                self._reopened.add(name)
        is_open, was_open = after["state"] in _OPEN, before is not None and before["state"] in _OPEN
        if is_open and before is not None and not was_open:
            self._reopened.add(name)
        if is_open:
            self._open[which].add(name)
        else:
            self._open[which].discard(name)
        if is_open or was_open:
            self._last_open[which] = self._time.instant

    def schedule(self, before: Schedule, after: Schedule) -> None:
        """A write: those that one pass decided about, it decided together."""
        if after.last_run_at and after.last_run_at != before.last_run_at:
            self._passes[after.id].append((before.last_run_at or BEGINNING, after.last_run_at))

    def calls(self, row: Delivery, text: Text | None) -> None:
        """A call begins. `text`: that of its schedule, if it never had another."""
        name, now = row["_id"], self._time.instant
        self._must(now >= self._not_before[name] - _SKEW, f"{name} is called before its time")
        if text is None or text.overlap == "allow":
            return
        for (schedule_id, due_at), opened in self._open.items():
            if schedule_id == schedule_of(row) and due_at < row["due_at"]:
                # What was sent again since, its owner's policy or a person has sent again: nobody waited for that.
                ahead = opened - self._reopened
                self._must(not ahead, f"{name} is called while {ahead} of an earlier occurrence is open")

    def was_in_the_way(self, schedule_id: str, instant: datetime) -> bool:
        """Whether an earlier occurrence was open when this instant was due, or was decided about together with it."""
        begun = next((first for first, last in self._passes[schedule_id] if first < instant <= last), instant)
        return any(
            name == schedule_id
            and at < instant
            and (last >= instant - _SKEW or at > begun or bool(self._open[name, at]))
            for (name, at), last in self._last_open.items()
        )
