"""Answers that break on the way: what a WSGI server does not do by itself."""

import os
import select
import socket
import struct
import time
from collections.abc import Iterable, Iterator
from typing import Any

from flask import Response

_HEADER_BYTES = 100


class Broken(Response):
    """An answer that writes to the socket itself, or nothing at all, and ends the connection."""

    def __call__(self, environ: Any, _start_response: Any) -> Iterable[bytes]:
        sock: socket.socket | None = environ.get("gunicorn.socket")
        if sock is None:
            raise RuntimeError("only gunicorn hands out the socket that this answer needs")
        self._end(sock)
        # gunicorn takes this for a client that has gone: no answer, no log line, the connection is closed.
        raise ConnectionResetError

    def _end(self, sock: socket.socket) -> None:
        raise NotImplementedError


class Reset(Broken):
    """Nothing, and a TCP reset."""

    def _end(self, sock: socket.socket) -> None:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        # gunicorn would say goodbye politely (FIN). So another socket, whose other end is closed, takes the place of the
        # descriptor, and the connection ends here and now.
        stand_in, other = socket.socketpair()
        other.close()
        os.dup2(stand_in.fileno(), sock.fileno())
        stand_in.close()


class Hang(Broken):
    """Nothing, for `seconds` or until the client gives up."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self._seconds = seconds

    def _end(self, sock: socket.socket) -> None:
        select.select([sock], [], [], self._seconds)


class Truncated(Broken):
    """The first half of `answer`, whose length says that there is more; of one without a body, half of the headers."""

    def __init__(self, answer: Response) -> None:
        super().__init__()
        self._answer = answer

    def _end(self, sock: socket.socket) -> None:
        body = self._answer.get_data()
        head = f"HTTP/1.1 {self._answer.status}\r\nContent-Type: {self._answer.content_type}\r\n"
        head += f"Content-Length: {len(body)}\r\n\r\n"
        sock.sendall(head.encode() + body[: len(body) // 2] if body else head[: len(head) // 2].encode())


def dripping(answer: Response, seconds: float) -> Response:
    """The same answer, byte by byte with `seconds` between them; one without a body comes as late as its headers would."""
    body = answer.get_data()

    def drip() -> Iterator[bytes]:
        if not body:
            time.sleep(seconds * _HEADER_BYTES)
        for place in range(len(body)):
            time.sleep(seconds)
            yield body[place : place + 1]

    return Response(drip(), answer.status_code, {**answer.headers, "Content-Length": str(len(body))})
