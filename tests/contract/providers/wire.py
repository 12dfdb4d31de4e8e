"""A server of raw sockets that does what a test says, and counts what really arrives on the wire."""

import socket
import ssl
import struct
import threading
from collections.abc import Callable
from contextlib import suppress

OK = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nok"


class Connection:
    """One accepted connection, as the other side sees it."""

    def __init__(self, wire: "Wire", sock: socket.socket) -> None:
        self._wire, self._sock, self._buffer = wire, sock, b""

    def read_request(self) -> bytes | None:
        """The next whole request, which is then counted; None when the client has closed."""
        while (end := self._buffer.find(b"\r\n\r\n")) < 0:
            if not self._read():
                return None
        head = self._buffer[: end + 4]
        length = next(
            (int(line.split(b":")[1]) for line in head.lower().splitlines() if line.startswith(b"content-length:")), 0
        )
        while len(self._buffer) < len(head) + length:
            if not self._read():
                return None
        request, self._buffer = self._buffer[: len(head) + length], self._buffer[len(head) + length :]
        self._wire.requests.append(request)
        return request

    def read_line(self) -> bytes:
        """The next line without its end; empty when the client has closed."""
        while b"\n" not in self._buffer and self._read():
            pass
        line, _, self._buffer = self._buffer.partition(b"\n")
        return line.rstrip(b"\r")

    def read_head(self) -> None:
        """Read some bytes and count them as a request; the rest of it stays unread."""
        self._wire.requests.append(self._sock.recv(64))

    def send(self, data: bytes) -> None:
        self._sock.sendall(data)

    def close(self) -> None:
        self._sock.close()

    def reset(self) -> None:
        self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._sock.close()

    def wait_closed(self) -> None:
        """Do nothing until the client gives up."""
        while self._sock.recv(65_536):
            pass

    def _read(self) -> bool:
        chunk = self._sock.recv(65_536)
        self._buffer += chunk
        return bool(chunk)


class Wire:
    """`serve` is called with every connection, in a thread of its own."""

    def __init__(self, serve: Callable[[Connection], None], tls: ssl.SSLContext | None = None) -> None:
        self.requests: list[bytes] = []
        self.connections = 0
        self._serve, self._tls = serve, tls
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=512)
        self._open: set[socket.socket] = set()
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    @property
    def port(self) -> int:
        port: int = self._listener.getsockname()[1]
        return port

    @property
    def url(self) -> str:
        return f"{'https' if self._tls else 'http'}://localhost:{self._listener.getsockname()[1]}/v3/x/messages"

    def stop(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for sock in list(self._open):
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(5)

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            self._open.add(sock)
            thread = threading.Thread(target=self._run, args=(sock,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _run(self, sock: socket.socket) -> None:
        with suppress(OSError), sock:
            if self._tls:
                with self._tls.wrap_socket(sock, server_side=True) as secured:
                    self._open.add(secured)
                    self._serve(Connection(self, secured))
            else:
                self._serve(Connection(self, sock))


def answer(*replies: bytes) -> Callable[[Connection], None]:
    """Serve each request of a connection with the next of `replies`; the last one is repeated."""

    def serve(connection: Connection) -> None:
        count = 0
        while connection.read_request() is not None:
            connection.send(replies[min(count, len(replies) - 1)])
            count += 1

    return serve
