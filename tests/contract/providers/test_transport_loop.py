"""The transport's deadline, and the loop that drives many calls at once."""

import os
import threading
import time

import pytest

from fencepost.providers.transport import HttpReply, HttpRequest, Lost, Transport
from tests.contract.providers.calls import BODY, after_request, answer_first_then, call
from tests.contract.providers.conftest import StartWire
from tests.contract.providers.wire import OK, Connection, answer
from tests.support.eventually import eventually

# -- the deadline


def test_a_server_that_never_answers_is_lost_at_the_deadline(start_wire: StartWire, transport: Transport) -> None:
    wire = start_wire(after_request(end=Connection.wait_closed))
    began = time.monotonic()
    assert isinstance(call(transport, wire.url, timeout_seconds=0.3), Lost)
    assert 0.25 < time.monotonic() - began < 1.5


def test_the_deadline_is_for_the_whole_answer(start_wire: StartWire, transport: Transport) -> None:
    stop = threading.Event()

    def drip(connection: Connection) -> None:
        connection.read_request()
        for byte in OK * 10:
            if stop.wait(0.05):
                break
            connection.send(bytes([byte]))

    began = time.monotonic()
    reply = call(transport, start_wire(drip).url, timeout_seconds=0.5)
    stop.set()
    assert isinstance(reply, Lost)
    assert time.monotonic() - began < 1.5


def test_the_deadline_counts_from_the_start_of_the_call(start_wire: StartWire, transport: Transport) -> None:
    arrived = threading.Event()

    def serve(connection: Connection) -> None:
        connection.read_request()
        arrived.set()
        connection.wait_closed()

    wire = start_wire(serve)
    call(transport, start_wire(answer(OK)).url)
    transport.start("key", HttpRequest("POST", wire.url, {}, BODY), 0.2)
    deadline = time.monotonic() + 1
    while transport.in_flight and time.monotonic() < deadline:
        transport.poll(0.05)
    assert transport.in_flight == 0


# -- the loop


def test_many_calls_in_flight_each_get_their_own_answer(start_wire: StartWire, transport: Transport) -> None:
    def echo(connection: Connection) -> None:
        while request := connection.read_request():
            body = request.partition(b"\r\n\r\n")[2]
            connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))

    wire = start_wire(echo)
    wanted = {number: str(number).encode() for number in range(300)}
    for number, body in wanted.items():
        transport.start(number, HttpRequest("POST", wire.url, {}, body), 20)
    assert transport.in_flight == 300
    got: dict[object, bytes] = {}
    while transport.in_flight:
        for key, reply in transport.poll(20):
            assert isinstance(reply, HttpReply)
            got[key] = reply.body
    assert got == wanted
    assert len(wire.requests) == 300


def test_poll_waits_no_longer_than_told(transport: Transport) -> None:
    began = time.monotonic()
    assert transport.poll(0.1) == []
    assert 0.09 < time.monotonic() - began < 1
    assert transport.poll(0) == []


def test_wake_ends_a_poll_that_waits(transport: Transport) -> None:
    waker = threading.Timer(0.1, transport.wake)
    began = time.monotonic()
    waker.start()
    assert transport.poll(30) == []
    assert time.monotonic() - began < 10
    waker.join()


def test_wake_is_not_lost_when_nobody_waits_yet(transport: Transport) -> None:
    for _ in range(100_000):  # more than the pipe holds
        transport.wake()
    began = time.monotonic()
    for _ in range(20):
        transport.poll(0.2)
    assert time.monotonic() - began < 20 * 0.2


def test_wake_is_not_lost_when_a_call_starts_before_the_poll(start_wire: StartWire, transport: Transport) -> None:
    wire = start_wire(answer_first_then(Connection.wait_closed))
    call(transport, wire.url)
    idle_since = time.monotonic()
    transport.wake()
    # Long enough for the idle connection to be looked at when the call starts.
    eventually(lambda: time.monotonic() > idle_since + 0.02)
    transport.start("key", HttpRequest("POST", wire.url, {}, BODY), 30)
    began = time.monotonic()
    assert transport.poll(20) == []
    assert time.monotonic() - began < 10


def test_a_transport_closes_with_calls_in_flight(start_wire: StartWire) -> None:
    wire = start_wire(Connection.wait_closed)
    transport = Transport()
    transport.start("key", HttpRequest("POST", wire.url, {}, BODY), 30)
    transport.poll(0.05)
    transport.close()
    assert transport.in_flight == 0


def test_whoever_wakes_a_transport_that_is_closed_writes_nowhere() -> None:
    transport = Transport()
    transport.close()
    # The numbers of its pipe are free, and the next pipe gets them.
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    try:
        transport.wake()
        with pytest.raises(BlockingIOError):
            os.read(reading, 1)
    finally:
        os.close(reading)
        os.close(writing)
