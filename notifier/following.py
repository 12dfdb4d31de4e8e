"""Reading what changes: one notifier at a time, from where the last one left it, at least once.

Messages are written before it is noted how far was read, and their ids are derived from what they tell; so whatever is read
again, by whomever, writes nothing new. While nobody wants to be told, nothing is followed, and costs nothing.
"""

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from itertools import islice
from threading import Event

from fencepost.clock import Clock
from fencepost.errors import Unreachable
from fencepost.failpoints import Failpoints
from fencepost.logs import get_logger
from fencepost.outages import Outages
from fencepost.store import Store
from fencepost.store.changes import Change, HistoryLost, Point, Progress, Reading
from notifier.news import messages, news_of

log = get_logger(__name__)

HISTORY_LOST = "webhooks.history_lost"
_SHOWN = timedelta(hours=1)
_MOST, _COLLECT_SECONDS = 500, 0.25
_IDLE_SECONDS = 1.0
_OVERLAP = timedelta(seconds=2)
"""What is read twice where only a time is known: how far this clock and the server's count may differ."""


class Follower:
    """The reader, if this process holds the lease. Everything belongs to one thread but the flags."""

    def __init__(
        self,
        store: Store,
        name: str,
        lease: timedelta,
        clock: Clock,
        outages: Outages,
        failpoints: Failpoints,
        wrote: Callable[[int], None],
    ) -> None:
        """`wrote` is told how many new messages were written."""
        self._store, self._name, self._lease, self._clock = store, name, lease, clock
        self._outages, self._failpoints, self._wrote = outages, failpoints, wrote
        self._renewed_at = 0.0
        self.reads = False
        self.beaten_at = clock.steady()

    def run(self, stop: Event) -> None:
        """Read until `stop` is set; the lease is given back then."""
        while not stop.is_set():
            wait = _IDLE_SECONDS
            try:
                wait = self._turn(stop)
                self._outages.over("mongodb")
            except Unreachable as error:
                self._outages.note(error)
            except Exception:
                log.exception("Reading broke off; it goes on from what is on record.", action="notifier.failed")
            self.beaten_at = self._clock.steady()
            stop.wait(wait)
        self._release()

    def _turn(self, stop: Event) -> float:
        """Read for as long as there is somebody to tell; the seconds to wait before the next turn."""
        progress = self._store.changes.acquire(self._name, self._lease)
        self._say(progress is not None)
        if progress is None:
            return self._lease.total_seconds() / 4
        self._renewed_at = self._clock.steady()
        self._forget_alarm()
        # Asked first: who registers after we have looked is told of what comes after that, however long this takes.
        now = self._store.now()
        if not self._store.webhooks.enabled():
            self._store.changes.save(self._name, Progress(None, now))
            return _IDLE_SECONDS
        try:
            self._follow(self._start(progress), stop)
        except HistoryLost as error:
            self._catch_up(progress, error, stop)
        return 0.0

    def _start(self, progress: Progress) -> Point:
        if progress.token is not None:
            return progress.token
        never = progress.read_until.year == 1970
        return self._store.changes.now() if never else self._store.changes.point(progress.read_until - _OVERLAP)

    def _catch_up(self, progress: Progress, error: HistoryLost, stop: Event) -> None:
        """Go on from now, after telling what still shows of the time that can't be read any more."""
        log.error(
            "What changed can't be followed from where it was left.", action="notifier.history_lost", detail=str(error)
        )
        detail = (
            f"Webhooks: the database no longer has all that changed since {progress.read_until:%Y-%m-%d %H:%M:%S} UTC. Endpoints"
            " were told of the state that each mail is in, some for the second time; states in between were not told."
        )
        self._store.cluster.raise_alarm(HISTORY_LOST, detail, self._store.now())
        start = self._store.changes.now()
        owners = {endpoint.owner_id for endpoint in self._store.webhooks.enabled().values()}
        changed = self._store.changes.since(owners, progress.read_until - _OVERLAP)
        while part := list(islice(changed, _MOST)):
            if not self._renew():
                return
            self._write(part)
        self._follow(start, stop)

    def _follow(self, start: Point, stop: Event) -> None:
        """Read from there until another holds the lease, or nobody wants to be told any more."""
        with self._store.changes.follow(start) as reading:
            saved_at = self._clock.steady()
            while not stop.is_set():
                began = self._store.now()
                changes = reading.read(_MOST, _COLLECT_SECONDS)
                self._outages.over("mongodb")
                anybody = self._write(changes) if changes else True
                self.beaten_at = self._clock.steady()
                if changes or self.beaten_at - saved_at > _IDLE_SECONDS:
                    saved_at = self.beaten_at
                    anybody = anybody and bool(self._store.webhooks.enabled())
                    if not self._save(reading, began) or not anybody:
                        return
                if not self._renew():
                    return

    def _write(self, changes: Iterable[Change]) -> bool:
        """Write what is told of these; False if there is nobody to tell."""
        # Read now, so that whoever was there before a change is told of it.
        endpoints = self._store.webhooks.enabled()
        self._failpoints.hit("N1.before")
        written = self._store.webhook_messages.insert(list(messages(map(news_of, changes), endpoints)))
        self._failpoints.hit("N1.after")
        if written:
            self._wrote(written)
        return bool(endpoints)

    def _save(self, reading: Reading, began: datetime) -> bool:
        return self._store.changes.save(self._name, Progress(reading.token, reading.read_until(began)))

    def _renew(self) -> bool:
        """Go on? The lease is renewed on the way."""
        steady = self._clock.steady()
        if steady - self._renewed_at < self._lease.total_seconds() / 4:
            return True
        self._renewed_at = steady
        return self._store.changes.acquire(self._name, self._lease) is not None

    def _forget_alarm(self) -> None:
        """It tells of the past: an hour is enough."""
        for alarm in self._store.cluster.alarms():
            if alarm["kind"] == HISTORY_LOST and self._store.now() - alarm["since"] > _SHOWN:
                self._store.cluster.clear_alarm(HISTORY_LOST)

    def _say(self, reads: bool) -> None:
        if reads != self.reads:
            said = "This notifier reads what changes." if reads else "Another notifier reads; this one only sends."
            log.info(said, action="notifier.reads" if reads else "notifier.stands_by", notifier=self._name)
        self.reads = reads

    def _release(self) -> None:
        try:
            self._store.changes.release(self._name)
        except Unreachable:
            log.info("The lease was not given back; it runs out by itself.", action="notifier.lease_left")
