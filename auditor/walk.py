"""The expected side: all schedules, slice after slice, each with the instants that were due since it was last looked at."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import islice
from typing import TypeVar

from auditor.auditing import History, Proof, audit_instants, gone
from auditor.histories import Histories
from auditor.watermarks import LAST, Watermarks
from fencepost import ids
from fencepost.findings import Finding
from fencepost.logs import get_logger
from fencepost.schedules import Skip, SkipReason, due_instants
from fencepost.store import Store
from fencepost.store.audit import tolerant
from fencepost.store.mongodb import Document

log = get_logger(__name__)
T = TypeVar("T")
_SECOND = timedelta(seconds=1)
_MOST_IDS = 5000
_MOST_CHOICES = 500
_YOUNG = timedelta(minutes=1)
"""A revision is written before its schedule; so long nobody wonders where that is."""

Beat = Callable[[], bool]
"""Called after each slice; False: stop, another audits."""


@dataclass(slots=True)
class Lap:
    """What one walk over all schedules showed."""

    marks: Watermarks
    schedules: int = 0
    unreadable: int = 0
    expected: int = 0
    on_record: int = 0
    skipped: int = 0
    findings: list[Finding] = field(default_factory=list)
    complete: bool = False


class Walk:
    """Walks over all schedules, again and again."""

    def __init__(self, store: Store, histories: Histories, *, grace: timedelta, slice_size: int, shards: int) -> None:
        self._store, self._histories, self._grace = store, histories, grace
        self._size, self._shards = slice_size, shards

    def lap(self, before: Watermarks, archived_since: datetime, now: Callable[[], datetime], beat: Beat) -> Lap:
        """One walk, from where the walk `before` ended. Raises Unreachable."""
        lap = Lap(Watermarks.begun())
        # First those that leave: one that is archived from now on is either met among the live, or by the next walk.
        for rows in _parts(self._store.audits.archived_since(archived_since), self._size):
            self._prove(rows, before, self._until(now), lap)
            if not beat():
                return lap
        after = ""
        while after != LAST:
            until = self._until(now)
            rows = self._store.audits.slice(after, self._size)
            after = rows[-1]["_id"] if len(rows) == self._size else LAST
            self._prove(rows, before, until, lap)
            lap.schedules += len(rows)
            lap.marks.add(after, until)
            if not beat():
                return lap
        self._find_gone(lap, now(), beat)
        if lap.unreadable:
            log.warning(
                "Some schedules can't be read, so nothing is proved of them.",
                action="audit.unreadable",
                schedules=lap.unreadable,
            )
        lap.complete = True
        return lap

    def prove(
        self, histories: Sequence[History], since: Callable[[str], datetime], until: datetime
    ) -> dict[str, Proof]:
        """What is on record of each of these, by schedule. The schedules were read before. Raises Unreachable."""
        due: dict[str, list[datetime]] = {}
        readable: list[History] = []
        for history in histories:
            name = history.schedule.id
            try:
                due[name] = [at for at, _ in due_instants(history.schedule, history.rules, since(name), until)]
                readable.append(history)
            except Exception:  # noqa: BLE001 the arithmetic of one rule must not stop the others; its sender quarantines it
                continue
        planned, skips = self._record_of(due)
        return {
            history.schedule.id: audit_instants(
                history,
                planned[history.schedule.id],
                skips[history.schedule.id],
                since(history.schedule.id),
                until,
                self._shards,
            )
            for history in readable
        }

    def _until(self, now: Callable[[], datetime]) -> datetime:
        return now().replace(microsecond=0) - self._grace

    def _prove(self, rows: Sequence[Document], before: Watermarks, until: datetime, lap: Lap) -> None:
        suspects: list[Document] = []
        for row in rows:
            since = before.of(row["_id"])
            try:
                if since < until and self._histories.may_be_due(row, since, until):
                    suspects.append(row)
            except Exception:  # noqa: BLE001 as above
                lap.unreadable += 1
        histories = self._histories.of([tolerant(row) for row in suspects])
        for schedule_id, proof in self.prove(list(histories.values()), before.of, until).items():
            lap.expected += proof.expected
            lap.on_record += proof.on_record
            lap.skipped += proof.skipped
            lap.findings += proof.findings
            if proof.late:
                lap.marks.hold(schedule_id, proof.late.at - _SECOND)

    def _record_of(self, due: dict[str, list[datetime]]) -> tuple[dict[str, set[datetime]], dict[str, list[Skip]]]:
        """What is on record for these instants, by schedule."""
        planned: dict[str, set[datetime]] = defaultdict(set)
        skips: dict[str, list[Skip]] = defaultdict(list)
        wanted = {ids.occurrence_id(name, at): (name, at) for name, instants in due.items() for at in instants}
        for part in _parts(iter(wanted), _MOST_IDS):
            for row in self._store.audits.occurrences(part):
                if row["state"] == "planned":
                    planned[row["schedule_id"]].add(row["at"])
                else:
                    skips[row["schedule_id"]].append(
                        Skip(row["at"], row["to"], row["count"], SkipReason(row["reason"] or SkipReason.MISFIRE))
                    )
        missing = [
            (name, at)
            for name, at in wanted.values()
            if at not in planned[name] and not any(skip.covers(at) for skip in skips[name])
        ]
        for pairs in _parts(iter(missing), _MOST_CHOICES):
            for name, at in self._store.occurrences.skipped(pairs):
                skips[name].append(Skip(at, at, 1, SkipReason.MISFIRE))
        return planned, skips

    def _find_gone(self, lap: Lap, now: datetime, beat: Beat) -> None:
        """Schedules of which only revisions are left, though they ran or were edited: no answer of ours ever takes one away."""
        after = ""
        while found := self._store.audits.revised(after, self._size):
            after = max(found)
            lost = self._store.audits.missing(found)
            ran = self._store.audits.have_run(lost) if lost else set()
            for name in lost:
                written_at = ids.instant_of(found[name][-1])
                if (name in ran or len(found[name]) > 1) and written_at < now - _YOUNG:
                    lap.findings.append(gone(name, written_at))
            if not beat():
                return


def _parts(items: Iterator[T], size: int) -> Iterator[list[T]]:
    while part := list(islice(items, size)):
        yield part
