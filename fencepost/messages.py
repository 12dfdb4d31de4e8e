"""Messages: from what an owner wrote to the mail that a provider is asked to send."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from time import thread_time
from typing import Any

import idna
from liquid.exceptions import LiquidError, UndefinedError

from fencepost.errors import FencepostError
from fencepost.fields import CONTROL
from fencepost.templates import Template, compiled
from fencepost.unsubscribing import headers


@dataclass(frozen=True, slots=True)
class Address:
    """A mailbox: `email` is normalised ASCII-or-IDN, `name` may be empty."""

    email: str
    name: str = ""


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file that goes with a mail. With a `content_id` its html shows it, as `cid:<content_id>`."""

    filename: str
    content_type: str
    content_id: str | None
    size: int
    """In bytes."""
    file_id: str
    """The SHA-256 of its content, in hexadecimal."""
    content: bytes = field(default=b"", repr=False)
    """Empty until the file is read."""


@dataclass(frozen=True, slots=True)
class Mail:
    """One rendered mail, ready for a provider. Nothing in it holds CR, LF or NUL outside `text` and `html`."""

    delivery_id: str
    attempt_no: int
    message_id: str
    """`unique@domain`, without angle brackets; the same for every attempt of a delivery."""
    sender: Address
    to: tuple[Address, ...]
    subject: str
    text: str | None = None
    html: str | None = None
    cc: tuple[Address, ...] = ()
    bcc: tuple[Address, ...] = ()
    reply_to: Address | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    tags: tuple[str, ...] = ()
    metadata: Mapping[str, str] = field(default_factory=dict)
    attachments: tuple[Attachment, ...] = ()


class CannotRender(FencepostError):
    """A template can't be filled in for this recipient; no retry helps."""


_TEMPLATED = ("subject", "text", "html")
_PATIENCE_SECONDS = 3.0
"""Of processor time for one template, for all recipients together: a sender will need as much, and others' mail waits then."""


def sending_domain(definition: Mapping[str, Any]) -> str:
    """The domain that a text is sent from, in small letters; empty for a text that can't be read, which fails when it is written."""
    sender = definition["message"].get("from")
    return str(sender.get("email", "")).rpartition("@")[2].lower() if isinstance(sender, Mapping) else ""


class Renderer:
    """Turns one revision's message into mails. Templates are compiled once, and only where there is something to fill in."""

    def __init__(self, definition: Mapping[str, Any]) -> None:
        self._message: Mapping[str, Any] = definition["message"]
        self._together = bool(definition.get("together"))
        self._literal = bool(definition.get("literal"))
        self.sending_domain = sending_domain(definition)

    def problems(self) -> Iterator[tuple[str, str]]:
        """What is wrong with the templates, as (field of the message, sentence): their syntax, a value that a recipient lacks."""
        for name in _TEMPLATED:
            try:
                template = self._compile(name)
            except LiquidError as error:
                yield name, f"is not a template that can be read: {_first_line(error)}"
                continue
            if isinstance(template, Template):
                yield from self._missing_values(name, template)

    def _missing_values(self, name: str, template: Template) -> Iterator[tuple[str, str]]:
        begun = thread_time()
        for index, recipient in enumerate(self._message["to"][:1] if self._together else self._message["to"]):
            if thread_time() - begun > _PATIENCE_SECONDS:
                yield name, f"takes too long to fill in for {len(self._message['to'])} recipients"
                return
            try:
                text = template.render(**_values(recipient))
            except UndefinedError as error:
                yield f"to/{index}/variables", f"{_first_line(error)}, and {name} uses it"
            except LiquidError as error:
                yield name, f"can't be filled in for {recipient['email']}: {_first_line(error)}"
            else:
                if name == "subject" and CONTROL.search(text):
                    yield f"to/{index}/variables", "would put a line break into the subject"

    def addresses(self, recipient: str) -> list[str]:
        """All to whom the mail of this recipient (a key as in fencepost.occurrences.recipients) would go, cc and bcc included."""
        message = self._message
        entry = self._by_email.get(recipient)
        to = message["to"] if self._together else [entry] if entry else []
        return [address["email"] for address in (*to, *message["cc"], *message["bcc"])]

    def mail(
        self, delivery_id: str, attempt_no: int, recipient: str, link: str = "", without: Collection[str] = ()
    ) -> Mail:
        """The mail to one recipient (a key as in fencepost.occurrences.recipients), but for what its attachments hold. `link` is
        where to unsubscribe, empty for mail that offers none; addresses in `without` are left out. Raises CannotRender."""
        message = self._message
        if self._together:
            to, values = message["to"], _values(message["to"][0], link)
        elif (entry := self._by_email.get(recipient)) is not None:
            to, values = [entry], _values(entry, link)
        else:
            raise CannotRender("this recipient is not in the text of the version that owns the instant")
        filled = {name: _fill(self._templates[name], name, values) for name in _TEMPLATED}
        if CONTROL.search(filled["subject"] or ""):
            raise CannotRender("the subject would hold a line break")
        sender = _address(message["from"])
        return Mail(
            delivery_id=delivery_id,
            attempt_no=attempt_no,
            message_id=message_id(delivery_id, message),
            sender=sender,
            to=_but(to, without),
            cc=_but(message["cc"], without),
            bcc=_but(message["bcc"], without),
            reply_to=_address(message["reply_to"]) if message["reply_to"] else None,
            subject=filled["subject"] or "",
            text=filled["text"],
            html=filled["html"],
            headers=_with_link(message["headers"], link),
            tags=tuple(message["tags"]),
            metadata=message["metadata"],
            attachments=self.attachments,
        )

    @cached_property
    def attachments(self) -> tuple[Attachment, ...]:
        """The files that go with each of its mails, without their contents."""
        return tuple(Attachment(**entry) for entry in self._message.get("attachments", ()))

    @cached_property
    def _by_email(self) -> dict[str, Mapping[str, Any]]:
        return {entry["email"].lower(): entry for entry in self._message["to"]}

    @cached_property
    def _templates(self) -> dict[str, "Template | str | None"]:
        try:
            return {name: self._compile(name) for name in _TEMPLATED}
        except LiquidError as error:
            raise CannotRender(_first_line(error)) from error

    def _compile(self, name: str) -> "Template | str | None":
        source: str | None = self._message.get(name)
        return source if self._literal else _compile(name, source)


def message_id(delivery_id: str, message: Mapping[str, Any]) -> str:
    """The Message-ID of a delivery of this message, without angle brackets: known without rendering anything."""
    return f"{delivery_id}@{_ascii(message['from']['email'].rpartition('@')[2])}"


def _ascii(domain: str) -> str:
    """The domain as headers hold it. One that has no such form stays as it is: no provider sends from it."""
    if domain.isascii():
        return domain
    try:
        return idna.encode(domain, uts46=True).decode()
    except idna.IDNAError:
        return domain


def _compile(name: str, source: str | None) -> "Template | str | None":
    if source is None or ("{{" not in source and "{%" not in source):
        return source
    return compiled(source, html=name == "html")


def _fill(template: "Template | str | None", name: str, values: Mapping[str, Any]) -> str | None:
    if not isinstance(template, Template):
        return template
    try:
        return template.render(**values)
    except LiquidError as error:
        raise CannotRender(f"{name}: {_first_line(error)}") from error


def _values(recipient: Mapping[str, Any], link: str = "") -> dict[str, Any]:
    own = {"name": recipient.get("name") or "", "email": recipient["email"], "unsubscribe_url": link}
    return {**recipient.get("variables", {}), **own}


def _with_link(own: Mapping[str, str], link: str) -> Mapping[str, str]:
    """The owner's headers, and those of the link unless they have their own way."""
    if not link or any(name.lower() == "list-unsubscribe" for name in own):
        return own
    return {**own, **headers(link)}


def _but(addresses: Iterable[Mapping[str, Any]], without: Collection[str]) -> tuple[Address, ...]:
    return tuple(_address(address) for address in addresses if address["email"] not in without)


def _address(entry: Mapping[str, Any]) -> Address:
    return Address(entry["email"], entry.get("name") or "")


def _first_line(error: LiquidError) -> str:
    return str(error).partition("\n")[0]
