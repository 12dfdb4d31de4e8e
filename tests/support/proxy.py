"""A TCP proxy that loses, delays and swallows what passes: the network between us and a server.

with Proxy("127.0.0.1", 6379) as proxy:
    client = connect(proxy.address)
    proxy.lose_replies(1)       # the request arrives, its reply does not
    ...
    proxy.heal()
"""

import asyncio
import threading
from collections.abc import Coroutine
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit, urlunsplit

_CHUNK_BYTES = 65_536


class Proxy:
    """Listens on a free loopback port and passes bytes to and from one server. Its faults may be switched at any time, from
    any thread; they meet open connections too."""

    def __init__(self, host: str, port: int) -> None:
        self._server_address = (host, port)
        self._losses = 0
        self._swallow_requests = self._swallow_replies = self._refuse = False
        self._delay_seconds = self._drip_seconds = 0.0
        self._loop = asyncio.new_event_loop()
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxy", daemon=True)
        self.connections = 0
        """How many were opened so far."""
        self.port = 0

    @classmethod
    def before(cls, url: str) -> Self:
        """A proxy before the server that has this address."""
        parts = urlsplit(url)
        return cls(parts.hostname or "127.0.0.1", parts.port or 80)

    def __enter__(self) -> Self:
        self._thread.start()
        self._acceptor = asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result(5)
        self.port = self._acceptor.sockets[0].getsockname()[1]
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result(5)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._loop.close()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def url(self, original: str) -> str:
        """The server's address, by way of this proxy."""
        parts = urlsplit(original)
        userinfo, at, _ = parts.netloc.rpartition("@")
        return urlunsplit(parts._replace(netloc=f"{userinfo}{at}{self.address}"))

    def lose_replies(self, count: int = 1) -> None:
        """Requests arrive; instead of each of the next `count` replies, the connection is closed."""
        self._losses = count

    def swallow_replies(self) -> None:
        """Requests arrive; no reply ever comes, and connections stay open."""
        self._swallow_replies = True

    def swallow_requests(self) -> None:
        """Nothing arrives any more, and connections stay open: a cable that was pulled."""
        self._swallow_requests = True

    def delay_replies(self, seconds: float) -> None:
        """Every reply comes so much later."""
        self._delay_seconds = seconds

    def drip_replies(self, seconds: float) -> None:
        """Every reply comes byte by byte, with so much time between two."""
        self._drip_seconds = seconds

    def lead_to(self, url: str) -> None:
        """Lead to another server from now on, and close what is open to the last one: a name that was moved."""
        parts = urlsplit(url)
        self._server_address = (parts.hostname or "127.0.0.1", parts.port or 80)
        self._loop.call_soon_threadsafe(self._close_all)

    def cut(self) -> None:
        """Close all connections, and every new one at once."""
        self._refuse = True
        self._loop.call_soon_threadsafe(self._close_all)

    def heal(self) -> None:
        """Pass everything again. What was swallowed is gone; connections over which something was swallowed are closed."""
        swallowed = self._swallow_requests or self._swallow_replies
        self._losses, self._delay_seconds, self._drip_seconds = 0, 0.0, 0.0
        self._swallow_requests = self._swallow_replies = self._refuse = False
        if swallowed:
            self._loop.call_soon_threadsafe(self._close_all)

    async def _listen(self) -> asyncio.Server:
        return await asyncio.start_server(self._accept, "127.0.0.1", 0)

    async def _accept(self, from_client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._writers.add(to_client)
        if self._refuse:
            return self._close(to_client)
        try:
            from_server, to_server = await asyncio.open_connection(*self._server_address)
        except OSError:
            return self._close(to_client)
        self._writers.add(to_server)
        for pump in (self._requests(from_client, to_server), self._replies(from_server, to_client)):
            task = asyncio.get_running_loop().create_task(self._pump(pump, to_client, to_server))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return None

    async def _pump(self, pump: Coroutine[None, None, None], *ends: asyncio.StreamWriter) -> None:
        try:
            await pump
        except OSError:
            pass
        finally:
            for end in ends:
                self._close(end)

    async def _requests(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        while chunk := await source.read(_CHUNK_BYTES):
            if not self._swallow_requests:
                sink.write(chunk)
                await sink.drain()

    async def _replies(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        while chunk := await source.read(_CHUNK_BYTES):
            if self._losses:
                self._losses -= 1
                return
            if self._swallow_replies:
                continue
            if self._delay_seconds:
                await asyncio.sleep(self._delay_seconds)
            await self._pass_on(chunk, sink)

    async def _pass_on(self, chunk: bytes, sink: asyncio.StreamWriter) -> None:
        at = 0
        while self._drip_seconds and at < len(chunk) - 1:
            sink.write(chunk[at : at + 1])
            await sink.drain()
            await asyncio.sleep(self._drip_seconds)
            at += 1
        sink.write(chunk[at:])
        await sink.drain()

    def _close(self, writer: asyncio.StreamWriter) -> None:
        self._writers.discard(writer)
        writer.close()

    def _close_all(self) -> None:
        for writer in list(self._writers):
            self._close(writer)

    async def _end(self) -> None:
        self._acceptor.close()
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        writers = list(self._writers)
        self._close_all()
        await asyncio.gather(*(writer.wait_closed() for writer in writers), return_exceptions=True)
