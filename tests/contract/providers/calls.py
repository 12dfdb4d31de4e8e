"""Calls through the transport, and servers that end them badly."""

import threading
import time
from collections.abc import Callable

from fencepost.providers.transport import HttpRequest, Reply, Transport
from tests.contract.providers.wire import OK, Connection, answer

BODY = b"subject=Hello"


def call(transport: Transport, url: str, *, body: bytes = BODY, timeout_seconds: float = 5) -> Reply:
    request = HttpRequest("POST" if body else "GET", url, {"Content-Type": "text/plain"}, body)
    transport.start("key", request, timeout_seconds)
    deadline = time.monotonic() + timeout_seconds + 5
    while time.monotonic() < deadline:
        for key, reply in transport.poll(1):
            assert key == "key"
            return reply
    raise AssertionError("the call did not end")


def answer_first_then(end: Callable[[Connection], None]) -> Callable[[Connection], None]:
    """A server whose first connection answers one request, and ends the second one in its own way."""
    first = threading.Lock()

    def serve(connection: Connection) -> None:
        if not first.acquire(blocking=False):
            return answer(OK)(connection)
        connection.read_request()
        connection.send(OK)
        return end(connection)

    return serve


def read_all_and_close(connection: Connection) -> None:
    connection.read_request()
    connection.close()


def read_all_and_reset(connection: Connection) -> None:
    connection.read_request()
    connection.reset()


def read_a_little_and_close(connection: Connection) -> None:
    connection.read_head()
    connection.close()


def read_a_little_and_reset(connection: Connection) -> None:
    connection.read_head()
    connection.reset()


DEATHS = [read_all_and_close, read_all_and_reset, read_a_little_and_close, read_a_little_and_reset]


def after_request(*data: bytes, end: Callable[[Connection], None] = Connection.close) -> Callable[[Connection], None]:
    def serve(connection: Connection) -> None:
        connection.read_request()
        for part in data:
            connection.send(part)
        end(connection)

    return serve
