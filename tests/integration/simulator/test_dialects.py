"""The simulator as the other providers: each is driven by our adapter over our transport, one request for an attempt."""

import json
from dataclasses import replace

import pytest

from fencepost.deliveries import OutcomeKind
from fencepost.messages import Address
from fencepost.providers.http import HttpRequest
from fencepost.providers.transport import HttpReply, Transport
from fencepost.reconciliation import Evidence, Reference, Trace
from simulator import ses
from simulator.taking import Refused
from tests.contract.providers.mails import attachment
from tests.integration.simulator.conftest import Simulator, call, mail
from tests.integration.simulator.test_faults import FAULTS

OTHERS = ("sendgrid", "mailjet", "ses", "smtp")
TOLD_OTHERWISE = {
    "smtp": {
        "refuse_connections": (OutcomeKind.UNAVAILABLE, False),
        "refuse_500": (OutcomeKind.THROTTLED, False),
        "503": (OutcomeKind.UNAVAILABLE, False),
    }
}
"""What SMTP is plain about: before its final dot nothing was accepted, and a refusal of that is one."""
RECORDS: dict[str, dict[str, str]] = {"sendgrid": {"activity_api_key": "key-simulator"}, "mailjet": {}}
"""Those with records that can be asked, and the settings for that."""


@pytest.mark.parametrize("name", OTHERS)
def test_a_mail_of_ours_arrives_with_all_that_it_has(simulator: Simulator, transport: Transport, name: str) -> None:
    adapter = simulator.adapter(name)
    full = replace(mail(7, attempt=3), cc=(Address("cc@example.org"),), bcc=(Address("bcc@example.org"),))
    [reply] = call(transport, adapter.request(full))
    outcome = adapter.outcome(reply)
    assert (outcome.kind, bool(outcome.receipt)) == (OutcomeKind.ACCEPTED, True), reply
    [entry] = simulator.ledger()
    assert (entry["provider"], entry["delivery_id"], entry["attempt"], entry["answer"]) == (
        name,
        full.delivery_id,
        3,
        "ok",
    )
    assert entry["recipients"] == ["ada@example.org", "cc@example.org", "bcc@example.org"]
    assert entry["from"] == "Berichte, täglich <reports@example.com>"
    # A text that travels as mail ends with an end of line.
    assert (entry["subject"], entry["text"], entry["html"].rstrip("\n")) == (full.subject, full.text, full.html)
    assert entry["headers"]["X-Priority"] == "1"
    assert entry["tags"] == ([] if name == "smtp" else ["daily"]), "by SMTP they would be shown to the recipients"


@pytest.mark.parametrize("name", OTHERS)
def test_every_fault_is_told_as_one_thing_and_booked_as_another(
    simulator: Simulator, transport: Transport, name: str
) -> None:
    adapter = simulator.adapter(name)
    for number, (fault, (kind, accepted)) in enumerate((FAULTS | TOLD_OTHERWISE.get(name, {})).items()):
        before = len(simulator.ledger())
        simulator.dial(faults={fault: {"next": 1}}, drip_ms=50, throttle_seconds=7)
        [reply] = call(transport, adapter.request(mail(number)), timeout_seconds=0.7)
        outcome = adapter.outcome(reply)
        assert outcome.kind is kind, (fault, reply)
        assert outcome.misconfigured == (fault in ("401", "402", "403", "404"))
        ledger = simulator.ledger()
        assert len(ledger) - before == accepted, fault
        assert not accepted or ledger[-1]["answer"] == fault
    counts = simulator.get("ledger/count")
    assert counts["answers"] == {fault: 1 for fault in FAULTS if fault != "refuse_connections"}, "one request for each"


@pytest.mark.parametrize("name", OTHERS)
def test_a_key_that_is_not_the_simulators_is_refused(simulator: Simulator, transport: Transport, name: str) -> None:
    for wrong in WRONG_KEYS[name]:
        adapter = simulator.adapter(name, **wrong)
        [reply] = call(transport, adapter.request(mail(1)))
        outcome = adapter.outcome(reply)
        assert (outcome.kind, outcome.misconfigured) == (OutcomeKind.UNAVAILABLE, True), wrong
    assert simulator.get("ledger/count")["answers"] == {"401": len(WRONG_KEYS[name])}


WRONG_KEYS = {
    "sendgrid": [{"api_key": "key-other"}],
    "mailjet": [{"api_key": "key-other"}, {"secret_key": "secret-other"}],
    "smtp": [{"user": "key-other"}, {"password": "secret-other"}],
    "ses": [{"access_key_id": "key-other"}, {"secret_access_key": "secret-other"}],
}


def test_a_signature_is_good_for_one_body_and_a_few_minutes(simulator: Simulator, transport: Transport) -> None:
    adapter = simulator.adapter("ses")
    request = adapter.request(mail(1))
    assert isinstance(request, HttpRequest)
    changed = [
        replace(request, body=request.body.replace(b"Ada", b"Eve")),
        replace(request, url=f"{request.url}?a=b"),
        replace(request, headers={**request.headers, "Content-Type": "text/plain"}),
        replace(request, headers={**request.headers, "X-Amz-Date": "20211220T203300Z"}),
        replace(request, headers={**request.headers, "Authorization": "AWS4-HMAC-SHA256"}),
    ]
    for each, reply in zip(changed, call(transport, *changed), strict=True):
        assert isinstance(reply, HttpReply)
        assert reply.status == 403, each
    assert simulator.ledger() == []
    [reply] = call(transport, request)
    assert adapter.outcome(reply).kind is OutcomeKind.ACCEPTED, "untouched it is good"


FOREIGN: dict[str, list[dict[str, object]]] = {
    "sendgrid": [
        {},
        {"personalizations": [{"to": []}]},
        {"personalizations": [{"to": [{"email": "a@example.org"}], "cc": [{"email": "A@example.org"}]}]},
        {"personalizations": "x"},
    ],
    "mailjet": [{}, {"Messages": []}, {"Messages": ["x"]}, {"Messages": [{"From": {"Email": "a@example.com"}}]}],
}


@pytest.mark.parametrize("name", FOREIGN)
def test_a_request_that_holds_no_mail_is_told_so(simulator: Simulator, transport: Transport, name: str) -> None:
    adapter = simulator.adapter(name)
    request = adapter.request(mail(1))
    assert isinstance(request, HttpRequest)
    bodies = [b"", b"{", b"[]", *(json.dumps(each).encode() for each in FOREIGN[name])]
    replies = call(transport, *(replace(request, body=body) for body in bodies))
    assert {adapter.outcome(reply).kind for reply in replies} == {OutcomeKind.REJECTED}, replies
    assert simulator.get("ledger/count")["answers"] == {"400": len(bodies)}


@pytest.mark.parametrize("name", [name for name in OTHERS if name != "smtp"])
def test_a_throttled_call_is_told_how_long(simulator: Simulator, transport: Transport, name: str) -> None:
    adapter = simulator.adapter(name)
    for header in (True, False):
        simulator.dial(faults={"429": 1}, throttle_seconds=30, throttle_header=header)
        [reply] = call(transport, adapter.request(mail(1)))
        outcome = adapter.outcome(reply)
        assert outcome.kind is OutcomeKind.THROTTLED
        assert isinstance(reply, HttpReply)
        assert ("retry-after" in reply.headers) == header
        if header or name in RESETS:
            assert 25 <= (outcome.retry_after_seconds or 0) <= 32
        else:
            assert outcome.retry_after_seconds is None


RESETS = ("sendgrid",)
"""Those that tell when their limit is reset, in a header of their own."""


@pytest.mark.parametrize("name", RECORDS)
def test_records_show_what_was_taken_after_a_while(simulator: Simulator, transport: Transport, name: str) -> None:
    adapter = simulator.adapter(name, **RECORDS[name])

    def found(number: int) -> Trace:
        request = adapter.look_up(Reference(mail(number).delivery_id, mail(number).message_id, name))
        assert request
        [reply] = call(transport, request)
        trace = adapter.trace(Reference(mail(number).delivery_id, mail(number).message_id, name), reply)
        assert not isinstance(trace, HttpRequest)
        return trace

    simulator.dial(faults={"accept_and_500": {"next": 1}}, index_lag_ms=3_600_000)
    call(transport, adapter.request(mail(1)))
    assert found(1).evidence is Evidence.NO_TRACE, "not yet"
    simulator.dial(faults={"refuse_500": {"next": 1}})
    call(transport, adapter.request(mail(2)))
    [reply] = call(transport, adapter.request(mail(3)))
    assert found(1).evidence is Evidence.ACCEPTED
    assert found(2).evidence is Evidence.NO_TRACE
    assert (found(3).evidence, found(3).receipt) == (Evidence.ACCEPTED, adapter.outcome(reply).receipt)


@pytest.mark.parametrize("name", [name for name in OTHERS if name not in RECORDS])
def test_others_have_no_records_to_ask(simulator: Simulator, name: str) -> None:
    assert simulator.adapter(name).look_up(Reference("eml_1", "eml_1@example.com", name)) is None


GARBLED: dict[str, list[tuple[bytes, bytes]]] = {
    "sendgrid": [(b"iVBORw==", b"*"), (b"iVBORw==", b""), (b'"logo.png"', b'""'), (b"image/png", b"image/png; a=b")],
    "mailjet": [(b"iVBORw==", b"*"), (b'"logo.png"', b'""'), (b"ContentType", b"Content"), (b"ContentID", b"Id")],
    "ses": [(b"iVBORw==", b"*"), (b'"logo.png"', b'""'), (b'"BASE64"', b'"SEVEN_BIT"')],
}
"""For each dialect what makes a request's attachment wrong: these bytes, replaced by those."""


@pytest.mark.parametrize("name", GARBLED)
def test_a_file_that_is_not_as_documented_is_refused(simulator: Simulator, transport: Transport, name: str) -> None:
    # Not signed again: what is wrong with a signature would be found first.
    adapter = simulator.adapter(name)
    full = replace(mail(1), attachments=(attachment("logo.png", "image/png", b"\x89PNG", "logo-1"),))
    right = adapter.request(full)
    assert isinstance(right, HttpRequest)
    for before, after in GARBLED[name]:
        assert right.body.count(before) == 1, before
        body = right.body.replace(before, after)
        if name == "ses":
            with pytest.raises(Refused):
                ses.read(json.loads(body))
            continue
        [reply] = call(transport, replace(right, body=body))
        assert adapter.outcome(reply).kind is OutcomeKind.REJECTED, (before, reply)
    [reply] = call(transport, right)
    assert adapter.outcome(reply).kind is OutcomeKind.ACCEPTED
    [entry] = simulator.ledger()
    assert [file["content_id"] for file in entry["attachments"]] == ["logo-1"]
