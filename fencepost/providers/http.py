"""One HTTP call as data: what is asked, and the three ways in which it ends."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from fencepost.providers.smtp_call import SmtpReply, SmtpRequest


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """A request that is ready for the wire. `headers` are complete but for Host and Content-Length."""

    method: Literal["GET", "POST"]
    url: str
    headers: Mapping[str, str]
    body: bytes = b""
    connect_to: str | None = None
    """HOST:PORT:ADDRESS:PORT: connect to that address where the URL names that host; the host stays in TLS and headers."""

    @property
    def can_travel(self) -> bool:
        """Whether all headers are printable ASCII. A key that was copied with what can't be seen is not: it would be refused in the
        middle of a call, or end the headers there."""
        written = "".join((*self.headers, *self.headers.values()))
        return written.isascii() and written.isprintable()


@dataclass(frozen=True, slots=True)
class HttpReply:
    """A complete answer. Header names are in lower case; of a repeated one the last is kept."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class NotSent:
    """Provably nothing that the other side could have acted upon reached it."""

    detail: str


@dataclass(frozen=True, slots=True)
class Lost:
    """No complete answer: the request may or may not have been acted upon."""

    detail: str


Request = HttpRequest | SmtpRequest
Reply = HttpReply | SmtpReply | NotSent | Lost
