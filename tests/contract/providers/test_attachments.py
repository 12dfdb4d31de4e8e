"""Attachments in each provider's request: as documented, read back by parsers that are not ours, and nothing smuggled in."""

import json
from base64 import b64decode
from collections.abc import Callable
from dataclasses import replace
from email import message_from_bytes, policy
from email.message import EmailMessage
from io import BytesIO
from typing import Any, cast

import pytest
from botocore.loaders import Loader
from botocore.model import ServiceModel
from botocore.validate import ParamValidator
from werkzeug.formparser import parse_form_data

from fencepost.errors import Invalid
from fencepost.messages import Mail
from fencepost.providers import Provider
from fencepost.providers.http import HttpRequest
from fencepost.providers.smtp_call import SmtpRequest
from tests.contract.providers.mails import MAIL, MAILGUN, attachment
from tests.contract.providers.test_mailjet import MAILJET
from tests.contract.providers.test_sendgrid import SENDGRID
from tests.contract.providers.test_ses import SES
from tests.contract.providers.test_smtp import SMTP

ALL: dict[str, Provider] = {
    "mailgun": MAILGUN, "sendgrid": SENDGRID, "mailjet": MAILJET, "ses": SES, "smtp": SMTP,
}  # fmt: skip
EVERY_BYTE = bytes(range(256)) * 3
NAME = 'Zahlen "größer" & 日本.csv'
WITH_FILES = replace(
    MAIL,
    html='<p><img src="cid:logo-1"></p>',
    attachments=(
        attachment("logo.png", "image/png", EVERY_BYTE, "logo-1"),
        attachment(NAME, "text/csv", b"a,b\r\n--x\r\n1,2\r\n"),
        attachment("x" * 251 + ".bin", "application/octet-stream", b"\0"),
    ),
)
File = tuple[str, str, bytes, str | None]
"""Name, type, content, and the content id of what is inline."""


def of_mailgun(request: HttpRequest) -> list[File]:
    environ: dict[str, Any] = {
        "wsgi.input": BytesIO(request.body),
        "REQUEST_METHOD": request.method,
        "CONTENT_TYPE": request.headers["Content-Type"],
        "CONTENT_LENGTH": str(len(request.body)),
    }
    _, fields, files = parse_form_data(environ, silent=False)
    assert "attachment" not in fields
    assert "inline" not in fields
    found = list[File]()
    for field, each in files.items(multi=True):
        # What is inline has its file name as its content id.
        shown = each.filename if field == "inline" else None
        found.append((each.filename or "", each.mimetype, each.read(), shown))
        each.close()
    return found


def of_sendgrid(request: HttpRequest) -> list[File]:
    found = json.loads(request.body)["attachments"]
    assert [each["disposition"] for each in found] == ["inline", "attachment", "attachment"]
    return [(each["filename"], each["type"], b64decode(each["content"]), each.get("content_id")) for each in found]


def of_mailjet(request: HttpRequest) -> list[File]:
    [message] = json.loads(request.body)["Messages"]
    return [
        (each["Filename"], each["ContentType"], b64decode(each["Base64Content"], validate=True), each.get("ContentID"))
        for each in (*message["InlinedAttachments"], *message["Attachments"])
    ]


def of_ses(request: HttpRequest) -> list[File]:
    found = json.loads(request.body)["Content"]["Simple"]["Attachments"]
    assert [each["ContentDisposition"] for each in found] == ["INLINE", "ATTACHMENT", "ATTACHMENT"]
    assert {each["ContentTransferEncoding"] for each in found} == {"BASE64"}
    return [
        (each["FileName"], each["ContentType"], b64decode(each["RawContent"]), each.get("ContentId")) for each in found
    ]


def of_smtp(request: SmtpRequest) -> list[File]:
    message = message_from_bytes(request.text, policy=policy.default)
    return [
        (
            part.get_filename() or "",
            part.get_content_type(),
            cast(bytes, part.get_payload(decode=True)),
            str(part["Content-ID"]).strip("<>") if part["Content-ID"] else None,
        )
        for part in message.walk()
        if part.get_content_disposition()
    ]


READERS: dict[str, Callable[[Any], list[File]]] = {
    "mailgun": of_mailgun, "sendgrid": of_sendgrid, "mailjet": of_mailjet, "ses": of_ses, "smtp": of_smtp,
}  # fmt: skip


@pytest.mark.parametrize("name", ALL)
def test_files_arrive_byte_for_byte_under_their_names(name: str) -> None:
    found = READERS[name](ALL[name].request(WITH_FILES))
    shown, *others = [(each.filename, each.content_type, each.content, None) for each in WITH_FILES.attachments]
    # At Mailgun the name of what stands in the html is what the html calls it.
    inline = ("logo-1" if name == "mailgun" else "logo.png", *shown[1:3], "logo-1")
    assert found == [inline, *others]


@pytest.mark.parametrize("name", ALL)
def test_equal_mails_with_files_give_equal_bytes_and_others_other_ones(name: str) -> None:
    first = ALL[name].request(WITH_FILES)
    assert ALL[name].request(replace(WITH_FILES)) == first
    renamed = replace(WITH_FILES.attachments[1], filename="b.csv")
    assert ALL[name].request(replace(WITH_FILES, attachments=(renamed,))) != first


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"filename": "a.csv\r\nBcc: eve@example.org"}, "filename"),
        ({"filename": "a\0.csv"}, "filename"),
        ({"filename": "a\u2028.csv"}, "filename"),
        ({"filename": ""}, "filename"),
        ({"content_type": "text/csv\r\nBcc: eve@example.org"}, "content_type"),
        ({"content_type": 'text/csv; name="a"'}, "content_type"),
        ({"content_type": "csv"}, "content_type"),
        ({"content_id": "logo>\r\nBcc: eve@example.org"}, "content_id"),
        ({"content_id": ""}, "content_id"),
    ],
)
def test_nothing_is_smuggled_in_by_what_a_file_is_called(name: str, changes: dict[str, Any], field: str) -> None:
    wrong = replace(WITH_FILES.attachments[0], **changes)
    with pytest.raises(Invalid) as refused:
        ALL[name].request(replace(WITH_FILES, attachments=(WITH_FILES.attachments[1], wrong)))
    assert refused.value.problems[0].pointer == f"/message/attachments/1/{field}"


@pytest.mark.parametrize("name", ALL)
def test_half_a_character_in_a_name_is_refused(name: str) -> None:
    wrong = replace(WITH_FILES.attachments[0], filename="\ud800.png", content_id=None)
    with pytest.raises(Invalid):
        ALL[name].request(replace(WITH_FILES, attachments=(wrong,)))


LIMITS = {"mailgun": 26_214_400, "sendgrid": 31_457_280, "mailjet": 15_728_640, "ses": 41_943_040, "smtp": 26_214_400}


@pytest.mark.parametrize("name", ALL)
def test_files_beyond_the_providers_limit_are_refused_before_the_call(name: str) -> None:
    def of_size(letters: int) -> Mail:
        # Mailgun and SMTP count the mail as it is written, in lines of 76 letters and two more.
        size = letters // 4 * 3 if name not in ("mailgun", "smtp") else letters * 76 // 78 // 4 * 3
        return replace(MAIL, attachments=(attachment("a.bin", "application/octet-stream", bytes(size)),))

    ALL[name].request(of_size(LIMITS[name] - 2000))
    with pytest.raises(Invalid) as refused:
        ALL[name].request(of_size(LIMITS[name] + 8))
    assert refused.value.problems[0].pointer.startswith("/message")


def test_ses_takes_the_request_by_its_own_service_model() -> None:
    document = json.loads(SES.request(WITH_FILES).body)
    for each in document["Content"]["Simple"]["Attachments"]:
        each["RawContent"] = b64decode(each["RawContent"])
    model = ServiceModel(Loader().load_service_model("sesv2", "service-2"))
    shape = model.operation_model("SendEmail").input_shape
    report = ParamValidator().validate(document, shape)
    assert not report.has_errors(), report.generate_report()
    document["Content"]["Simple"]["Attachments"][0]["Filename"] = "it is FileName"
    assert ParamValidator().validate(document, shape).has_errors(), "it would have found a wrong name"


def test_by_smtp_what_the_html_shows_stands_beside_it_and_other_files_follow() -> None:
    message = message_from_bytes(SMTP.request(WITH_FILES).text, policy=policy.default)
    assert isinstance(message, EmailMessage)
    assert [part.get_content_type() for part in message.walk()] == [
        "multipart/mixed",
        "multipart/related",
        "multipart/alternative",
        "text/plain",
        "text/html",
        "image/png",
        "text/csv",
        "application/octet-stream",
    ]
    related = next(message.iter_parts())
    assert related.get_param("type") == "multipart/alternative"
    html = message.get_body(("html",))
    assert isinstance(html, EmailMessage)
    assert html.get_content().rstrip() == WITH_FILES.html
    assert [part.get_filename() for part in message.iter_attachments()] == [NAME, "x" * 251 + ".bin"]
    assert not any(part.defects for part in message.walk())
    text = SMTP.request(WITH_FILES).text
    assert text.isascii()
    assert max(map(len, text.split(b"\r\n"))) <= 78
    assert b"\n" not in text.replace(b"\r\n", b""), "a bare one might end the text early"


def test_by_smtp_a_file_without_html_that_shows_it_is_attached() -> None:
    message = message_from_bytes(SMTP.request(replace(WITH_FILES, html=None)).text, policy=policy.default)
    assert [part.get_content_disposition() for part in message.walk()] == [None, None, *["attachment"] * 3]


def test_mailgun_reads_no_part_of_a_file_as_a_field() -> None:
    boundary = MAILGUN.request(WITH_FILES).headers["Content-Type"].partition("boundary=")[2]
    evil = f'x\r\n--{boundary}\r\nContent-Disposition: form-data; name="bcc"\r\n\r\neve@example.org'.encode()
    request = MAILGUN.request(replace(WITH_FILES, attachments=(attachment("a.txt", "text/plain", evil),)))
    assert of_mailgun(request) == [("a.txt", "text/plain", evil, None)]
