"""SMTP: a mail as the text and the envelope that a server is handed, and its answer as an outcome. Pure.

Facts are from RFC 5321: a server may deliver a mail only after the dot that ends its text, and until then the client may break
off. So every refusal and every failure before it provably sent nothing, and so did a 4xx or 5xx to it; what was lost after it
can't be looked up anywhere. If one recipient is refused, the mail goes to none: what went to some could not be told in one word.
Text and headers are ASCII on the wire, so any server will do. Tags and metadata stay on record with us.
"""

import re
from collections.abc import Iterator, Sequence
from email.message import EmailMessage
from email.utils import format_datetime

from fencepost.deliveries import Outcome, OutcomeKind
from fencepost.errors import Invalid, Misconfigured, Problem
from fencepost.ids import instant_of
from fencepost.messages import Address, Mail
from fencepost.providers import answers, fields, mime
from fencepost.providers.http import Lost, NotSent, Reply
from fencepost.providers.smtp_call import Security, SmtpReply, SmtpRequest
from fencepost.reconciliation import Evidence, Reference, Trace
from fencepost.settings import Smtp as SmtpSettings

MAX_RECIPIENTS = 100
"""What every server has to take (RFC 5321, 4.5.3.1.8)."""
MAX_TEXT_BYTES = 26_214_400
"""25 MB, as most servers take; one that takes less says so, and the mail is rejected."""
DELIVERY_HEADER, ATTEMPT_HEADER = "X-Fencepost", "X-Fencepost-Attempt"
"""The headers that carry the delivery id and the attempt's number."""

_LINE, _LONGEST_LINE = 78, 998
_TAKEN = fields.OWN_HEADERS | {"return-path", "received", "dkim-signature"}
_BASE, _USER, _PASSWORD, _STARTTLS = (
    f"FENCEPOST_PROVIDERS__SMTP__{name}" for name in ("BASE_URL", "USER", "PASSWORD", "STARTTLS")
)
_ADDRESS = re.compile(r"(smtps?)://([A-Za-z0-9._-]+|\[[0-9A-Fa-f:]+\])(?::([0-9]{1,5}))?/?")
_PORTS = {"smtp": 587, "smtps": 465}
_RECEIPT = re.compile(r"(?:queued as|queued mail for delivery|id=|message accepted)[: ]*([^\s<>;,]+)", re.IGNORECASE)
_NO_RELAY = re.compile(r"\brelay", re.IGNORECASE)
_REFUSES_US = {
    "greeting": f"The server does not serve us: check {_BASE}",
    "hello": f"The server does not serve us: check {_BASE}",
    "starttls": f"The server does not encrypt: check {_BASE} and {_STARTTLS}",
    "auth": f"The server refuses the password: check {_USER} and {_PASSWORD}",
}
"""Where a definite refusal is about our account, whichever mail is sent, with what its operator should look at."""
_WANTS_AUTH = {530, 534, 535, 538}


class Smtp:
    """One SMTP server, and one account there."""

    name = "smtp"

    def __init__(self, settings: SmtpSettings) -> None:
        """Raises Misconfigured for a base address that is none."""
        parts = _ADDRESS.fullmatch(settings.base_url)
        if not parts:
            raise Misconfigured(
                f"{_BASE}: write smtp://mail.example.com:587 or smtps:// and so on, not {settings.base_url}"
            )
        self._host, self._port = parts[2].strip("[]"), int(parts[3] or _PORTS[parts[1]])
        self._security: Security = "implicit" if parts[1] == "smtps" else settings.starttls
        self._user, self._password = settings.user, settings.password.get_secret_value()

    def request(self, mail: Mail) -> SmtpRequest:
        """The mail for the server; equal mails give equal bytes. Raises Invalid, with pointers into the request of the API, for
        what mail can't carry or what would smuggle in a header."""
        fields.complete(mail, MAX_RECIPIENTS, "SMTP")
        people = [
            fields.email(f"/message/{name}/{index}", address.email, "SMTP")
            for name, addresses in (("to", mail.to), ("cc", mail.cc), ("bcc", mail.bcc))
            for index, address in enumerate(addresses)
        ]
        text = _text(mail)
        if len(text) > MAX_TEXT_BYTES:
            raise Invalid(Problem("/message", "SMTP servers take 25 MB at most"))
        return SmtpRequest(
            host=self._host,
            port=self._port,
            security=self._security,
            user=self._user,
            password=self._password,
            sender=fields.email("/message/from", mail.sender.email, "SMTP"),
            recipients=tuple(dict.fromkeys(people)),
            text=text,
        )

    def outcome(self, reply: Reply) -> Outcome:
        """How the call ended, by what may follow: only what provably was not accepted is anything but `unknown`."""
        if isinstance(reply, NotSent | Lost):
            return answers.unanswered(reply, "The SMTP server")
        assert isinstance(reply, SmtpReply), reply
        status, text = reply.status, answers.printable(reply.text)
        if reply.stage == "text":
            return _to_the_dot(status, text)
        if status in _WANTS_AUTH or (status >= 500 and reply.stage == "rcpt" and _NO_RELAY.search(text)):
            return answers.refuses_us(status, f"{_REFUSES_US['auth']} ({status}: {text})")
        if reply.stage in _REFUSES_US:
            if 400 <= status < 500:
                return Outcome(
                    OutcomeKind.UNAVAILABLE, f"The SMTP server is not available: {status} {text}", status=status
                )
            return answers.refuses_us(status, f"{_REFUSES_US[reply.stage]} ({status}: {text})")
        return _refused(status, text)

    def look_up(self, reference: Reference) -> None:
        """SMTP has no records that could be asked."""

    def trace(self, reference: Reference, reply: Reply) -> Trace:  # noqa: ARG002
        return Trace(Evidence.NO_RECORDS, "SMTP keeps no records that can be asked.")


def _to_the_dot(status: int, text: str) -> Outcome:
    """The outcome by the answer to the dot that ends the text."""
    if status == 250:
        found = _RECEIPT.search(text)
        receipt = answers.receipt(found[1]) if found else None
        return Outcome(OutcomeKind.ACCEPTED, "Taken by the SMTP server.", receipt=receipt, status=status)
    return _refused(status, text) if 400 <= status < 600 else answers.undecided(status, text)


def _refused(status: int, text: str) -> Outcome:
    """The outcome of a mail that the server did not take; 421 ends the whole conversation, whatever it was about."""
    if status == 421:
        return Outcome(OutcomeKind.UNAVAILABLE, f"The SMTP server is not available: {status} {text}", status=status)
    if 400 <= status < 500:
        return answers.throttled(status, "The SMTP server", text, None)
    if 500 <= status < 600:
        return answers.rejected(status, "The SMTP server", text)
    return Outcome(OutcomeKind.UNAVAILABLE, f"The SMTP server answered nonsense: {status} {text}", status=status)


def _text(mail: Mail) -> bytes:
    head = "".join(_folded(name, value) for name, value in _headers(mail))
    body = _body(mail)
    return head.encode("ascii") + mime.with_files(body.as_bytes(), body.get_content_type(), mail)


def _body(mail: Mail) -> EmailMessage:
    """Text, HTML or both, with the headers that tell of them."""
    message = EmailMessage(mime.ASCII)
    parts = [
        (subtype, fields.text(f"/message/{name}", content))
        for subtype, name, content in (("plain", "text", mail.text), ("html", "html", mail.html))
        if content
    ]
    try:
        message.set_content(parts[0][1], subtype=parts[0][0])
        for subtype, content in parts[1:]:
            message.add_alternative(content, subtype=subtype)
    except UnicodeEncodeError as error:
        raise Invalid(Problem("/message", "half a character (a lone surrogate) can't be sent")) from error
    if message.is_multipart():
        message.set_boundary(f"=_{mail.delivery_id}")
    return message


def _headers(mail: Mail) -> Iterator[tuple[str, str]]:
    yield "From", fields.mailbox("/message/from", mail.sender, "SMTP")
    for field, name, addresses in (("To", "to", mail.to), ("Cc", "cc", mail.cc)):
        if addresses:
            yield field, ", ".join(_mailboxes(name, addresses))
    _mailboxes("bcc", mail.bcc)  # in the envelope alone, but as good as the others
    if mail.reply_to:
        yield "Reply-To", fields.mailbox("/message/reply_to", mail.reply_to, "SMTP")
    yield "Subject", fields.words("/message/subject", mail.subject)
    yield "Date", format_datetime(instant_of(mail.delivery_id))
    yield "Message-ID", f"<{mail.message_id}>"
    for name, value in mail.headers.items():
        known = fields.header_name(name, _TAKEN, ("x-fencepost",))
        yield known, fields.words(f"/message/headers/{name}", value)
    yield DELIVERY_HEADER, mail.delivery_id
    yield ATTEMPT_HEADER, str(mail.attempt_no)


def _mailboxes(name: str, addresses: Sequence[Address]) -> list[str]:
    return [fields.mailbox(f"/message/{name}/{index}", address, "SMTP") for index, address in enumerate(addresses)]


def _folded(name: str, value: str) -> str:
    """The header in lines that are as short as its spaces allow. Raises Invalid for one that has a line too long for mail."""
    lines: list[str] = []
    line = f"{name}:"
    for word in value.split(" "):
        if word and len(line) + 1 + len(word) > _LINE and line.strip() and line != f"{name}:":
            lines.append(line)
            line = ""
        line += f" {word}"
    lines.append(line)
    if max(map(len, lines)) > _LONGEST_LINE:
        raise Invalid(Problem(f"/message/headers/{name}", f"a line of mail holds {_LONGEST_LINE} characters at most"))
    return "".join(f"{each}\r\n" for each in lines)
