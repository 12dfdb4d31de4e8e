"""Our mail to an SMTP server that is not ours (aiosmtpd)."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from email import message_from_bytes, policy

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from pydantic import SecretStr

from devstack.processes import free_port
from fencepost.deliveries import OutcomeKind
from fencepost.messages import Address
from fencepost.providers.smtp import Smtp
from fencepost.providers.transport import Transport
from fencepost.settings import Smtp as SmtpSettings
from tests.contract.providers.conftest import Certificate
from tests.contract.providers.mails import MAIL
from tests.contract.providers.test_smtp_endings import call


class Inbox:
    def __init__(self) -> None:
        self.mails: list[Envelope] = []

    async def handle_RCPT(
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        if address.startswith("nobody@"):
            return "550 5.1.1 no such user"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:
        self.mails.append(envelope)
        return "250 2.0.0 Ok: queued as 1"


def authenticate(
    _server: SMTP, _session: Session, _envelope: Envelope, _mechanism: str, data: LoginPassword
) -> AuthResult:
    return AuthResult(handled=False, success=(data.login, data.password) == (b"fencepost", b"s3cret"))


@pytest.fixture
def certificate(make_certificate: Callable[[str], Certificate]) -> Certificate:
    return make_certificate("localhost")


@pytest.fixture
def inbox(certificate: Certificate) -> Iterator[tuple[Inbox, int]]:
    inbox = Inbox()
    controller = Controller(
        inbox,
        hostname="127.0.0.1",
        port=free_port(),
        tls_context=certificate.server(),
        require_starttls=True,
        auth_required=True,
        authenticator=authenticate,
    )
    controller.start()
    yield inbox, controller.port
    controller.stop()


@pytest.fixture
def trusting(certificate: Certificate) -> Iterator[Transport]:
    transport = Transport(ca_file=str(certificate.file))
    yield transport
    transport.close()


def adapter(port: int, password: str = "s3cret") -> Smtp:
    return Smtp(SmtpSettings(base_url=f"smtp://localhost:{port}", user="fencepost", password=SecretStr(password)))


def test_a_real_server_takes_our_mail_over_starttls(inbox: tuple[Inbox, int], trusting: Transport) -> None:
    mail = replace(
        MAIL,
        bcc=(Address("bcc@example.org"),),
        subject="Größe",
        text=".\nHellö\n..\n",
        html="<p>Hellö</p>",
    )
    smtp = adapter(inbox[1])
    outcome = smtp.outcome(call(trusting, smtp.request(mail)))
    assert (outcome.kind, outcome.receipt) == (OutcomeKind.ACCEPTED, "1")
    [envelope] = inbox[0].mails
    assert (envelope.mail_from, envelope.rcpt_tos) == ("reports@example.com", ["ada@example.org", "bcc@example.org"])
    assert isinstance(envelope.content, bytes)
    assert envelope.content == smtp.request(mail).text, "byte for byte, dots included"
    assert message_from_bytes(envelope.content, policy=policy.default)["Subject"] == "Größe"


def test_a_real_server_refuses_a_wrong_password_and_an_unknown_recipient(
    inbox: tuple[Inbox, int], trusting: Transport
) -> None:
    smtp = adapter(inbox[1], "wrong")
    wrong = smtp.outcome(call(trusting, smtp.request(MAIL)))
    assert (wrong.kind, wrong.misconfigured) == (OutcomeKind.UNAVAILABLE, True)
    smtp = adapter(inbox[1])
    mail = replace(MAIL, bcc=(Address("nobody@example.org"),))
    assert smtp.outcome(call(trusting, smtp.request(mail))).kind is OutcomeKind.REJECTED
    assert inbox[0].mails == []


def test_a_server_whose_certificate_is_not_trusted_gets_nothing(inbox: tuple[Inbox, int], transport: Transport) -> None:
    smtp = adapter(inbox[1])
    assert smtp.outcome(call(transport, smtp.request(MAIL))).kind is OutcomeKind.UNAVAILABLE
    assert inbox[0].mails == []
