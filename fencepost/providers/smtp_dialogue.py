"""The conversation with an SMTP server about one mail, over a blocking socket.

Where the final dot lies decides what a failure means, so it passes a gate: `give_up` closes the gate and tells whether the dot
was let through before. The text is written without it, and the dot alone once the gate has let it pass. There is one
connection attempt for each address of the host, one mail on a connection, and no repetition of anything.
"""

import base64
import re
import socket
import ssl
import time
from contextlib import suppress
from threading import Lock

from fencepost.providers.http import Lost, NotSent
from fencepost.providers.smtp_call import SmtpReply, SmtpRequest, Stage

_LONGEST_REPLY = 65_536
_DOTS = re.compile(rb"(?m)^\.")


class _Refused(Exception):
    """The server refused a step; `reply` is its answer."""

    def __init__(self, reply: SmtpReply) -> None:
        super().__init__(reply.detail)
        self.reply = reply


class Dialogue:
    """One mail, one connection. `run` belongs to one thread; `give_up` may come from another."""

    def __init__(self, request: SmtpRequest, context: ssl.SSLContext, ends_at: float) -> None:
        """`ends_at`, in monotonic seconds, is when all of it has to be over."""
        self._request, self._context, self._ends_at = request, context, ends_at
        self._lock = Lock()
        self._gave_up = self._dotted = False
        self._socket: socket.socket | None = None
        self._buffer = b""
        self._stage: Stage = "greeting"

    def run(self) -> SmtpReply | NotSent | Lost:
        """Hand the mail over; how that ended."""
        try:
            return self._converse()
        except _Refused as refused:
            return refused.reply
        except (
            OSError,
            ValueError,
            EOFError,
        ) as error:  # ssl.SSLError is an OSError; ValueError: a host that can't be looked up
            return self._failed(f"{self._stage}: {str(error) or type(error).__name__}")
        finally:
            self._close()

    def give_up(self) -> NotSent | Lost:
        """End it now: the dot goes out no more. Whether it had gone."""
        with self._lock:
            self._gave_up = True
        sock = self._socket
        if sock:
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        return self._failed(f"{self._stage}: the time was over")

    def _failed(self, detail: str) -> NotSent | Lost:
        return Lost(detail) if self._dotted else NotSent(detail)

    def _converse(self) -> SmtpReply:
        request = self._request
        self._connect()
        self._expect("greeting", 220)
        offers = self._hello()
        if request.security in ("required", "optional") and ("STARTTLS" in offers or request.security == "required"):
            self._command("starttls", "STARTTLS", 220)
            if self._buffer:  # said before the encryption began: it may be anybody's
                raise EOFError("the server spoke on after its answer to STARTTLS")
            self._encrypt()
            offers = self._hello()
        if request.user:
            self._authenticate(offers)
        size = f" SIZE={len(request.text)}" if "SIZE" in offers else ""
        self._command("mail", f"MAIL FROM:<{request.sender}>{size}", 250)
        for recipient in request.recipients:
            self._command("rcpt", f"RCPT TO:<{recipient}>", 250, 251)
        self._command("data", "DATA", 354)
        self._send(_DOTS.sub(b"..", request.text))
        with self._lock:
            if self._gave_up or time.monotonic() >= self._ends_at:
                raise TimeoutError("the time was over")
            self._dotted = True
        self._stage = "text"
        self._send(b".\r\n")
        reply = self._reply()
        with suppress(OSError):  # a farewell that nobody waits for
            self._send(b"QUIT\r\n")
        return reply

    def _connect(self) -> None:
        request = self._request
        self._socket = socket.create_connection((request.host, request.port), self._left())
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if request.security == "implicit":
            self._encrypt()

    def _encrypt(self) -> None:
        assert self._socket
        self._socket.settimeout(self._left())
        self._socket = self._context.wrap_socket(self._socket, server_hostname=self._request.host)

    def _hello(self) -> dict[str, str]:
        """What the server offers: the words after each name."""
        assert self._socket
        name = self._socket.getsockname()[0]
        literal = f"[IPv6:{name}]" if ":" in name else f"[{name}]"
        reply = self._command("hello", f"EHLO {literal}", 250)
        lines = [line.partition(" ") for line in reply.text.upper().splitlines()[1:]]
        return {name: words for name, _, words in lines}

    def _authenticate(self, offers: dict[str, str]) -> None:
        request, methods = self._request, offers.get("AUTH", "").split()
        if request.security == "optional" and not isinstance(self._socket, ssl.SSLSocket):
            raise _Refused(SmtpReply("starttls", 502, "no STARTTLS is offered, and the password is not sent in clear"))
        if "PLAIN" in methods:
            self._command("auth", "AUTH PLAIN " + _encoded(f"\0{request.user}\0{request.password}"), 235)
        elif "LOGIN" in methods:
            self._command("auth", "AUTH LOGIN", 334)
            self._command("auth", _encoded(request.user), 334)
            self._command("auth", _encoded(request.password), 235)
        else:
            raise _Refused(SmtpReply("auth", 504, f"the server offers no AUTH PLAIN or LOGIN ({' '.join(methods)})"))

    def _command(self, stage: Stage, line: str, *good: int) -> SmtpReply:
        self._stage = stage
        self._send(f"{line}\r\n".encode())
        return self._expect(stage, *good)

    def _expect(self, stage: Stage, *good: int) -> SmtpReply:
        self._stage = stage
        reply = self._reply()
        if reply.status not in good:
            with suppress(OSError):
                self._send(b"QUIT\r\n")
            raise _Refused(reply)
        return reply

    def _reply(self) -> SmtpReply:
        """The next answer, its lines joined. Raises EOFError for what is none."""
        texts: list[str] = []
        while True:
            line = self._line()
            if not re.match(rb"[2-5][0-9][0-9]([ -]|$)", line):
                raise EOFError("the server answered nonsense")
            texts.append(line[4:].decode("utf-8", "replace"))
            if line[3:4] != b"-":
                return SmtpReply(self._stage, int(line[:3]), "\n".join(texts))

    def _line(self) -> bytes:
        assert self._socket
        while b"\n" not in self._buffer:
            self._socket.settimeout(self._left())
            chunk = self._socket.recv(4096)
            self._buffer += chunk
            if not chunk or len(self._buffer) > _LONGEST_REPLY:
                raise EOFError("the connection ended within an answer" if not chunk else "the answer does not end")
        line, _, self._buffer = self._buffer.partition(b"\n")
        return line.rstrip(b"\r")

    def _send(self, data: bytes) -> None:
        assert self._socket
        self._socket.settimeout(self._left())
        self._socket.sendall(data)

    def _left(self) -> float:
        """The seconds that are left. Raises TimeoutError."""
        left = self._ends_at - time.monotonic()
        if left <= 0 or self._gave_up:
            raise TimeoutError("the time was over")
        return left

    def _close(self) -> None:
        if self._socket:
            self._socket.close()


def _encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def authorities(ca_file: str) -> ssl.SSLContext:
    """Whom to trust: certificates are verified, with their names."""
    return ssl.create_default_context(cafile=ca_file)
