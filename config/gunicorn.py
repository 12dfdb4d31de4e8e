"""How registry, frontend and simulator serve HTTP.

    gunicorn --config config/gunicorn.py --bind 127.0.0.1:5000 'registry.app:create_app()'

WEB_CONCURRENCY, gunicorn's own variable, sets the number of worker processes. Senders are not served by this: gunicorn
kills a worker that stays silent, and a sender must not lose its calls that way.
"""

import os
import re
import shutil
import signal
import tempfile
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

from gunicorn.config import Config
from gunicorn.glogging import Logger

from fencepost import logs
from fencepost.settings import load

WORKERS_FOLDER = "PROMETHEUS_MULTIPROC_DIR"
PROBES = ("/healthz", "/readyz", "/metrics")


class StructuredLogger(Logger):  # type: ignore[misc] # gunicorn has no types
    """Hands gunicorn's own lines and its access log to fencepost.logs. No query, address or body gets into them."""

    def setup(self, cfg: Config) -> None:
        super().setup(cfg)
        for log in (self.error_log, self.access_log):
            log.handlers.clear()
            log.propagate = True
        logs.configure(load().logging, process=re.split("[.:]", cfg.proc_name)[0])

    def access(self, resp: Any, _req: object, environ: Mapping[str, Any], request_time: timedelta) -> None:
        path, status = environ["PATH_INFO"], int(str(resp.status).split(maxsplit=1)[0])
        if path in PROBES and status < 400:
            return
        fields = {"action": "http.request", "method": environ["REQUEST_METHOD"], "path": path, "status": status}
        fields["seconds"] = round(request_time.total_seconds(), 4)
        self.access_log.info("A request was answered.", extra={"fields": fields})


# A worker that is asked to end between its birth and the moment it has handlers of its own would queue the signal as the
# master does, and live on. So these wait from before the fork until it can hear them.
_ENDINGS = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT)
os.register_at_fork(
    before=lambda: signal.pthread_sigmask(signal.SIG_BLOCK, _ENDINGS),
    after_in_parent=lambda: signal.pthread_sigmask(signal.SIG_UNBLOCK, _ENDINGS),
)


def post_worker_init(_worker: object) -> None:
    """A worker has its handlers and its application."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _ENDINGS)


def child_exit(_server: object, worker: Any) -> None:
    """A worker is gone: its gauges no longer count."""
    from prometheus_client import multiprocess

    multiprocess.mark_process_dead(worker.pid)  # type: ignore[no-untyped-call]


def on_exit(_server: object) -> None:
    """The last worker is gone: nobody reads these numbers any more."""
    if _own_folder:
        shutil.rmtree(_own_folder, ignore_errors=True)


# prometheus_client looks for the folder in which the workers' numbers meet when it is imported, and never again: so it is
# not imported at the top of this file.
_own_folder = None if WORKERS_FOLDER in os.environ else tempfile.mkdtemp(prefix="fencepost-metrics-")
if _own_folder:
    os.environ[WORKERS_FOLDER] = _own_folder

worker_class = "gthread"
threads = 16
# A silent worker is killed after `timeout`; one that was asked to end may take `graceful_timeout` for open requests.
# Both are longer than a request may take: the registry's time-outs towards its servers are a few seconds each.
timeout = 60
graceful_timeout = 20
keepalive = 5
# The most that gunicorn takes: filters of a list are part of the line.
limit_request_line = 8190
# Heartbeats are files; on a disk that is slow for a moment a worker would look dead.
worker_tmp_dir = "/dev/shm" if Path("/dev/shm").is_dir() else None
# Two servers of one user would fight for the same socket in the home folder, which an image may not even have.
control_socket_disable = True
logger_class = StructuredLogger
accesslog = "-"
