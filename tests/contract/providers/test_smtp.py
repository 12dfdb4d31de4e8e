"""SMTP: a mail as its text and envelope, and every answer by its outcome."""

from dataclasses import replace
from email import message_from_bytes, policy
from email.message import EmailMessage

import pytest
from pydantic import SecretStr

from fencepost.deliveries import OutcomeKind
from fencepost.errors import Invalid, Misconfigured
from fencepost.messages import Address, Mail, message_id
from fencepost.providers.http import HttpReply, Lost, NotSent
from fencepost.providers.smtp import MAX_RECIPIENTS, MAX_TEXT_BYTES, Smtp
from fencepost.providers.smtp_call import SmtpReply, Stage
from fencepost.reconciliation import Evidence, Reference
from fencepost.settings import Smtp as SmtpSettings
from tests.contract.providers.mails import MAIL

SETTINGS = SmtpSettings(base_url="smtp://mail.example.com", user="fencepost", password=SecretStr("s3cret"))
SMTP = Smtp(SETTINGS)


def parsed(mail: Mail) -> EmailMessage:
    message = message_from_bytes(SMTP.request(mail).text, policy=policy.default)
    assert isinstance(message, EmailMessage)
    return message


# -- the request


def test_the_mail_is_the_documented_one_byte_for_byte() -> None:
    request = SMTP.request(MAIL)
    assert (request.host, request.port, request.security) == ("mail.example.com", 587, "required")
    assert (request.user, request.password) == ("fencepost", "s3cret")
    assert (request.sender, request.recipients) == ("reports@example.com", ("ada@example.org",))
    assert request.text.decode() == (
        "From: Reports <reports@example.com>\r\n"
        "To: ada@example.org\r\n"
        "Subject: Weekly figures\r\n"
        "Date: Sat, 23 Nov 2024 17:26:29 +0000\r\n"
        "Message-ID: <01jdd0z3s8q6zv@mg.example.com>\r\n"
        "X-Fencepost: eml_01JDD0Z3S8Q6ZV0000000000AB\r\n"
        "X-Fencepost-Attempt: 3\r\n"
        'Content-Type: text/plain; charset="utf-8"\r\n'
        "Content-Transfer-Encoding: 7bit\r\n"
        "MIME-Version: 1.0\r\n"
        "\r\n"
        "Hello\r\n"
    )
    assert "s3cret" not in repr(request)


def test_a_full_mail_has_a_place_for_everything_and_blind_copies_are_in_the_envelope_alone() -> None:
    mail = replace(
        MAIL,
        to=(Address("ada@example.org", "Ada, Countess"), Address("bob@bücher.example")),
        cc=(Address("cc@example.org", "Çağ"),),
        bcc=(Address("bcc@example.org"), Address("ada@example.org")),
        reply_to=Address("answers@example.com", "Answers"),
        subject="Zahlen – ✓ " + "größer " * 30,
        text="Größe\r\n.\n..\nline\rline",
        html="<p>Größe</p>",
        headers={"X-Priority": "1", "X-Note": "größer " * 40},
        tags=("weekly",),
        metadata={"customer": "42"},
    )
    request, message = SMTP.request(mail), parsed(mail)
    assert request.recipients == ("ada@example.org", "bob@xn--bcher-kva.example", "cc@example.org", "bcc@example.org")
    assert [each.addr_spec for each in message["To"].addresses] == ["ada@example.org", "bob@xn--bcher-kva.example"]
    assert message["To"].addresses[0].display_name == "Ada, Countess"
    assert message["Cc"].addresses[0].display_name == "Çağ"
    assert "bcc" not in request.text.decode().lower()
    assert str(message["Reply-To"]) == "Answers <answers@example.com>"
    assert str(message["Subject"]).rstrip() == mail.subject.rstrip()
    assert str(message["X-Note"]).rstrip() == mail.headers["X-Note"].rstrip()
    parts = list(message.iter_parts())
    assert [part.get_content_type() for part in parts] == ["text/plain", "text/html"]
    assert parts[0].get_content().splitlines() == ["Größe", ".", "..", "line", "line"]
    assert parts[1].get_content().rstrip() == "<p>Größe</p>"
    lines = request.text.split(b"\r\n")
    assert max(map(len, lines)) < 100
    assert not [line for line in lines if b"\n" in line or b"\r" in line], "a bare one might end the text early"
    assert request.text.isascii()
    assert b"weekly" not in request.text, "tags stay on record with us"
    assert SMTP.request(mail) == request, "equal mails give equal bytes"


def test_mail_from_an_international_domain_has_a_message_id_that_every_server_reads() -> None:
    sender = Address("info@bücher.example", "Bücher")
    named = message_id(MAIL.delivery_id, {"from": {"email": sender.email}})
    mail = replace(MAIL, sender=sender, message_id=named)
    assert parsed(mail)["Message-ID"] == f"<{MAIL.delivery_id}@xn--bcher-kva.example>"
    assert parsed(mail)["From"].addresses[0].addr_spec == "info@xn--bcher-kva.example"


def test_attempts_of_a_delivery_differ_in_nothing_but_their_number() -> None:
    first, second = (parsed(replace(MAIL, attempt_no=number)) for number in (1, 2))
    assert [name for name in first if first[name] != second[name]] == ["X-Fencepost-Attempt"]


REFUSED: dict[str, Mail] = {
    "/message/from": replace(MAIL, sender=Address("grüße@example.com")),
    "/message/to/0": replace(MAIL, to=(Address("größe@example.org"),)),
    "/message/bcc/0": replace(MAIL, bcc=(Address("a b@example.org"),)),
    "/message/to": replace(MAIL, to=tuple(Address(f"a{n}@example.org") for n in range(MAX_RECIPIENTS + 1))),
    "/message/subject": replace(MAIL, subject="a\r\nBcc: eve@example.org"),
    "/message/headers/Bcc": replace(MAIL, headers={"Bcc": "eve@example.org"}),
    "/message/headers/X-Fencepost": replace(MAIL, headers={"X-Fencepost": "eml_1"}),
    "/message/headers/X-A": replace(MAIL, headers={"X-A": "1\n2"}),
    "/message/headers/X-B": replace(MAIL, headers={"X-B": "x" * 1000}),
    "/message/headers": replace(MAIL, headers={"X A": "1"}),
    "/message/html": replace(MAIL, html="\0"),
    "/message/text": replace(MAIL, text=""),
    "/message": replace(MAIL, text="x" * 70 + "\n" + ("x" * 70 + "\n") * (MAX_TEXT_BYTES // 71)),
}


@pytest.mark.parametrize("pointer", REFUSED)
def test_what_mail_cannot_carry_is_refused_with_a_pointer(pointer: str) -> None:
    with pytest.raises(Invalid) as refused:
        SMTP.request(REFUSED[pointer])
    assert refused.value.problems[0].pointer == pointer


@pytest.mark.parametrize("pointer", ["/message/text", "/message/to/0", "/message/subject"])
def test_half_a_character_is_refused(pointer: str) -> None:
    half = {
        "/message/text": replace(MAIL, text="\ud800"),
        "/message/to/0": replace(MAIL, to=(Address("a@example.org", "\ud800"),)),
        "/message/subject": replace(MAIL, subject="\ud800"),
    }[pointer]
    with pytest.raises(Invalid, match="surrogate"):
        SMTP.request(half)


@pytest.mark.parametrize(
    ("address", "port", "security"),
    [
        ("smtps://mail.example.com", 465, "implicit"),
        ("smtp://mail.example.com:25/", 25, "optional"),
        ("smtps://[::1]:8465", 8465, "implicit"),
    ],
)
def test_the_address_says_where_and_how(address: str, port: int, security: str) -> None:
    request = Smtp(SmtpSettings(base_url=address, starttls="optional")).request(MAIL)
    assert (request.port, request.security) == (port, security)


@pytest.mark.parametrize(
    "address", ["mail.example.com", "http://mail.example.com", "smtp://", "smtp://a b", "smtp://u:p@h"]
)
def test_an_address_that_is_none_is_refused(address: str) -> None:
    with pytest.raises(Misconfigured, match="FENCEPOST_PROVIDERS__SMTP__BASE_URL"):
        Smtp(SmtpSettings(base_url=address))


# -- the answer

UNAVAILABLE, REJECTED, THROTTLED = OutcomeKind.UNAVAILABLE, OutcomeKind.REJECTED, OutcomeKind.THROTTLED
ANSWERS: dict[tuple[Stage, int, str], tuple[OutcomeKind, bool]] = {
    ("greeting", 421, "too many connections"): (UNAVAILABLE, False),
    ("greeting", 554, "no service here"): (UNAVAILABLE, True),
    ("hello", 502, "what?"): (UNAVAILABLE, True),
    ("starttls", 454, "TLS not available due to temporary reason"): (UNAVAILABLE, False),
    ("starttls", 502, "not implemented"): (UNAVAILABLE, True),
    ("auth", 535, "5.7.8 Authentication credentials invalid"): (UNAVAILABLE, True),
    ("auth", 534, "5.7.9 mechanism too weak"): (UNAVAILABLE, True),
    ("auth", 454, "4.7.0 Temporary authentication failure"): (UNAVAILABLE, False),
    ("mail", 530, "5.7.0 Authentication required"): (UNAVAILABLE, True),
    ("mail", 451, "4.3.0 try later"): (THROTTLED, False),
    ("mail", 421, "closing"): (UNAVAILABLE, False),
    ("mail", 552, "5.3.4 too big"): (REJECTED, False),
    ("mail", 354, "not where it belongs"): (UNAVAILABLE, False),
    ("rcpt", 550, "5.1.1 no such user"): (REJECTED, False),
    ("rcpt", 554, "5.7.1 <ada@example.org>: Relay access denied"): (UNAVAILABLE, True),
    ("rcpt", 550, "5.7.1 Unable to relay"): (UNAVAILABLE, True),
    ("rcpt", 450, "4.2.0 greylisted"): (THROTTLED, False),
    ("rcpt", 354, "nonsense"): (UNAVAILABLE, False),
    ("data", 554, "no valid recipients"): (REJECTED, False),
    ("data", 452, "4.3.1 insufficient storage"): (THROTTLED, False),
    ("data", 250, "nonsense"): (UNAVAILABLE, False),
    ("text", 250, "2.0.0 Ok: queued as 4XyZ1234"): (OutcomeKind.ACCEPTED, False),
    ("text", 250, "2.0.0 OK"): (OutcomeKind.ACCEPTED, False),
    ("text", 451, "4.3.0 local error"): (THROTTLED, False),
    ("text", 421, "shutting down"): (UNAVAILABLE, False),
    ("text", 552, "5.3.4 too big"): (REJECTED, False),
    ("text", 554, "5.7.1 spam"): (REJECTED, False),
    ("text", 251, "not documented"): (OutcomeKind.UNKNOWN, False),
    ("text", 354, "go on"): (OutcomeKind.UNKNOWN, False),
    ("text", 221, "bye"): (OutcomeKind.UNKNOWN, False),
}


@pytest.mark.parametrize(("stage", "status", "text"), ANSWERS)
def test_every_answer_has_its_outcome(stage: Stage, status: int, text: str) -> None:
    got = SMTP.outcome(SmtpReply(stage, status, text))
    assert (got.kind, got.misconfigured, got.status) == (*ANSWERS[stage, status, text], status)
    assert "ada@" not in got.detail
    assert got.detail.isprintable()


def test_nothing_but_what_an_answer_to_the_dot_leaves_open_is_unknown_and_nothing_but_250_is_taken() -> None:
    stages: list[Stage] = ["greeting", "hello", "starttls", "auth", "mail", "rcpt", "data", "text"]
    kinds = {
        (stage, code): SMTP.outcome(SmtpReply(stage, code, "")).kind for stage in stages for code in range(200, 600)
    }
    unknown = {place for place, kind in kinds.items() if kind is OutcomeKind.UNKNOWN}
    assert unknown == {("text", code) for code in range(200, 400) if code != 250}
    assert [place for place, kind in kinds.items() if kind is OutcomeKind.ACCEPTED] == [("text", 250)]


def test_the_receipt_is_the_servers_name_of_the_mail() -> None:
    texts = {
        "2.0.0 Ok: queued as 4XyZ1234": "4XyZ1234",
        "OK id=1tQa2b-0003Xy-1z": "1tQa2b-0003Xy-1z",
        "2.6.0 <a@b> Queued mail for delivery": None,
        "fine": None,
    }
    assert {text: SMTP.outcome(SmtpReply("text", 250, text)).receipt for text in texts} == texts


def test_a_call_without_an_answer_is_unknown_and_one_that_was_not_sent_is_not() -> None:
    assert SMTP.outcome(Lost("reset")).kind is OutcomeKind.UNKNOWN
    got = SMTP.outcome(NotSent("refused"))
    assert (got.kind, got.misconfigured) == (OutcomeKind.UNAVAILABLE, False)


def test_there_are_no_records_to_ask() -> None:
    reference = Reference(MAIL.delivery_id, MAIL.message_id, "smtp")
    SMTP.look_up(reference)
    assert SMTP.trace(reference, HttpReply(200, {}, b"{}")).evidence is Evidence.NO_RECORDS
