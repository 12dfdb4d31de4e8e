"""Every way in which a call can end, against real sockets: answered, provably not sent, lost."""

import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from fencepost.providers.transport import MAX_REPLY_BYTES, HttpReply, HttpRequest, Lost, NotSent, Transport
from tests.contract.providers.calls import (
    after_request,
    call,
    read_a_little_and_close,
    read_a_little_and_reset,
)
from tests.contract.providers.conftest import Certificate, StartWire
from tests.contract.providers.wire import OK, Connection, answer

# -- answers


def test_a_complete_answer_comes_back_whole(start_wire: StartWire, transport: Transport) -> None:
    chunked = b"HTTP/1.1 418 Teapot\r\nX-One:  1 \r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
    wire = start_wire(answer(chunked))
    reply = call(transport, wire.url)
    assert reply == HttpReply(418, {"x-one": "1", "transfer-encoding": "chunked"}, b"abcde")


def test_headers_of_interim_answers_are_dropped(start_wire: StartWire, transport: Transport) -> None:
    wire = start_wire(answer(b"HTTP/1.1 103 Early Hints\r\nRetry-After: 9\r\n\r\n" + OK))
    reply = call(transport, wire.url)
    assert isinstance(reply, HttpReply)
    assert (reply.status, reply.body) == (200, b"ok")
    assert "retry-after" not in reply.headers


def test_an_answer_given_before_the_request_was_read_counts(start_wire: StartWire, transport: Transport) -> None:
    def serve(connection: Connection) -> None:
        connection.read_head()
        connection.send(b"HTTP/1.1 413 Too Large\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
        connection.wait_closed()

    reply = call(transport, start_wire(serve).url, body=b"x" * 50_000_000)
    assert isinstance(reply, HttpReply)
    assert reply.status == 413


# -- provably not sent


@pytest.mark.parametrize("key", ["s3cr\u00e9t", "s3cret\u200b", "s3cret\n", "s3cret\r\nX-Other: 1", "s3cret\0"])
def test_a_header_that_no_request_can_carry_sends_nothing_and_disturbs_no_other_call(
    start_wire: StartWire, transport: Transport, key: str
) -> None:
    """A key that was copied together with what can't be seen, say."""
    wire = start_wire(answer(OK))
    request = HttpRequest("POST", wire.url, {"Authorization": f"Bearer {key}"}, b"subject=Hello")
    transport.start("key", request, 5)
    [(name, reply)] = transport.poll(5)
    assert (name, type(reply), transport.in_flight) == ("key", NotSent, 0)
    assert "s3cr" not in str(reply)
    assert isinstance(call(transport, wire.url), HttpReply)


def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


@pytest.mark.parametrize(
    "url",
    [
        f"http://127.0.0.1:{closed_port()}/",
        f"https://127.0.0.1:{closed_port()}/",
        f"http://{'x' * 64}.invalid/",  # a label of 64 characters is refused without asking a server
        "http://fencepost.onion/",
        "gopher://127.0.0.1/",
        "http://127.0.0.1:99999/",
    ],
    ids=[
        "refused",
        "refused-with-tls",
        "long-label",
        "onion",
        "scheme",
        "port",
    ],  # workers must agree on them, and the ports differ
)
def test_what_never_connects_is_not_sent(transport: Transport, url: str) -> None:
    assert isinstance(call(transport, url), NotSent)


@pytest.fixture
def deaf_port() -> Iterator[int]:
    """A port whose queue of connections is full: a further one waits for ever."""
    with ExitStack() as stack:
        server = stack.enter_context(socket.socket())
        server.bind(("127.0.0.1", 0))
        server.listen(0)
        for _ in range(4):
            filler = stack.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(server.getsockname())
        yield server.getsockname()[1]


def test_a_connection_that_times_out_is_not_sent(transport: Transport, deaf_port: int) -> None:
    assert isinstance(call(transport, f"http://127.0.0.1:{deaf_port}/", timeout_seconds=0.2), NotSent)


def test_a_handshake_that_times_out_is_not_sent(start_wire: StartWire, transport: Transport) -> None:
    wire = start_wire(Connection.wait_closed)
    assert isinstance(call(transport, wire.url.replace("http:", "https:"), timeout_seconds=0.2), NotSent)


def test_a_certificate_that_nobody_vouches_for_is_not_sent(
    start_wire: StartWire, transport: Transport, make_certificate: Callable[[str], Certificate]
) -> None:
    wire = start_wire(answer(OK), make_certificate("localhost").server())
    assert isinstance(call(transport, wire.url), NotSent)
    assert wire.requests == []


def test_a_certificate_for_another_name_is_not_sent(
    start_wire: StartWire, make_certificate: Callable[[str], Certificate]
) -> None:
    certificate = make_certificate("elsewhere.example")
    wire = start_wire(answer(OK), certificate.server())
    transport = Transport(ca_file=str(certificate.file))
    assert isinstance(call(transport, wire.url), NotSent)
    transport.close()
    assert wire.requests == []


# -- lost


def test_a_certificate_that_is_trusted_is_called(
    start_wire: StartWire, make_certificate: Callable[[str], Certificate]
) -> None:
    certificate = make_certificate("localhost")
    transport = Transport(ca_file=str(certificate.file))
    wire = start_wire(answer(OK), certificate.server())
    assert isinstance(call(transport, wire.url), HttpReply)
    transport.close()


def speak_no_tls(connection: Connection) -> None:
    connection.send(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
    connection.wait_closed()


@pytest.mark.parametrize("serve", [speak_no_tls, read_a_little_and_close, read_a_little_and_reset])
def test_a_handshake_that_breaks_is_lost(
    start_wire: StartWire, transport: Transport, serve: Callable[[Connection], None]
) -> None:
    assert isinstance(call(transport, start_wire(serve).url.replace("http:", "https:")), Lost)


def test_a_server_that_wants_our_certificate_loses_the_call(
    start_wire: StartWire, make_certificate: Callable[[str], Certificate]
) -> None:
    certificate = make_certificate("localhost")
    server = certificate.server()
    server.verify_mode = ssl.CERT_REQUIRED  # in TLS 1.3 its alert may come after our request
    server.load_verify_locations(certificate.file)
    transport = Transport(ca_file=str(certificate.file))
    assert isinstance(call(transport, start_wire(answer(OK), server).url), Lost)
    transport.close()


INCOMPLETE = {
    "nothing": after_request(),
    "reset": after_request(end=Connection.reset),
    "half a status line": after_request(b"HTTP/1.1 20"),
    "half the headers": after_request(b"HTTP/1.1 200 OK\r\nContent-Le"),
    "half the body": after_request(OK[:-1]),
    "half the body, then a reset": after_request(OK[:-1], end=Connection.reset),
    "half a chunk": after_request(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab"),
    "no last chunk": after_request(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n"),
    "a chunk of nonsense": after_request(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\nab\r\n"),
    "no HTTP": after_request(b"220 mail.example ESMTP\r\n"),
    "half the headers of an error": after_request(b"HTTP/1.1 401 No\r\nContent-Length: 0\r\n"),
    "an interim answer only": after_request(b"HTTP/1.1 100 Continue\r\n\r\n"),
    "too long": after_request(b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * (MAX_REPLY_BYTES + 1)),
    "endless headers": after_request(b"HTTP/1.1 200 OK\r\n" + b"X-Filler: %s\r\n" % (b"x" * 1000) * 2000),
}


@pytest.mark.parametrize("serve", INCOMPLETE.values(), ids=INCOMPLETE.keys())
def test_without_a_complete_answer_the_call_is_lost(
    start_wire: StartWire, transport: Transport, serve: Callable[[Connection], None]
) -> None:
    wire = start_wire(serve)
    assert isinstance(call(transport, wire.url), Lost)
    assert len(wire.requests) == 1


def test_the_longest_answer_is_taken(start_wire: StartWire, transport: Transport) -> None:
    wire = start_wire(after_request(b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * MAX_REPLY_BYTES))
    assert isinstance(call(transport, wire.url), HttpReply)
