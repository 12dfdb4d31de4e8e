"""The wire: many HTTP calls at once on libcurl's multi interface, driven by one thread; mails to SMTP servers beside them.

One `start()` is at most one request on the wire. That is the whole point of this module, and three things guard it:

- libcurl sends a request again by itself when a reused connection dies before the first byte of an answer. It has to
  rewind the body for that, so the body is handed over by a callback that can't be rewound: libcurl then gives up with
  E_SEND_FAIL_REWIND, and the call is Lost. Connections are kept alive all the same. (A request without a body has
  nothing to rewind, so it takes a new connection: only reused ones are tried again.)
- no redirects (a 307 would be a second POST), no proxy, no HTTP/2 (it repeats refused streams), no authentication by
  challenge, no waiting for 100-continue;
- one deadline for everything from the look-up of the name to the last byte of the answer;

A kept connection that the other side has closed would now cost a Lost call. So an idle one is used for `idle_seconds`
only, and idle ones are watched: libcurl looks whether a connection is still alive at most once a second, therefore one
that stirs (closed, or speaking unasked) makes new calls take new connections until libcurl must have looked.
"""

import os
import select
import time
from collections.abc import Hashable, Sequence
from contextlib import suppress
from io import BytesIO
from threading import Lock
from typing import Any

import certifi
import pycurl

from fencepost.providers.http import HttpReply, HttpRequest, Lost, NotSent, Reply, Request
from fencepost.providers.smtp_call import SmtpRequest
from fencepost.providers.smtp_calls import SmtpCalls

__all__ = ["MAX_REPLY_BYTES", "HttpReply", "HttpRequest", "Lost", "NotSent", "Reply", "Transport"]

MAX_REPLY_BYTES = 1_048_576
"""No provider's answer is longer; a call whose answer is longer than a transport takes is Lost."""

# These prove that nothing was sent, provided that libcurl wrote nothing: it uses some of them for other things too.
_NOT_SENT = {
    pycurl.E_URL_MALFORMAT,
    pycurl.E_UNSUPPORTED_PROTOCOL,
    pycurl.E_COULDNT_RESOLVE_HOST,
    pycurl.E_COULDNT_CONNECT,
    pycurl.E_PEER_FAILED_VERIFICATION,
    pycurl.E_OPERATION_TIMEDOUT,
}
_LOOK_SECONDS = 1.1
"""After this long, libcurl looks again whether a connection is alive."""
_STALE_SECONDS = 0.01
"""Idle connections that were last looked at longer ago are looked at before a call starts."""

_POLL_MASKS = {
    pycurl.POLL_IN: select.POLLIN,
    pycurl.POLL_OUT: select.POLLOUT,
    pycurl.POLL_INOUT: select.POLLIN | select.POLLOUT,
}


class _Call:
    """One easy handle with its buffers; it serves one call after the other."""

    def __init__(self, ca_file: str, idle_seconds: int, max_reply_bytes: int) -> None:
        self._max_reply_bytes = max_reply_bytes
        self.key: Hashable = None
        self._lines: list[bytes] = []
        self._chunks: list[bytes] = []
        self._received = 0
        self._body = BytesIO()
        self.curl = curl = pycurl.Curl()
        curl.setopt(pycurl.NOSIGNAL, 1)
        curl.setopt(pycurl.HTTP_VERSION, pycurl.CURL_HTTP_VERSION_1_1)
        curl.setopt(pycurl.PROXY, "")
        curl.setopt(pycurl.FOLLOWLOCATION, 0)
        curl.setopt(pycurl.PROTOCOLS, pycurl.PROTO_HTTP | pycurl.PROTO_HTTPS)
        curl.setopt(pycurl.SSL_VERIFYPEER, 1)
        curl.setopt(pycurl.SSL_VERIFYHOST, 2)
        curl.setopt(pycurl.CAINFO, ca_file)
        curl.setopt(pycurl.TCP_NODELAY, 1)
        curl.setopt(pycurl.MAXAGE_CONN, idle_seconds)
        curl.setopt(pycurl.WRITEFUNCTION, self._write)

    def prepare(self, key: Hashable, request: HttpRequest, timeout_seconds: float, *, fresh: bool) -> None:
        self.key, self._lines, self._chunks, self._received = key, [], [], 0
        self._body = BytesIO(request.body)
        curl = self.curl
        curl.setopt(pycurl.URL, request.url)
        curl.setopt(pycurl.CONNECT_TO, [request.connect_to] if request.connect_to else [])
        curl.setopt(pycurl.HTTPHEADER, [f"{name}: {value}" for name, value in request.headers.items()] + ["Expect:"])
        curl.setopt(pycurl.HEADERFUNCTION, self._lines.append)
        curl.setopt(pycurl.TIMEOUT_MS, max(1, round(timeout_seconds * 1000)))
        curl.setopt(pycurl.FRESH_CONNECT, 1 if fresh or not request.body else 0)
        if request.method == "GET":
            curl.setopt(pycurl.HTTPGET, 1)
            return
        curl.setopt(pycurl.POST, 1)
        curl.setopt(pycurl.POSTFIELDSIZE_LARGE, len(request.body))
        # No SEEKFUNCTION beside it, on purpose: a body that can't be rewound can't be sent twice.
        curl.setopt(pycurl.READFUNCTION, self._body.read)

    def reply(self) -> HttpReply | Lost:
        headers = _headers(self._lines)
        if headers is None:  # libcurl lets that pass
            return Lost("the connection ended within the headers")
        return HttpReply(self.curl.getinfo(pycurl.RESPONSE_CODE), headers, b"".join(self._chunks))

    def failure(self, code: int, message: str) -> NotSent | Lost:
        wrote = self._body.tell() > 0 or self.curl.getinfo(pycurl.REQUEST_SIZE) > 0
        detail = f"{message or 'the call failed'} (libcurl {code})"
        return NotSent(detail) if code in _NOT_SENT and not wrote else Lost(detail)

    def rest(self) -> None:
        """Let go of what it carried: a spare one must not keep a mail's attachments."""
        self._body.close()
        self._chunks = []

    def _write(self, chunk: bytes) -> int:
        self._received += len(chunk)
        if self._received > self._max_reply_bytes:
            return -1
        self._chunks.append(chunk)
        return len(chunk)


class Transport:
    """Calls in flight. Everything but `wake` belongs to one thread."""

    def __init__(
        self,
        *,
        connections: int = 256,
        idle_seconds: int = 15,
        ca_file: str | None = None,
        max_reply_bytes: int = MAX_REPLY_BYTES,
    ) -> None:
        """At most `connections` are kept alive, each for `idle_seconds`. `ca_file` holds the authorities to trust, in
        PEM; None takes certifi's."""
        self._ca_file = ca_file or certifi.where()
        self._idle_seconds, self._max_reply_bytes = idle_seconds, max_reply_bytes
        self._calls: dict[pycurl.Curl, _Call] = {}
        self._spare: list[_Call] = []
        self._done: list[tuple[Hashable, Reply]] = []
        self._timer_at: float | None = None
        self._idle_fds: set[int] = set()
        self._looked_at = self._distrust_until = 0.0
        self._woken = False
        self._poller = select.poll()
        self._pipe_lock, self._closed = Lock(), False
        self._wake_read, self._wake_write = os.pipe()
        os.set_blocking(self._wake_read, False)
        os.set_blocking(self._wake_write, False)
        self._poller.register(self._wake_read, select.POLLIN)
        self._smtp = SmtpCalls(self._ca_file, self.wake)
        self._multi = pycurl.CurlMulti()
        self._multi.setopt(pycurl.M_PIPELINING, 0)
        self._multi.setopt(pycurl.M_MAXCONNECTS, connections)
        self._multi.setopt(pycurl.M_SOCKETFUNCTION, self._watch)
        self._multi.setopt(pycurl.M_TIMERFUNCTION, self._set_timer)

    @property
    def in_flight(self) -> int:
        """Calls that were started and that `poll` has not handed back."""
        return len(self._calls) + len(self._done) + len(self._smtp)

    def start(self, key: Hashable, request: Request, timeout_seconds: float) -> None:
        """Begin a call now; `poll` will hand back `key` and its reply, at the latest when `timeout_seconds` are over."""
        if isinstance(request, SmtpRequest):
            self._smtp.start(key, request, timeout_seconds)
            return
        if not request.can_travel:
            self._done.append((key, NotSent("a header, its key most likely, holds what no request can carry")))
            return
        call = self._spare.pop() if self._spare else _Call(self._ca_file, self._idle_seconds, self._max_reply_bytes)
        if self._idle_fds and time.monotonic() - self._looked_at > _STALE_SECONDS:
            self._turn(0)
        call.prepare(key, request, timeout_seconds, fresh=time.monotonic() < self._distrust_until)
        self._calls[call.curl] = call
        self._multi.add_handle(call.curl)
        # The clock of the deadline starts here, and so does the connection: not when the caller comes to poll.
        self._act(pycurl.SOCKET_TIMEOUT, 0)

    def poll(self, wait_seconds: float) -> list[tuple[Hashable, Reply]]:
        """The calls that ended. Waits up to `wait_seconds` for the first one, or until `wake`; then the list is empty."""
        deadline = time.monotonic() + wait_seconds
        self._turn(0)
        mails_end_at = self._smtp.ends_at
        if mails_end_at is not None:
            deadline = min(deadline, mails_end_at)
        while not self._done and not self._woken and (left := deadline - time.monotonic()) > 0:
            self._turn(left)
        done, self._done, self._woken = self._done + self._smtp.collect(), [], False
        return done

    def wake(self) -> None:
        """Make the `poll` that is waiting, or else the next one, return at once. Safe from any thread, also after `close`: a thread
        that stands still while the others end must not write into whatever has the pipe's number by then."""
        with self._pipe_lock, suppress(BlockingIOError):  # the pipe is full: it will wake all the same
            if not self._closed:
                os.write(self._wake_write, b"w")

    def close(self) -> None:
        """Drop what is in flight and close every connection."""
        self._smtp.close()
        for call in self._calls.values():
            self._multi.remove_handle(call.curl)
        for call in [*self._calls.values(), *self._spare]:
            call.curl.close()
        self._calls, self._spare, self._done = {}, [], []
        self._multi.close()
        with self._pipe_lock:
            self._closed = True
            os.close(self._wake_read)
            os.close(self._wake_write)

    def _turn(self, wait_seconds: float) -> None:
        """Serve what is ready, after waiting for it."""
        if self._timer_at is not None:
            wait_seconds = min(wait_seconds, max(0.0, self._timer_at - time.monotonic()))
        ready = self._poller.poll(wait_seconds * 1000)
        self._looked_at = time.monotonic()
        for fd, events in ready:
            if fd == self._wake_read:
                os.read(fd, 4096)
                self._woken = True
            elif fd in self._idle_fds:
                self._idle_stirs(fd, events)
            else:
                self._act(fd, _actions(events))
        if self._timer_at is not None and self._timer_at <= self._looked_at:
            self._timer_at = None
            self._act(pycurl.SOCKET_TIMEOUT, 0)

    def _act(self, fd: int, actions: int) -> None:
        _, running = self._multi.socket_action(fd, actions)
        if running < len(self._calls):
            self._collect()

    def _collect(self) -> None:
        _, succeeded, failed = self._multi.info_read()
        for curl in succeeded:
            self._finish(curl, self._calls[curl].reply())
        for curl, code, message in failed:
            self._finish(curl, self._calls[curl].failure(code, message))

    def _finish(self, curl: pycurl.Curl, reply: Reply) -> None:
        call = self._calls.pop(curl)
        fd = curl.getinfo(pycurl.ACTIVESOCKET)
        self._multi.remove_handle(curl)
        if fd >= 0:  # the connection is kept; libcurl has stopped to watch it
            self._idle_fds.add(fd)
            self._poller.register(fd, select.POLLIN)
        self._done.append((call.key, reply))
        call.rest()
        self._spare.append(call)

    def _idle_stirs(self, fd: int, events: int) -> None:
        """A connection without a call was closed by the other side; or by libcurl, in silence: then `fd` is no socket
        any more, or somebody else's, which costs no more than a new connection."""
        self._idle_fds.discard(fd)
        self._poller.unregister(fd)
        if not events & select.POLLNVAL:
            self._distrust_until = self._looked_at + _LOOK_SECONDS

    def _watch(self, what: int, fd: int, _multi: Any, _data: Any) -> None:
        self._idle_fds.discard(fd)
        if what == pycurl.POLL_REMOVE:
            with suppress(KeyError):
                self._poller.unregister(fd)
        else:
            self._poller.register(fd, _POLL_MASKS[what])  # register() of a known one changes its mask

    def _set_timer(self, milliseconds: int) -> None:
        self._timer_at = None if milliseconds < 0 else time.monotonic() + milliseconds / 1000


def _actions(events: int) -> int:
    actions = 0
    if events & select.POLLIN:
        actions |= pycurl.CSELECT_IN
    if events & select.POLLOUT:
        actions |= pycurl.CSELECT_OUT
    if events & (select.POLLERR | select.POLLHUP | select.POLLNVAL):
        actions |= pycurl.CSELECT_ERR
    return actions


def _headers(lines: Sequence[bytes]) -> dict[str, str] | None:
    """The headers of the final answer (those of interim ones, 1xx, come before its status line); None if they lack the
    empty line at their end."""
    headers: dict[str, str] = {}
    complete = False
    for line in lines:
        if line.startswith(b"HTTP/"):
            headers, complete = {}, False
        name, colon, value = line.partition(b":")
        if colon:
            headers[name.decode("latin-1").lower()] = value.strip().decode("latin-1")
        elif not line.strip():
            complete = True
    return headers if complete else None
