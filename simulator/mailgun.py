"""Mailgun's dialect: `POST /v3/<domain>/messages`, with the statuses and bodies of its reference and its error list."""

import hmac
import json
import re
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import getaddresses
from typing import TypeVar

from flask import Blueprint, Response, request

from fencepost.settings import Simulator
from simulator import forms
from simulator.dials import Setting
from simulator.events import Events
from simulator.ledger import Asked, File, Mail
from simulator.taking import Counter, Refused

Default = TypeVar("Default", str, None)

MAX_REQUEST_BYTES = 54_945_382
"""52.4 MiB."""
MAX_RECIPIENTS = 1000
MAX_OPTION_BYTES = 16_384
DELIVERY_VARIABLE = "v:fencepost"
"""Holds `<delivery id>/<attempt number>`."""

_ADDRESS = re.compile(r"[^\s@<>,;]+@[^\s@<>,;]+")
_PLAIN = re.compile(r'([^<>@,;:"()\\]*?) *<([^\s@<>,;:"()\\]+@[^\s@<>,;:"()\\]+)>')
"""`Name <a@b.example>` without anything that would need a real parser."""
_MESSAGE_ID = re.compile(r"<([^\s<>@]+@[^\s<>@]+)>")


def create(settings: Simulator, counter: Counter, events: Events) -> Blueprint:
    """The paths under /v3; every other one of Mailgun's is answered as Mailgun answers it."""
    bp = Blueprint("mailgun", __name__)
    sending_keys = [settings.api_key.get_secret_value()]
    reading_keys = [settings.events_api_key.get_secret_value()] if settings.events_api_key else sending_keys

    @bp.post("/v3/<domain>/messages")
    def send(domain: str) -> Response:
        return counter.take(lambda body: _Mailgun(domain, domain in settings.domains, sending_keys, *_form(body)))

    @bp.get("/v3/<domain>/events", defaults={"page": None})
    @bp.get("/v3/<domain>/events/<page>")
    def read_events(domain: str, page: str | None) -> Response:
        if not is_authorized(reading_keys):
            return refusal("401", domain, counter.dials.setting)
        if domain not in settings.domains:
            return refusal("404", domain, counter.dials.setting)
        try:
            found = events.page(domain, request.args, page, time.time(), f"{request.host_url}v3/{domain}/events")
        except ValueError as error:
            return message(400, str(error))
        return Response(json.dumps(found), 200, content_type="application/json")

    @bp.route("/v<_version>/<path:_rest>", methods=["GET", "POST", "PUT", "DELETE"])
    def no_such_path(_version: str, _rest: str) -> Response:
        return magnificent()

    return bp


@dataclass(frozen=True, slots=True)
class _Mailgun:
    """A request for mail of one domain."""

    domain: str
    known: bool
    keys: list[str]
    form: forms.Fields
    uploads: list[forms.Upload]

    def asked(self) -> Asked:
        return who_asked(self.form)

    def read(self, at: float) -> Mail:
        if not is_authorized(self.keys):
            raise Refused("", "401")
        if not self.known:
            raise Refused("", "404")
        return read(self.form, self.uploads, self.domain, at)

    def acceptance(self, mail: Mail) -> Response:
        body = json.dumps({"id": f"<{mail.message_id}>", "message": "Queued. Thank you."}, separators=(",", ":"))
        return Response(body, 200, content_type="application/json")

    def refusal(self, answer: str, setting: Setting, reason: str) -> Response:
        return refusal(answer, self.domain, setting, reason)


def magnificent() -> Response:
    """What Mailgun answers on a path that it does not have: 200, and nothing was accepted."""
    return Response("Mailgun Magnificent API", 200, content_type="text/plain; charset=utf-8")


def message(status: int, text: str, headers: Mapping[str, str] | None = None) -> Response:
    body = json.dumps({"message": text}, separators=(",", ":"), ensure_ascii=False)
    return Response(body, status, dict(headers or {}), content_type="application/json")


def refusal(answer: str, domain: str, setting: Setting, reason: str = "") -> Response:
    """What a caller is told whose mail was not accepted."""
    match answer:
        case "401":
            return Response("Forbidden", 401, content_type="text/plain; charset=utf-8")
        case "429":
            return throttling(domain, setting)
    status, text = {
        "400": (400, reason or "to parameter is not a valid address. please check documentation"),
        "402": (402, "Request Failed"),
        "403": (403, f"Domain {domain} is not allowed to send large batches yet"),
        "404": (404, f"Domain not found: {domain}"),
        "413": (413, "request size exceeds 52.4MiB limit"),
        "503": (503, "Service Unavailable"),
    }.get(answer, (500, "Internal Server Error"))
    return message(status, text)


def throttling(domain: str, setting: Setting) -> Response:
    seconds = setting.throttle_seconds
    until = datetime.fromtimestamp(time.time() + seconds, UTC)
    wait = f"{seconds:g} seconds" if setting.throttle_format == "seconds" else f"{until:%a, %d %b %Y %H:%M:%S} UTC"
    headers = {"Retry-After": f"{seconds:.0f}"} if setting.throttle_header else {}
    return message(
        429, f"Domain {domain} is not allowed to send: request limit exceeded, try again after {wait}", headers
    )


def is_authorized(keys: list[str]) -> bool:
    given = request.authorization
    if given is None or given.type != "basic" or given.username != "api":
        return False
    password = (given.password or "").encode()
    return any(hmac.compare_digest(password, key.encode()) for key in keys)


def _form(body: bytes) -> tuple[forms.Fields, list[forms.Upload]]:
    """The fields and files of the request; none of one that is malformed."""
    try:
        return forms.read(request.content_type or "", body)
    except forms.Malformed:
        return {}, []


def who_asked(form: forms.Fields) -> Asked:
    """The delivery that a request is for, whether it will be accepted or not."""
    delivery_id, _, attempt = first(form, DELIVERY_VARIABLE, "").partition("/")
    return Asked(delivery_id or None, int(attempt) if attempt.isascii() and attempt.isdigit() else None)


def read(form: forms.Fields, uploads: list[forms.Upload], domain: str, at: float) -> Mail:
    """The mail in a form. Raises Refused with what Mailgun says about a form that holds none."""
    if not form:
        raise Refused("malformed multipart/form-data request")
    senders, to, cc, bcc = (addresses(form, name) for name in ("from", "to", "cc", "bcc"))
    recipients = tuple(dict.fromkeys(address for _, address in (*to, *cc, *bcc)))
    if not any(first(form, name, "") for name in ("text", "html", "amp-html", "template")):
        raise Refused("Need at least one of 'text' or 'html' parameters specified")
    if len(recipients) > MAX_RECIPIENTS:
        raise Refused(f"Too many recipients; max is {MAX_RECIPIENTS}")
    options = [(name, value) for name, values in form.items() if name[:2] in ("o:", "h:", "v:") for value in values]
    if sum(len(name) + len(value.encode()) for name, value in options) > MAX_OPTION_BYTES:
        raise Refused("Send options (parameters starting with o:, h:, or v:) are limited to 16 kB total")
    headers = {name[2:]: value for name, value in options if name[0] == "h"}
    for name in headers:
        if not name.isascii():
            raise Refused(f"Header name must be pure ASCII: {name}")
    own_id = next((value for name, value in headers.items() if name.lower() == "message-id"), "")
    found = _MESSAGE_ID.fullmatch(own_id)
    return Mail(
        provider="mailgun",
        domain=domain,
        message_id=found[1]
        if found
        else f"{datetime.fromtimestamp(at, UTC):%Y%m%d%H%M%S}.{secrets.token_hex(8)}@{domain}",
        sender=senders[0][0],
        to=tuple(text for text, _ in to),
        cc=tuple(text for text, _ in cc),
        bcc=tuple(text for text, _ in bcc),
        recipients=recipients,
        subject=first(form, "subject", ""),
        text=first(form, "text", None),
        html=first(form, "html", None),
        headers=headers,
        tags=tuple(form.get("o:tag", ())),
        variables={name[2:]: value for name, value in options if name[0] == "v"},
        test_mode=first(form, "o:testmode", "").lower() in ("yes", "true"),
        attachments=tuple(_file(upload) for upload in uploads if upload.field in ("attachment", "inline")),
    )


def _file(upload: forms.Upload) -> File:
    """What is inline is named, in the HTML too, by its file name."""
    inline = upload.field == "inline"
    content_id = upload.filename if inline else None
    return File.of(upload.filename, upload.content_type, upload.content, inline=inline, content_id=content_id)


def first(form: forms.Fields, name: str, default: Default) -> str | Default:
    return form[name][0] if name in form else default


def addresses(form: forms.Fields, name: str) -> list[tuple[str, str]]:
    """The mailboxes of a field, which may be given several times and hold several each: (as written, bare address),
    the same address only once. Raises Refused."""
    values = [value for value in form.get(name, ()) if value.strip()]
    if not values and name in ("from", "to"):
        raise Refused(f"{name} parameter is missing")
    found: dict[str, str] = {}
    for value in values:
        plain = _PLAIN.fullmatch(value)
        for display, address in [plain.groups()] if plain else getaddresses([value]):
            if not _ADDRESS.fullmatch(address):
                raise Refused(f"{name} parameter is not a valid address. please check documentation")
            found.setdefault(address.lower(), f"{display} <{address}>" if display else address)
    return [(text, address) for address, text in found.items()]
