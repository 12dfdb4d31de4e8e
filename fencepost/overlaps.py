"""Overlap: what becomes of an instant that is due while mail of the schedule's earlier occurrences is still open. Pure."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, Literal

from fencepost import ids

Overlap = Literal["allow", "skip", "queue_one"]
_ROOM = {"skip": 1, "queue_one": 2}
"""How many occurrences of one schedule may be open at once: the one that runs, and the one that waits for it."""


def overlap_of(definition: Mapping[str, Any]) -> Overlap:
    """A stored definition's policy; one that was written before there were policies allows it."""
    policy: Overlap = definition.get("overlap", "allow")
    return policy


def admitted(
    policy: Overlap, schedule_id: str, instants: Sequence[datetime], open_occurrences: Collection[str]
) -> dict[datetime, str | None]:
    """Which of these ascending instants run, each with the id of the occurrence that has to end first; None: none has to.

    `open_occurrences` are the schedule's earlier ones with mail that is pending or sending. Instants that run are open for
    those that come after them.
    """
    ahead = sorted(open_occurrences)
    runs: dict[datetime, str | None] = {}
    for instant in instants:
        if policy == "allow":
            runs[instant] = None
        elif len(ahead) < _ROOM[policy]:
            runs[instant] = ahead[-1] if ahead else None
            ahead.append(ids.occurrence_id(schedule_id, instant))
    return runs
