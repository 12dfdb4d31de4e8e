"""Amazon SES's dialect, version 2: `POST /v2/email/outbound-emails`, with the statuses, errors and bodies of its reference."""

import json
import re
import secrets
from dataclasses import dataclass
from email.errors import HeaderParseError
from email.header import decode_header, make_header
from email.utils import getaddresses
from typing import Any

from flask import Blueprint, Response

from fencepost.settings import Simulator
from simulator import documents, signatures
from simulator.dials import Setting
from simulator.documents import listed, named
from simulator.ledger import Asked, File, Mail
from simulator.taking import Counter, Refused

MAX_BYTES = 41_943_040
MAX_RECIPIENTS = 50
MAX_HEADERS = 15
MAX_FILENAME = 255
_TAG = re.compile(r"[A-Za-z0-9_-]{1,256}")
_VALUE = re.compile(r"[ -~]{1,995}")
_ERRORS = {
    "400": (400, "BadRequestException", "Local address contains control or whitespace"),
    "401": (403, *signatures.NO_KEY),
    "402": (400, "AccountSuspendedException", "The account's ability to send email has been permanently restricted."),
    "403": (403, "AccessDeniedException", "User is not authorized to perform: ses:SendEmail"),
    "404": (404, "NotFoundException", "Configuration set does not exist."),
    "413": (413, "RequestEntityTooLargeException", "Request entity too large"),
    "429": (429, "TooManyRequestsException", "Maximum sending rate exceeded."),
    "503": (503, "ServiceUnavailableException", "Service is unavailable"),
}


def create(settings: Simulator, counter: Counter) -> Blueprint:
    bp = Blueprint("ses", __name__)
    keys = settings.api_key.get_secret_value(), settings.secret_key.get_secret_value()

    @bp.post("/v2/email/outbound-emails")
    def send() -> Response:
        return counter.take(lambda body: _Ses(keys, body, documents.parse(body)))

    return bp


@dataclass(frozen=True, slots=True)
class _Ses:
    """A request for mail."""

    keys: tuple[str, str]
    body: bytes
    document: dict[str, Any]

    def asked(self) -> Asked:
        known = tags(self.document)
        return documents.asked(known.get("fencepost"), known.get("fencepost_attempt"))

    def read(self, at: float) -> Mail:
        if wrong := signatures.problem(self.keys, self.body, at):
            raise Refused(json.dumps(wrong), "401")
        if len(self.body) > MAX_BYTES:
            raise Refused("", "413")
        return read(self.document)

    def acceptance(self, mail: Mail) -> Response:
        return Response(json.dumps({"MessageId": mail.message_id}), 200, content_type="application/json")

    def refusal(self, answer: str, setting: Setting, reason: str) -> Response:
        status, name, text = _ERRORS.get(answer, (500, "InternalFailure", "Internal failure"))
        if answer == "401" and reason:
            name, text = json.loads(reason)
        headers = {"x-amzn-ErrorType": name, "x-amzn-RequestId": secrets.token_hex(16)}
        if answer == "429" and setting.throttle_header:
            headers["Retry-After"] = f"{setting.throttle_seconds:.0f}"
        body = json.dumps({"message": text if answer == "401" else reason or text})
        return Response(body, status, headers, content_type="application/json")


def read(document: dict[str, Any]) -> Mail:
    """The mail in a request. Raises Refused with what SES says about one that holds none."""
    sender = mailboxes([document.get("FromEmailAddress")])[0]
    destination = named(document.get("Destination"))
    to, cc, bcc = (mailboxes(listed(destination.get(f"{name}Addresses"))) for name in ("To", "Cc", "Bcc"))
    people = (*to, *cc, *bcc)
    if not 0 < len(people) <= MAX_RECIPIENTS:
        raise Refused(f"Recipient count must be 1 to {MAX_RECIPIENTS}.")
    simple = named(named(document.get("Content")).get("Simple"))
    body = named(simple.get("Body"))
    subject, text, html = (data(part) for part in (simple.get("Subject"), body.get("Text"), body.get("Html")))
    if subject is None or (text is None and html is None):
        raise Refused("Missing required fields: Subject, Body.")
    known, headers = tags(document), headers_of(simple)
    if document.get("EmailTags") and not known:
        raise Refused("A tag may hold letters, digits, underscores and dashes only, and 256 of them at most.")
    return Mail(
        provider="ses",
        domain=sender[1].rpartition("@")[2],
        message_id=f"0100{secrets.token_hex(6)}-{secrets.token_hex(16)}-000000",
        sender=sender[0],
        to=tuple(written for written, _ in to),
        cc=tuple(written for written, _ in cc),
        bcc=tuple(written for written, _ in bcc),
        recipients=tuple(address for _, address in people),
        subject=subject,
        text=text,
        html=html,
        headers=headers,
        tags=tuple(value for name, value in known.items() if name.startswith("tag_")),
        variables={name: value for name, value in known.items() if not name.startswith("tag_")},
        attachments=tuple(attachment(named(each)) for each in listed(simple.get("Attachments"))),
    )


def attachment(found: dict[str, Any]) -> File:
    """One file. Raises Refused: without an encoding of its own it is sent as 7 bit, and garbled if it is anything else."""
    content = documents.decoded(found.get("RawContent"), "RawContent must be base64-encoded.")
    filename, kind, content_id = found.get("FileName"), found.get("ContentType", ""), found.get("ContentId")
    if not isinstance(filename, str) or not 0 < len(filename) <= MAX_FILENAME:
        raise Refused("FileName must be 1 to 255 characters long.")
    if found.get("ContentTransferEncoding", "SEVEN_BIT") == "SEVEN_BIT" and not content.isascii():
        raise Refused("The content of an attachment is not 7 bit.")
    inline = found.get("ContentDisposition") == "INLINE"
    return File.of(filename, kind, content, inline=inline, content_id=content_id)


def mailboxes(found: list[Any]) -> list[tuple[str, str]]:
    """(as one reads it, bare address) of each. Raises Refused for what is no address, or not in ASCII."""
    result = []
    for each in found:
        pairs = getaddresses([each]) if isinstance(each, str) else []
        if len(pairs) != 1 or not each.isascii() or not documents.ADDRESS.fullmatch(pairs[0][1]):
            raise Refused("Missing final '@domain'")
        try:
            display = str(make_header(decode_header(pairs[0][0])))
        except (HeaderParseError, LookupError, ValueError):
            raise Refused("Local address contains control or whitespace") from None
        result.append((f"{display} <{pairs[0][1]}>" if display else pairs[0][1], pairs[0][1]))
    return result


def data(content: object) -> str | None:
    found = named(content).get("Data")
    return found if isinstance(found, str) else None


def headers_of(simple: dict[str, Any]) -> dict[str, str]:
    found = {str(named(each).get("Name")): str(named(each).get("Value")) for each in listed(simple.get("Headers"))}
    if len(found) > MAX_HEADERS or not all(_VALUE.fullmatch(value) for value in found.values()):
        raise Refused("The headers do not satisfy the constraints of MessageHeaderList.")
    return found


def tags(document: dict[str, Any]) -> dict[str, str]:
    """The tags by name; none at all if one is not as SES wants them."""
    found = {str(named(each).get("Name")): str(named(each).get("Value")) for each in listed(document.get("EmailTags"))}
    return found if all(_TAG.fullmatch(part) for pair in found.items() for part in pair) else {}
