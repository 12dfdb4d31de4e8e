"""One mail handed to an SMTP server, as data: what is asked, and the answer that ended it."""

from dataclasses import dataclass, field
from typing import Literal

Security = Literal["implicit", "required", "optional", "none"]
"""TLS from the first byte; by STARTTLS or not at all; by STARTTLS where the server offers it; never."""
Stage = Literal["greeting", "hello", "starttls", "auth", "mail", "rcpt", "data", "text"]
"""What an answer answers. Only `text` comes after the final dot: whatever ends earlier provably accepted nothing."""


@dataclass(frozen=True, slots=True)
class SmtpRequest:
    """A mail that is ready for the wire: envelope and text. The text has CRLF at its ends of line, and no dots doubled yet."""

    host: str
    port: int
    security: Security
    user: str
    """Empty: no AUTH."""
    password: str = field(repr=False)
    sender: str
    recipients: tuple[str, ...]
    text: bytes


@dataclass(frozen=True, slots=True)
class SmtpReply:
    """The answer that ended it: of a mail that was accepted, the one to the final dot; else the first that refused."""

    stage: Stage
    status: int
    text: str

    @property
    def detail(self) -> str:
        return f"{self.status} {self.text}"
