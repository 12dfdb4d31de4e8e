"""The reader of each provider's calls, as the settings have it."""

from collections.abc import Callable

from pydantic import SecretStr

from fencepost.errors import NotFound
from fencepost.providers.hooks import HookReader
from fencepost.providers.mailgun_hooks import MailgunHooks
from fencepost.providers.mailjet_hooks import MailjetHooks
from fencepost.providers.sendgrid_hooks import SendGridHooks
from fencepost.providers.sns_hooks import SnsHooks
from fencepost.settings import Providers


def reader(name: str, settings: Providers, certificate: Callable[[str], bytes]) -> HookReader:
    """Who reads that provider's calls. `certificate` fetches the one at an address of SNS's; it raises Unreachable. Raises
    NotFound for a provider that is none, or whose calls nothing could verify; Misconfigured for a key that is none."""
    match name:
        case "mailgun":
            mailgun = settings.mailgun
            return MailgunHooks(
                _set(name, "webhook_signing_key", mailgun.webhook_signing_key, mailgun.webhook_signing_key_before)
            )
        case "sendgrid":
            sendgrid = settings.sendgrid
            return SendGridHooks(
                _set(name, "webhook_public_key", sendgrid.webhook_public_key, sendgrid.webhook_public_key_before)
            )
        case "mailjet":
            mailjet = settings.mailjet
            return MailjetHooks(
                _set(name, "webhook_credentials", mailjet.webhook_credentials, mailjet.webhook_credentials_before)
            )
        case "ses":
            return SnsHooks(_set(name, "topic_arns", *settings.ses.topic_arns), certificate, settings.ses.sns_base_url)
    raise NotFound(f"no provider {name} calls here")


def _set(provider: str, setting: str, *values: SecretStr | str | None) -> list[str]:
    """Those that are set. Raises NotFound where there is none."""
    found = [value.get_secret_value() if isinstance(value, SecretStr) else value for value in values if value]
    if not any(found):
        name = f"FENCEPOST_PROVIDERS__{provider.upper()}__{setting.upper()}"
        raise NotFound(f"hooks are not set up: {name} says by what {provider}'s are known")
    return found
