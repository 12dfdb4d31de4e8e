"""The second half of the breaker: a schedule that sends far more than its rule and its recipients say. Pure."""

from collections import Counter, deque
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

from auditor.auditing import History
from fencepost.schedules import due_instants

WINDOW = timedelta(minutes=10)
_AHEAD = timedelta(hours=1)
_FACTOR, _AND = 2, 100
FEW = 2
"""A schedule with fewer mails than this in a round is not counted in it: rounds that short can't add up to too many."""


class Volume:
    """How many mails of each schedule providers took, of those due in the last ten minutes."""

    def __init__(self) -> None:
        self._rounds: deque[tuple[datetime, dict[str, int]]] = deque()

    def add(self, until: datetime, counts: Mapping[str, int]) -> None:
        """What was due before `until` and since the last one."""
        self._rounds.append((until, dict(counts)))
        while self._rounds[0][0] <= until - WINDOW:
            self._rounds.popleft()

    def forget(self, schedule_id: str) -> None:
        """Count this one from now on: it was frozen for what it sent, and its owner may let it go on."""
        for _, counts in self._rounds:
            counts.pop(schedule_id, None)

    def suspects(self) -> dict[str, int]:
        """Those that are over what any schedule may send, with their counts."""
        total: Counter[str] = Counter()
        for _, counts in self._rounds:
            total.update(counts)
        return {schedule_id: count for schedule_id, count in total.items() if count > _AND}


def forecast(history: History, recipients: Callable[[str], int | None], since: datetime) -> int:
    """How many mails a schedule has due in the hour from `since` on. Raises what the arithmetic raises."""
    instants = due_instants(history.schedule, history.rules, since - timedelta(seconds=1), since + _AHEAD)
    return sum(recipients(version.revision_id) or 0 for _, version in instants)


def is_too_much(count: int, forecast: int) -> bool:
    """Whether so many in ten minutes can't be what was forecast for an hour."""
    return count > _FACTOR * forecast + _AND
