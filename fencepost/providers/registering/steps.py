"""What registering the address of our webhooks at a provider is made of: calls to its API, one after the other, as a generator that
is sent each answer. Pure; whoever drives it does the I/O. Done again it changes nothing, so it may be broken off anywhere."""

from collections.abc import Generator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Literal

from fencepost.errors import Conflict, Unreachable
from fencepost.providers import answers
from fencepost.providers.http import HttpReply


@dataclass(frozen=True, slots=True)
class Call:
    """One call, ready for the wire but for Host and Content-Length."""

    method: Literal["GET", "POST", "PUT", "PATCH"]
    url: str
    headers: Mapping[str, str]
    body: bytes = b""


class Result(StrEnum):
    """What became of one kind of event."""

    REGISTERED = "registered"
    KNOWN = "known"
    """It was told to this address before."""
    TAKEN = "taken"
    """It is told elsewhere, and there is no room for one more address: nothing was changed."""


@dataclass(frozen=True, slots=True)
class Registered:
    """How it ended: by the provider's own names of its events, and what is left for a person to do, in sentences."""

    kinds: Mapping[str, Result]
    to_do: tuple[str, ...] = ()


Steps = Generator[Call, HttpReply, Registered]


def check(reply: HttpReply, provider: str, rights: str, *paths: tuple[str | int, ...]) -> None:
    """Raises Unreachable for an answer that may be well in a moment, Conflict for one that a person has to see to: `rights` says
    which key has to be allowed what, `paths` where an error has its text."""
    if 200 <= reply.status < 300:
        return
    text = answers.said(reply, *paths)
    if reply.status == 429 or reply.status >= 500:
        raise Unreachable(provider.lower(), f"{reply.status}: {text}")
    if reply.status in (401, 403):
        raise Conflict(f"{provider} does not let us register an address ({reply.status}: {text}); {rights}")
    raise Conflict(f"{provider} refuses to register the address ({reply.status}: {text})")


def read(reply: HttpReply, provider: str, rights: str, *paths: tuple[str | int, ...]) -> Any:
    """The JSON of a good answer. Raises what `check` does, and Conflict for an answer without any."""
    check(reply, provider, rights, *paths)
    found = answers.document(reply.body)
    if found is None:
        raise another(provider, reply)
    return found


def entries(document: object, provider: str, name: str) -> list[Any]:
    """The list of that name in a document. Raises Conflict where there is none: whoever answered is not the provider."""
    found = answers.at(document, name)
    if not isinstance(found, list):
        raise another(provider)
    return found


def another(provider: str, reply: HttpReply | None = None) -> Conflict:
    """What to raise where somebody else answered."""
    said = f" (it said: {answers.said(reply)})" if reply else ""
    return Conflict(f"what answers in {provider}'s place does not speak its API: check its BASE_URL{said}")
