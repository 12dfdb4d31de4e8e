"""Amazon SES, version 2 of its API: a mail as its HTTP request, and its answer as an outcome. Pure.

Facts are from the API reference and its service model (`POST /v2/email/outbound-emails`, signed for the service `ses`). Our
delivery id travels as an EmailTag, which its events bring back. SES writes the Message-ID itself, and its records are found by
that alone: there is nothing to ask after a lost reply.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Any

from fencepost.clock import Clock
from fencepost.deliveries import Outcome, OutcomeKind
from fencepost.errors import Invalid, Misconfigured, Problem
from fencepost.messages import Address, Attachment, Mail
from fencepost.providers import answers, fields
from fencepost.providers.http import HttpReply, HttpRequest, Reply
from fencepost.providers.sigv4 import Signer
from fencepost.reconciliation import Evidence, Reference, Trace
from fencepost.settings import Ses as SesSettings

MAX_RECIPIENTS = 50
"""To, Cc and Bcc together."""
MAX_HEADERS = 15
MAX_HEADER_NAME, MAX_HEADER_VALUE = 126, 995
MAX_TAGS = 50
MAX_TAG_CHARACTERS = 256
MAX_REQUEST_BYTES = 41_943_040
"""40 MB."""
DELIVERY_TAG, ATTEMPT_TAG = "fencepost", "fencepost_attempt"
"""The EmailTags that carry the delivery id and the attempt's number."""

_NOT_IN_TAG = re.compile(r"[^A-Za-z0-9_-]")
_REGION = re.compile(r"[a-z]{2}(-[a-z]+)+-[0-9]{1,2}")
_TAKEN = fields.OWN_HEADERS | {"return-path", "dkim-signature", "received"}
_BASE, _REGION_NAME, _KEY, _SECRET, _SET = (
    f"FENCEPOST_PROVIDERS__SES__{name}"
    for name in ("BASE_URL", "REGION", "ACCESS_KEY_ID", "SECRET_ACCESS_KEY", "CONFIGURATION_SET")
)
_OUR_KEY = f"SES refuses the key: check {_KEY}, {_SECRET}, {_REGION_NAME}, the right ses:SendEmail, and the clock"
_REFUSES_US = {
    "AccountSuspendedException": "This account may not send any more: see its state in the SES console",
    "SendingPausedException": "Sending is paused for this account or configuration set: see the SES console",
    "MailFromDomainNotVerifiedException": "The sending domain is not verified: see Identities in the SES console",
    "NotFoundException": f"SES does not know the configuration set, or no such path: check {_SET} and {_BASE}",
    "UnrecognizedClientException": _OUR_KEY,
    "InvalidClientTokenId": _OUR_KEY,
    "InvalidSignatureException": _OUR_KEY,
    "SignatureDoesNotMatch": _OUR_KEY,
    "IncompleteSignatureException": _OUR_KEY,
    "MissingAuthenticationTokenException": _OUR_KEY,
    "ExpiredTokenException": _OUR_KEY,
    "RequestExpired": _OUR_KEY,
    "AccessDeniedException": _OUR_KEY,
    "OptInRequired": _OUR_KEY,
}
"""Errors that are about our account, whichever mail is sent, with what its operator should look at."""
_THROTTLES = {
    "TooManyRequestsException",
    "ThrottlingException",
    "Throttling",
    "RequestThrottled",
    "LimitExceededException",
}


class Ses:
    """Amazon SES in one region, for one access key."""

    name = "ses"

    def __init__(self, settings: SesSettings, clock: Clock) -> None:
        """Raises Misconfigured for a region or a base address that is none."""
        if not _REGION.fullmatch(settings.region):
            raise Misconfigured(f"{_REGION_NAME}: write a region such as eu-central-1, not {settings.region!r}")
        base_url = settings.base_url or f"https://email.{settings.region}.amazonaws.com"
        self._url = f"{fields.origin(_BASE, base_url, 'email.amazonaws.com')}/v2/email/outbound-emails"
        secret = settings.secret_access_key.get_secret_value()
        self._signer = Signer(settings.access_key_id.get_secret_value(), secret, settings.region, "ses")
        self._configuration_set = settings.configuration_set
        self._clock = clock

    def request(self, mail: Mail) -> HttpRequest:
        """The call that asks SES to send `mail`, signed for now: a few minutes. Equal mails give equal bodies. Raises Invalid,
        with pointers into the request of the API, for what SES would refuse or what would smuggle in a header."""
        fields.complete(mail, MAX_RECIPIENTS, "SES")
        document = _document(mail)
        if self._configuration_set:
            document["ConfigurationSetName"] = self._configuration_set
        body = fields.as_json(document)
        if len(body) > MAX_REQUEST_BYTES:
            raise Invalid(Problem("/message", "SES takes 40 MB at most"))
        headers = {"Content-Type": "application/json"}
        signed = self._signer.sign("POST", self._url, headers, body, self._clock.now())
        return HttpRequest("POST", self._url, {**signed, "User-Agent": "fencepost"}, body)

    def outcome(self, reply: Reply) -> Outcome:
        """How the call ended, by what may follow: only what provably was not accepted is anything but `unknown`."""
        if not isinstance(reply, HttpReply):
            return answers.unanswered(reply, "SES")
        status, error, text = reply.status, _error(reply), answers.said(reply, ("message",), ("Message",))
        receipt = answers.receipt(answers.at(answers.document(reply.body), "MessageId"))
        if status == 200 and receipt:
            return Outcome(OutcomeKind.ACCEPTED, "Taken by SES.", receipt=receipt, status=200)
        if status not in (400, 401, 402, 403, 404, 413, 429):
            return answers.undecided(status, text)
        if status == 429 or (status == 400 and error in _THROTTLES):
            return answers.throttled(status, "SES", text, answers.retry_after(reply, self._clock.now()))
        if error in _REFUSES_US:
            return answers.refuses_us(status, f"{_REFUSES_US[error]} ({status}: {text})")
        if status == 400 and error == "MessageRejected" and "not verified" in text:
            # Of the sender, or of a recipient while the account is in the sandbox: the text does not tell which.
            detail = f"An address is not verified: see Identities, and leave the sandbox, in the SES console ({text})"
            return answers.refuses_us(400, detail)
        if status in (400, 413):
            return answers.rejected(status, "SES", text)
        return answers.refuses_us(
            status, f"{_REFUSES_US['NotFoundException'] if status == 404 else _OUR_KEY} ({status}: {text})"
        )

    def look_up(self, reference: Reference) -> None:
        """Nothing: SES finds a mail by its own id only, which the lost reply would have told."""

    def trace(self, reference: Reference, reply: Reply) -> Trace:  # noqa: ARG002
        """That there are no records, whatever was answered: nothing is asked."""
        return Trace(Evidence.NO_RECORDS, "SES keeps no records that can be asked by what we know.")


def _error(reply: HttpReply) -> str:
    """The name of the error: in a header, or in the body, perhaps within an address."""
    answer = answers.document(reply.body)
    name = reply.headers.get("x-amzn-errortype") or answers.at(answer, "__type") or answers.at(answer, "code") or ""
    return str(name).partition(":")[0].rpartition("#")[2]


def _document(mail: Mail) -> dict[str, Any]:
    simple: dict[str, Any] = {
        "Subject": _content(fields.line("/message/subject", mail.subject)),
        "Body": {
            field: _content(fields.text(f"/message/{name}", content))
            for field, name, content in (("Text", "text", mail.text), ("Html", "html", mail.html))
            if content
        },
    }
    if mail.headers:
        simple["Headers"] = list(_headers(mail))
    if mail.attachments:
        simple["Attachments"] = [_attachment(each) for each in fields.attachments(mail)]
    document: dict[str, Any] = {
        "FromEmailAddress": fields.mailbox("/message/from", mail.sender, "SES"),
        "Destination": {
            f"{field}Addresses": _mailboxes(name, addresses)
            for field, name, addresses in (("To", "to", mail.to), ("Cc", "cc", mail.cc), ("Bcc", "bcc", mail.bcc))
            if addresses
        },
        "Content": {"Simple": simple},
        "EmailTags": [{"Name": name, "Value": value} for name, value in _tags(mail).items()],
    }
    if mail.reply_to:
        document["ReplyToAddresses"] = [fields.mailbox("/message/reply_to", mail.reply_to, "SES")]
    return document


def _attachment(attachment: Attachment) -> dict[str, str]:
    found = {
        "RawContent": fields.base64(attachment),
        "ContentDisposition": "INLINE" if attachment.content_id else "ATTACHMENT",
        "FileName": attachment.filename,
        "ContentTransferEncoding": "BASE64",  # which is not what SES does by itself
        "ContentType": attachment.content_type,
    }
    return {**found, "ContentId": attachment.content_id} if attachment.content_id else found


def _content(text: str) -> dict[str, str]:
    return {"Data": text, "Charset": "UTF-8"}


def _headers(mail: Mail) -> Iterator[dict[str, str]]:
    if len(mail.headers) > MAX_HEADERS:
        raise Invalid(Problem("/message/headers", f"SES takes {MAX_HEADERS} headers at most"))
    for name, value in mail.headers.items():
        pointer = f"/message/headers/{name}"
        known, encoded = fields.header_name(name, _TAKEN, ("x-ses-",)), fields.words(pointer, value)
        if len(known) > MAX_HEADER_NAME or not 0 < len(encoded) <= MAX_HEADER_VALUE:
            raise Invalid(Problem(pointer, f"a header has a name and 1 to {MAX_HEADER_VALUE} characters"))
        yield {"Name": known, "Value": encoded}


def _tags(mail: Mail) -> dict[str, str]:
    """Our own two, then metadata and tags with what SES does not take in them as `_`: they are on record with us as they are,
    and no recipient sees them."""
    ours = {DELIVERY_TAG: mail.delivery_id, ATTEMPT_TAG: str(mail.attempt_no)}
    if taken := ours.keys() & mail.metadata.keys():
        raise Invalid(Problem(f"/message/metadata/{min(taken)}", "this name is taken by Fencepost itself"))
    tags = {f"tag_{number}": tag for number, tag in enumerate(mail.tags, 1)}
    cleaned = {_clean(name): _clean(value) for name, value in {**mail.metadata, **tags}.items()}
    found = {name: value for name, value in cleaned.items() if name and value} | ours
    if len(found) > MAX_TAGS:
        raise Invalid(Problem("/message/metadata", f"SES takes {MAX_TAGS} tags and metadata at most, two of them ours"))
    return ours | found


def _clean(text: str) -> str:
    return _NOT_IN_TAG.sub("_", text)[:MAX_TAG_CHARACTERS]


def _mailboxes(name: str, addresses: Sequence[Address]) -> list[str]:
    return [fields.mailbox(f"/message/{name}/{index}", address, "SES") for index, address in enumerate(addresses)]
