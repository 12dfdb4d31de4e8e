"""Delivery rows for tests, as the planner makes them, and attempts on them."""

from datetime import UTC, datetime, timedelta

from fencepost import ids, occurrences
from fencepost.deliveries import Attempt, Delivery, claimed
from fencepost.occurrences import Occurrence, Origin
from fencepost.schedules import Schedule, milliseconds

RETENTION = timedelta(days=90)


def now() -> datetime:
    """This moment, as MongoDB keeps it."""
    return milliseconds(datetime.now(UTC))


def planned(schedule: Schedule, at: datetime, *, origin: Origin = Origin.SCHEDULE) -> tuple[Occurrence, list[Delivery]]:
    """The occurrence of a schedule at an instant, and its pending deliveries."""
    version = schedule.versions[-1]
    occurrence = occurrences.occurrence(
        ids.occurrence_id(schedule.id, at),
        owner_id=schedule.owner_id,
        schedule_id=schedule.id,
        revision_id=version.revision_id,
        version=version.no,
        origin=origin,
        at=at,
        deliveries=len(occurrences.recipients(schedule.definition)),
        now=now(),
        retention=RETENTION,
    )
    return occurrence, list(
        occurrences.deliveries(occurrence, schedule.definition, shard=schedule.shard, shards=64, now=now())
    )


def attempt(row: Delivery, *, token: int = 7, sender: str = "sender-1") -> Attempt:
    """The next attempt for a row."""
    return Attempt(
        id=ids.new_id(ids.ATTEMPT),
        no=row["attempt_no"] + 1,
        provider="mailgun",
        sender=sender,
        token=token,
        claimed_at=now(),
    )


def sending(row: Delivery, *, token: int = 7, epoch: str = "run:1", deadline: datetime | None = None) -> Delivery:
    """The row as W1 inserts it when it claims at once."""
    deadline = deadline or now() + timedelta(seconds=30)
    return claimed(
        row, attempt(row, token=token), epoch=epoch, deadline=deadline, claim_id=ids.new_id(ids.CLAIM), now=now()
    )
