"""Registering the address of our webhooks at a provider, through its own API."""

import ipaddress
from collections.abc import Callable
from datetime import datetime
from urllib.parse import urlsplit

from pydantic import SecretStr

from fencepost.errors import Conflict
from fencepost.providers.registering import mailgun, mailjet, sendgrid, sns
from fencepost.providers.registering.steps import Call, Registered, Result, Steps
from fencepost.settings import Providers

__all__ = ["Call", "Registered", "Result", "Steps", "address", "obstacle", "steps"]

_HOSTS = {"mailgun": "mailgun.net", "sendgrid": "sendgrid.com", "mailjet": "mailjet.com", "ses": "amazonaws.com"}
"""Whatever is not there stands in for the provider."""
_PLACEHOLDERS = frozenset({"", "key-simulator", "secret-simulator"})


def address(name: str, public_url: str) -> str | None:
    """Where that provider is to call; None where it never does."""
    return f"{public_url.rstrip('/')}/hooks/{name}" if name in _HOSTS else None


def obstacle(name: str, settings: Providers, public_url: str) -> str | None:
    """Why the address can't be registered as things are set, and what would help; None if nothing is in the way."""
    if name not in _HOSTS:
        return _without(name)
    if not _stands_in(name, settings):
        if not _is_public(public_url):
            return (
                f"nobody beyond this machine reaches {public_url}: set PUBLIC_URL to the address at which providers do"
            )
        if missing := _placeholder(name, settings):
            return f"there is no key to ask with: set {missing}"
    return _unrecognised(name, settings)


def steps(name: str, settings: Providers, public_url: str, now: Callable[[], datetime]) -> Steps:
    """The calls that register it. Raises Conflict with the obstacle."""
    url, found = address(name, public_url), obstacle(name, settings, public_url)
    if found or url is None:
        raise Conflict(found or _without(name))
    match name:
        case "mailgun":
            return mailgun.register(settings.mailgun, url)
        case "sendgrid":
            return sendgrid.register(settings.sendgrid, url)
        case "mailjet":
            return mailjet.register(settings.mailjet, url)
    return sns.register(settings.ses, url, now())


def _without(name: str) -> str:
    if name == "smtp":
        return "SMTP has no webhooks: what becomes of a mail is told to its sender's mailbox at best"
    return f"{name} has no webhooks that could be registered"


def _stands_in(name: str, settings: Providers) -> bool:
    base_url = settings.ses.sns_base_url if name == "ses" else getattr(settings, name).base_url
    host = (urlsplit(base_url).hostname or "") if base_url else _HOSTS[name]
    return not (host == _HOSTS[name] or host.endswith((f".{_HOSTS[name]}", f".{_HOSTS[name]}.cn")))


def _is_public(url: str) -> bool:
    """Whether such an address can be reached from elsewhere at all; a name that is not `localhost` may."""
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_global
    except ValueError:
        return bool(host) and host != "localhost" and not host.endswith(".localhost")


def _placeholder(name: str, settings: Providers) -> str | None:
    """The variable of a key that still is what the simulator takes."""
    wanted: dict[str, tuple[tuple[str, SecretStr], ...]] = {
        "mailgun": (("EVENTS_API_KEY", settings.mailgun.events_api_key or settings.mailgun.api_key),),
        "sendgrid": (("API_KEY", settings.sendgrid.api_key),),
        "mailjet": (("API_KEY", settings.mailjet.api_key), ("SECRET_KEY", settings.mailjet.secret_key)),
        "ses": (
            ("ACCESS_KEY_ID", settings.ses.access_key_id),
            ("SECRET_ACCESS_KEY", settings.ses.secret_access_key),
        ),
    }
    missing = (variable for variable, value in wanted[name] if value.get_secret_value() in _PLACEHOLDERS)
    return next((_variable(name, variable) for variable in missing), None)


def _unrecognised(name: str, settings: Providers) -> str | None:
    """What has to be set first, so that the calls that follow are known for the provider's. SendGrid's key comes with its answer."""
    match name:
        case "mailgun" if not settings.mailgun.webhook_signing_key:
            return f"its calls could not be verified: set {_variable(name, 'WEBHOOK_SIGNING_KEY')} to the HTTP webhook signing key of its control panel"
        case "mailjet" if not settings.mailjet.webhook_credentials:
            return f"its calls could not be verified: set {_variable(name, 'WEBHOOK_CREDENTIALS')} to a user:password of your choice"
        case "ses" if not settings.ses.topic_arns:
            return f"it is not said which SNS topic SES tells through: set {_variable(name, 'TOPIC_ARNS')}"
    return None


def _variable(name: str, setting: str) -> str:
    return f"FENCEPOST_PROVIDERS__{name.upper()}__{setting}"
