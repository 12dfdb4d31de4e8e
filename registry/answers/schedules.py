"""Schedules as JSON."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NotRequired

from pydantic import with_config
from typing_extensions import TypedDict

from fencepost.clock import iso
from fencepost.definitions import rule_of
from fencepost.errors import Invalid
from fencepost.overlaps import overlap_of
from fencepost.recurrence import PreviewRow, words
from fencepost.schedules import Schedule
from registry.answers.common import EXACT, Address, AttachmentAnswer, Instant, address, maybe_iso


@with_config(EXACT)
class Recurrence(TypedDict):
    """The rule; `type` says which of the other fields it has."""

    type: Literal["cron", "interval", "rrule", "once"]
    expression: NotRequired[str]
    every: NotRequired[str]
    rule: NotRequired[str]
    at: NotRequired[str]
    timezone: NotRequired[str]


@with_config(EXACT)
class Misfire(TypedDict):
    """What becomes of an occurrence found late."""

    policy: Literal["skip", "latest", "all"]
    window_seconds: int


@with_config(EXACT)
class Dst(TypedDict):
    """What a local time means that a night has not, or has twice."""

    gap: Literal["shift", "skip"]
    repeat: Literal["first", "second", "both"]


@with_config(EXACT)
class Recipient(TypedDict):
    """A mailbox with the values of its own for the templates."""

    email: str
    name: str
    variables: dict[str, str | int | float | bool]


Message = TypedDict(
    "Message",
    {
        "from": Address,
        "to": list[Recipient],
        "cc": list[Address],
        "bcc": list[Address],
        "reply_to": Address | None,
        "subject": str,
        "text": NotRequired[str | None],
        "html": NotRequired[str | None],
        "headers": dict[str, str],
        "tags": list[str],
        "metadata": dict[str, str],
        "attachments": list[AttachmentAnswer],
    },
)
with_config(EXACT)(Message)


@with_config(EXACT)
class ScheduleAnswer(TypedDict):
    """A schedule as its owner wrote it, and how it stands."""

    object: Literal["schedule"]
    id: str
    name: str
    status: Literal["active", "paused", "quarantined", "finished", "archived"]
    status_reason: str | None
    """Why it is paused, quarantined or deleted, in words."""
    version: int
    """Counts people's edits; the ETag."""
    created_at: Instant
    updated_at: Instant
    next_run_at: Instant | None
    last_run_at: Instant | None
    occurrence_count: int
    words: str
    """The rule as a sentence."""
    recurrence: Recurrence
    starts_at: Instant | None
    ends_at: Instant | None
    max_occurrences: int | None
    misfire: Misfire
    dst: Dst
    jitter_seconds: int
    """Each run is sent up to so much later than its instant."""
    overlap: Literal["allow", "skip", "queue_one"]
    """What becomes of a run that is due while mail of an earlier one is still pending or sending."""
    on_unknown: Literal["hold", "resend", "resend_at_once"]
    together: bool
    message: Message


@with_config(EXACT)
class EditedSchedule(ScheduleAnswer):
    """A schedule after an edit."""

    in_flight: list[str]
    """Ids of emails that are being handed to the provider right now: the edit comes too late for them."""


@with_config(EXACT)
class ListedSchedule(ScheduleAnswer):
    """A schedule in a list: its message without bodies, with the first recipients only."""

    recipient_count: int


@with_config(EXACT)
class ScheduleList(TypedDict):
    """One page of schedules."""

    data: list[ListedSchedule]
    next_cursor: str | None


@with_config(EXACT)
class PreviewedRun(TypedDict):
    """One due instant."""

    at: Instant
    local: Instant
    """The same instant with the offset of the rule's zone."""
    dst: Literal["gap", "repeat"] | None
    """`gap`: moved here from a time that this night has not; `repeat`: the clock shows this time twice this night."""


@with_config(EXACT)
class Preview(TypedDict):
    """What a rule says and when it is due."""

    words: str
    occurrences: list[PreviewedRun]


def schedule_answer(schedule: Schedule) -> ScheduleAnswer:
    definition = schedule.definition
    return {
        "object": "schedule",
        "id": schedule.id,
        "name": definition["name"],
        "status": schedule.status.value,
        "status_reason": _reason(schedule),
        "version": schedule.version,
        "created_at": iso(schedule.created_at),
        "updated_at": iso(schedule.updated_at),
        "next_run_at": maybe_iso(schedule.next_run_at),
        "last_run_at": maybe_iso(schedule.last_run_at),
        "occurrence_count": schedule.occurrence_count,
        "words": _words(schedule),
        "recurrence": definition["recurrence"],
        "starts_at": maybe_iso(definition["starts_at"]),
        "ends_at": maybe_iso(definition["ends_at"]),
        "max_occurrences": definition["max_occurrences"],
        "misfire": definition["misfire"],
        "dst": definition["dst"],
        "jitter_seconds": definition.get("jitter_seconds", 0),
        "overlap": overlap_of(definition),
        "on_unknown": definition["on_unknown"],
        "together": definition["together"],
        "message": _message(definition["message"]),
    }


def edited_schedule(schedule: Schedule, in_flight: Sequence[str]) -> EditedSchedule:
    return {**schedule_answer(schedule), "in_flight": list(in_flight)}


def listed_schedule(schedule: Schedule, recipient_count: int) -> ListedSchedule:
    return {**schedule_answer(schedule), "recipient_count": recipient_count}


def preview_answer(sentence: str, rows: Sequence[PreviewRow]) -> Preview:
    runs: list[PreviewedRun] = [
        {"at": iso(row.at), "local": row.local.isoformat(timespec="seconds"), "dst": row.dst} for row in rows
    ]
    return {"words": sentence, "occurrences": runs}


def _reason(schedule: Schedule) -> str | None:
    stop = schedule.deleted or schedule.quarantined or schedule.paused
    return (stop.reason or None) if stop else None


def _words(schedule: Schedule) -> str:
    try:
        return words(rule_of(schedule.definition, schedule.created_at))
    except Invalid as error:
        # A rule that was taken once may be refused by a later set of time zones; its schedule is quarantined for that.
        return str(error)


def _message(message: Mapping[str, Any]) -> Any:
    return {**message, "from": address(message["from"]), "attachments": message.get("attachments", [])}
