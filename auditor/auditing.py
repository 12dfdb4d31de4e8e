"""The checks: what is defined and what is on record in, findings out. Pure, and on purpose apart from what plans and sends.

A schedule's definition and its edit history say which instants are due; each must be on record in exactly one way, as an
occurrence or within a run of skips. What is on record must be due, with a mail for each recipient, none accepted twice.
"""

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from fencepost import ids
from fencepost.clock import iso
from fencepost.findings import Finding, Kind, Mails
from fencepost.occurrences import Occurrence, Origin
from fencepost.schedules import Rules, Schedule, Skip, Version, due_instants, next_instant

_SECOND = timedelta(seconds=1)
_LEFT_ALONE = {"cancelled", "pending"}
"""What an edit may have taken away before any of it went out."""


@dataclass(frozen=True, slots=True)
class History:
    """A schedule with what its versions say: their rules, and how many occurrences each allows (None: any number)."""

    schedule: Schedule
    rules: Rules
    limit: Callable[[Version], int | None]


@dataclass(frozen=True, slots=True)
class Proof:
    """What one look at a schedule showed: how many instants that were due are on record in which way, and which are not. From the
    `late` one on nothing is proved yet."""

    on_record: int
    skipped: int
    silent: tuple[Finding, ...] = ()
    late: Finding | None = None

    @property
    def expected(self) -> int:
        return self.on_record + self.skipped + len(self.silent)

    @property
    def findings(self) -> tuple[Finding, ...]:
        return (*self.silent, self.late) if self.late else self.silent


def audit_instants(
    history: History,
    planned: Collection[datetime],
    skips: Iterable[Skip],
    since: datetime,
    until: datetime,
    shards: int,
) -> Proof:
    """Whether every instant in (since, until] is on record: in `planned`, or within one of `skips` or of those that the schedule
    itself holds. The schedule was read before the record was. Raises what the arithmetic raises."""
    schedule, on_record, skipped, silent = history.schedule, 0, 0, list[Finding]()
    runs_of_skips = [*schedule.skips, *skips]
    for instant, version in due_instants(schedule, history.rules, since, until):
        if instant in planned:
            on_record += 1
        elif any(skip.covers(instant) for skip in runs_of_skips):
            skipped += 1
        elif _is_awaited(history, instant, version, planned):
            absent = _absent(schedule, instant, shards)
            if absent.kind is Kind.LATE:  # and so is all that follows: it is proved when its schedule has come so far
                return Proof(on_record, skipped, tuple(silent), absent)
            silent.append(absent)
    return Proof(on_record, skipped, tuple(silent))


def _is_awaited(history: History, instant: datetime, version: Version, planned: Collection[datetime]) -> bool:
    """Whether an instant that is not on record should be."""
    schedule = history.schedule
    if not version.runs:
        return False
    if schedule.quarantined and (schedule.quarantined_instant is None or instant >= schedule.quarantined_instant):
        return False  # it goes on from there when its owner resumes it; until then the quarantine is its own alarm
    limits = [limit for limit in (history.limit(version), history.limit(schedule.versions[-1])) if limit is not None]
    if not limits:
        return True
    if version is schedule.versions[-1] and schedule.last_run_at is not None and instant <= schedule.last_run_at:
        return True  # it was decided when there was still something left
    return schedule.occurrence_count - sum(other > instant for other in planned) < min(limits)


def _absent(schedule: Schedule, instant: datetime, shards: int) -> Finding:
    timer, due = schedule.next_run_at, f"Due at {iso(instant)}, and nothing of it is on record."
    home = ids.shard_of(schedule.id, shards)
    if timer is None:
        ended = schedule.finished_at or schedule.archived_at
        why = f"It counts as ended since {iso(ended)}, though its rule goes on." if ended else "Its timer is gone."
    elif timer > instant:
        why = f"Its timer stands at {iso(timer)}, past this instant."
    elif schedule.shard != home:
        why = f"Its shard is {schedule.shard}, and should be {home}."
    else:
        return Finding(Kind.LATE, schedule.id, instant, f"{due} Its timer waits for a sender of shard {home}.")
    return Finding(Kind.SILENT, schedule.id, instant, f"{due} {why}")


def gone(schedule_id: str, instant: datetime) -> Finding:
    """A schedule of which only revisions and occurrences are left."""
    detail = "Its definition is neither among the live schedules nor in the archive; only its revisions are left."
    return Finding(Kind.SILENT, schedule_id, instant, detail)


def goes_on(history: History, finding: Finding, now: datetime) -> bool:
    """Whether a schedule that missed an instant runs again: its timer is where its rule says, or its owner has changed it since."""
    schedule = history.schedule
    if schedule.versions[-1].since > finding.at or schedule.deleted or schedule.paused:
        return True
    following = next_instant(schedule, history.rules, max(now, schedule.last_run_at or now))
    return schedule.next_run_at is not None and (following is None or schedule.next_run_at <= following)


def audit_occurrence(
    occurrence: Occurrence, history: History | None, recipients: Callable[[str], int | None], mails: Mails | None
) -> list[Finding]:
    """Whether what is on record for an instant should be, with a mail for each recipient. `recipients` counts those of a revision,
    None where its text is not on record; `mails` is None where there is not one. Raises what the arithmetic raises."""
    if occurrence["state"] != "planned":
        return []
    mails = mails or Mails({})
    schedule_id, at = occurrence["schedule_id"], occurrence["at"]
    found = [_twice(schedule_id, at, mails.twice)] if mails.twice else []
    revision_id = occurrence["revision_id"] or ""
    if occurrence["origin"] == Origin.SCHEDULE and history is not None:
        owner = history.schedule.owner_of(at)
        due = owner is not None and owner.runs and history.rules(owner).includes(at)
        if occurrence["_id"] != ids.occurrence_id(schedule_id, at):
            return [*found, Finding(Kind.EXTRA, schedule_id, at, f"{occurrence['_id']} is not the id of this instant.")]
        if owner is None or not due:
            if mails.states.keys() <= _LEFT_ALONE:
                return found  # an edit at the due second took it away before anything went out
            return [*found, Finding(Kind.EXTRA, schedule_id, at, "Mail went out at an instant that was not due.")]
        if not history.schedule.is_frozen(at):
            return found  # its insert may not have ended; until the schedule has moved on it counts as late
        revision_id = owner.revision_id
    wanted, there = recipients(revision_id), sum(mails.states.values())
    if wanted is not None and there < wanted:
        detail = f"{there} of {wanted} mails are on record for the occurrence at {iso(at)}."
        found.append(Finding(Kind.MISSING_MAIL, schedule_id, at, detail))
    return found


def _twice(schedule_id: str, at: datetime, deliveries: Sequence[str]) -> Finding:
    several = f" and {len(deliveries) - 1} more" if len(deliveries) > 1 else ""
    return Finding(
        Kind.TWICE, schedule_id, at, f"More than one attempt of {deliveries[0]}{several} was accepted by a provider."
    )
