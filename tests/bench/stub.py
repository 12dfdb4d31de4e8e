"""A provider that costs almost nothing: for benchmarks, which must not measure the provider.

    python -m tests.bench.stub --port 5090 --latency-ms 50     serve until it is told to end; prints its address
    python -m tests.bench.stub --measure                       how many requests a second it can answer

Every POST is answered as Mailgun answers a mail that it takes, after a fixed latency; the delivery id is found by a
search for the custom field, not by reading the form. `GET /counts` tells what came, `DELETE /counts` forgets it.
"""

import argparse
import asyncio
import json
import re
import subprocess
import sys
import time
from collections.abc import Sequence
from http.client import HTTPConnection
from urllib.parse import urlsplit

from fencepost.providers.http import HttpRequest
from fencepost.providers.transport import Transport

ANSWER_BODY = b'{"id":"<stub@sandbox.example.com>","message":"Queued. Thank you."}'
ANSWER = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(ANSWER_BODY)
) + ANSWER_BODY

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_DELIVERY = re.compile(rb'v:fencepost"\r\n\r\n([^/\r]+)|v%3Afencepost=([^/%&]+)')
_BASE32 = {letter: value for value, letter in enumerate("0123456789ABCDEFGHJKMNPQRSTVWXYZ")}


class Counts:
    """What came. Requests without a readable delivery id count as requests only."""

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        self.requests = self.duplicates = 0
        self.first_at = self.last_at = 0.0
        self.received: dict[bytes, float] = {}
        self._cpu_at_start = time.process_time()

    def add(self, body: bytes) -> None:
        self.requests += 1
        self.last_at = now = time.time()
        if self.requests == 1:
            self.first_at = now
        found = _DELIVERY.search(body)
        if found:
            delivery_id = found[1] or found[2]
            if delivery_id in self.received:
                self.duplicates += 1
            else:
                self.received[delivery_id] = now

    def summary(self) -> dict[str, object]:
        """Lateness is the time of arrival after the due instant, which the delivery id begins with."""
        late = sorted(at - due for delivery_id, at in self.received.items() if (due := due_at(delivery_id)) is not None)
        return {
            "requests": self.requests,
            "deliveries": len(self.received),
            "duplicates": self.duplicates,
            "first_at": self.first_at,
            "last_at": self.last_at,
            "cpu_seconds": time.process_time() - self._cpu_at_start,
            "lateness_seconds": {f"p{share}": percentile(late, share) for share in (50, 90, 99, 100)} if late else None,
        }


def due_at(delivery_id: bytes) -> float | None:
    """The instant in the first 48 bits of `eml_<26 letters of base 32>`, in seconds since 1970."""
    letters = delivery_id.decode("latin-1").rpartition("_")[2][:10].upper()
    if len(letters) < 10 or not set(letters) <= _BASE32.keys():
        return None
    milliseconds = 0
    for letter in letters:
        milliseconds = milliseconds * 32 + _BASE32[letter]
    return milliseconds / 1000


def percentile(ordered: Sequence[float], share: int) -> float:
    """The smallest value that at least `share` per cent of them don't exceed."""
    return ordered[max(0, -(-len(ordered) * share // 100) - 1)]


class Connection(asyncio.Protocol):
    """One connection; requests on it are answered in turn."""

    def __init__(self, counts: Counts, latency_seconds: float) -> None:
        self._counts, self._latency_seconds = counts, latency_seconds
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while (end := self._buffer.find(b"\r\n\r\n")) >= 0:
            length = _LENGTH.search(self._buffer, 0, end)
            size = end + 4 + (int(length[1]) if length else 0)
            if len(self._buffer) < size:
                return
            request, self._buffer = self._buffer[:size], self._buffer[size:]
            self._answer(request)

    def _answer(self, request: bytes) -> None:
        if not request.startswith(b"POST"):
            return self._control(request)
        self._counts.add(request)
        if not self._latency_seconds:
            return self._transport.write(ANSWER)
        asyncio.get_running_loop().call_later(self._latency_seconds, self._transport.write, ANSWER)
        return None

    def _control(self, request: bytes) -> None:
        if request.startswith(b"DELETE"):
            self._counts.clear()
        body = json.dumps(self._counts.summary()).encode()
        head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        self._transport.write(head.encode() + body)


async def serve(port: int, latency_seconds: float) -> None:
    counts = Counts()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Connection(counts, latency_seconds), "127.0.0.1", port, backlog=2048)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    await server.serve_forever()


def counts(url: str, method: str = "GET") -> dict[str, object]:
    """What a running stub has counted; `method` DELETE makes it forget first."""
    parts = urlsplit(url)
    connection = HTTPConnection(parts.hostname or "", parts.port, timeout=30)
    connection.request(method, "/counts")
    summary: dict[str, object] = json.loads(connection.getresponse().read())
    connection.close()
    return summary


def measure(latency_ms: int, in_flight: int, requests: int) -> str:
    """Let one thread of libcurl call a stub of its own, and say what both could do."""
    command = [sys.executable, "-m", "tests.bench.stub", "--latency-ms", str(latency_ms)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as stub:
        assert stub.stdout is not None
        url = stub.stdout.readline().strip()
        bodies = [
            b'--x\r\n name="v:fencepost"\r\n\r\neml_%026d/1\r\n' % number + b"x" * 600 for number in range(requests)
        ]
        calls = [HttpRequest("POST", f"{url}/v3/x/messages", {"Authorization": "Basic eA=="}, body) for body in bodies]
        transport = Transport(connections=in_flight)
        began, cpu = time.monotonic(), time.process_time()
        waiting = iter(calls)
        left = requests
        for call in (next(waiting) for _ in range(min(in_flight, requests))):
            transport.start(None, call, 30)
        while left:
            for _ in transport.poll(30):
                left -= 1
                if (call_next := next(waiting, None)) is not None:
                    transport.start(None, call_next, 30)
        seconds, cpu = time.monotonic() - began, time.process_time() - cpu
        transport.close()
        seen = counts(url)
        stub.terminate()
    cpu_seconds = seen["cpu_seconds"]
    assert isinstance(cpu_seconds, float)
    assert (seen["requests"], seen["duplicates"]) == (requests, 0)
    return (
        f"{latency_ms:3} ms, {in_flight:4} in flight: {requests / seconds:8,.0f} requests/s;"
        f" CPU a request: stub {cpu_seconds / requests * 1000:.4f} ms (a core takes {requests / cpu_seconds:,.0f}/s),"
        f" client {cpu / requests * 1000:.4f} ms"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, default=0, help="0: any free one")
    parser.add_argument("--latency-ms", type=float, default=0)
    parser.add_argument("--measure", action="store_true", help="measure the stub itself, then end")
    arguments = parser.parse_args()
    if arguments.measure:
        for latency_ms, in_flight in ((0, 32), (0, 128), (50, 128), (50, 1000)):
            print(measure(latency_ms, in_flight, 20_000 if in_flight > 128 or not latency_ms else 5_000), flush=True)
        return
    try:
        asyncio.run(serve(arguments.port, arguments.latency_ms / 1000))
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
