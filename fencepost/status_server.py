"""The own address of a process that serves nothing else: /healthz, /readyz and /metrics."""

import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

from fencepost.errors import Misconfigured
from fencepost.logs import get_logger

log = get_logger(__name__)

Checks = Mapping[str, tuple[bool, str]]
"""By name: whether it is well, and a sentence about it."""


class _Server(ThreadingHTTPServer):
    def handle_error(self, _request: object, _client_address: object) -> None:
        log.exception("A probe was not answered.", action="status.failed")  # noqa: LOG004 it is called while handling one


class StatusServer:
    """Serves a process's state to probes and to Prometheus, on a thread of its own."""

    def __init__(
        self,
        host: str,
        port: int,
        *,
        setting: str,
        alive: Callable[[], bool],
        checks: Callable[[], Checks],
        metrics: Callable[[], bytes],
        metrics_type: str,
    ) -> None:
        """Port 0 takes a free one. `setting` is what the settings of host and port begin with. Raises Misconfigured if nobody can
        listen there."""

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                match self.path:
                    case "/healthz":
                        well = alive()
                        self._answer(200 if well else 503, {"status": "ok" if well else "a thread has ended"})
                    case "/readyz":
                        found = checks()
                        ready = all(ok for ok, _ in found.values())
                        states = {name: {"ok": ok, "detail": detail} for name, (ok, detail) in found.items()}
                        self._answer(
                            200 if ready else 503, {"status": "ready" if ready else "not ready", "checks": states}
                        )
                    case "/metrics":
                        self._send(200, metrics_type, metrics())
                    case _:
                        self._answer(404, {"status": "there is /healthz, /readyz and /metrics"})

            def _answer(self, status: int, body: Mapping[str, Any]) -> None:
                self._send(status, "application/json", json.dumps(body).encode())

            def _send(self, status: int, content_type: str, body: bytes) -> None:
                with suppress(ConnectionError):  # the probe had not the patience
                    self.send_response(status)
                    self.send_header("Content-Type", content_type)
                    self.send_header("Content-Length", str(len(body)))
                    self.end_headers()
                    self.wfile.write(body)

            def log_message(self, *_arguments: object) -> None:
                """Probes are not worth a line."""

        try:
            self._server = _Server((host, port), Handler)
        except OSError as error:
            raise Misconfigured(
                f"{setting}__METRICS_HOST and _PORT are {host}:{port}, which can't be listened on: {error.strerror}"
            ) from None
        self._thread = Thread(target=self._server.serve_forever, name="status", daemon=True)
        self._thread.start()

    @property
    def address(self) -> str:
        host, port = self._server.server_address[:2]
        return f"http://{host!s}:{port}"

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
