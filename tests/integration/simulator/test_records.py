"""What our adapter reads in the simulator's events API."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from fencepost.clock import SystemClock
from fencepost.providers import Provider
from fencepost.providers.mailgun import Mailgun
from fencepost.providers.transport import Transport
from fencepost.reconciliation import Evidence, Reference
from fencepost.settings import Mailgun as MailgunSettings
from sender.look_ups import LookUps
from tests.integration.simulator.conftest import Simulator, StartsSimulator, call, mail
from tests.support.eventually import eventually


def reference(number: int) -> Reference:
    sent = mail(number)
    return Reference(sent.delivery_id, sent.message_id, "mailgun")


@pytest.fixture
def records(simulator: Simulator) -> Iterator[LookUps]:
    providers: dict[str, Provider] = {"mailgun": simulator.mailgun}
    own = LookUps(providers, 10)
    yield own
    own.close()


def test_what_was_taken_is_found_and_what_was_not_leaves_no_trace(
    simulator: Simulator, transport: Transport, records: LookUps
) -> None:
    simulator.dial(faults={"accept_and_500": {"next": 1}, "refuse_500": {"next": 1}})
    for number in (1, 2):
        call(transport, simulator.mailgun.request(mail(number)))
    simulator.dial()

    def looked_up() -> dict[str, Evidence]:
        found = records.run([reference(number) for number in (1, 2)])
        return {delivery_id: trace.evidence for delivery_id, trace in found.items()}

    one, two = (reference(number).delivery_id for number in (1, 2))
    eventually(lambda: looked_up()[one] is Evidence.ACCEPTED)
    assert looked_up() == {one: Evidence.ACCEPTED, two: Evidence.NO_TRACE}
    assert records.run([reference(1)])[one].receipt == mail(1).message_id


def test_what_is_not_indexed_yet_leaves_no_trace(simulator: Simulator, transport: Transport, records: LookUps) -> None:
    simulator.dial(index_lag_ms=600_000)
    call(transport, simulator.mailgun.request(mail(3)))
    assert records.run([reference(3)])[reference(3).delivery_id].evidence is Evidence.NO_TRACE


def test_another_mail_under_the_same_message_id_is_not_taken_for_it(
    simulator: Simulator, transport: Transport, records: LookUps
) -> None:
    foreign = replace(mail(4), delivery_id="eml_foreign")
    call(transport, simulator.mailgun.request(foreign))
    eventually(lambda: simulator.events(**{"message-id": foreign.message_id}).json()["items"])
    assert records.run([reference(4)])[reference(4).delivery_id].evidence is Evidence.NO_TRACE


def test_a_key_that_may_only_send_reads_nothing(start_simulator: StartsSimulator) -> None:
    simulator = start_simulator(EVENTS_API_KEY="key-account")
    for key, evidence in ((None, Evidence.UNREADABLE), ("key-account", Evidence.NO_TRACE)):
        options = MailgunSettings.model_validate({"base_url": simulator.url, "events_api_key": key})
        records = LookUps({"mailgun": Mailgun(options, SystemClock())}, 10)
        trace = records.run([reference(5)])[reference(5).delivery_id]
        assert (trace.evidence, trace.misconfigured) == (evidence, key is None)
        records.close()


def test_a_provider_that_is_not_there_is_unreadable_and_one_unknown_has_no_records(records: LookUps) -> None:
    gone = LookUps({"mailgun": Mailgun(MailgunSettings(base_url="http://127.0.0.1:9"), SystemClock())}, 5)
    assert gone.run([reference(6)])[reference(6).delivery_id].evidence is Evidence.UNREADABLE
    gone.close()
    unknown = replace(reference(7), provider="pigeon")
    assert records.run([unknown])[unknown.delivery_id].evidence is Evidence.NO_RECORDS
