"""Providers: one pure adapter each, and the transport that carries their calls."""

from typing import Protocol

from fencepost.clock import Clock
from fencepost.deliveries import Outcome
from fencepost.errors import FencepostError, Invalid, Misconfigured, Problem
from fencepost.messages import Mail
from fencepost.providers.http import HttpRequest, Reply, Request
from fencepost.providers.mailgun import Mailgun
from fencepost.providers.mailjet import Mailjet
from fencepost.providers.sendgrid import SendGrid
from fencepost.providers.ses import Ses
from fencepost.providers.smtp import Smtp
from fencepost.reconciliation import Reference, Trace
from fencepost.settings import Providers


class Provider(Protocol):
    """A provider as the sender sees it: no I/O, so that one call is exactly one `request` through the transport."""

    @property
    def name(self) -> str: ...

    def request(self, mail: Mail) -> Request:
        """The call that asks for `mail` to be sent. Raises Invalid for a mail that this provider can't take."""
        ...

    def outcome(self, reply: Reply) -> Outcome:
        """How that call ended."""
        ...

    def look_up(self, reference: Reference) -> HttpRequest | None:
        """The call that asks the provider's records for a mail; None if it has none that can be asked."""
        ...

    def trace(self, reference: Reference, reply: Reply) -> Trace | HttpRequest:
        """What the records say of it, or the next call that has to be made to tell."""
        ...


def request_of(provider: Provider, mail: Mail) -> Request:
    """The call that asks for `mail` to be sent. Raises FencepostError, and nothing else: whatever is wrong with a mail, it fails that
    mail alone."""
    try:
        return provider.request(mail)
    except FencepostError:
        raise
    except Exception as error:
        raise Invalid(Problem("/message", f"{type(error).__name__}: {error}")) from error


NAMES = ("mailgun", "sendgrid", "mailjet", "ses", "smtp")
"""What FENCEPOST_PROVIDERS__ORDER may name."""


def create(name: str, settings: Providers, clock: Clock) -> Provider:
    """The provider of this name, one of `settings.order`. Raises Misconfigured for an unknown one."""
    match name:
        case "mailgun":
            return Mailgun(settings.mailgun, clock)
        case "sendgrid":
            return SendGrid(settings.sendgrid, clock)
        case "mailjet":
            return Mailjet(settings.mailjet, clock)
        case "ses":
            return Ses(settings.ses, clock)
        case "smtp":
            return Smtp(settings.smtp)
    raise Misconfigured(f"FENCEPOST_PROVIDERS__ORDER: there is no provider {name!r}; there are {', '.join(NAMES)}")
