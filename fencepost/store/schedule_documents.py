"""A schedule as it is stored, in `schedules` and in `archive`, and back."""

from dataclasses import asdict

from fencepost.clock import as_utc
from fencepost.schedules import Schedule, Skip, SkipReason, Stop, Version
from fencepost.store.mongodb import Document

SCHEMA = 1


def to_document(schedule: Schedule) -> Document:
    """The schedule as it is stored."""
    row: Document = {
        "_id": schedule.id,
        "owner_id": schedule.owner_id,
        "schema": SCHEMA,
        "created_at": schedule.created_at,
        "updated_at": schedule.updated_at,
        "shard": schedule.shard,
        "definition": dict(schedule.definition),
        "version": schedule.version,
        "versions": [asdict(version) for version in schedule.versions],
        "archived_at": schedule.archived_at,
        "quarantined_instant": schedule.quarantined_instant,
        **progress(schedule),
    }
    for name in ("paused", "deleted", "quarantined"):
        stop: Stop | None = getattr(schedule, name)
        row[name] = asdict(stop) if stop else None
    return row


def progress(schedule: Schedule) -> Document:
    """The fields of it that senders write as time passes."""
    return {
        "next_run_at": schedule.next_run_at,
        "last_run_at": schedule.last_run_at,
        "occurrence_count": schedule.occurrence_count,
        "finished_at": schedule.finished_at,
        "skips": [{**asdict(skip), "reason": skip.reason.value} for skip in schedule.skips],
    }


def from_document(row: Document) -> Schedule:
    """The schedule of a stored document."""
    return Schedule(
        id=row["_id"],
        owner_id=row["owner_id"],
        shard=row["shard"],
        definition=row["definition"],
        versions=tuple(
            Version(item["no"], item["since"], item["revision_id"], item["runs"]) for item in row["versions"]
        ),
        created_at=row["created_at"],
        updated_at=row["updated_at"],
        next_run_at=row["next_run_at"],
        last_run_at=row["last_run_at"],
        occurrence_count=row["occurrence_count"],
        skips=tuple(
            Skip(item["first"], item["last"], item["count"], SkipReason(item["reason"])) for item in row["skips"]
        ),
        paused=_stop(row["paused"]),
        deleted=_stop(row["deleted"]),
        quarantined=_stop(row["quarantined"]),
        quarantined_instant=row["quarantined_instant"],
        finished_at=row["finished_at"],
        archived_at=row["archived_at"],
    )


def _stop(item: Document | None) -> Stop | None:
    return Stop(as_utc(item["at"]), item["reason"], item.get("frozen", False)) if item else None
