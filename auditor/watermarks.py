"""Up to which instant each slice of the schedules has been compared with the record."""

from bisect import bisect_left
from datetime import datetime

LAST = "~"
"""After every id."""


class Watermarks:
    """The slices of one walk over all schedules: each ends at an id, and goes up to an instant."""

    def __init__(self, start: datetime) -> None:
        """Everything has been compared up to `start`."""
        self._ends, self._until = [LAST], [start]
        self._held: dict[str, datetime] = {}

    @classmethod
    def begun(cls) -> "Watermarks":
        """Those of a walk that is under way: nothing is asked of it until its last slice is added."""
        marks = cls.__new__(cls)
        marks._ends, marks._until, marks._held = [], [], {}
        return marks

    def add(self, end: str, until: datetime) -> None:
        """The next slice, up to and including the id `end`."""
        self._ends.append(end)
        self._until.append(until)

    def hold(self, schedule_id: str, until: datetime) -> None:
        """This one has been compared up to here alone."""
        self._held[schedule_id] = until

    def of(self, schedule_id: str) -> datetime:
        return self._held.get(schedule_id) or self._until[bisect_left(self._ends, schedule_id)]

    @property
    def lowest(self) -> datetime:
        """Up to here everything has been compared."""
        return min([*self._until, *self._held.values()])
