"""Mailgun: a mail as its HTTP request, and its answer as an outcome. Pure.

Facts are from Mailgun's API reference and error list (`POST /v3/<domain>/messages`). The body is multipart/form-data:
Mailgun takes it for every message (urlencoded only for some), and it costs less, since values go out as they are,
where urlencoding walks over every byte and triples many of HTML's.
"""

import re
from base64 import b64encode
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from hashlib import blake2b

from fencepost.clock import Clock
from fencepost.deliveries import Outcome, OutcomeKind
from fencepost.errors import Invalid, Misconfigured, Problem
from fencepost.messages import Address, Attachment, Mail
from fencepost.providers import answers, fields, mime
from fencepost.providers.http import HttpReply, HttpRequest, Reply
from fencepost.providers.mailgun_events import DELIVERY_VARIABLE, MailgunEvents
from fencepost.reconciliation import Reference, Trace
from fencepost.settings import Mailgun as MailgunSettings

MAX_RECIPIENTS = 1000
MAX_TAGS = 3
MAX_TAG_CHARACTERS = 128
MAX_OPTION_BYTES = 16_384
"""What starts with o:, h: or v:, together."""
MAX_MESSAGE_BYTES = 26_214_400
"""25 MB, of the mail as Mailgun writes it: with its attachments in base64."""

_NEEDS_QUOTES = re.compile(r'[()<>@,:;\\".\[\]]')
_DOMAIN = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?")
_TRY_AGAIN = re.compile(r"try again after (?:(?P<seconds>\d+(?:\.\d+)?) ?s|(?P<date>[^\"]+))", re.IGNORECASE)

_THEIRS = ("x-mailgun-",)

_KEY, _DOMAIN_NAME, _REGION = (f"FENCEPOST_PROVIDERS__MAILGUN__{name}" for name in ("API_KEY", "DOMAIN", "BASE_URL"))
_REFUSES_US = {
    401: f"Mailgun refuses the key: check {_KEY}, and that {_REGION} is of the key's region",
    402: "Mailgun can't carry out a correct request: check the account's plan and payment in its control panel",
    403: f"The key may not send for this domain: check its role in Mailgun's control panel, and {_DOMAIN_NAME}",
    404: f"Mailgun does not know the domain: check {_DOMAIN_NAME}, and that {_REGION} is of the domain's region",
}
"""Statuses that are about our account, whichever mail is sent, with what its operator should look at."""

_Field = tuple[str, str]


class Mailgun:
    """One Mailgun domain."""

    name = "mailgun"

    def __init__(self, settings: MailgunSettings, clock: Clock) -> None:
        """Raises Misconfigured for a base address or a domain that would lead elsewhere than to Mailgun's messages."""
        base_url = fields.origin(_REGION, settings.base_url, "api.mailgun.net")
        if not _DOMAIN.fullmatch(settings.domain):
            raise Misconfigured(f"{_DOMAIN_NAME}: {settings.domain!r} is not a domain name")
        self._url = f"{base_url}/v3/{settings.domain}/messages"
        self._authorization = "Basic " + b64encode(f"api:{settings.api_key.get_secret_value()}".encode()).decode()
        self._clock = clock
        self._events = MailgunEvents(base_url, settings)

    def request(self, mail: Mail) -> HttpRequest:
        """The call that asks Mailgun to send `mail`; equal mails give equal bytes. Raises Invalid, with pointers into
        the request of the API, for what Mailgun would refuse or what would smuggle in a header."""
        pairs = list(_fields(mail))
        _refuse_excess(mail, pairs)
        try:
            content_type, body = _multipart(pairs, list(fields.attachments(mail)))
        except UnicodeEncodeError as error:
            raise Invalid(Problem("/message", "half a character (a lone surrogate) can't be sent")) from error
        headers = {"Authorization": self._authorization, "Content-Type": content_type, "User-Agent": "fencepost"}
        return HttpRequest("POST", self._url, headers, body)

    def outcome(self, reply: Reply) -> Outcome:
        """How the call ended, by what may follow: only what provably was not accepted is anything but `unknown`."""
        if not isinstance(reply, HttpReply):
            return answers.unanswered(reply, "Mailgun")
        status, text = reply.status, answers.said(reply, ("message",))
        match status:
            case 200:
                return _queued(reply, text)
            case 400 if _refuses_domain(text):
                return answers.refuses_us(400, f"Mailgun does not let this domain send: {text}")
            case 400 | 413:
                return answers.rejected(status, "Mailgun", text)
            case 401 | 402 | 403 | 404:
                return answers.refuses_us(status, f"{_REFUSES_US[status]} ({status}: {text})")
            case 429:
                return answers.throttled(429, "Mailgun", text, wait_seconds(reply, self._clock.now()))
        return answers.undecided(status, text)

    def look_up(self, reference: Reference) -> HttpRequest:
        """The call that asks Mailgun's records for a mail."""
        return self._events.look_up(reference)

    def trace(self, reference: Reference, reply: Reply) -> Trace | HttpRequest:
        """What they answered, or what to ask next."""
        return self._events.trace(reference, reply)


def wait_seconds(reply: HttpReply, now: datetime) -> float | None:
    """The wait that a 429 asks for: Retry-After, or "try again after <seconds> | <RFC 2822 date>" in its text. None: it
    says nothing that can be read."""
    if reply.headers.get("retry-after", "").strip():
        return answers.retry_after(reply, now)
    found = _TRY_AGAIN.search(answers.said(reply, ("message",)))
    if not found:
        return None
    if found["seconds"]:
        return answers.clamped(float(found["seconds"]))
    return answers.until(found["date"], now)


def _queued(reply: HttpReply, text: str) -> Outcome:
    answer = answers.document(reply.body)
    receipt, message = answers.receipt(answers.at(answer, "id")), answers.at(answer, "message")
    if receipt and isinstance(message, str) and message.startswith("Queued"):
        return Outcome(OutcomeKind.ACCEPTED, message, receipt=receipt, status=200)
    if "Mailgun Magnificent API" in text:
        detail = f"Mailgun knows no such path: check {_REGION} and {_DOMAIN_NAME}"
        return Outcome(OutcomeKind.UNKNOWN, detail, status=200, misconfigured=True)
    return Outcome(OutcomeKind.UNKNOWN, f"The answer has no id, or is not Queued: {text}", status=200)


def _refuses_domain(text: str) -> bool:
    """A 400 about the domain (not verified, not activated), which would burn every mail. The one about authorized
    recipients has the same beginning, and does depend on the mail."""
    return "is not allowed to send" in text and "authorized recipients" not in text


def _fields(mail: Mail) -> Iterator[_Field]:
    yield "from", _mailbox("/message/from", mail.sender)
    for name, addresses in (("to", mail.to), ("cc", mail.cc), ("bcc", mail.bcc)):
        for index, address in enumerate(addresses):
            yield name, _mailbox(f"/message/{name}/{index}", address)
    yield "subject", fields.line("/message/subject", mail.subject)
    for name, content in (("text", mail.text), ("html", mail.html)):
        if content is not None:
            yield name, fields.text(f"/message/{name}", content)
    yield "h:Message-Id", f"<{fields.line('/message_id', mail.message_id)}>"
    if mail.reply_to:
        yield "h:Reply-To", _mailbox("/message/reply_to", mail.reply_to)
    for name, value in mail.headers.items():
        yield (
            f"h:{fields.header_name(name, fields.OWN_HEADERS, ('x-mailgun-',))}",
            fields.line(f"/message/headers/{name}", value),
        )
    for index, tag in enumerate(mail.tags):
        yield "o:tag", _tag(f"/message/tags/{index}", tag)
    # Without this, every recipient finds our variables in a header of the mail.
    yield "o:suppress-headers", "X-Mailgun-Variables"
    yield f"v:{DELIVERY_VARIABLE}", f"{mail.delivery_id}/{mail.attempt_no}"
    for name, value in mail.metadata.items():
        if name == DELIVERY_VARIABLE:
            raise Invalid(Problem(f"/message/metadata/{name}", "this name is taken by Fencepost itself"))
        yield f"v:{fields.line('/message/metadata', name)}", fields.line(f"/message/metadata/{name}", value)


def _refuse_excess(mail: Mail, pairs: Iterable[_Field]) -> None:
    fields.complete(mail, MAX_RECIPIENTS, "Mailgun")
    if len(mail.tags) > MAX_TAGS:
        raise Invalid(Problem("/message/tags", f"Mailgun takes {MAX_TAGS} tags at most"))
    if (
        sum(len(name) + len(value.encode(errors="replace")) for name, value in pairs if name[1] == ":")
        > MAX_OPTION_BYTES
    ):
        raise Invalid(Problem("/message", "headers, tags and metadata are limited to 16 kB together"))
    files = sum(mime.encoded_bytes(len(attachment.content)) for attachment in mail.attachments)
    if files and files + sum(len((content or "").encode(errors="replace")) for content in (mail.text, mail.html)) > (
        MAX_MESSAGE_BYTES
    ):
        raise Invalid(
            Problem("/message/attachments", "Mailgun takes 25 MB at most, and base64 makes a third more of a file")
        )


def _mailbox(pointer: str, address: Address) -> str:
    """`"Name, with a comma" <a@b.example>`; the domain as its ASCII form, names in UTF-8, which Mailgun encodes itself."""
    email = fields.email(pointer, address.email, "Mailgun")
    name = fields.line(pointer, address.name)
    if not name:
        return email
    if _NEEDS_QUOTES.search(name):
        name = '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return f"{name} <{email}>"


def _tag(pointer: str, tag: str) -> str:
    if not tag or not tag.isascii() or len(tag) > MAX_TAG_CHARACTERS:
        raise Invalid(Problem(pointer, f"a tag has 1 to {MAX_TAG_CHARACTERS} ASCII characters"))
    return fields.line(pointer, tag)


def _multipart(pairs: Iterable[_Field], files: Sequence[Attachment]) -> tuple[str, bytes]:
    """Content-Type and body. The boundary is a hash of the values: none of them can contain it, by chance or by design. Files
    are in it by their own hashes."""
    encoded = [(_quoted(name), value.encode()) for name, value in pairs]
    whole = b"\0".join([*(value for _, value in encoded), *(each.file_id.encode() for each in files)])
    boundary = blake2b(whole, digest_size=16).hexdigest()
    delimiter = b"--" + boundary.encode()
    parts = [
        b'%s\r\nContent-Disposition: form-data; name="%s"\r\n\r\n%s\r\n' % (delimiter, name, value)
        for name, value in encoded
    ]
    parts += [
        b'%s\r\nContent-Disposition: form-data; name="%s"; filename="%s"\r\nContent-Type: %s\r\n\r\n%s\r\n'
        % (delimiter, *_named(each), each.content_type.encode(), each.content)
        for each in files
    ]
    return f"multipart/form-data; boundary={boundary}", b"".join([*parts, delimiter, b"--\r\n"])


def _named(attachment: Attachment) -> tuple[bytes, bytes]:
    """Field and file name. What stands in the html is named by its content id: Mailgun makes the one of the other."""
    if attachment.content_id:
        return b"inline", _quoted(attachment.content_id)
    return b"attachment", _quoted(attachment.filename)


def _quoted(name: str) -> bytes:
    return name.replace('"', "%22").encode()
