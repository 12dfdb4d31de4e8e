"""Occurrences and the deliveries they are made of, as records. Pure: the same input gives the same ids on every sender."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, NotRequired, TypedDict

from fencepost import ids
from fencepost.deliveries import Delivery, pending
from fencepost.priorities import PACE, Priority, prioritise

SCHEMA = 1
TOGETHER = "together"
"""The recipient of a joint mail: a constant, so that an edit of the list can't make a second one."""

_SPREAD_FROM = 100


class Origin(StrEnum):
    """Whose wish a mail is. Only what the schedule itself planned is subject to its edits."""

    SCHEDULE = "schedule"
    TRIGGER = "trigger"
    BACKFILL = "backfill"
    API = "api"
    """Of no occurrence: one mail that was asked for by POST /emails."""


class Occurrence(TypedDict):
    """One instant at which a schedule was due, or a run of instants that were skipped (`to`, `count`, `reason`)."""

    _id: str
    owner_id: str
    schema: int
    created_at: datetime
    updated_at: datetime
    schedule_id: str
    revision_id: str | None
    version: int
    origin: str
    at: datetime
    to: datetime
    count: int
    state: str
    reason: str | None
    deliveries: int
    backfill_id: NotRequired[str]
    """Which request made it, if it was backfilled."""
    purge_at: datetime


def occurrence(
    occurrence_id: str,
    *,
    owner_id: str,
    schedule_id: str,
    revision_id: str | None,
    version: int,
    origin: Origin,
    at: datetime,
    deliveries: int,
    now: datetime,
    retention: timedelta,
) -> Occurrence:
    """A planned occurrence of so many deliveries."""
    return Occurrence(
        _id=occurrence_id,
        owner_id=owner_id,
        schema=SCHEMA,
        created_at=now,
        updated_at=now,
        schedule_id=schedule_id,
        revision_id=revision_id,
        version=version,
        origin=origin.value,
        at=at,
        to=at,
        count=1,
        state="planned",
        reason=None,
        deliveries=deliveries,
        # A backfill may reach far back: what it makes is kept as long as anything that is made today.
        purge_at=max(at, now) + retention,
    )


def deliveries(
    occurrence: Occurrence,
    definition: Mapping[str, Any],
    *,
    shard: int,
    shards: int,
    now: datetime,
    queued_before: int = 0,
    jitter: timedelta = timedelta(0),
    after_occurrence: str | None = None,
) -> Iterator[Delivery]:
    """Every delivery of an occurrence, pending.

    A list of more than a hundred is spread over all shards, so that all senders share it. `queue_at` orders the work:
    each further mail of one schedule queues 100 ms later, so that a long list lets others pass; it delays nobody, since
    only the order of what is due follows it. `queued_before` counts what the schedule queued earlier in the same pass.
    None leaves before its instant and `jitter`, nor while `after_occurrence` has mail that is pending or sending.
    """
    parts = recipients(definition)
    not_before = occurrence["at"] + jitter
    first = max(not_before, now)
    for index, (key, to) in enumerate(parts):
        delivery_id = ids.delivery_id(occurrence["_id"], occurrence["at"], key)
        row = pending(
            delivery_id,
            owner_id=occurrence["owner_id"],
            shard=shard if len(parts) <= _SPREAD_FROM else ids.shard_of(delivery_id, shards),
            occurrence_id=occurrence["_id"],
            schedule_id=occurrence["schedule_id"],
            revision_id=occurrence["revision_id"],
            version=occurrence["version"],
            origin=occurrence["origin"],
            recipient=key,
            to=to,
            due_at=occurrence["at"],
            not_before=not_before,
            queue_at=first + (queued_before + index) * PACE,
            now=now,
            purge_at=occurrence["purge_at"],
        )
        row["jitter_ms"] = jitter // timedelta(milliseconds=1)
        row["after_occurrence"] = after_occurrence
        prioritise(row, Priority(definition.get("priority", Priority.NORMAL)))
        if tags := definition["message"].get("tags"):
            row["tags"] = tags
        yield row


def expected_at(row: Delivery) -> datetime:
    """From when on the mail is late: its instant and its jitter; for one that was backfilled, when that was asked for."""
    if row["origin"] == Origin.BACKFILL:
        return row["created_at"]
    return row["due_at"] + timedelta(milliseconds=row.get("jitter_ms", 0))


def recipients(definition: Mapping[str, Any]) -> Sequence[tuple[str, list[dict[str, str]]]]:
    """Who gets a mail of their own: (recipient key, addresses). With `together` it is one mail to all of `to`."""
    addresses = [{"email": to["email"], "name": to.get("name") or ""} for to in definition["message"]["to"]]
    if definition["together"]:
        return [(TOGETHER, addresses)]
    return [(address["email"].lower(), [address]) for address in addresses]
