"""Our request to SES, taken by a server that is not ours (moto): signed, addressed and shaped as it expects."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from moto.server import ThreadedMotoServer
from moto.ses.models import ses_backends
from moto.sns.models import sns_backends

from fencepost.deliveries import OutcomeKind
from fencepost.messages import Address, Mail
from fencepost.providers.asking import perform
from fencepost.providers.registering import steps
from fencepost.providers.ses import Ses
from fencepost.providers.transport import Transport
from fencepost.settings import Providers
from fencepost.settings import Ses as SesSettings
from tests.contract.providers.mails import MAIL, StandingClock
from tests.contract.providers.test_smtp_endings import call

BACKEND = ses_backends["123456789012"]["us-east-1"]


@pytest.fixture
def moto() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()
    BACKEND.reset()


def test_a_verified_sender_s_mail_is_in_its_store_and_another_s_is_refused(moto: str, transport: Transport) -> None:
    ses = Ses(SesSettings(base_url=moto), StandingClock())
    mail = replace(MAIL, cc=(Address("cc@example.org", "Größe"),), html="<p>Hello</p>", headers={"X-Priority": "1"})

    def outcome(mail: Mail) -> OutcomeKind:
        return ses.outcome(call(transport, ses.request(mail))).kind

    assert outcome(mail) is not OutcomeKind.ACCEPTED, "not before its domain is verified"
    BACKEND.create_email_identity_v2(
        email_identity="example.com", configuration_set_name=None, tags=None, dkim_signing_attributes=None
    )
    reply = call(transport, ses.request(mail))
    taken = ses.outcome(reply)
    assert (taken.kind, bool(taken.receipt)) == (OutcomeKind.ACCEPTED, True), reply
    [message] = BACKEND.sent_messages
    assert message.id == taken.receipt
    assert (message.subject, message.source) == (mail.subject, "Reports <reports@example.com>")
    assert message.destinations["ToAddresses"] == ["ada@example.org"]


def test_our_subscription_to_a_topic_is_taken_and_known_the_next_time(moto: str) -> None:
    topics = sns_backends["123456789012"]["us-east-1"]
    arn = topics.create_topic("mail").arn
    settings = Providers(ses=SesSettings(sns_base_url=moto, topic_arns=(arn,)))
    try:
        for _ in range(2):
            perform("ses", steps("ses", settings, "https://mail.example.com", lambda: datetime.now(UTC)), seconds=30)
        [subscription] = topics.subscriptions.values()
        assert (subscription.endpoint, subscription.protocol) == ("https://mail.example.com/hooks/ses", "https")
    finally:
        topics.reset()
