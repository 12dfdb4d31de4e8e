"""What goes into a request, checked the same way for every provider: nothing smuggles in a header, nothing can't be sent. Pure."""

import json
import re
from base64 import b64encode
from collections.abc import Iterator
from email.header import Header
from email.utils import formataddr

import idna

from fencepost.errors import Invalid, Misconfigured, Problem
from fencepost.messages import Address, Attachment, Mail

_LONGEST_WORD = 75
CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_NOT_IN_ADDRESS = re.compile(r'[\s<>()\[\],;:"\\]')
_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_ORIGIN = re.compile(r"(https?)://([A-Za-z0-9._-]+|\[[0-9A-Fa-f:]+\])(:[0-9]{1,5})?")
_HALF = re.compile("[\ud800-\udfff]")
_MEDIA_TYPE = re.compile(r"[A-Za-z0-9!#$&^_.+-]+/[A-Za-z0-9!#$&^_.+-]+")
_CONTENT_ID = re.compile(r"[A-Za-z0-9._-]+")
OWN_HEADERS = frozenset({
    "from", "sender", "to", "cc", "bcc", "subject", "reply-to", "date", "message-id",
    "mime-version", "content-type", "content-transfer-encoding",
})  # fmt: skip
"""Headers, in lower case, that have a field of their own or are the provider's to write."""


def origin(variable: str, base_url: str, provider_domain: str) -> str:
    """The provider's address without a slash at its end. Raises Misconfigured, naming the variable, for what is none, and for
    one of `provider_domain` to which the key would travel in clear."""
    parts = _ORIGIN.fullmatch(base_url.rstrip("/"))
    if not parts:
        raise Misconfigured(f"{variable}: write https://{provider_domain} or the like, without a path, not {base_url}")
    if parts[1] == "http" and parts[2].endswith(provider_domain.split(".", 1)[1]):
        raise Misconfigured(f"{variable}: write https, or the key travels in clear")
    return parts[0]


def line(pointer: str, value: str) -> str:
    """The value, if it fits on one line. Raises Invalid."""
    if CONTROL.search(value):
        raise Invalid(Problem(pointer, "line breaks and control characters are not allowed here"))
    return value


def text(pointer: str, value: str) -> str:
    """The value, if mail can carry it. Raises Invalid."""
    if "\0" in value:
        raise Invalid(Problem(pointer, "NUL can't be sent by mail"))
    return value


def email(pointer: str, address: str, provider: str) -> str:
    """The bare address with its domain in the ASCII form. Raises Invalid; `pointer` tells whether it is the sender's."""
    local, at, domain = address.rpartition("@")
    if not (local and at and domain) or _NOT_IN_ADDRESS.search(address) or CONTROL.search(address):
        raise Invalid(Problem(pointer, "is not an e-mail address"))
    if pointer == "/message/from" and not local.isascii():
        raise Invalid(Problem(pointer, f"{provider} can't send from an address with other than ASCII before the @"))
    if not domain.isascii():
        try:
            domain = idna.encode(domain, uts46=True).decode()
        except idna.IDNAError as error:
            raise Invalid(Problem(pointer, f"{domain} is not a domain name")) from error
    return f"{local}@{domain}"


def mailbox(pointer: str, address: Address, provider: str) -> str:
    """As a header would have it, in ASCII; other characters in a name are encoded in words (RFC 2047). Raises Invalid."""
    bare = email(pointer, address.email, provider)
    if not bare.isascii():
        raise Invalid(Problem(pointer, f"{provider} takes no address with other than ASCII before the @"))
    if not address.name.isascii():
        return f"{words(pointer, address.name)} <{bare}>"
    return formataddr((line(pointer, address.name), bare))


def words(pointer: str, value: str) -> str:
    """The value, if it fits on one line, in printable ASCII. Raises Invalid."""
    if line(pointer, value).isascii():
        return value
    try:
        return Header(value, "utf-8", maxlinelen=_LONGEST_WORD).encode(linesep="")
    except UnicodeEncodeError as error:
        raise Invalid(Problem(pointer, "half a character (a lone surrogate) can't be sent")) from error


def header_name(name: str, taken: frozenset[str], prefixes: tuple[str, ...]) -> str:
    """The name, if a mail's owner may set it: neither one of `taken` (in lower case) nor with one of these beginnings."""
    if not _HEADER_NAME.fullmatch(name):
        raise Invalid(Problem("/message/headers", f"{name!r} is not a header name"))
    if name.lower() in taken or name.lower().startswith(prefixes):
        raise Invalid(
            Problem(f"/message/headers/{name}", "this header is set by a field of its own, or by the provider")
        )
    return name


def attachments(mail: Mail) -> Iterator[Attachment]:
    """The files of a mail, each with names that fit into headers. Raises Invalid."""
    for index, each in enumerate(mail.attachments):
        pointer = f"/message/attachments/{index}"
        if not line(f"{pointer}/filename", each.filename) or _HALF.search(each.filename):
            raise Invalid(Problem(f"{pointer}/filename", "must be a name, of whole characters"))
        if not _MEDIA_TYPE.fullmatch(each.content_type):
            raise Invalid(Problem(f"{pointer}/content_type", "is not a media type"))
        if each.content_id is not None and not _CONTENT_ID.fullmatch(each.content_id):
            raise Invalid(Problem(f"{pointer}/content_id", "is not a content id"))
        yield each


def base64(attachment: Attachment) -> str:
    """What it holds, for JSON."""
    return b64encode(attachment.content).decode()


def complete(mail: Mail, most: int, provider: str) -> None:
    """Raise Invalid for a mail to nobody, to more than `most`, or with nothing in it."""
    if not mail.to or len(mail.to) + len(mail.cc) + len(mail.bcc) > most:
        raise Invalid(Problem("/message/to", f"{provider} takes 1 to {most} recipients, cc and bcc included"))
    if not mail.text and not mail.html:
        raise Invalid(Problem("/message/text", "text or html must hold something"))


def as_json(document: object) -> bytes:
    """The body of a request: compact UTF-8, equal for equal documents. Raises Invalid for half a character."""
    try:
        return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()
    except UnicodeEncodeError as error:
        raise Invalid(Problem("/message", "half a character (a lone surrogate) can't be sent")) from error
