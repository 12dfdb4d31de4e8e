"""A registry that answers what the test says, and remembers what it was asked."""

import json
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from click.testing import CliRunner, Result

from cli.__main__ import cli

LOST = object()
"""As an answer: the connection is closed without one."""


@dataclass(frozen=True)
class Asked:
    """One request."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: Any


@dataclass
class Stub:
    """`answers` are given in their order, the last one again and again: (status, body) or (status, body, headers), or LOST."""

    url: str
    answers: list[Any] = field(default_factory=list)
    asked: list[Asked] = field(default_factory=list)

    def run(self, *arguments: str, stdin: str = "", **variables: str) -> Result:
        """The command, in this process, with this registry."""
        environment = {"FENCEPOST_URL": self.url, "FENCEPOST_KEY": None, "FENCEPOST_KEY_FILE": None, **variables}
        return CliRunner().invoke(cli, arguments, env=environment, input=stdin)


@pytest.fixture
def stub() -> Iterator[Stub]:
    """It listens on loopback until the test ends."""
    found = Stub("")

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            data = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            found.asked.append(Asked(self.command, self.path, dict(self.headers), json.loads(data) if data else None))
            answer = found.answers.pop(0) if len(found.answers) > 1 else found.answers[0]
            if answer is LOST:
                self.close_connection = True
                return
            status, body, *headers = answer
            written = body if isinstance(body, bytes) else json.dumps(body).encode()
            self.send_response(status)
            for name, value in {"Content-Length": str(len(written)), **(headers[0] if headers else {})}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(written)

        def do_POST(self) -> None:
            self.do_GET()

        def do_PATCH(self) -> None:
            self.do_GET()

        def do_DELETE(self) -> None:
            self.do_GET()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        found.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield found
        server.shutdown()
        thread.join()
