"""Mailjet's addresses of events (`/v3/REST/eventcallbackurl`): one for each kind. Pure.

Mailjet signs nothing, so the address carries the user and password by which its calls are known. One of ours with another password
is changed; the address of somebody else is left as it is.
"""

from base64 import b64encode
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote, urlsplit, urlunsplit

from fencepost.providers import answers, fields
from fencepost.providers.registering.steps import Call, Registered, Result, Steps, entries, read
from fencepost.settings import Mailjet

KINDS = ("sent", "open", "click", "bounce", "blocked", "spam", "unsub")
_GROUPED = 2
"""The version of calls in which what happens within a second comes as one array."""
_RIGHTS = "check FENCEPOST_PROVIDERS__MAILJET__API_KEY, its SECRET_KEY, and that BASE_URL is of the account's region"


def register(settings: Mailjet, url: str) -> Steps:
    """Give each kind our address, where it has none or an older one of ours."""
    origin = fields.origin("FENCEPOST_PROVIDERS__MAILJET__BASE_URL", settings.base_url, "api.mailjet.com")
    place = f"{origin}/v3/REST/eventcallbackurl"
    keys = f"{settings.api_key.get_secret_value()}:{settings.secret_key.get_secret_value()}"
    headers = {"Authorization": "Basic " + b64encode(keys.encode()).decode(), "User-Agent": "fencepost"}
    typed = {**headers, "Content-Type": "application/json"}
    credentials = settings.webhook_credentials.get_secret_value() if settings.webhook_credentials else ""
    address = with_credentials(url, credentials)
    found = _read((yield Call("GET", f"{place}?Limit=100", headers)))
    there = {
        str(answers.at(each, "EventType")): each for each in entries(found, "Mailjet", "Data") if not _is_backup(each)
    }
    kinds: dict[str, Result] = {}
    for kind in KINDS:
        old = there.get(kind)
        kinds[kind] = _result(old, url, address)
        if kinds[kind] is Result.REGISTERED:
            wanted = {"EventType": kind, "Url": address, "Version": _GROUPED, "Status": "alive", "IsBackup": False}
            body = fields.as_json(wanted)
            if old:
                _read((yield Call("PUT", f"{place}/{answers.at(old, 'ID')}", typed, body)))
            else:
                _read((yield Call("POST", place, typed, body)))
    return Registered(kinds, _others(there, [kind for kind, result in kinds.items() if result is Result.TAKEN]))


def with_credentials(url: str, credentials: str) -> str:
    """The address with `user:password` before its host."""
    user, _, password = credentials.partition(":")
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=f"{quote(user, safe='')}:{quote(password, safe='')}@{parts.netloc}"))


def without_credentials(url: str) -> str:
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


def _read(reply: Any) -> Any:
    return read(reply, "Mailjet", _RIGHTS, ("ErrorMessage",))


def _is_backup(entry: object) -> bool:
    return answers.at(entry, "IsBackup") is True


def _result(old: object, url: str, address: str) -> Result:
    if old is None:
        return Result.REGISTERED
    there = str(answers.at(old, "Url"))
    if there == address and answers.at(old, "Status") == "alive" and answers.at(old, "Version") == _GROUPED:
        return Result.KNOWN
    return Result.REGISTERED if without_credentials(there) == url else Result.TAKEN


def _others(there: Mapping[str, object], taken: Sequence[str]) -> tuple[str, ...]:
    if not taken:
        return ()
    hosts = sorted({urlsplit(str(answers.at(there[kind], "Url"))).hostname or "another host" for kind in taken})
    return (
        f"Mailjet takes one address for a kind, and tells {', '.join(hosts)} of {', '.join(taken)}: remove that in its account"
        " settings under Event notifications, then register again.",
    )
