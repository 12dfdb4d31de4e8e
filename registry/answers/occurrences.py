"""Occurrences as JSON."""

from collections.abc import Mapping
from typing import Literal

from pydantic import with_config
from typing_extensions import TypedDict

from fencepost.clock import iso
from fencepost.deliveries import State
from fencepost.occurrences import Occurrence
from registry.answers.common import EXACT, Instant

_ORIGINS: Mapping[str, Literal["schedule", "trigger", "backfill"]] = {
    "schedule": "schedule",
    "trigger": "trigger",
    "backfill": "backfill",
}
_OPEN = frozenset({State.PENDING.value, State.SENDING.value, State.UNKNOWN.value, State.HELD.value})


@with_config(EXACT)
class EmailCounts(TypedDict):
    """How many emails an occurrence has, and in which states."""

    total: int
    by_state: dict[str, int]


@with_config(EXACT)
class OccurrenceAnswer(TypedDict):
    """An instant at which a schedule was due, or a run of instants in a row that were skipped."""

    object: Literal["occurrence"]
    id: str
    schedule_id: str
    at: Instant
    to: Instant
    """The last instant of a run of skips; else the same as `at`."""
    count: int
    """How many instants it stands for."""
    state: Literal["planned", "skipped", "done"]
    reason: str | None
    """Why it was skipped."""
    origin: Literal["schedule", "trigger", "backfill"]
    """Whose wish it was: the schedule's own, or a person's who ran it by hand, now or for a past instant."""
    version: int
    """The schedule's version whose text was sent."""
    emails: EmailCounts


@with_config(EXACT)
class BackfillAnswer(TypedDict):
    """What a backfill would make, or made."""

    count: int
    """How many runs."""
    emails: int
    """How many emails all of them have together."""
    occurrences: list[Instant]
    """The first of their instants, at most ten."""
    dry_run: bool


@with_config(EXACT)
class OccurrenceList(TypedDict):
    """One page of occurrences, the newest first."""

    data: list[OccurrenceAnswer]
    next_cursor: str | None


def occurrence_answer(occurrence: Occurrence, counts: Mapping[str, int]) -> OccurrenceAnswer:
    """`counts`: how many of its deliveries are in which state."""
    return {
        "object": "occurrence",
        "id": occurrence["_id"],
        "schedule_id": occurrence["schedule_id"],
        "at": iso(occurrence["at"]),
        "to": iso(occurrence["to"]),
        "count": occurrence["count"],
        "state": occurrence_state(occurrence, counts),
        "reason": occurrence["reason"],
        "origin": _ORIGINS[occurrence["origin"]],
        "version": occurrence["version"],
        "emails": {"total": occurrence["deliveries"], "by_state": dict(sorted(counts.items()))},
    }


def occurrence_state(occurrence: Occurrence, counts: Mapping[str, int]) -> Literal["planned", "skipped", "done"]:
    """Done once all its deliveries are on record and none of them is open."""
    if occurrence["state"] == "skipped":
        return "skipped"
    complete = sum(counts.values()) >= occurrence["deliveries"]
    return "done" if complete and not _OPEN & counts.keys() else "planned"
