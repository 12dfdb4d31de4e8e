"""The providers: where each is, and the keys to it."""

from datetime import date
from typing import Literal

from pydantic import Field, SecretStr, field_validator

from fencepost.settings.values import Names, Section


class Account(Section):
    """What is set for every provider."""

    weight: float | None = Field(None, ge=0)
    """Its part of the mail, beside those of the others. Where nobody has one, the first of the order takes all, and the others
    are its fallback; so is one of weight 0. `PATCH /providers/{name}` wins over it."""
    max_per_second: float | None = Field(None, gt=0, le=100_000)
    """No more calls than this and one, in any second, by all senders together; None: as many as there are seats for."""
    max_per_day: int | None = Field(None, gt=0)
    """No more calls than this in a day of UTC, by all senders together; what is over goes to the others, or waits for the next day."""
    warm_up_since: date | None = None
    """The first day of its warm-up, 2026-03-02: its cap begins small and grows by the day, up to `max_per_day` if that is set. None: it
    is not warmed up."""
    warm_up_first_day: int = Field(50, gt=0, le=1_000_000)
    """How many calls it may be made on the first day of its warm-up."""
    warm_up_growth: float = Field(1.5, ge=1, le=10)
    """By how much each day's cap is multiplied for the next, during its warm-up."""
    settling_seconds: float | None = Field(None, gt=0)
    """Its settling window: longer than it takes to index what it accepted (Mailgun: half an hour), and a call, and what clocks
    differ. None: FENCEPOST_SETTLEMENT__WINDOW_SECONDS."""

    @property
    def is_capped(self) -> bool:
        """Whether there is an end to its calls of a day."""
        return self.max_per_day is not None or self.warm_up_since is not None


class Mailgun(Account):
    base_url: str = "https://api.mailgun.net"
    """https://api.eu.mailgun.net for a domain in the EU region; any stand-in's address will do."""
    domain: str = "sandbox.example.com"
    api_key: SecretStr = SecretStr("key-simulator")
    """A domain sending key is enough to send."""
    events_api_key: SecretStr | None = None
    """An account key: a sending key can't read events, and lost replies are settled from them."""
    webhook_signing_key: SecretStr | None = None
    """With what Mailgun signs its webhooks; without one the registry takes none."""
    webhook_signing_key_before: SecretStr | None = None
    """The one before it, taken as well while a new key makes its way."""


class SendGrid(Account):
    base_url: str = "https://api.sendgrid.com"
    """https://api.eu.sendgrid.com for a subuser in the EU region; any stand-in's address will do."""
    api_key: SecretStr = SecretStr("key-simulator")
    """A key that may send mail (scope mail.send)."""
    activity_api_key: SecretStr | None = None
    """For Email Activity, an add-on. Without one there are no records to ask, and mail whose reply was lost is held."""
    webhook_public_key: str | None = None
    """The verification key of the signed Event Webhook, as its page shows it; without one the registry takes none."""
    webhook_public_key_before: str | None = None
    """The one before it, taken as well while a new key makes its way."""


class Mailjet(Account):
    base_url: str = "https://api.mailjet.com"
    """https://api.us.mailjet.com for an account in the US region; any stand-in's address will do."""
    api_key: SecretStr = SecretStr("key-simulator")
    secret_key: SecretStr = SecretStr("secret-simulator")
    """The two halves of one key: it sends, and it reads the records from which lost replies are settled."""
    webhook_credentials: SecretStr | None = None
    """`user:password`, as they stand before the @ of the address that Mailjet is to call: it signs nothing else. Without them the
    registry takes none of its calls."""
    webhook_credentials_before: SecretStr | None = None
    """Those before them, taken as well while a new address makes its way."""


class Ses(Account):
    region: str = "us-east-1"
    base_url: str | None = None
    """None: the region's own, https://email.<region>.amazonaws.com; any stand-in's address will do."""
    access_key_id: SecretStr = SecretStr("key-simulator")
    secret_access_key: SecretStr = SecretStr("secret-simulator")
    """Of a user that may do ses:SendEmail."""
    configuration_set: str | None = None
    """The configuration set whose event destinations are told of what becomes of a mail; None: the account's default."""
    topic_arns: Names = ()
    """The SNS topics that SES tells through; the registry takes calls for no other, and confirms no other's subscription. Give each
    subscription a delivery policy that goes on for an hour: by default SNS tries three times more within a minute, and what it could
    not tell by then is lost."""
    sns_base_url: str | None = None
    """Where whatever stands in for SNS has its certificate; None: addresses of https://sns.<region>.amazonaws.com alone."""


class Smtp(Account):
    base_url: str = "smtp://smtp.example.com"
    """smtp://host (port 587 unless it is given, encrypted as `starttls` says), or smtps://host (465, encrypted from the start)."""
    starttls: Literal["required", "optional", "none"] = "required"
    """optional: where the server offers it, and the password is kept back where not; none: mail and password travel in clear."""
    user: str = "key-simulator"
    """Empty for a server that wants no password."""
    password: SecretStr = SecretStr("secret-simulator")


class Providers(Section):
    order: Names = Field(("mailgun",), min_length=1)
    mailgun: Mailgun = Mailgun()
    sendgrid: SendGrid = SendGrid()
    mailjet: Mailjet = Mailjet()
    ses: Ses = Ses()
    smtp: Smtp = Smtp()

    @field_validator("order")
    @classmethod
    def _known(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        known = [name for name in cls.model_fields if name != "order"]
        if wrong := [name for name in names if name not in known]:
            raise ValueError(f"there is no provider {wrong[0]!r}; there are {', '.join(known)}")
        return names

    def account(self, name: str) -> Account:
        """What is set for the provider of this name, one of `order`."""
        account: Account = getattr(self, name)
        return account
