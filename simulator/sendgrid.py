"""SendGrid's dialect: `POST /v3/mail/send`, and Email Activity's `GET /v3/messages`, with the statuses and bodies of its
reference."""

import hmac
import json
import math
import re
import secrets
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from flask import Blueprint, Response, request

from fencepost.settings import Simulator
from simulator import documents, records
from simulator.dials import Setting
from simulator.documents import listed, named
from simulator.ledger import Asked, Entry, File, Mail
from simulator.taking import Counter, Refused

MAX_BYTES = 31_457_280
MAX_RECIPIENTS = 1000
MAX_ARGUMENT_BYTES = 10_000
MAX_CATEGORIES = 10
RESERVED = {
    "x-sg-id", "x-sg-eid", "received", "dkim-signature", "content-type", "content-transfer-encoding",
    "to", "from", "subject", "reply-to", "cc", "bcc",
}  # fmt: skip
"""Headers that a mail may not set, in lower case."""
_QUERY = re.compile(r"\(?unique_args\['fencepost'\]=\"([^\"]*)\"\)?")
_TEXTS = {
    "400": (400, "Bad Request"),
    "401": (401, "The provided authorization grant is invalid, expired, or revoked"),
    "402": (402, "Payment Required"),
    "403": (403, "access forbidden"),
    "404": (404, "Not Found"),
    "413": (413, "The JSON payload you have included in your request is too large."),
    "429": (429, "too many requests"),
    "503": (503, "Service Unavailable"),
}


def create(settings: Simulator, counter: Counter) -> Blueprint:
    bp = Blueprint("sendgrid", __name__)
    key = settings.api_key.get_secret_value()
    reading_key = settings.events_api_key.get_secret_value() if settings.events_api_key else key

    @bp.post("/v3/mail/send")
    def send() -> Response:
        return counter.take(lambda body: _SendGrid(key, len(body), documents.parse(body)))

    @bp.get("/v3/messages")
    def activity() -> Response:
        if not is_authorized(reading_key):
            return errors(*_TEXTS["401"])
        asked, limit = _QUERY.fullmatch(request.args.get("query", "")), request.args.get("limit", "10")
        if not asked or not limit.isdecimal() or not 1 <= int(limit) <= 1000:
            return errors(400, "invalid query")
        found = records.shown(counter.ledger, counter.dials.setting, "sendgrid", asked[1], time.time())
        messages = [each for entry in found for each in activities(entry)][: int(limit)]
        return Response(json.dumps({"messages": messages}), 200, content_type="application/json")

    return bp


@dataclass(frozen=True, slots=True)
class _SendGrid:
    """A request for mail."""

    key: str
    size: int
    document: dict[str, Any]

    def asked(self) -> Asked:
        arguments = named(self.document.get("custom_args"))
        return documents.asked(arguments.get("fencepost"), arguments.get("fencepost_attempt"))

    def read(self, at: float) -> Mail:  # noqa: ARG002 its ids hold no time
        if not is_authorized(self.key):
            raise Refused("", "401")
        if self.size > MAX_BYTES:
            raise Refused("", "413")
        return read(self.document)

    def acceptance(self, mail: Mail) -> Response:
        return Response(b"", 202, {"X-Message-Id": mail.message_id})

    def refusal(self, answer: str, setting: Setting, reason: str) -> Response:
        status, text = _TEXTS.get(answer, (500, "Internal Server Error"))
        response = errors(status, reason or text)
        if status == 429:
            limits = {"Limit": "600", "Remaining": "0", "Reset": str(math.ceil(time.time() + setting.throttle_seconds))}
            response.headers.extend({f"X-RateLimit-{name}": value for name, value in limits.items()})
            if setting.throttle_header:
                response.headers["Retry-After"] = f"{setting.throttle_seconds:.0f}"
        return response


def errors(status: int, text: str) -> Response:
    body = json.dumps({"errors": [{"message": text, "field": None, "help": None}]}, separators=(",", ":"))
    return Response(body, status, content_type="application/json")


def is_authorized(key: str) -> bool:
    return hmac.compare_digest(request.headers.get("Authorization", "").encode(), f"Bearer {key}".encode())


def read(document: dict[str, Any]) -> Mail:
    """The mail in a request. Raises Refused with what SendGrid says about one that holds none."""
    people = listed(document.get("personalizations"))
    if len(people) != 1:
        raise Refused("The personalizations field is required and must have at least one personalization.")
    to, cc, bcc = (mailboxes(people[0], name) for name in ("to", "cc", "bcc"))
    if not to:
        raise Refused(
            "The to array is required for all personalization objects, and must have at least one email object."
        )
    recipients = [address.lower() for _, address in (*to, *cc, *bcc)]
    if len(set(recipients)) != len(recipients):
        raise Refused("Each email address in the personalization block should be unique between to, cc, and bcc.")
    if len(recipients) > MAX_RECIPIENTS:
        raise Refused(f"The total number of recipients must be no more than {MAX_RECIPIENTS}.")
    sender, _ = documents.mailbox(
        document.get("from"), "email", "name", "The from email does not contain a valid address."
    )
    subject, headers = document.get("subject"), named(document.get("headers"))
    if not isinstance(subject, str) or not subject:
        raise Refused(
            "The subject is required. You can get around this requirement if you use a template with a subject."
        )
    for name in headers:
        if name.lower() in RESERVED:
            raise Refused(f"The header {name} is reserved and cannot be set.")
    contents, arguments = content(document), named(document.get("custom_args"))
    if not all(isinstance(value, str) for value in arguments.values()):
        raise Refused("The custom_args must be strings.")
    if len(json.dumps(arguments, ensure_ascii=False).encode()) > MAX_ARGUMENT_BYTES:
        raise Refused("The custom_args may not exceed 10000 bytes.")
    categories = listed(document.get("categories"))
    if len(categories) > MAX_CATEGORIES or len(set(categories)) != len(categories):
        raise Refused("The categories must be unique, and no more than 10.")
    return Mail(
        provider="sendgrid",
        domain=sender.strip("<>").rpartition("@")[2],
        message_id=secrets.token_urlsafe(16),
        sender=sender,
        to=tuple(text for text, _ in to),
        cc=tuple(text for text, _ in cc),
        bcc=tuple(text for text, _ in bcc),
        recipients=tuple(address for _, address in (*to, *cc, *bcc)),
        subject=subject,
        text=contents.get("text/plain"),
        html=contents.get("text/html"),
        headers=headers,
        tags=tuple(categories),
        variables=arguments,
        attachments=tuple(attachment(named(each)) for each in listed(document.get("attachments"))),
    )


def attachment(found: dict[str, Any]) -> File:
    """One file. Raises Refused."""
    content = documents.decoded(found.get("content"), "The attachment content must be base64 encoded.")
    filename, kind, inline = found.get("filename"), found.get("type", ""), found.get("disposition") == "inline"
    if not isinstance(filename, str) or not filename:
        raise Refused("The attachment filename is required.")
    if not isinstance(kind, str) or re.search(r"[;,\r\n]", kind):
        raise Refused("The attachment type cannot contain ;, or CRLF characters.")
    return File.of(filename, kind, content, inline=inline, content_id=found.get("content_id"))


def mailboxes(person: object, name: str) -> list[tuple[str, str]]:
    wrong = "Does not contain a valid address."
    return [documents.mailbox(each, "email", "name", wrong) for each in listed(named(person).get(name))]


def content(document: dict[str, Any]) -> dict[str, str]:
    """The parts by their types. Raises Refused: plain text comes first, and none is empty."""
    parts = [(named(part).get("type"), named(part).get("value")) for part in listed(document.get("content"))]
    if not parts or not all(isinstance(value, str) and value for _, value in parts):
        raise Refused("The content value must be a string at least one character in length.")
    if "text/plain" in [kind for kind, _ in parts[1:]]:
        raise Refused("If present, text/plain and text/html may only be provided once, text/plain first.")
    return {str(kind): str(value) for kind, value in parts}


def activities(entry: Entry) -> list[dict[str, Any]]:
    """What Email Activity shows of a mail: a message for each recipient."""
    when = f"{datetime.fromtimestamp(entry.at, UTC):%Y-%m-%dT%H:%M:%SZ}"
    return [
        {
            "from_email": entry.mail.sender,
            "msg_id": f"{entry.mail.message_id}.filterdrecv-5645d9c87f-78xpc-19-{index}",
            "subject": entry.mail.subject,
            "to_email": recipient,
            "status": "delivered",
            "opens_count": 0,
            "clicks_count": 0,
            "last_event_time": when,
        }
        for index, recipient in enumerate(entry.mail.recipients)
    ]
