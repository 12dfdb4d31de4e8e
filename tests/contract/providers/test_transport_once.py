"""One call is one request on the wire, on kept connections too, whatever happens to them."""

import threading
from collections.abc import Callable

import pycurl
import pytest

from fencepost.providers.transport import HttpReply, Lost, Transport
from tests.contract.providers.calls import BODY, DEATHS, answer_first_then, call, read_all_and_close
from tests.contract.providers.conftest import Certificate, StartWire
from tests.contract.providers.wire import OK, Connection, answer
from tests.support.eventually import eventually


@pytest.mark.parametrize("death", DEATHS)
@pytest.mark.parametrize("size", [1, 1_000, 100_000, 3_000_000])
def test_a_call_whose_kept_connection_dies_is_not_sent_again(
    start_wire: StartWire, transport: Transport, death: Callable[[Connection], None], size: int
) -> None:
    wire = start_wire(answer_first_then(death))
    assert isinstance(call(transport, wire.url), HttpReply)
    assert isinstance(call(transport, wire.url, body=b"x" * size), Lost)
    assert isinstance(call(transport, wire.url), HttpReply), "the next call takes a new connection"
    assert len(wire.requests) == 3
    assert wire.connections == 2


@pytest.mark.parametrize("death", DEATHS)
def test_the_wire_counts_what_libcurl_repeats_by_itself(
    start_wire: StartWire, death: Callable[[Connection], None]
) -> None:
    wire = start_wire(answer_first_then(death))
    curl = pycurl.Curl()
    curl.setopt(pycurl.URL, wire.url)
    curl.setopt(pycurl.POSTFIELDS, BODY.decode())
    curl.setopt(pycurl.WRITEFUNCTION, lambda _: None)
    curl.perform()
    curl.perform()
    curl.close()
    assert len(wire.requests) == 3, "two calls, three requests: this is what the transport must not do"


def test_a_request_without_a_body_is_not_sent_again_either(start_wire: StartWire, transport: Transport) -> None:
    wire = start_wire(answer_first_then(read_all_and_close))
    assert isinstance(call(transport, wire.url), HttpReply)
    for _ in range(3):
        assert isinstance(call(transport, wire.url, body=b""), HttpReply)
    assert len(wire.requests) == 4


def test_connections_are_kept_alive(start_wire: StartWire, transport: Transport) -> None:
    wire = start_wire(answer(OK))
    for _ in range(20):
        assert isinstance(call(transport, wire.url), HttpReply)
    assert (wire.connections, len(wire.requests)) == (1, 20)


@pytest.mark.parametrize("farewell", [b"", b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n"])
def test_a_connection_that_was_closed_while_idle_is_replaced(
    start_wire: StartWire, transport: Transport, farewell: bytes
) -> None:
    closed = threading.Event()

    def serve(connection: Connection) -> None:
        connection.read_request()
        connection.send(OK)
        connection.send(farewell)
        connection.close()
        closed.set()

    wire = start_wire(serve)
    for _ in range(20):
        closed.clear()
        assert isinstance(call(transport, wire.url), HttpReply)
        assert closed.wait(5)
        assert transport.poll(0) == []
    assert (wire.connections, len(wire.requests)) == (20, 20)


def test_connections_are_trusted_again_after_one_was_closed(start_wire: StartWire, transport: Transport) -> None:
    last = threading.Event()

    def serve(connection: Connection) -> None:
        while connection.read_request() is not None:
            connection.send(OK)
            if not last.is_set():
                last.set()
                return

    wire = start_wire(serve)
    call(transport, wire.url)

    def a_connection_was_used_ten_times() -> bool:
        call(transport, wire.url)
        return wire.connections + 10 < len(wire.requests)

    assert eventually(a_connection_was_used_ten_times)


def test_a_redirect_is_an_answer_and_not_an_order(start_wire: StartWire, transport: Transport) -> None:
    target = start_wire(answer(OK))
    wire = start_wire(answer(f"HTTP/1.1 307 Go\r\nLocation: {target.url}\r\nContent-Length: 0\r\n\r\n".encode()))
    reply = call(transport, wire.url)
    assert isinstance(reply, HttpReply)
    assert (reply.status, reply.headers["location"]) == (307, target.url)
    assert target.requests == []


def test_a_proxy_in_the_environment_is_ignored(
    start_wire: StartWire, transport: Transport, monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy, wire = start_wire(answer(OK)), start_wire(answer(OK))
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, proxy.url)
    assert isinstance(call(transport, wire.url), HttpReply)
    assert (len(proxy.requests), len(wire.requests)) == (0, 1)


def test_the_request_arrives_as_it_was_given(start_wire: StartWire, transport: Transport) -> None:
    wire = start_wire(answer(OK))
    call(transport, wire.url, body=b"\0binary\r\n" * 20_000)
    head, _, body = wire.requests[0].partition(b"\r\n\r\n")
    first, *headers = head.split(b"\r\n")
    assert first == b"POST /v3/x/messages HTTP/1.1"
    assert body == b"\0binary\r\n" * 20_000
    assert b"Content-Type: text/plain" in headers
    assert b"Content-Length: 180000" in headers
    assert not any(header.lower().startswith(b"expect") for header in headers)


def test_get_and_post_share_handles(start_wire: StartWire, transport: Transport) -> None:
    wire = start_wire(answer(OK))
    for body in (BODY, b"", BODY, b""):
        call(transport, wire.url, body=body)
    assert [request.split(b" ")[0] for request in wire.requests] == [b"POST", b"GET", b"POST", b"GET"]
    assert [request.partition(b"\r\n\r\n")[2] for request in wire.requests] == [BODY, b"", BODY, b""]


@pytest.mark.parametrize("death", DEATHS)
def test_over_tls_too_a_call_is_not_sent_again(
    start_wire: StartWire, make_certificate: Callable[[str], Certificate], death: Callable[[Connection], None]
) -> None:
    certificate = make_certificate("localhost")
    transport = Transport(ca_file=str(certificate.file))
    wire = start_wire(answer_first_then(death), certificate.server())
    replies = [call(transport, wire.url) for _ in range(3)]
    transport.close()
    assert [type(reply) for reply in replies] == [HttpReply, Lost, HttpReply]
    assert len(wire.requests) == 3
