"""The dials and the ledger, driven by our adapter over our transport: what is told, and what really happened."""

import time
from typing import Any

import pytest

from fencepost.deliveries import OutcomeKind
from fencepost.providers.transport import HttpReply, Lost, Transport
from tests.integration.simulator.conftest import Simulator, StartsSimulator, call, mail
from tests.support.eventually import eventually

FAULTS = {
    "accept_and_hang": (OutcomeKind.UNKNOWN, True),
    "accept_and_reset": (OutcomeKind.UNKNOWN, True),
    "accept_and_500": (OutcomeKind.UNKNOWN, True),
    "truncate": (OutcomeKind.UNKNOWN, True),
    "drip": (OutcomeKind.UNKNOWN, True),
    "reset_without_accept": (OutcomeKind.UNKNOWN, False),
    "refuse_connections": (OutcomeKind.UNKNOWN, False),
    "refuse_500": (OutcomeKind.UNKNOWN, False),
    "503": (OutcomeKind.UNKNOWN, False),
    "400": (OutcomeKind.REJECTED, False),
    "413": (OutcomeKind.REJECTED, False),
    "401": (OutcomeKind.UNAVAILABLE, False),
    "402": (OutcomeKind.UNAVAILABLE, False),
    "403": (OutcomeKind.UNAVAILABLE, False),
    "404": (OutcomeKind.UNAVAILABLE, False),
    "429": (OutcomeKind.THROTTLED, False),
}


def test_every_fault_is_told_as_one_thing_and_booked_as_another(simulator: Simulator, transport: Transport) -> None:
    for number, (fault, (kind, accepted)) in enumerate(FAULTS.items()):
        before = len(simulator.ledger())
        simulator.dial(faults={fault: {"next": 1}}, drip_ms=50, throttle_seconds=7)
        [reply] = call(transport, simulator.mailgun.request(mail(number)), timeout_seconds=0.7)
        outcome = simulator.mailgun.outcome(reply)
        assert outcome.kind is kind, (fault, reply)
        ledger = simulator.ledger()
        assert len(ledger) - before == accepted, fault
        assert not accepted or ledger[-1]["answer"] == fault
        [after] = call(transport, simulator.mailgun.request(mail(100 + number)))
        assert simulator.mailgun.outcome(after).kind is OutcomeKind.ACCEPTED, f"after {fault}"
    counts = simulator.get("ledger/count")
    assert counts["answers"].pop("ok") == len(FAULTS)
    assert counts["answers"] == {fault: 1 for fault in FAULTS if fault != "refuse_connections"}
    assert set(FAULTS) == set(simulator.get("dials")["faults"]), "a fault without a test"


def test_a_throttled_call_is_told_how_long(simulator: Simulator, transport: Transport) -> None:
    def wait(**dials: Any) -> float:
        simulator.dial(faults={"429": 1}, throttle_seconds=30, **dials)
        [reply] = call(transport, simulator.mailgun.request(mail(1)))
        seconds = simulator.mailgun.outcome(reply).retry_after_seconds
        assert seconds is not None
        assert isinstance(reply, HttpReply)
        assert ("retry-after" in reply.headers) == dials.get("throttle_header", False)
        return seconds

    assert wait() == 30
    assert 25 <= wait(throttle_format="date") <= 30
    assert wait(throttle_header=True) == 30


def test_too_many_a_second_are_throttled(simulator: Simulator, transport: Transport) -> None:
    simulator.dial(requests_per_second=10)
    replies = call(transport, *(simulator.mailgun.request(mail(number)) for number in range(60)))
    kinds = [simulator.mailgun.outcome(reply).kind for reply in replies]
    assert set(kinds) == {OutcomeKind.ACCEPTED, OutcomeKind.THROTTLED}
    assert len(simulator.ledger()) == kinds.count(OutcomeKind.ACCEPTED)


def test_a_seed_repeats_a_run(simulator: Simulator, transport: Transport) -> None:
    def run(seed: int) -> list[OutcomeKind]:
        shares = {"accept_and_500": 0.2, "429": 0.2, "400": 0.2, "401": 0.2}
        simulator.dial(seed=seed, faults=shares, jitter_ms=1)
        replies = [call(transport, simulator.mailgun.request(mail(number)))[0] for number in range(40)]
        return [simulator.mailgun.outcome(reply).kind for reply in replies]

    first = run(11)
    assert len(set(first)) == 5
    assert run(11) == first
    assert run(12) != first


def test_latency_comes_after_the_mail_was_accepted(simulator: Simulator, transport: Transport) -> None:
    simulator.dial(latency_ms=60_000)
    transport.start(1, simulator.mailgun.request(mail(1)), 60)

    def accepted() -> bool:
        transport.poll(0)
        return len(simulator.ledger()) == 1

    eventually(accepted)
    assert transport.in_flight == 1
    simulator.dial(latency_ms=200)
    other = Transport()
    began = time.monotonic()
    [reply] = call(other, simulator.mailgun.request(mail(2)))
    other.close()
    assert isinstance(reply, HttpReply)
    assert time.monotonic() - began >= 0.2


def test_calls_that_hang_end_with_their_caller(start_simulator: StartsSimulator, transport: Transport) -> None:
    simulator = start_simulator(THREADS="4")
    simulator.dial(faults={"accept_and_hang": 1}, hang_seconds=600)
    replies = call(transport, *(simulator.mailgun.request(mail(number)) for number in range(8)), timeout_seconds=0.3)
    assert all(isinstance(reply, Lost) for reply in replies)
    simulator.dial()
    [reply] = call(transport, simulator.mailgun.request(mail(9)))
    assert isinstance(reply, HttpReply), "all four threads are free again"


@pytest.mark.parametrize(
    ("dials", "words"),
    [
        ([], "object"),
        ({"colour": 1}, "colour"),
        ({"latency_ms": -1}, "latency_ms"),
        ({"latency_ms": True}, "latency_ms"),
        ({"latency_ms": "fast"}, "latency_ms"),
        ({"seed": 1.5}, "seed"),
        ({"faults": {"flood": 1}}, "flood"),
        ({"faults": {"429": 1.1}}, "429"),
        ({"faults": {"429": 0.6, "400": 0.6}}, "more than 1"),
        ({"faults": {"429": {"next": -1}}}, "429"),
        ({"faults": {"429": {"soon": 1}}}, "429"),
        ({"faults": [1]}, "faults"),
        ({"throttle_format": "weeks"}, "throttle_format"),
        ({"throttle_header": 1}, "throttle_header"),
    ],
)
def test_dials_that_do_not_exist_are_refused(simulator: Simulator, dials: Any, words: str) -> None:
    before = simulator.get("dials")
    answer = simulator.http.put(f"{simulator.url}/_simulator/dials", json=dials, timeout=10)
    assert answer.status_code == 422
    assert words in answer.json()["detail"]
    assert simulator.get("dials") == before


def test_putting_dials_resets_those_that_are_not_named(simulator: Simulator) -> None:
    untouched = simulator.get("dials")
    simulator.dial(latency_ms=5, faults={"429": {"share": 0.5, "next": 3}})
    assert simulator.get("dials") == {
        **untouched,
        "latency_ms": 5,
        "faults": {**untouched["faults"], "429": {"share": 0.5, "next": 3}},
    }
    simulator.dial()
    assert simulator.get("dials") == untouched


# -- the ledger


def test_the_ledger_is_read_in_parts(simulator: Simulator, transport: Transport) -> None:
    call(transport, *(simulator.mailgun.request(mail(number)) for number in range(25)))
    numbers: list[int] = []
    page = simulator.get("ledger", since=0, limit=10)
    while page["data"]:
        numbers += [entry["number"] for entry in page["data"]]
        page = simulator.get("ledger", since=page["next"], limit=10)
    assert numbers == list(range(1, 26))
    assert page["next"] == 25


def test_duplicates_and_requests_are_counted_by_delivery(simulator: Simulator, transport: Transport) -> None:
    simulator.dial(faults={"400": {"next": 1}})
    for number, attempt in ((1, 1), (1, 2), (2, 1), (1, 3)):
        call(transport, simulator.mailgun.request(mail(number, attempt)))
    one, two = mail(1).delivery_id, mail(2).delivery_id
    assert simulator.get("ledger/duplicates") == {"data": {one: [1, 3]}}
    assert simulator.get("ledger/requests") == {"data": {one: 3, two: 1}}
    assert [entry["attempt"] for entry in simulator.ledger()] == [2, 1, 3]


def test_the_ledger_survives_kill_9_in_its_folder(
    start_simulator: StartsSimulator, transport: Transport, tmp_path: Any
) -> None:
    simulator = start_simulator(FOLDER=str(tmp_path / "ledger"))
    simulator.dial(faults={"accept_and_500": {"next": 1}, "429": {"next": 1}})
    for number in range(5):
        call(transport, simulator.mailgun.request(mail(number)))
    before = [simulator.get(path) for path in ("ledger", "ledger/count", "ledger/requests")]
    simulator.process.kill()
    with (tmp_path / "ledger" / "ledger.jsonl").open("ab") as file:
        file.write(b'{"delivery_id": "eml_half')  # what a crash in the middle of a line leaves
    simulator.process.start().wait_ready()
    assert [simulator.get(path) for path in ("ledger", "ledger/count", "ledger/requests")] == before
    call(transport, simulator.mailgun.request(mail(9)))
    simulator.process.restart()
    assert [entry["number"] for entry in simulator.ledger()] == [1, 2, 3, 4, 5]
    events = simulator.events(**{"begin": "0", "ascending": "yes", "message-id": "mail-9@sandbox.example.com"})
    assert [item["event"] for item in events.json()["items"]] == ["accepted", "delivered"]


def test_a_cleared_ledger_is_empty_and_stays_so(
    start_simulator: StartsSimulator, transport: Transport, tmp_path: Any
) -> None:
    simulator = start_simulator(FOLDER=str(tmp_path / "ledger"))
    call(transport, simulator.mailgun.request(mail(1)))
    assert simulator.http.delete(f"{simulator.url}/_simulator/ledger", timeout=10).status_code == 204
    assert simulator.get("ledger/count") == {"accepted": 0, "requests": 0, "answers": {}}
    call(transport, simulator.mailgun.request(mail(2)))
    simulator.process.restart()
    assert [entry["message_id"] for entry in simulator.ledger()] == ["mail-2@sandbox.example.com"]


@pytest.mark.parametrize("query", [{"since": "x"}, {"limit": 0}, {"limit": 10_001}, {"since": -1}])
def test_a_bad_part_of_the_ledger_is_refused(simulator: Simulator, query: dict[str, Any]) -> None:
    answer = simulator.http.get(f"{simulator.url}/_simulator/ledger", params=query, timeout=10)
    assert answer.status_code == 422
