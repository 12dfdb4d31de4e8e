"""Metrics in Prometheus's text format, for one process or for all workers of a gunicorn.

    metrics = Metrics()
    accepted = metrics.counter("accepted_total", "Mails that a provider accepted.", ["provider"])
    accepted.labels("mailgun").inc()

Built once by a `__main__` or `create_app` and passed down. Every name gets the prefix `fencepost_` and carries its unit.
"""

import os
from collections.abc import Sequence
from typing import Literal

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

PREFIX = "fencepost"
WORKERS_FOLDER = "PROMETHEUS_MULTIPROC_DIR"
"""Set by config/gunicorn.py before anything is imported: the workers' numbers meet in files there."""

CALL_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
LAG_SECONDS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600)

Mode = Literal["livesum", "liveall", "livemax", "livemin", "sum", "max", "min", "mostrecent"]


class Metrics:
    """What one process counts."""

    content_type = CONTENT_TYPE_LATEST

    def __init__(self) -> None:
        self._registry = CollectorRegistry()

    def counter(self, name: str, text: str, labels: Sequence[str] = ()) -> Counter:
        """A number that only grows; `name` ends in _total."""
        return Counter(name, text, labels, namespace=PREFIX, registry=self._registry)

    def gauge(self, name: str, text: str, labels: Sequence[str] = (), *, mode: Mode = "livesum") -> Gauge:
        """A number that rises and falls; `mode` says how the numbers of several workers become one."""
        return Gauge(name, text, labels, namespace=PREFIX, registry=self._registry, multiprocess_mode=mode)

    def seconds(
        self, name: str, text: str, labels: Sequence[str] = (), *, buckets: Sequence[float] = CALL_SECONDS
    ) -> Histogram:
        """How long something took or was late; `name` ends in _seconds."""
        return Histogram(name, text, labels, namespace=PREFIX, registry=self._registry, buckets=buckets)

    def exposition(self) -> bytes:
        """What GET /metrics answers with `content_type`: this process's numbers, or all workers' together."""
        if WORKERS_FOLDER not in os.environ:
            return generate_latest(self._registry)
        together = CollectorRegistry()
        MultiProcessCollector(together)  # type: ignore[no-untyped-call]
        return generate_latest(together)
