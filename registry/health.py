"""/healthz: the process answers. /readyz: the servers it works with do. /metrics: what it counted."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as TookTooLong

from flask import Blueprint, Flask, Response, current_app, g, request

from fencepost.errors import FencepostError
from fencepost.metrics import Metrics
from registry.access import public
from registry.parts import Parts
from registry.replies import Reply

bp = Blueprint("health", __name__)

_PROBES, _METRICS = "probes", "metrics"
_PATIENCE_SECONDS = 2.0
NEEDED = "mongodb"
"""Without etcd there is no view of the cluster, and without Redis senders are not woken at once; the API serves all the same."""


class Probes:
    """Looks at the servers, all at the same time, and never longer than a moment."""

    def __init__(self, checks: dict[str, Callable[[], object]]) -> None:
        self._checks = checks
        # One each: a server that says nothing holds up the questions to itself alone.
        self._threads = {name: ThreadPoolExecutor(1, thread_name_prefix=f"probe-{name}") for name in checks}

    def run(self) -> dict[str, dict[str, object]]:
        """For each server whether it is fine, and what it said."""
        started = {name: self._threads[name].submit(check) for name, check in self._checks.items()}
        deadline = time.monotonic() + _PATIENCE_SECONDS
        found: dict[str, dict[str, object]] = {}
        for name, future in started.items():
            try:
                future.result(max(0.0, deadline - time.monotonic()))
            except TookTooLong:
                future.cancel()
                found[name] = {"ok": False, "detail": f"no answer within {_PATIENCE_SECONDS:g} s"}
            except Exception as error:  # noqa: BLE001 - whatever it is, that server is not fine
                found[name] = {"ok": False, "detail": str(error)}
            else:
                found[name] = {"ok": True, "detail": "answers"}
        return found


def install(app: Flask, p: Parts, metrics: Metrics) -> None:
    """Serve /healthz, /readyz and /metrics, and count what is answered."""
    app.extensions[_PROBES] = Probes(_checks(p))
    app.extensions[_METRICS] = metrics
    app.register_blueprint(bp)
    _count_requests(app, metrics)


def _checks(p: Parts) -> dict[str, Callable[[], object]]:
    def mongodb() -> None:
        p.store.ping()
        if not p.startup.done:
            raise FencepostError("answers, but is being brought up to date")

    return {"mongodb": mongodb, "etcd": p.read_cluster, "redis": p.ping_redis}


@bp.get("/healthz")
@public("whoever starts it asks whether it lives")
def healthz() -> Response:
    """Alive: looks at nothing but itself."""
    return Reply({"status": "ok"}).response()


@bp.get("/readyz")
@public("balancers ask whether it may be asked")
def readyz() -> Response:
    """Ready: 503 without MongoDB; without etcd or Redis `degraded`, and 200."""
    checks = current_app.extensions[_PROBES].run()
    if not checks[NEEDED]["ok"]:
        return Reply({"status": "unready", "checks": checks}, 503, {"Retry-After": "1"}).response()
    status = "ok" if all(check["ok"] for check in checks.values()) else "degraded"
    return Reply({"status": status, "checks": checks}).response()


@bp.get("/metrics")
@public("Prometheus reads counts by route, nothing of anybody's mail")
def metrics() -> Response:
    """In Prometheus's text format, all workers together."""
    counted: Metrics = current_app.extensions[_METRICS]
    return Response(counted.exposition(), content_type=counted.content_type)


def _count_requests(app: Flask, metrics: Metrics) -> None:
    """Count answers by route and status, and how long they took."""
    answered = metrics.counter("http_requests_total", "Requests that were answered.", ["method", "route", "status"])
    seconds = metrics.seconds("http_request_seconds", "How long requests took.", ["method", "route"])

    @app.before_request
    def start() -> None:
        g.started = time.monotonic()

    @app.after_request
    def count(response: Response) -> Response:
        # The rule and not the path: ids in labels would make a time series of each.
        route = request.url_rule.rule if request.url_rule else "none"
        method = request.method if request.method in ("GET", "HEAD", "POST", "PATCH", "DELETE", "OPTIONS") else "other"
        answered.labels(method, route, str(response.status_code)).inc()
        if "started" in g:
            seconds.labels(method, route).observe(time.monotonic() - g.started)
        return response
