"""What a sender counts."""

from collections.abc import Callable, Mapping
from datetime import datetime

from fencepost.metrics import LAG_SECONDS, Metrics
from fencepost.occurrences import expected_at
from fencepost.settlements import Settlement
from sender.passes import Claimed


class Gauges:
    """Counters and gauges of one sender."""

    def __init__(self, metrics: Metrics) -> None:
        self.metrics = metrics
        self._settled = metrics.counter(
            "deliveries_settled_total", "Deliveries by the state an attempt ended in.", ["state", "provider"]
        )
        self._late = metrics.seconds(
            "delivery_lateness_seconds",
            "From the due instant and its jitter to the start of the provider call.",
            buckets=LAG_SECONDS,
        )
        self._refused = metrics.counter("fence_refusals_total", "Calls that the fence refused.", ["verdict"])
        self._stopped = metrics.counter("breaker_stops_total", "Copies of a mail that the breaker held.")
        self._shards = metrics.gauge("sender_shards", "Shards that this sender holds.")
        self._doubtful = metrics.gauge(
            "deliveries_in_doubt", "Deliveries of this sender's shards that are unknown or held.", ["state"]
        )
        self._seats = metrics.gauge("sender_seats_taken", "Deliveries between the fence and their settlement.")

    def observe(self, item: Claimed, settlement: Settlement) -> None:
        """One settlement is on record."""
        provider = item.row["provider"] or ""
        self._settled.labels(settlement.state.value, provider).inc()
        called: datetime | None = settlement.attempt.get("called_at")
        if called is not None:
            self._late.observe(max(0.0, (called - expected_at(item.row)).total_seconds()))
        verdict = settlement.attempt.get("fence", "OK")
        if "copy_of" in settlement.attempt:
            self._stopped.inc()
        if verdict != "OK":
            self._refused.labels(verdict.lower()).inc()

    def doubtful(self, counts: Mapping[str, int]) -> None:
        """How many are unknown and how many held in the shards of this sender."""
        for state, count in counts.items():
            self._doubtful.labels(state).set(count)

    def watch(self, shards: Callable[[], int], seats: Callable[[], int]) -> None:
        """Read these when somebody asks."""
        self._shards.set_function(lambda: float(shards()))
        self._seats.set_function(lambda: float(seats()))
