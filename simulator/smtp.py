"""SMTP, as a server that one submits mail to speaks it (RFC 5321): EHLO, AUTH PLAIN and LOGIN, MAIL, RCPT, DATA.

Not HTTP, so it has a port and threads of its own; ledger, dials and inbox are those of the other dialects. It knows no TLS: it
is for one machine, or for a network of its own.
"""

import base64
import re
import secrets
import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from email import message_from_bytes, policy
from email.message import EmailMessage, Message, MIMEPart

from fencepost.settings import Simulator
from simulator import documents
from simulator.dials import ACCEPTING, OK, Dials, Draw
from simulator.ledger import Asked, File, Ledger, Mail

MAX_BYTES = 26_214_400
_MAIL = re.compile(r"MAIL FROM:<([^<>\s]*)>(?: .*)?", re.IGNORECASE)
_RCPT = re.compile(r"RCPT TO:<([^<>\s]+@[^<>\s]+)>(?: .*)?", re.IGNORECASE)
_REFUSALS = {
    "503": ("greeting", "421 4.3.2 Service not available, closing transmission channel"),
    "401": ("auth", "535 5.7.8 Authentication credentials invalid"),
    "429": ("mail", "450 4.7.1 Too much mail, try again later"),
    "400": ("rcpt", "550 5.1.1 No such user here"),
    "402": ("rcpt", "554 5.7.1 Relay access denied"),
    "403": ("rcpt", "554 5.7.1 Relay access denied"),
    "404": ("rcpt", "554 5.7.1 Relay access denied"),
    "413": ("text", "552 5.3.4 Message size exceeds fixed limit"),
    "refuse_500": ("text", "451 4.3.0 Local error in processing"),
}
"""At which step each fault refuses, and how; the other faults strike after the final dot."""


class Server:
    """Listens from the start. Each connection has a thread."""

    def __init__(self, settings: Simulator, ledger: Ledger, dials: Dials) -> None:
        """Raises OSError when the port is taken."""
        self._keys = settings.api_key.get_secret_value(), settings.secret_key.get_secret_value()
        self._ledger, self._dials = ledger, dials
        self._listener = socket.create_server((settings.host, settings.smtp_port or 0), backlog=512)
        threading.Thread(target=self._accept, name="smtp", daemon=True).start()

    def _accept(self) -> None:
        while True:
            sock, _ = self._listener.accept()
            threading.Thread(target=self._serve, args=(sock,), daemon=True).start()

    def _serve(self, sock: socket.socket) -> None:
        with suppress(OSError), sock:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            _Conversation(sock, self._keys, self._ledger, self._dials).run()


class _Over(Exception):
    """The conversation ends here."""


class _Conversation:
    def __init__(self, sock: socket.socket, keys: tuple[str, str], ledger: Ledger, dials: Dials) -> None:
        self._sock, self._keys, self._ledger, self._dials = sock, keys, ledger, dials
        self._input = sock.makefile("rb")
        self._draw: Draw
        self._known = False
        self._forget()

    def run(self) -> None:
        with suppress(_Over):
            if self._draw.answer == "refuse_connections":
                self._reset()
            self._refuse("greeting")
            self._say("220 simulator ESMTP")
            for line in self._lines():
                self._obey(line)

    def _forget(self) -> None:
        """A new mail, and with it a new throw of the dice."""
        self._sender: str | None = None
        self._people: list[str] = []
        self._draw = self._dials.draw(time.monotonic())

    def _lines(self) -> Iterator[str]:
        while line := self._input.readline(8192):
            yield line.decode("utf-8", "replace").strip()

    def _obey(self, line: str) -> None:
        match line.partition(" ")[0].upper():
            case "EHLO":
                self._say("250-simulator", "250-AUTH PLAIN LOGIN", f"250-SIZE {MAX_BYTES}", "250 ENHANCEDSTATUSCODES")
            case "HELO" | "NOOP":
                self._say("250 2.0.0 Ok")
            case "RSET":
                self._sender, self._people = None, []
                self._say("250 2.0.0 Ok")
            case "AUTH":
                self._authenticate(line)
            case "MAIL":
                self._from(line)
            case "RCPT":
                self._to(line)
            case "DATA":
                self._data()
            case "QUIT":
                self._say("221 2.0.0 Bye")
                raise _Over
            case _:
                self._say("502 5.5.2 Command not recognized")

    def _authenticate(self, line: str) -> None:
        _, method, *given = [*line.split(" "), ""][:4]
        self._refuse("auth")
        if method.upper() == "PLAIN":
            words = _decoded(given[0] or self._ask("334 ")).split("\0")[1:]
        else:
            words = [_decoded(self._ask("334 VXNlcm5hbWU6")), _decoded(self._ask("334 UGFzc3dvcmQ6"))]
        if tuple(words) != self._keys:
            self._ledger.record(Asked(), time.time(), "401", None)
            self._say(_REFUSALS["401"][1])
            return
        self._known = True
        self._say("235 2.7.0 Authentication successful")

    def _ask(self, prompt: str) -> str:
        self._say(prompt)
        return next(self._lines(), "")

    def _from(self, line: str) -> None:
        found = _MAIL.fullmatch(line)
        if not self._known:
            self._say("530 5.7.0 Authentication required")
            return
        self._refuse("mail")
        if found:
            self._sender = found[1]
        self._say("250 2.1.0 Ok" if found else "501 5.1.7 Bad sender address syntax")

    def _to(self, line: str) -> None:
        found = _RCPT.fullmatch(line)
        if self._sender is None:
            self._say("503 5.5.1 Error: need MAIL command")
            return
        self._refuse("rcpt")
        if found:
            self._people.append(found[1])
        self._say("250 2.1.5 Ok" if found else "501 5.1.3 Bad recipient address syntax")

    def _data(self) -> None:
        if not self._people or self._sender is None:
            self._say("503 5.5.1 Error: need RCPT command")
            return
        self._say("354 End data with <CR><LF>.<CR><LF>")
        message = message_from_bytes(self._text(), policy=policy.default)
        assert isinstance(message, EmailMessage)
        asked = documents.asked(*(str(message.get(name, "")) for name in ("X-Fencepost", "X-Fencepost-Attempt")))
        answer, wait = self._draw.answer, self._draw.wait_seconds
        accepted = answer == OK or answer in ACCEPTING
        mail = read(message, self._sender, tuple(self._people)) if accepted else None
        self._ledger.record(asked, time.time(), answer, mail)
        time.sleep(wait)
        if answer == "reset_without_accept":
            self._reset()
        if not accepted:
            self._say(_REFUSALS[answer][1])
        else:
            self._tell(answer)
        self._forget()

    def _tell(self, answer: str) -> None:
        """What a caller is told whose mail was accepted: the truth, or a fault."""
        truth, setting = f"250 2.0.0 Ok: queued as {secrets.token_hex(6).upper()}", self._draw.setting
        match answer:
            case "accept_and_hang":
                self._sock.settimeout(setting.hang_seconds)
                with suppress(OSError):
                    self._input.read()
                raise _Over
            case "accept_and_reset":
                self._reset()
            case "accept_and_500":  # no answer to a mail has a 5 and no end
                self._sock.sendall(b"5xx what?\r\n")
                raise _Over
            case "truncate":
                self._sock.sendall(truth[: len(truth) // 2].encode())
                raise _Over
            case "drip":
                for character in f"{truth}\r\n":
                    time.sleep(setting.drip_ms / 1000)
                    self._sock.sendall(character.encode())
            case _:
                self._say(truth)

    def _text(self) -> bytes:
        """All up to the final dot. Ends the conversation where none comes."""
        lines: list[bytes] = []
        while (line := self._input.readline()) != b".\r\n":
            if not line.endswith(b"\n"):
                raise _Over
            lines.append(line[1:] if line.startswith(b".") else line)
        return b"".join(lines)

    def _refuse(self, step: str) -> None:
        """Refuse here, if this is what was drawn. The mail that it is about is not known yet."""
        answer = self._draw.answer
        if answer not in _REFUSALS or _REFUSALS[answer][0] != step:
            return
        self._ledger.record(Asked(), time.time(), answer, None)
        self._say(_REFUSALS[answer][1])
        raise _Over

    def _say(self, *lines: str) -> None:
        self._sock.sendall("".join(f"{line}\r\n" for line in lines).encode())

    def _reset(self) -> None:
        self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._input.close()
        raise _Over


def read(message: EmailMessage, sender: str, people: tuple[str, ...]) -> Mail:
    """The mail in a text and its envelope; who stands in no header got a blind copy."""
    to, cc = _named(message, "To"), _named(message, "Cc")
    shown = {address for _, address in (*to, *cc)}
    text, html = (message.get_body((kind,)) for kind in ("plain", "html"))
    return Mail(
        provider="smtp",
        domain=sender.rpartition("@")[2],
        message_id=str(message.get("Message-ID", "")).strip("<> "),
        sender=next((written for written, _ in _named(message, "From")), sender),
        to=tuple(written for written, _ in to),
        cc=tuple(written for written, _ in cc),
        bcc=tuple(address for address in people if address not in shown),
        recipients=tuple(dict.fromkeys(people)),
        subject=str(message.get("Subject", "")),
        text=_content(text),
        html=_content(html),
        headers={name: str(value) for name, value in message.items()},
        attachments=tuple(_file(part) for part in message.walk() if part.get_content_disposition()),
    )


def _file(part: Message) -> File:
    content = part.get_payload(decode=True)
    return File.of(
        part.get_filename() or "",
        part.get_content_type(),
        content if isinstance(content, bytes) else b"",
        inline=part.get_content_disposition() == "inline",
        content_id=str(part["Content-ID"]).strip("<> ") if part["Content-ID"] else None,
    )


def _named(message: EmailMessage, name: str) -> list[tuple[str, str]]:
    header = message.get(name)
    return [
        (f"{each.display_name} <{each.addr_spec}>" if each.display_name else each.addr_spec, each.addr_spec)
        for each in (header.addresses if header else ())
    ]


def _content(part: MIMEPart | None) -> str | None:
    return str(part.get_content()).replace("\r\n", "\n") if isinstance(part, EmailMessage) else None


def _decoded(word: str) -> str:
    try:
        return base64.b64decode(word, validate=True).decode()
    except ValueError:
        return ""
