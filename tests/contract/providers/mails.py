"""A mail, and the adapter that it is given to."""

from datetime import UTC, datetime

from pydantic import SecretStr

from fencepost.messages import Address, Mail
from fencepost.providers.mailgun import Mailgun
from fencepost.settings import Mailgun as MailgunSettings


class StandingClock:
    def now(self) -> datetime:
        return datetime(2021, 12, 20, 20, 33, 0, tzinfo=UTC)

    def steady(self) -> float:
        return 0.0


MAILGUN = Mailgun(MailgunSettings(domain="mg.example.com", api_key=SecretStr("key-ä:1")), StandingClock())
MAIL = Mail(
    delivery_id="eml_01JDD0Z3S8Q6ZV0000000000AB",
    attempt_no=3,
    message_id="01jdd0z3s8q6zv@mg.example.com",
    sender=Address("reports@example.com", "Reports"),
    to=(Address("ada@example.org"),),
    subject="Weekly figures",
    text="Hello\n",
)
