"""SendGrid: a mail as its HTTP request, and its answer as an outcome. Pure.

Facts are from SendGrid's API reference (`POST /v3/mail/send`): 202 with an empty body and the id in X-Message-Id means queued.
Our delivery id travels in `custom_args`, which its events bring back, and by which its Email Activity (`GET /v3/messages`, an
add-on that an account may lack) is searched. Our Message-ID goes along as a header, but nothing relies on its being kept.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from fencepost.clock import Clock
from fencepost.deliveries import Outcome, OutcomeKind
from fencepost.errors import Invalid, Problem
from fencepost.messages import Address, Attachment, Mail
from fencepost.providers import answers, fields
from fencepost.providers.http import HttpReply, HttpRequest, Reply
from fencepost.reconciliation import Evidence, Reference, Trace
from fencepost.settings import SendGrid as SendGridSettings

MAX_RECIPIENTS = 1000
MAX_CATEGORIES = 10
MAX_CATEGORY_CHARACTERS = 255
MAX_ARGUMENT_BYTES = 10_000
"""Names and values of custom_args, together."""
MAX_REQUEST_BYTES = 31_457_280
"""30 MB."""
PAGE = 100
DELIVERY_ARGUMENT, ATTEMPT_ARGUMENT = "fencepost", "fencepost_attempt"
"""The custom arguments that carry the delivery id and the attempt's number."""

_TAKEN = fields.OWN_HEADERS | {"received", "dkim-signature"}
_BASE, _KEY, _RECORDS_KEY = (
    f"FENCEPOST_PROVIDERS__SENDGRID__{name}" for name in ("BASE_URL", "API_KEY", "ACTIVITY_API_KEY")
)
_REFUSES_US = {
    401: f"SendGrid refuses the key, or the account has no credits left: check {_KEY}, and the plan in its settings",
    402: "SendGrid can't carry out a correct request: check the account's plan and payment in its settings",
    403: f"The key may not send, or not as this sender: check the scopes of {_KEY}, and Sender Authentication",
    404: f"SendGrid knows no such path: check {_BASE}",
}
"""Statuses that are about our account, whichever mail is sent, with what its operator should look at."""


class SendGrid:
    """One SendGrid account, or a subuser of it."""

    name = "sendgrid"

    def __init__(self, settings: SendGridSettings, clock: Clock) -> None:
        """Raises Misconfigured for a base address that is none."""
        self._base_url = fields.origin(_BASE, settings.base_url, "api.sendgrid.com")
        self._key = f"Bearer {settings.api_key.get_secret_value()}"
        records_key = settings.activity_api_key
        self._records_key = f"Bearer {records_key.get_secret_value()}" if records_key else None
        self._clock = clock

    def request(self, mail: Mail) -> HttpRequest:
        """The call that asks SendGrid to send `mail`; equal mails give equal bytes. Raises Invalid, with pointers into the
        request of the API, for what SendGrid would refuse or what would smuggle in a header."""
        fields.complete(mail, MAX_RECIPIENTS, "SendGrid")
        if not mail.subject:
            raise Invalid(Problem("/message/subject", "SendGrid takes no mail without a subject"))
        headers = {"Authorization": self._key, "Content-Type": "application/json", "User-Agent": "fencepost"}
        body = fields.as_json(_document(mail))
        if len(body) > MAX_REQUEST_BYTES:
            raise Invalid(Problem("/message", "SendGrid takes 30 MB at most"))
        return HttpRequest("POST", f"{self._base_url}/v3/mail/send", headers, body)

    def outcome(self, reply: Reply) -> Outcome:
        """How the call ended, by what may follow: only what provably was not accepted is anything but `unknown`."""
        if not isinstance(reply, HttpReply):
            return answers.unanswered(reply, "SendGrid")
        status, text = reply.status, answers.said(reply, ("errors", 0, "message"))
        match status:
            case 202 if receipt := answers.receipt(reply.headers.get("x-message-id")):
                return Outcome(OutcomeKind.ACCEPTED, "Queued by SendGrid.", receipt=receipt, status=202)
            case 400 | 413:
                return answers.rejected(status, "SendGrid", text)
            case 401 | 402 | 403 | 404:
                return answers.refuses_us(status, f"{_REFUSES_US[status]} ({status}: {text})")
            case 429:
                return answers.throttled(429, "SendGrid", text, wait_seconds(reply, self._clock.now()))
        return answers.undecided(status, text)

    def look_up(self, reference: Reference) -> HttpRequest | None:
        """The call that asks Email Activity for a mail; None without a key for it: this account has no records to ask."""
        if self._records_key is None:
            return None
        query = f"(unique_args['{DELIVERY_ARGUMENT}']=\"{reference.delivery_id}\")"
        headers = {"Authorization": self._records_key, "Accept": "application/json", "User-Agent": "fencepost"}
        return HttpRequest("GET", f"{self._base_url}/v3/messages?{urlencode({'limit': PAGE, 'query': query})}", headers)

    def trace(self, reference: Reference, reply: Reply) -> Trace:  # noqa: ARG002 the query named it
        """What Email Activity says of it: a message of any status was taken. What was dropped afterwards, for a suppressed
        address say, has the same status as what bounced."""
        found = answers.records(reply, "SendGrid", _RECORDS_KEY, ("messages",))
        if isinstance(found, Trace):
            return found
        if not found:
            return Trace(Evidence.NO_TRACE, "SendGrid's Email Activity shows no trace of this mail.")
        # There the id of the call is followed by where the message was processed, one for each recipient.
        receipt = str(answers.at(found, 0, "msg_id") or "").partition(".")[0]
        return Trace(
            Evidence.ACCEPTED, "Found in SendGrid's Email Activity: it took this mail.", answers.receipt(receipt)
        )


def wait_seconds(reply: HttpReply, now: datetime) -> float | None:
    """The wait that a 429 asks for: Retry-After, or the instant in X-RateLimit-Reset (seconds since 1970). None: it says
    nothing that can be read."""
    if reply.headers.get("retry-after", "").strip():
        return answers.retry_after(reply, now)
    reset = reply.headers.get("x-ratelimit-reset", "").strip()
    if not (reset.isascii() and reset.isdigit()):
        return None
    return answers.clamped(float(reset) - now.timestamp())


def _document(mail: Mail) -> dict[str, Any]:
    document: dict[str, Any] = {
        "personalizations": [dict(_recipients(mail))],
        "from": _mailbox("/message/from", mail.sender),
        "subject": fields.line("/message/subject", mail.subject),
        "content": [
            {"type": f"text/{kind}", "value": fields.text(f"/message/{name}", content)}
            for name, kind, content in (("text", "plain", mail.text), ("html", "html", mail.html))
            if content
        ],
        "headers": dict(_headers(mail)),
        "custom_args": _arguments(mail),
    }
    if mail.reply_to:
        document["reply_to"] = _mailbox("/message/reply_to", mail.reply_to)
    if mail.tags:
        document["categories"] = _categories(mail)
    if mail.attachments:
        document["attachments"] = [_attachment(each) for each in fields.attachments(mail)]
    return document


def _attachment(attachment: Attachment) -> dict[str, str]:
    found = {
        "content": fields.base64(attachment),
        "type": attachment.content_type,
        "filename": attachment.filename,
        "disposition": "inline" if attachment.content_id else "attachment",
    }
    return {**found, "content_id": attachment.content_id} if attachment.content_id else found


def _recipients(mail: Mail) -> Iterator[tuple[str, list[dict[str, str]]]]:
    """Each address once: SendGrid refuses a mail that names one twice among to, cc and bcc."""
    seen: set[str] = set()
    for name, addresses in (("to", mail.to), ("cc", mail.cc), ("bcc", mail.bcc)):
        mailboxes = [_mailbox(f"/message/{name}/{index}", address) for index, address in enumerate(addresses)]
        fresh = []
        for mailbox in mailboxes:
            if mailbox["email"].lower() not in seen:
                seen.add(mailbox["email"].lower())
                fresh.append(mailbox)
        if fresh:
            yield name, fresh


def _headers(mail: Mail) -> Iterator[tuple[str, str]]:
    yield "Message-ID", f"<{fields.line('/message_id', mail.message_id)}>"
    for name, value in mail.headers.items():
        known = fields.header_name(name, _TAKEN, ("x-sg-",))
        yield known, fields.line(f"/message/headers/{name}", value)


def _arguments(mail: Mail) -> dict[str, str]:
    arguments = {DELIVERY_ARGUMENT: mail.delivery_id, ATTEMPT_ARGUMENT: str(mail.attempt_no)}
    if taken := arguments.keys() & mail.metadata.keys():
        raise Invalid(Problem(f"/message/metadata/{min(taken)}", "this name is taken by Fencepost itself"))
    arguments |= mail.metadata
    if len(fields.as_json(arguments)) > MAX_ARGUMENT_BYTES:
        raise Invalid(Problem("/message/metadata", "SendGrid takes 10,000 bytes of metadata"))
    return arguments


def _categories(mail: Mail) -> list[str]:
    if len(mail.tags) > MAX_CATEGORIES:
        raise Invalid(Problem("/message/tags", f"SendGrid takes {MAX_CATEGORIES} tags at most"))
    for index, tag in enumerate(mail.tags):
        if not tag or not tag.isascii() or len(tag) > MAX_CATEGORY_CHARACTERS:
            detail = f"a tag has 1 to {MAX_CATEGORY_CHARACTERS} ASCII characters"
            raise Invalid(Problem(f"/message/tags/{index}", detail))
        fields.line(f"/message/tags/{index}", tag)
    return list(dict.fromkeys(mail.tags))


def _mailbox(pointer: str, address: Address) -> dict[str, str]:
    mailbox = {"email": fields.email(pointer, address.email, "SendGrid")}
    return {**mailbox, "name": fields.line(pointer, address.name)} if address.name else mailbox
