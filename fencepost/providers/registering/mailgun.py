"""Mailgun's webhooks of a domain: each kind of event has up to three addresses (`/v3/domains/<domain>/webhooks`). Pure."""

from base64 import b64encode
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode

from fencepost.providers import answers, fields
from fencepost.providers.registering.steps import Call, Registered, Result, Steps, another, read
from fencepost.settings import Mailgun

KINDS = (
    "accepted", "delivered", "temporary_fail", "permanent_fail", "complained", "opened", "clicked", "unsubscribed",
)  # fmt: skip
MOST_ADDRESSES = 3
_RIGHTS = (
    "a sending key can't do that: set an account's API key as FENCEPOST_PROVIDERS__MAILGUN__EVENTS_API_KEY, and check the"
    " region of FENCEPOST_PROVIDERS__MAILGUN__BASE_URL"
)


def register(settings: Mailgun, url: str) -> Steps:
    """Add the address to those of each kind that does not have it yet; those of others stay."""
    origin = fields.origin("FENCEPOST_PROVIDERS__MAILGUN__BASE_URL", settings.base_url, "api.mailgun.net")
    place = f"{origin}/v3/domains/{settings.domain}/webhooks"
    key = (settings.events_api_key or settings.api_key).get_secret_value()
    headers = {"Authorization": "Basic " + b64encode(f"api:{key}".encode()).decode(), "User-Agent": "fencepost"}
    form = {**headers, "Content-Type": "application/x-www-form-urlencoded"}
    found = answers.at(_read((yield Call("GET", place, headers))), "webhooks")
    if not isinstance(found, dict):
        raise another("Mailgun")
    kinds: dict[str, Result] = {}
    for kind in KINDS:
        there = _addresses(found.get(kind))
        if url in there:
            kinds[kind] = Result.KNOWN
        elif len(there) >= MOST_ADDRESSES:
            kinds[kind] = Result.TAKEN
        else:
            kinds[kind] = Result.REGISTERED
            pairs = [("url", each) for each in (*there, url)]
            if there:
                _read((yield Call("PUT", f"{place}/{kind}", form, urlencode(pairs).encode())))
            else:
                _read((yield Call("POST", place, form, urlencode([("id", kind), *pairs]).encode())))
    taken = [kind for kind, result in kinds.items() if result is Result.TAKEN]
    return Registered(kinds, _room_needed(taken))


def _read(reply: Any) -> Any:
    return read(reply, "Mailgun", _RIGHTS, ("message",), ("Reason",))


def _addresses(webhook: object) -> list[str]:
    """Those of one kind; an old answer has a single one."""
    urls, single = answers.at(webhook, "urls"), answers.at(webhook, "url")
    return [str(each) for each in (urls if isinstance(urls, list) else [single] if single else [])]


def _room_needed(taken: Sequence[str]) -> tuple[str, ...]:
    if not taken:
        return ()
    return (
        f"Mailgun takes {MOST_ADDRESSES} addresses for a kind, and {', '.join(taken)} has as many: remove one in its control"
        " panel under Sending, Webhooks, then register again.",
    )
