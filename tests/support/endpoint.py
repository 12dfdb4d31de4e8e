"""An endpoint of webhooks on this machine, which answers as a test says and remembers what it was told."""

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from standardwebhooks.webhooks import Webhook

from fencepost.settings import load
from fencepost.store import Store


@dataclass(frozen=True)
class Told:
    """One request, as it came."""

    path: str
    headers: dict[str, str]
    body: bytes
    at: float = field(default_factory=time.time)

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    def verified(self, secret: str) -> Any:
        """The event, if the official library finds it signed with this secret. Raises its WebhookVerificationError."""
        return Webhook(secret).verify(self.body, self.headers)


class Consumer:
    """Listens from the start. `answer` gives the status of each request, or takes its time over it."""

    def __init__(self, answer: Callable[[Told], int] = lambda _: 204) -> None:
        self.told: list[Told] = []
        self.answer = answer
        self.says = b"said"
        consumer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                told = Told(self.path, {name.lower(): value for name, value in self.headers.items()}, body)
                consumer.told.append(told)
                status = consumer.answer(told)
                try:
                    self.send_response(status)
                    if status in (301, 302, 307, 308):
                        self.send_header("Location", "/elsewhere")
                    says = consumer.says if status != 204 else b""
                    self.send_header("Content-Length", str(len(says)))
                    self.end_headers()
                    self.wfile.write(says)
                except OSError:
                    pass  # the caller has gone

            def log_message(self, *_: object) -> None: ...

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}/hook"

    def of(self, email_id: str) -> list[Told]:
        return [told for told in list(self.told) if email_id.encode() in told.body]

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)


def give_up(variables: Mapping[str, str], webhook_id: str) -> None:
    """Make it as if three days of failing were over for what this webhook was told; `variables` lead to the store."""
    store = Store.open(load(variables).mongodb)
    store.database.webhook_messages.update_many(
        {"webhook_id": webhook_id}, {"$set": {"state": "failed", "next_attempt_at": None, "claim": None}}
    )
    store.close()
