"""Counts the mail for the reports: what has changed lately, in a thread of its own, while this auditor is the one that works."""

from collections import defaultdict
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from threading import Event, Thread

from fencepost.clock import SystemClock
from fencepost.errors import Unreachable
from fencepost.logs import get_logger
from fencepost.mail_counts import day_of, is_closed
from fencepost.settings import Retention, Settings
from fencepost.store import Store
from fencepost.store.counting import Change, Counting

log = get_logger(__name__)
_LATE = timedelta(minutes=2)
"""A write tells the instant at which it began; so much later at most its rows are seen."""
_AT_ONCE = timedelta(minutes=10)
_ENOUGH = 5000
_SHARE = 0.05
Seen = tuple[int, datetime]


class Counter:
    """Counts a database. It remembers what it has counted of the last minutes, and nothing else that is not on record."""

    def __init__(self, retention: Retention, counting: Counting) -> None:
        self._counting = counting
        self._retention = timedelta(days=retention.days)
        self._kept = timedelta(days=retention.report_days)
        self._counted: dict[Change, Seen] = {}

    def run(self, go_on: Callable[[], bool] = lambda: True) -> int:
        """Count what has changed since the last time; how many quarters of an hour were made anew. Raises Unreachable."""
        since, now = self._counting.begin()
        surely = now.replace(second=0, microsecond=0) - _LATE
        made = 0
        while go_on():
            news, end = self._news(since, now)
            made += self._count(news, now)
            since = end
            self._counting.end(min(end, surely), end)
            if end == now:
                self._counted = {change: seen for change, seen in self._counted.items() if change.minute >= surely}
                break
        return made

    def _news(self, since: datetime | None, now: datetime) -> tuple[dict[Change, Seen], datetime]:
        """What has changed since then and was not counted as it is, enough of it for one go; and up to when that is all."""
        news: dict[Change, Seen] = {}
        while (begin := self._counting.next_change(since)) and begin < now:
            begin = begin.replace(second=0, microsecond=0)
            since = min(begin + _AT_ONCE, now)
            found = self._counting.changes(begin, since)
            news |= {change: seen for change, seen in found.items() if self._counted.get(change) != seen}
            if since == now or len(news) > _ENOUGH:
                return news, since
        return news, now

    def _count(self, news: Mapping[Change, Seen], now: datetime) -> int:
        quarters = {quarter for change in news for quarter in change.quarters}
        quarters = {quarter for quarter in quarters if not is_closed(quarter, now, self._retention)}
        if quarters:
            owners: dict[datetime, set[str]] = defaultdict(set)
            for quarter, those in self._counting.count_quarters(quarters, now, self._kept).items():
                owners[day_of(quarter)] |= those
            self._counting.count_days(owners, now, self._kept)
        self._counted |= news
        return len(quarters)


class CounterThread:
    """Counts every few seconds while `works` says so, and never for more than a twentieth of the time."""

    def __init__(self, settings: Settings, store: Store, works: Callable[[], bool]) -> None:
        self._settings, self._store, self._works = settings, store, works
        self._every_seconds = settings.auditor.count_seconds
        self._clock, self._stop = SystemClock(), Event()
        self._thread = Thread(target=self._run, name="counter", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self, seconds: float) -> None:
        self._stop.set()
        self._thread.join(seconds)

    def _counter(self) -> Counter:
        return Counter(self._settings.retention, self._store.counting)

    def _run(self) -> None:
        counter, wait = self._counter(), 0.0
        while not self._stop.wait(wait):
            wait = self._every_seconds
            if not self._works():
                counter = self._counter()
                continue
            began = self._clock.steady()
            try:
                counter.run(lambda: not self._stop.is_set())
            except Unreachable:
                pass  # the rounds say so
            except Exception:
                log.exception("The mail could not be counted; it is tried again.", action="counting.failed")
            wait = max(wait, (self._clock.steady() - began) / _SHARE)
