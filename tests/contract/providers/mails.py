"""A mail, and the adapter that it is given to."""

import hashlib
from datetime import UTC, datetime

from pydantic import SecretStr

from fencepost.messages import Address, Attachment, Mail
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


def attachment(filename: str, content_type: str, content: bytes, content_id: str | None = None) -> Attachment:
    """A file as the sender hands it to an adapter."""
    return Attachment(filename, content_type, content_id, len(content), hashlib.sha256(content).hexdigest(), content)
