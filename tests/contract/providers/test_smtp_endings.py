"""The conversation with an SMTP server, cut at every point: what came before the final dot was provably not sent."""

import ssl
import threading
import time
from collections.abc import Callable
from contextlib import suppress

import pytest

from devstack.processes import free_port
from fencepost.providers.http import Lost, NotSent, Reply, Request
from fencepost.providers.smtp_call import Security, SmtpReply, SmtpRequest
from fencepost.providers.transport import Transport
from tests.contract.providers.conftest import Certificate, StartWire
from tests.contract.providers.wire import Connection

TEXT = b"Subject: Hello\r\n\r\nHello\r\n.\r\n..\r\n"
LONG = b"Subject: Hello\r\n\r\n" + b"All work and no play\r\n" * 1_000_000
STEPS = {
    b"EHLO": b"250-wire\r\n250-AUTH LOGIN PLAIN\r\n250 SIZE 1000\r\n",
    b"AUTH": b"235 ok\r\n",
    b"MAIL": b"250 ok\r\n",
}
STEPS |= {b"RCPT": b"250 ok\r\n", b"DATA": b"354 go on\r\n", b"QUIT": b"221 bye\r\n", b".": b"250 queued as 7\r\n"}
STAGES = {
    "greeting": b"",
    "hello": b"EHLO",
    "auth": b"AUTH",
    "mail": b"MAIL",
    "rcpt": b"RCPT",
    "data": b"DATA",
    "text": b".",
}


def request(port: int, text: bytes = TEXT, security: Security = "none", host: str = "127.0.0.1") -> SmtpRequest:
    return SmtpRequest(
        host, port, security, "user", "password", "a@example.com", ("b@example.org", "c@example.org"), text
    )


def call(transport: Transport, wanted: Request, seconds: float = 10) -> Reply:
    transport.start("key", wanted, seconds)
    deadline = time.monotonic() + seconds + 10
    while time.monotonic() < deadline:
        for _, reply in transport.poll(1):
            assert transport.in_flight == 0
            return reply
    raise AssertionError("the call did not end")


def cut(at: bytes, end: Callable[[Connection], None], said: list[bytes] | None = None) -> Callable[[Connection], None]:
    """A server that goes on politely up to this command, and then ends it in its own way."""

    def serve(connection: Connection) -> None:
        if not at:
            end(connection)
            return
        connection.send(b"220 wire\r\n")
        while line := connection.read_line():
            if said is not None:
                said.append(line)
            verb = line[:4].upper()
            if verb == b"DATA" and at != verb:
                connection.send(STEPS[verb])
                while (text := connection.read_line()) != b".":
                    if said is not None:
                        said.append(text)
                verb = b"."
            if verb == at:
                end(connection)
                return
            connection.send(STEPS[verb])

    return serve


def hang(connection: Connection) -> None:
    with suppress(OSError):
        connection.wait_closed()


def nonsense(connection: Connection) -> None:
    connection.send(b"what do you want?\r\n")
    hang(connection)


def half_an_answer(connection: Connection) -> None:
    connection.send(b"250-yes, and")
    connection.close()


ENDINGS = [Connection.close, Connection.reset, hang, nonsense, half_an_answer]


@pytest.mark.parametrize("end", ENDINGS)
@pytest.mark.parametrize("stage", STAGES)
def test_a_conversation_that_breaks_is_lost_only_after_the_dot(
    start_wire: StartWire, transport: Transport, stage: str, end: Callable[[Connection], None]
) -> None:
    wire = start_wire(cut(STAGES[stage], end))
    reply = call(transport, request(wire.port), seconds=1 if end is hang else 10)
    assert isinstance(reply, Lost if stage == "text" else NotSent), reply
    assert wire.connections == 1, "one connection attempt"


@pytest.mark.parametrize("status", [421, 450, 550])
@pytest.mark.parametrize("stage", STAGES)
def test_a_refusal_is_told_with_what_it_refuses(
    start_wire: StartWire, transport: Transport, stage: str, status: int
) -> None:
    def refuse(connection: Connection) -> None:
        connection.send(f"{status}-4.0.0 not\r\n{status} 4.0.0 now\r\n".encode())
        hang(connection)

    wire = start_wire(cut(STAGES[stage], refuse))
    assert call(transport, request(wire.port)) == SmtpReply(stage, status, "4.0.0 not\n4.0.0 now")  # type: ignore[arg-type]


@pytest.mark.parametrize("end", [Connection.close, Connection.reset, hang])
def test_a_text_that_breaks_off_was_not_sent(
    start_wire: StartWire, transport: Transport, end: Callable[[Connection], None]
) -> None:
    def in_the_text(connection: Connection) -> None:
        connection.send(STEPS[b"DATA"])
        for _ in range(10):
            connection.read_line()
        if end is hang:
            over.wait(30)
        else:
            end(connection)

    over = threading.Event()
    wire = start_wire(cut(b"DATA", in_the_text))
    reply = call(transport, request(wire.port, LONG), seconds=1 if end is hang else 10)
    over.set()
    assert isinstance(reply, NotSent), reply


def test_one_refused_recipient_keeps_the_mail_from_all(start_wire: StartWire, transport: Transport) -> None:
    said: list[bytes] = []
    answers = iter([b"250 ok\r\n", b"550 no such user\r\n"])

    def serve(connection: Connection) -> None:
        connection.send(b"220 wire\r\n")
        while line := connection.read_line():
            said.append(line)
            connection.send(next(answers) if line.startswith(b"RCPT") else STEPS[line[:4]])

    wire = start_wire(serve)
    assert call(transport, request(wire.port)) == SmtpReply("rcpt", 550, "no such user")
    assert not [line for line in said if line.startswith(b"DATA")]


def test_a_mail_is_said_once_with_its_dots_doubled(start_wire: StartWire, transport: Transport) -> None:
    said: list[bytes] = []
    wire = start_wire(cut(b"none", hang, said))
    assert call(transport, request(wire.port)) == SmtpReply("text", 250, "queued as 7")
    text = [b"Subject: Hello", b"", b"Hello", b"..", b"..."]
    assert said[1:6] == [
        b"AUTH PLAIN AHVzZXIAcGFzc3dvcmQ=",
        f"MAIL FROM:<a@example.com> SIZE={len(TEXT)}".encode(),
        b"RCPT TO:<b@example.org>",
        b"RCPT TO:<c@example.org>",
        b"DATA",
    ]
    assert said[6:11] == text


def test_the_password_is_not_sent_in_clear_where_encryption_was_wanted(
    start_wire: StartWire, transport: Transport
) -> None:
    for security in ("required", "optional"):
        said: list[bytes] = []
        wire = start_wire(cut(b"STAR", refuse_tls, said))
        reply = call(transport, request(wire.port, security=security))
        assert isinstance(reply, SmtpReply)
        assert (reply.stage, reply.status) == ("starttls", 502)
        assert not [line for line in said if line.startswith(b"AUTH")]


def refuse_tls(connection: Connection) -> None:
    connection.send(b"502 no\r\n")
    hang(connection)


def test_what_was_said_before_the_encryption_is_not_believed(start_wire: StartWire, transport: Transport) -> None:
    wire = start_wire(cut(b"STAR", lambda connection: connection.send(b"220 go\r\n250 injected\r\n")))
    assert isinstance(call(transport, request(wire.port, security="required")), NotSent)


def test_nobody_listens(transport: Transport) -> None:
    assert isinstance(call(transport, request(free_port())), NotSent)
    assert isinstance(call(transport, request(25, host="no-such-host.invalid")), NotSent)


def test_certificates_are_verified(start_wire: StartWire, make_certificate: Callable[[str], Certificate]) -> None:
    certificate, other = make_certificate("localhost"), make_certificate("example.org")

    def to(context: ssl.SSLContext, trusted: Certificate) -> Reply:
        wire = start_wire(cut(b"none", hang), context)
        transport = Transport(ca_file=str(trusted.file))
        try:
            return call(transport, request(wire.port, security="implicit", host="localhost"))
        finally:
            transport.close()

    assert isinstance(to(certificate.server(), certificate), SmtpReply)
    assert isinstance(to(certificate.server(), other), NotSent), "an authority that is not ours"
    assert isinstance(to(other.server(), other), NotSent), "another's name"


def test_a_call_that_is_dropped_disturbs_no_other(start_wire: StartWire) -> None:
    transport = Transport()
    wire = start_wire(cut(b".", hang))
    transport.start("key", request(wire.port), 30)
    transport.close()
    assert transport.in_flight == 0
