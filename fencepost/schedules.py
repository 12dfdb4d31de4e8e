"""Schedules and their edit history: which version owns an instant, what is due, and what an edit changes.

A schedule's history is a list of versions, each with the instant from which it counts. Version v owns the instants
after its own `since`, up to and including the next version's `since`. Every edit's `since` is at or after all that was
decided before it, so an instant at or before `last_run_at` or the newest `since` is *frozen*: no later edit changes
whether it is due, or with which text. Nothing is sent before its instant is frozen.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, Protocol

MAX_VERSIONS = 1000
_KEPT_AFTER_END = timedelta(days=30)


class Status(StrEnum):
    """What a schedule is doing; derived from its fields, never stored."""

    ACTIVE = "active"
    PAUSED = "paused"
    QUARANTINED = "quarantined"
    FINISHED = "finished"
    ARCHIVED = "archived"


class SkipReason(StrEnum):
    """Why instants were due and not run."""

    PAUSED = "paused"
    DELETED = "deleted"
    MISFIRE = "misfire"
    """Found late, and the policy skips what is late, or keeps only the latest."""
    WINDOW = "window"
    """Found later than the misfire window allows."""
    OVERLAP = "overlap"
    """Due while mail of an earlier occurrence was still open, and the schedule's policy lets no more wait."""


class Rule(Protocol):
    """What is needed of a recurrence (fencepost.recurrence.Rule)."""

    def after(self, instant: datetime) -> datetime | None: ...
    def instants(self, after: datetime, until: datetime | None = None) -> Iterator[datetime]: ...
    def includes(self, instant: datetime) -> bool: ...
    def __hash__(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Version:
    """One state of a schedule's text: `no` counts people's edits, `runs` is False for a pause or a delete."""

    no: int
    since: datetime
    revision_id: str
    runs: bool = True


@dataclass(frozen=True, slots=True)
class Skip:
    """Instants in a row that were due and not run: the first, the last, how many, and why."""

    first: datetime
    last: datetime
    count: int
    reason: SkipReason

    def covers(self, instant: datetime) -> bool:
        return self.first <= instant <= self.last


@dataclass(frozen=True, slots=True)
class Stop:
    """A pause, a quarantine or a delete: since when, and the reason in words. `frozen`: a quarantine by the breaker or the auditor,
    during which what was planned before waits too."""

    at: datetime
    reason: str
    frozen: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """A schedule as it stands. `definition` is the newest revision's text, as fencepost.definitions validated it."""

    id: str
    owner_id: str
    shard: int
    definition: Mapping[str, Any]
    versions: tuple[Version, ...]
    created_at: datetime
    updated_at: datetime
    next_run_at: datetime | None
    last_run_at: datetime | None = None
    occurrence_count: int = 0
    skips: tuple[Skip, ...] = ()
    """What the latest plan skipped, decided by the same write as `last_run_at`."""
    paused: Stop | None = None
    deleted: Stop | None = None
    quarantined: Stop | None = None
    quarantined_instant: datetime | None = None
    """What `next_run_at` was when the arithmetic broke; a resume goes on from here."""
    finished_at: datetime | None = None
    archived_at: datetime | None = None

    @property
    def version(self) -> int:
        return self.versions[-1].no

    @property
    def status(self) -> Status:
        if self.archived_at or self.deleted:
            return Status.ARCHIVED
        if self.quarantined:
            return Status.QUARANTINED
        if self.finished_at:
            return Status.FINISHED
        return Status.PAUSED if self.paused else Status.ACTIVE

    def is_frozen(self, instant: datetime) -> bool:
        """Whether no later edit can change what happens at this instant."""
        return instant <= self.versions[-1].since or (self.last_run_at is not None and instant <= self.last_run_at)

    def owner_of(self, instant: datetime) -> Version | None:
        """The version that owns the instant; None for an instant before the schedule began."""
        return next((version for version in reversed(self.versions) if version.since < instant), None)


Rules = Callable[[Version], Rule]
"""The rule of a version. Raises whatever the arithmetic raises."""


def due_instants(
    schedule: Schedule, rules: Rules, after: datetime, until: datetime
) -> Iterator[tuple[datetime, Version]]:
    """Each instant in (after, until] that the history has, with the version that owns it, ascending. Those of a paused
    version are among them: they are skipped, on record. A deleted one has none."""
    for version, end in _windows(schedule, until):
        start = max(after, version.since)
        if start < end and not (schedule.deleted and version is schedule.versions[-1]):
            yield from ((instant, version) for instant in rules(version).instants(start, end))


def next_instant(schedule: Schedule, rules: Rules, after: datetime) -> datetime | None:
    """The first instant after `after` that the history has, in whatever version; None where there is none."""
    newest = schedule.versions[-1]
    for instant, _ in due_instants(schedule, rules, after, newest.since):
        return instant
    return None if schedule.deleted else rules(newest).after(max(after, newest.since))


def _windows(schedule: Schedule, until: datetime) -> Iterator[tuple[Version, datetime]]:
    for index, version in enumerate(schedule.versions):
        later = schedule.versions[index + 1] if index + 1 < len(schedule.versions) else None
        yield version, min(until, later.since) if later else until


class Ruling(StrEnum):
    """What becomes of a mail that was planned for an instant."""

    SEND = "send"
    CANCEL = "cancel"
    WAIT = "wait"
    """Not frozen yet: an edit may still change the answer."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """The ruling; for SEND the version whose text counts, for CANCEL the reason. `stopped`: it waits for its schedule's owner."""

    ruling: Ruling
    version: Version | None = None
    reason: str = ""
    stopped: bool = False


GONE = Judgement(Ruling.CANCEL, reason="the schedule no longer exists")


def judge(schedule: Schedule, rules: Rules, instant: datetime, skipped: bool) -> Judgement:
    """Rule on a pending mail that was planned for `instant` by somebody who may have lost the race to advance the
    schedule. `schedule` is read after the mail was. `skipped`: a skip on record covers it."""
    undecided = Judgement(Ruling.WAIT)
    if schedule.next_run_at is None and not schedule.quarantined:
        undecided = Judgement(Ruling.CANCEL, reason="the schedule ended before this instant")
    if not schedule.is_frozen(instant):
        return undecided
    if schedule.deleted:
        return Judgement(Ruling.CANCEL, reason=SkipReason.DELETED)
    if schedule.paused:
        return Judgement(Ruling.CANCEL, reason=SkipReason.PAUSED)
    if skipped or any(skip.covers(instant) for skip in schedule.skips):
        return Judgement(Ruling.CANCEL, reason="the instant was skipped")
    owner = schedule.owner_of(instant)
    if owner is None or not owner.runs or not rules(owner).includes(instant):
        return Judgement(Ruling.CANCEL, reason="an edit took this instant away")
    if schedule.quarantined and schedule.quarantined.frozen:
        return Judgement(Ruling.WAIT, stopped=True)
    if schedule.last_run_at is None or instant > schedule.last_run_at:
        # An edit has fixed its text, but no plan has decided that it runs: the next one may find it late, and skip it.
        return undecided
    return Judgement(Ruling.SEND, version=owner)


def edited(
    schedule: Schedule,
    rules: Rules,
    *,
    now: datetime,
    revision_id: str,
    definition: Mapping[str, Any] | None = None,
    **stops: Any,
) -> Schedule:
    """The schedule after an edit, pause, resume, restore or delete; the caller writes it by compare-and-set on `version`.

    `rules` must know the new revision too. `stops` sets `paused`, `deleted`, `quarantined`, `archived_at`. An instant
    that is due and not fired stays `next_run_at`; otherwise it is the first one after the edit.
    """
    since = max(filter(None, (milliseconds(now), schedule.last_run_at, schedule.versions[-1].since)))
    changed = replace(
        schedule, definition=definition or schedule.definition, finished_at=None, updated_at=milliseconds(now), **stops
    )
    version = Version(schedule.version + 1, since, revision_id, runs=not (changed.paused or changed.deleted))
    changed = replace(changed, versions=(*_still_needed(schedule.versions, schedule.last_run_at), version))
    if schedule.quarantined and not changed.quarantined:
        changed = replace(changed, next_run_at=schedule.quarantined_instant, quarantined_instant=None)
    if changed.next_run_at is None or changed.next_run_at > since:
        changed = replace(changed, next_run_at=_first_after(changed, rules, since))
    return replace(changed, finished_at=milliseconds(now) if changed.next_run_at is None else None)


def _first_after(schedule: Schedule, rules: Rules, since: datetime) -> datetime | None:
    limit = schedule.definition.get("max_occurrences")
    if limit is not None and schedule.occurrence_count >= limit:
        return None
    return next_instant(schedule, rules, since)


def _still_needed(versions: Sequence[Version], last_run_at: datetime | None) -> tuple[Version, ...]:
    """Without those whose window ended long before the last run: no mail that waits can belong to them."""
    if last_run_at is None:
        return tuple(versions)
    horizon = last_run_at - _KEPT_AFTER_END
    return tuple(
        version
        for version, later in zip(versions, [*versions[1:], None], strict=True)
        if later is None or later.since > horizon
    )


def milliseconds(instant: datetime) -> datetime:
    """The instant at the precision that MongoDB keeps, so that what was written equals what is read."""
    return instant.astimezone(UTC).replace(microsecond=instant.microsecond // 1000 * 1000)
