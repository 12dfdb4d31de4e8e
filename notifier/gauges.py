"""What the notifier counts."""

from collections.abc import Callable

from fencepost.metrics import Metrics
from fencepost.webhooks import Result


class Gauges:
    """Counters of one notifier."""

    def __init__(self, metrics: Metrics, reads: Callable[[], float]) -> None:
        """`reads`: 1 while this notifier is the one that reads what changes."""
        self.metrics = metrics
        self._written = metrics.counter("webhook_messages_total", "Messages that were written for endpoints.")
        self._calls = metrics.counter("webhook_calls_total", "Calls to endpoints, by how they ended.", ["result"])
        metrics.gauge("webhook_reading", "Whether this notifier reads what changes.").set_function(reads)

    def wrote(self, count: int) -> None:
        self._written.inc(count)

    def called(self, result: Result) -> None:
        self._calls.labels("taken" if result.well else "refused" if result.status else "unanswered").inc()
