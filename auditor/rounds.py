"""One round of the audit: the expected side, the record, what stands still, what is open, the volume."""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta

from auditor import standing, volume
from auditor.alarms import Alarms
from auditor.auditing import goes_on
from auditor.gauges import Gauges
from auditor.histories import Histories
from auditor.records import Records
from auditor.volume import Volume
from auditor.walk import Beat, Lap, Walk
from auditor.watermarks import Watermarks
from fencepost import breaker, caps, failover
from fencepost.errors import Unreachable
from fencepost.findings import Finding, Kind, Recorded
from fencepost.logs import get_logger
from fencepost.schedules import milliseconds
from fencepost.settings import Settings
from fencepost.store import Store
from fencepost.store.audit import Progress

log = get_logger(__name__)
_MOST, _MOST_OPEN = 1000, 10_000
_DAY = timedelta(days=1)
_SECOND = timedelta(seconds=1)
_OVERLAP = timedelta(seconds=30)
"""A schedule is archived by its sender's clock, and looked for by the database's."""
_OF_RECORD = (Kind.MISSING_MAIL, Kind.EXTRA, Kind.TWICE)


class Rounds:
    """The rounds of one auditor, from taking the lease to losing it."""

    def __init__(
        self, settings: Settings, store: Store, gauges: Gauges, shards: int, served: Callable[[], Iterable[int]]
    ) -> None:
        """`served` reads which shards a sender holds; it raises Unreachable."""
        options = settings.auditor
        self._settings, self._store, self._gauges, self._shards, self._served = settings, store, gauges, shards, served
        self._order = settings.providers.order
        self._grace = timedelta(seconds=options.grace_seconds)
        self._histories = Histories(store)
        self._walk = Walk(
            store, self._histories, grace=self._grace, slice_size=options.schedules_per_slice, shards=shards
        )
        self._records = Records(store, self._histories)
        self._alarms = Alarms(store, gauges)
        self._volume = Volume()
        self._before: Watermarks | None = None
        self._began_before: datetime | None = None

    def run(self, progress: Progress, now: Callable[[], datetime], beat: Beat) -> Progress | None:
        """One round; how far it came. None if `beat` ended it: another audits. `now` is the server's clock. Raises Unreachable."""
        began = now()
        known = self._store.findings.open(_MOST_OPEN)
        start = progress.walked_until or began - timedelta(seconds=self._settings.auditor.lookback_seconds)
        archived_since = (self._began_before or start) - _OVERLAP
        lap = self._walk.lap(self._before or Watermarks(start), archived_since, now, beat)
        if not lap.complete:
            return None
        found = list(lap.findings)
        read_until = self._read_record(progress, began, now, beat, found)
        if read_until is None:
            return None
        self._tell(known, found, began, now)
        self._before, self._began_before = lap.marks, began
        ended = now()
        seconds = (ended - began).total_seconds()
        self._gauges.round(seconds, lap.schedules)
        return Progress(
            walked_until=lap.marks.lowest,
            read_until=read_until,
            last_round_at=milliseconds(ended),
            seconds=round(seconds, 3),
            schedules=lap.schedules,
            hours=_with(progress, lap, ended),
        )

    def _read_record(
        self, progress: Progress, began: datetime, now: Callable[[], datetime], beat: Beat, found: list[Finding]
    ) -> dict[str, datetime] | None:
        """Look at what has come on record, once soon and once when all of it should have ended; up to where. None: stopped."""
        options, read_until = self._settings.auditor, dict(progress.read_until)
        for lag in (self._grace, timedelta(seconds=options.second_look_seconds)):
            name, until = f"{lag.total_seconds():g}s", now() - lag
            since = read_until.get(name, began - timedelta(seconds=options.lookback_seconds))
            wrong, complete = self._records.read(since, until, beat)
            if not complete:
                return None
            found += wrong
            read_until[name] = until
            if lag == self._grace:
                self._watch_volume(since, until)
        return read_until

    def _tell(self, known: list[Recorded], found: list[Finding], began: datetime, now: Callable[[], datetime]) -> None:
        standing_still, all_judged = self._standing(began)
        again, resolved = self._look_again(known, began)
        if all_judged:
            resolved |= {one.finding.id for one in known if one.finding.kind is Kind.STUCK}
        found = _first_of_each([*again, *found, *standing_still], known)
        resolved -= {finding.id for finding in found}
        self._alarms.tell(found, resolved, known, milliseconds(now()))
        self._alarms.clear_thawed()

    def _standing(self, now: datetime) -> tuple[list[Finding], bool]:
        """What stands still, and whether all of it could be judged."""
        options, settlement = self._settings.auditor, self._settings.settlement
        patience = standing.Patience(
            timedelta(seconds=options.stuck_seconds),
            timedelta(seconds=settlement.window_seconds + settlement.give_up_seconds),
        )
        since = now - patience.pending
        rows = self._store.audits.overdue(
            {
                "pending": {
                    "shard": {"$in": list(range(self._shards))},
                    "queue_at": {"$lt": since},
                    "not_before": {"$lt": since},
                },
                "sending": {"shard": {"$gte": 0}, "deadline": {"$lt": now - timedelta(minutes=1)}},
                "unknown": {"unknown_since": {"$lt": now - patience.unknown}},
            },
            _MOST,
        )
        if not rows:
            return [], True
        try:
            served = set(self._served())
        except Unreachable:
            served = None
        away = standing.is_away([*rows, *self._store.audits.newest(_MOST)], now)
        spent, closed = self._providers()
        judged = [row for row in rows if not standing.waits_for_tomorrow(row, spent, closed, self._order)]
        return standing.stuck(judged, now, served, away, patience), served is not None

    def _providers(self) -> tuple[set[str], set[str]]:
        """Those that have had all their calls of today, and those that take no mail for another reason."""
        alarms = {str(raised["kind"]) for raised in self._store.cluster.alarms()}
        off = {name for name, choice in self._store.providers.choices().items() if not choice.enabled}
        unwell = {name for name in self._order if failover.alarm(name) in alarms}
        return {name for name in self._order if caps.alarm(name) in alarms}, unwell | off

    def _look_again(self, known: list[Recorded], now: datetime) -> tuple[list[Finding], set[str]]:
        """What of the open findings still stands, in today's words, and the ids of what does not."""
        absent = [one for one in known if one.finding.kind in (Kind.SILENT, Kind.LATE)]
        schedules = self._store.audits.schedules({one.finding.schedule_id for one in absent})
        by_id = self._histories.of(schedules.values())
        stand: list[Finding] = []
        resolved: set[str] = set()
        for one in absent:
            at, history = one.finding.at, by_id.get(one.finding.schedule_id)
            if history is None:
                stand.append(one.finding)
                continue
            proof = self._walk.prove([history], _always(at - _SECOND), at).get(history.schedule.id)
            still = proof.findings if proof else (one.finding,)
            if still and still[0].kind is Kind.SILENT and self._is_over(one, goes_on(history, one.finding, now), now):
                still = ()
            stand += still
            resolved |= {one.finding.id} - {finding.id for finding in still}
        on_record = [one for one in known if one.finding.kind in _OF_RECORD]
        left = self._records.audit_again([one.finding for one in on_record])
        for one in on_record:
            if one.finding.id in left and not self._is_over(one, one.finding.kind is not Kind.MISSING_MAIL, now):
                stand.append(one.finding)
            else:
                resolved.add(one.finding.id)
        return stand, resolved

    def _is_over(self, one: Recorded, done: bool, now: datetime) -> bool:
        """What can't be made undone is shown for a day."""
        return done and now - one.first_seen > _DAY

    def _watch_volume(self, since: datetime, until: datetime) -> None:
        """Freeze who sends far over what its rule and its recipients say."""
        self._volume.add(until, self._store.audits.volume(max(since, until - volume.WINDOW), until, volume.FEW))
        suspects = self._volume.suspects()
        if not suspects:
            return
        by_id = self._histories.of(self._store.audits.schedules(suspects).values())
        for schedule_id, history in by_id.items():
            revisions = {version.revision_id for version in history.schedule.versions}
            try:
                expected = volume.forecast(history, self._store.audits.recipients(revisions).get, until - volume.WINDOW)
            except Unreachable:
                raise
            except Exception:  # noqa: BLE001 the arithmetic of one rule must not stop the others
                continue
            if volume.is_too_much(suspects[schedule_id], expected):
                self._freeze(schedule_id, suspects[schedule_id], expected, until)
                self._volume.forget(schedule_id)

    def _freeze(self, schedule_id: str, count: int, expected: int, now: datetime) -> None:
        reason = f"{count} mails went out in ten minutes, and {expected} were to be expected in an hour."
        if self._store.schedules.freeze(schedule_id, reason, milliseconds(now)):
            self._store.cluster.raise_alarm(breaker.alarm(schedule_id), reason, milliseconds(now))
            self._gauges.froze()
            log.error(
                "A schedule sends far more than was forecast; it is frozen until its owner resumes it.",
                action="breaker.froze",
                schedule_id=schedule_id,
                reason=reason,
            )


def _always(instant: datetime) -> Callable[[str], datetime]:
    return lambda _schedule_id: instant


def _first_of_each(found: list[Finding], known: list[Recorded]) -> list[Finding]:
    """Each once; and of a schedule that misses one instant after the other, the one that is known, or else the first. Of what is
    late, which resolves by itself and comes in masses when senders are away, so many as are read again in a round."""
    result: dict[str, Finding] = {}
    absent: dict[tuple[Kind, str], str] = {
        (one.finding.kind, one.finding.schedule_id): one.finding.id
        for one in known
        if one.finding.kind in (Kind.SILENT, Kind.LATE)
    }
    standing_ids = {finding.id for finding in found}
    absent = {key: name for key, name in absent.items() if name in standing_ids}
    late = 0
    for finding in found:
        if finding.kind is Kind.LATE and finding.id not in result and (late := late + 1) > _MOST:
            continue
        first = absent.setdefault((finding.kind, finding.schedule_id), finding.id)
        if first == finding.id or finding.kind not in (Kind.SILENT, Kind.LATE):
            result.setdefault(finding.id, finding)
    return list(result.values())


def _with(progress: Progress, lap: Lap, now: datetime) -> dict[str, dict[str, int]]:
    """The counts by the hour, with this lap's; a day of them."""
    hour = now.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    hours = {
        name: dict(counts) for name, counts in progress.hours.items() if datetime.fromisoformat(name) > hour - _DAY
    }
    mine = hours.setdefault(hour.isoformat(), {"expected": 0, "on_record": 0, "skipped": 0})
    for name, count in (("expected", lap.expected), ("on_record", lap.on_record), ("skipped", lap.skipped)):
        mine[name] += count
    return hours
