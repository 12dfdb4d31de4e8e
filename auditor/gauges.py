"""What the auditor counts."""

from collections.abc import Callable, Mapping

from fencepost.findings import Kind
from fencepost.metrics import Metrics


class Gauges:
    """Gauges of one auditor."""

    def __init__(self, metrics: Metrics, age: Callable[[], float]) -> None:
        """`age`: seconds since the last round of this auditor ended."""
        self.metrics = metrics
        self._findings = metrics.gauge("audit_findings", "What the auditor found and is not resolved.", ["kind"])
        self._seconds = metrics.gauge("audit_round_seconds", "How long the last round took.")
        self._schedules = metrics.gauge("audit_schedules", "Schedules that the last round walked over.")
        self._frozen = metrics.counter(
            "breaker_volume_stops_total", "Schedules frozen for sending far over their forecast."
        )
        metrics.gauge("audit_age_seconds", "Since the last round ended.").set_function(age)
        self.findings(dict.fromkeys(Kind, 0))

    def findings(self, counts: Mapping[Kind, int]) -> None:
        for kind, count in counts.items():
            self._findings.labels(kind.value).set(count)

    def round(self, seconds: float, schedules: int) -> None:
        self._seconds.set(seconds)
        self._schedules.set(schedules)

    def froze(self) -> None:
        self._frozen.inc()
