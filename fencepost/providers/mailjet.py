"""Mailjet: a mail as its HTTP request, and its answer as an outcome. Pure.

Facts are from Mailjet's API reference (`POST /v3.1/send`): an answer tells of each message whether it was taken, under 200 and
400 alike; a call of ours holds one. Our delivery id is its CustomID, by which the messages on record are found
(`GET /v3/REST/message`); the attempt's number, tags and metadata are its EventPayload. Mailjet writes the Message-ID itself.
"""

import json
from base64 import b64encode
from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

from fencepost.clock import Clock
from fencepost.deliveries import Outcome, OutcomeKind
from fencepost.errors import Invalid, Problem
from fencepost.messages import Address, Attachment, Mail
from fencepost.providers import answers, fields
from fencepost.providers.http import HttpReply, HttpRequest, Reply
from fencepost.reconciliation import Evidence, Reference, Trace
from fencepost.settings import Mailjet as MailjetSettings

MAX_RECIPIENTS = 50
"""In each of To, Cc and Bcc."""
MAX_SUBJECT_CHARACTERS = 255
MAX_REQUEST_BYTES = 15_728_640
"""15 MB."""
PAGE = 100
ATTEMPT_VARIABLE, TAGS_VARIABLE = "fencepost_attempt", "fencepost_tags"
"""What we add to the metadata in EventPayload."""
_ON_RECORD = timedelta(days=7)
"""How far back messages are looked for: longer than any mail is in doubt."""

_TAKEN = fields.OWN_HEADERS | {
    "return-path", "delivered-to", "dkim-signature", "domainkey-status", "received-spf", "authentication-results",
    "received", "user-agent", "x-mailer", "x-feedback-id", "x-csa-complaints", "list-id",
}  # fmt: skip
_BASE, _KEY, _SECRET = (f"FENCEPOST_PROVIDERS__MAILJET__{name}" for name in ("BASE_URL", "API_KEY", "SECRET_KEY"))
_REFUSES_US = {
    401: f"Mailjet refuses the keys: check {_KEY}, {_SECRET}, and the region in {_BASE}",
    402: "Mailjet can't carry out a correct request: check the account's plan and payment",
    403: "Mailjet does not let this account send, or not as this sender: check its state, and that the sender is validated",
    404: f"Mailjet knows no such path: check {_BASE}",
}
"""Statuses that are about our account, whichever mail is sent, with what its operator should look at."""


class Mailjet:
    """One Mailjet API key."""

    name = "mailjet"

    def __init__(self, settings: MailjetSettings, clock: Clock) -> None:
        """Raises Misconfigured for a base address that is none."""
        self._base_url = fields.origin(_BASE, settings.base_url, "api.mailjet.com")
        keys = f"{settings.api_key.get_secret_value()}:{settings.secret_key.get_secret_value()}"
        self._authorization = "Basic " + b64encode(keys.encode()).decode()
        self._clock = clock

    def request(self, mail: Mail) -> HttpRequest:
        """The call that asks Mailjet to send `mail`; equal mails give equal bytes. Raises Invalid, with pointers into the
        request of the API, for what Mailjet would refuse or what would smuggle in a header."""
        _refuse_excess(mail)
        headers = {"Authorization": self._authorization, "Content-Type": "application/json", "User-Agent": "fencepost"}
        body = fields.as_json({"Messages": [_message(mail)]})
        if len(body) > MAX_REQUEST_BYTES:
            raise Invalid(Problem("/message", "Mailjet takes 15 MB at most"))
        return HttpRequest("POST", f"{self._base_url}/v3.1/send", headers, body)

    def outcome(self, reply: Reply) -> Outcome:
        """How the call ended, by what may follow: only what provably was not accepted is anything but `unknown`."""
        if not isinstance(reply, HttpReply):
            return answers.unanswered(reply, "Mailjet")
        status = reply.status
        text = answers.said(reply, ("Messages", 0, "Errors", 0, "ErrorMessage"), ("ErrorMessage",))
        match status:
            case 200 | 400:
                return _told(reply, text)
            case 413:
                return answers.rejected(413, "Mailjet", text)
            case 401 | 402 | 403 | 404:
                return answers.refuses_us(status, f"{_REFUSES_US[status]} ({status}: {text})")
            case 429:
                return answers.throttled(429, "Mailjet", text, answers.retry_after(reply, self._clock.now()))
        return answers.undecided(status, text)

    def look_up(self, reference: Reference) -> HttpRequest:
        """The call that asks Mailjet for the messages with our CustomID."""
        since = int((self._clock.now() - _ON_RECORD).timestamp())
        query = {"CustomID": reference.delivery_id, "ShowCustomID": "true", "FromTS": since, "Limit": PAGE}
        headers = {"Authorization": self._authorization, "Accept": "application/json", "User-Agent": "fencepost"}
        return HttpRequest("GET", f"{self._base_url}/v3/REST/message?{urlencode(query)}", headers)

    def trace(self, reference: Reference, reply: Reply) -> Trace:
        """What they say of it: there is a message for each recipient."""
        found = answers.records(reply, "Mailjet", f"{_KEY} and {_SECRET}", ("Data",))
        if isinstance(found, Trace):
            return found
        if not found:
            return Trace(Evidence.NO_TRACE, "Mailjet's records show no trace of this mail.")
        ours = [message for message in found if answers.at(message, "CustomID") == reference.delivery_id]
        if not ours:
            return Trace(Evidence.UNREADABLE, "Mailjet's records could not be read: it answered with other mail.")
        taken = [message for message in ours if str(answers.at(message, "Status")).lower() != "blocked"]
        if not taken:
            detail = "Mailjet's records show that it took this mail and then refused to send it."
            return Trace(Evidence.REFUSED, detail)
        detail = "Found in Mailjet's records: it took this mail."
        return Trace(Evidence.ACCEPTED, detail, answers.receipt(answers.at(taken[0], "UUID")))


def _told(reply: HttpReply, text: str) -> Outcome:
    """The outcome by what 200 or 400 tells of our one message. A 400 that can't be read may tell of success as well."""
    status, answer = reply.status, answers.document(reply.body)
    messages = answers.at(answer, "Messages")
    if isinstance(messages, list) and len(messages) == 1:
        state = answers.at(messages, 0, "Status")
        receipt = answers.receipt(answers.at(messages, 0, "To", 0, "MessageUUID"))
        if state == "success" and receipt:
            return Outcome(OutcomeKind.ACCEPTED, "Taken by Mailjet.", receipt=receipt, status=status)
        if state == "error":
            return _failed(status, answers.at(messages, 0, "Errors", 0, "StatusCode"), text)
    if status == 400 and messages is None and isinstance(answers.at(answer, "ErrorMessage"), str):
        return answers.rejected(400, "Mailjet", text)
    return answers.undecided(status, text)


def _failed(status: int, code: object, text: str) -> Outcome:
    """The outcome of a message that Mailjet did not take, by the code that it gives this message."""
    match code:
        case 401 | 402 | 403 | 404:
            return answers.refuses_us(status, f"{_REFUSES_US[code]} ({code}: {text})")
        case int() if 400 <= code < 500 and code not in (408, 429):
            return answers.rejected(status, "Mailjet", text)
        case 429:
            return answers.throttled(status, "Mailjet", text, None)
    return answers.undecided(status, text)


def _refuse_excess(mail: Mail) -> None:
    fields.complete(mail, 3 * MAX_RECIPIENTS, "Mailjet")
    for name, addresses in (("to", mail.to), ("cc", mail.cc), ("bcc", mail.bcc)):
        if len(addresses) > MAX_RECIPIENTS:
            raise Invalid(Problem(f"/message/{name}", f"Mailjet takes {MAX_RECIPIENTS} recipients here at most"))
    if len(mail.subject) > MAX_SUBJECT_CHARACTERS:
        raise Invalid(Problem("/message/subject", f"Mailjet takes {MAX_SUBJECT_CHARACTERS} characters at most"))


def _message(mail: Mail) -> dict[str, Any]:
    message: dict[str, Any] = {"From": _mailbox("/message/from", mail.sender)}
    for field, name, addresses in (("To", "to", mail.to), ("Cc", "cc", mail.cc), ("Bcc", "bcc", mail.bcc)):
        if addresses:
            message[field] = _mailboxes(name, addresses)
    if mail.reply_to:
        message["ReplyTo"] = _mailbox("/message/reply_to", mail.reply_to)
    message["Subject"] = fields.line("/message/subject", mail.subject)
    for field, name, content in (("TextPart", "text", mail.text), ("HTMLPart", "html", mail.html)):
        if content:
            message[field] = fields.text(f"/message/{name}", content)
    for field, inline in (("Attachments", False), ("InlinedAttachments", True)):
        if files := [_attachment(each) for each in fields.attachments(mail) if bool(each.content_id) is inline]:
            message[field] = files
    if mail.headers:
        message["Headers"] = dict(_headers(mail))
    return {**message, "CustomID": mail.delivery_id, "EventPayload": _payload(mail)}


def _headers(mail: Mail) -> Iterator[tuple[str, str]]:
    for name, value in mail.headers.items():
        known = fields.header_name(name, _TAKEN, ("x-mj-", "x-mailjet-"))
        yield known, fields.line(f"/message/headers/{name}", value)


def _attachment(attachment: Attachment) -> dict[str, str]:
    found = {
        "ContentType": attachment.content_type,
        "Filename": attachment.filename,
        "Base64Content": fields.base64(attachment),
    }
    return {**found, "ContentID": attachment.content_id} if attachment.content_id else found


def _payload(mail: Mail) -> str:
    ours: dict[str, object] = {ATTEMPT_VARIABLE: str(mail.attempt_no)}
    if mail.tags:
        ours[TAGS_VARIABLE] = mail.tags
    if taken := {ATTEMPT_VARIABLE, TAGS_VARIABLE} & mail.metadata.keys():
        raise Invalid(Problem(f"/message/metadata/{min(taken)}", "this name is taken by Fencepost itself"))
    return json.dumps({**ours, **mail.metadata}, ensure_ascii=False, separators=(",", ":"))


def _mailboxes(name: str, addresses: Sequence[Address]) -> list[dict[str, str]]:
    return [_mailbox(f"/message/{name}/{index}", address) for index, address in enumerate(addresses)]


def _mailbox(pointer: str, address: Address) -> dict[str, str]:
    mailbox = {"Email": fields.email(pointer, address.email, "Mailjet")}
    return {**mailbox, "Name": fields.line(pointer, address.name)} if address.name else mailbox
