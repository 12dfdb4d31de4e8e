"""Mailjet's dialect: `POST /v3.1/send`, one message a call, and `GET /v3/REST/message`, with the statuses and bodies of its
reference."""

import hmac
import json
import time
import uuid
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

MAX_BYTES = 15_728_640
MAX_RECIPIENTS = 50
MAX_SUBJECT_CHARACTERS = 255
FORBIDDEN = {
    "from", "sender", "subject", "to", "cc", "bcc", "reply-to", "return-path", "delivered-to", "dkim-signature",
    "domainkey-status", "received-spf", "authentication-results", "received", "user-agent", "x-mailer", "date",
    "x-csa-complaints", "message-id", "x-feedback-id", "list-id",
}  # fmt: skip
"""Headers that a mail may not set, in lower case; beside all that begin with X-MJ- and X-Mailjet-."""
_TEXTS = {
    "401": (401, "API key authentication/authorization failure. You may be unauthorized to access the API."),
    "402": (402, "Payment required"),
    "404": (404, "Resource not found"),
    "413": (413, "Request entity too large"),
    "429": (429, "Too many requests"),
    "503": (503, "Service unavailable"),
}


def create(settings: Simulator, counter: Counter) -> Blueprint:
    bp = Blueprint("mailjet", __name__)
    keys = settings.api_key.get_secret_value(), settings.secret_key.get_secret_value()

    @bp.post("/v3.1/send")
    def send() -> Response:
        return counter.take(lambda body: _Mailjet(keys, len(body), documents.parse(body)))

    @bp.get("/v3/REST/message")
    def messages() -> Response:
        if not is_authorized(keys):
            return failure(*_TEXTS["401"])
        found = records.shown(
            counter.ledger, counter.dials.setting, "mailjet", request.args.get("CustomID", ""), time.time()
        )
        data = [each for entry in found for each in recorded(entry)]
        return answer(200, {"Count": len(data), "Data": data, "Total": len(data)})

    return bp


@dataclass(frozen=True, slots=True)
class _Mailjet:
    """A request for mail."""

    keys: tuple[str, str]
    size: int
    document: dict[str, Any]

    def asked(self) -> Asked:
        message = named(next(iter(listed(self.document.get("Messages"))), None))
        return documents.asked(message.get("CustomID"), payload(message).get("fencepost_attempt"))

    def read(self, at: float) -> Mail:  # noqa: ARG002 its ids hold no time
        if not is_authorized(self.keys):
            raise Refused("", "401")
        if self.size > MAX_BYTES:
            raise Refused("", "413")
        messages = listed(self.document.get("Messages"))
        if len(messages) != 1 or not isinstance(messages[0], dict):
            raise Refused("Messages must be a non-empty list; this stand-in takes one message a call.")
        return read(messages[0])

    def acceptance(self, mail: Mail) -> Response:
        number = int(mail.message_id[:8], 16)
        sent = [
            {
                "Email": recipient,
                "MessageUUID": mail.message_id,
                "MessageID": number,
                "MessageHref": f"https://api.mailjet.com/v3/REST/message/{number}",
            }
            for recipient in mail.recipients
        ]
        places = [
            sent[: len(mail.to)],
            sent[len(mail.to) : len(mail.to) + len(mail.cc)],
            sent[len(mail.to) + len(mail.cc) :],
        ]
        told = {
            "Status": "success",
            "CustomID": mail.variables["CustomID"],
            **dict(zip(("To", "Cc", "Bcc"), places, strict=True)),
        }
        return answer(200, {"Messages": [told]})

    def refusal(self, answer: str, setting: Setting, reason: str) -> Response:
        if answer == "400":
            return refused(400, "mj-0013", reason or '"ada" is an invalid email address.')
        if answer == "403":
            return refused(403, "send-0008", "The sender is an unauthorized sender email address for your account.")
        response = failure(*_TEXTS.get(answer, (500, "Internal server error")))
        if answer == "429" and setting.throttle_header:
            response.headers["Retry-After"] = f"{setting.throttle_seconds:.0f}"
        return response


def answer(status: int, document: object) -> Response:
    return Response(json.dumps(document, separators=(",", ":")), status, content_type="application/json")


def failure(status: int, text: str) -> Response:
    """An error of the whole call."""
    return answer(status, {"ErrorIdentifier": str(uuid.uuid4()), "StatusCode": status, "ErrorMessage": text})


def refused(code: int, name: str, text: str) -> Response:
    """A message that is not taken; the call as a whole answers 400 then."""
    error = {"ErrorIdentifier": str(uuid.uuid4()), "ErrorCode": name, "StatusCode": code, "ErrorMessage": text}
    return answer(400, {"Messages": [{"Status": "error", "Errors": [{**error, "ErrorRelatedTo": []}]}]})


def is_authorized(keys: tuple[str, str]) -> bool:
    given = request.authorization
    if given is None or given.type != "basic":
        return False
    return hmac.compare_digest(f"{given.username}:{given.password}".encode(), ":".join(keys).encode())


def payload(message: dict[str, Any]) -> dict[str, Any]:
    text = message.get("EventPayload")
    return documents.parse(text.encode()) if isinstance(text, str) else {}


def read(message: dict[str, Any]) -> Mail:
    """The mail in a message. Raises Refused with what Mailjet says about one that holds none."""
    wrong = "Type mismatch. Expected a valid email address."
    sender, _ = documents.mailbox(message.get("From"), "Email", "Name", wrong)
    to, cc, bcc = (
        [documents.mailbox(each, "Email", "Name", wrong) for each in listed(message.get(name))]
        for name in ("To", "Cc", "Bcc")
    )
    if not to or max(len(to), len(cc), len(bcc)) > MAX_RECIPIENTS:
        raise Refused(f'"To" must hold at least one recipient, and no list more than {MAX_RECIPIENTS}.')
    subject, headers = str(message.get("Subject", "")), named(message.get("Headers"))
    if len(subject) > MAX_SUBJECT_CHARACTERS:
        raise Refused("Subject is too long.")
    if not (message.get("TextPart") or message.get("HTMLPart")):
        raise Refused('At least "HTMLPart", "TextPart" or "TemplateID" must be provided.')
    for name in headers:
        if name.lower() in FORBIDDEN or name.lower().startswith(("x-mj-", "x-mailjet-")):
            raise Refused(f'Header "{name}" cannot be customized using the Headers collection.')
    known = payload(message)
    return Mail(
        provider="mailjet",
        domain=sender.strip("<>").rpartition("@")[2],
        message_id=str(uuid.uuid4()),
        sender=sender,
        to=tuple(text for text, _ in to),
        cc=tuple(text for text, _ in cc),
        bcc=tuple(text for text, _ in bcc),
        recipients=tuple(address for _, address in (*to, *cc, *bcc)),
        subject=subject,
        text=message.get("TextPart"),
        html=message.get("HTMLPart"),
        headers=headers,
        tags=tuple(listed(known.pop("fencepost_tags", []))),
        variables={**known, "CustomID": str(message.get("CustomID", ""))},
        attachments=(*files(message, "Attachments"), *files(message, "InlinedAttachments")),
    )


def files(message: dict[str, Any], name: str) -> list[File]:
    """The files in one of the two lists. Raises Refused."""
    found, inline = [], name == "InlinedAttachments"
    for each in (named(entry) for entry in listed(message.get(name))):
        content = documents.decoded(each.get("Base64Content"), 'Type mismatch. Expected type "base64".')
        filename, kind, content_id = each.get("Filename"), each.get("ContentType"), each.get("ContentID")
        if not (isinstance(filename, str) and filename and isinstance(kind, str) and "/" in kind):
            raise Refused('"ContentType" and "Filename" must be provided for each file.')
        if inline and not content_id:
            raise Refused('"ContentID" must be provided for each inlined file.')
        found.append(File.of(filename, kind, content, inline=inline, content_id=content_id))
    return found


def recorded(entry: Entry) -> list[dict[str, Any]]:
    """What the records show of a mail: a message for each recipient."""
    return [
        {
            "ArrivedAt": f"{datetime.fromtimestamp(entry.at, UTC):%Y-%m-%dT%H:%M:%SZ}",
            "CustomID": entry.delivery_id,
            "ID": int(entry.mail.message_id[:8], 16) + index,
            "Status": "sent",
            "UUID": entry.mail.message_id,
        }
        for index in range(len(entry.mail.recipients))
    ]
