"""A mail as Mailgun's documented request, read back by parsers that are not ours."""

import unicodedata
from base64 import b64decode
from dataclasses import replace
from email import policy
from email.headerregistry import AddressHeader
from email.parser import Parser
from io import BytesIO
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.datastructures import MultiDict
from werkzeug.formparser import parse_form_data

from fencepost.errors import Invalid, Misconfigured
from fencepost.messages import Address, Mail
from fencepost.providers import create
from fencepost.providers.http import HttpRequest
from fencepost.providers.mailgun import Mailgun
from fencepost.settings import Mailgun as MailgunSettings
from fencepost.settings import Providers
from tests.contract.providers.mails import MAIL, MAILGUN, StandingClock


def form(request: HttpRequest) -> MultiDict[str, str]:
    """The fields of a request, read by a parser that is not ours."""
    environ: dict[str, Any] = {
        "wsgi.input": BytesIO(request.body),
        "REQUEST_METHOD": request.method,
        "CONTENT_TYPE": request.headers["Content-Type"],
        "CONTENT_LENGTH": str(len(request.body)),
    }
    _, fields, files = parse_form_data(environ, silent=False)
    assert not files
    return fields


def fields(mail: Mail) -> MultiDict[str, str]:
    return form(MAILGUN.request(mail))


# -- the request


def test_the_call_is_the_documented_one() -> None:
    request = MAILGUN.request(MAIL)
    assert (request.method, request.url) == ("POST", "https://api.mailgun.net/v3/mg.example.com/messages")
    scheme, credentials = request.headers["Authorization"].split()
    assert (scheme, b64decode(credentials).decode()) == ("Basic", "api:key-ä:1")
    assert request.headers["Content-Type"].startswith("multipart/form-data; boundary=")


def test_a_small_mail_has_these_fields_and_no_others() -> None:
    assert fields(MAIL).to_dict(flat=False) == {
        "from": ["Reports <reports@example.com>"],
        "to": ["ada@example.org"],
        "subject": ["Weekly figures"],
        "text": ["Hello\n"],
        "h:Message-Id": ["<01jdd0z3s8q6zv@mg.example.com>"],
        "o:suppress-headers": ["X-Mailgun-Variables"],
        "v:fencepost": ["eml_01JDD0Z3S8Q6ZV0000000000AB/3"],
    }


def test_a_full_mail_has_a_field_for_everything() -> None:
    mail = replace(
        MAIL,
        to=(Address("ada@example.org", "Ada"), Address("bob@example.org")),
        cc=(Address("cc@example.org"),),
        bcc=(Address("bcc1@example.org"), Address("bcc2@example.org")),
        reply_to=Address("answers@example.com", "Answers"),
        html="<p>Hello</p>",
        headers={"X-Priority": "1", "List-Unsubscribe": "<https://example.com/u?a=b&c=d>"},
        tags=("weekly", "figures & facts"),
        metadata={"customer": "42", 'odd "name"': "größer"},
    )
    got = fields(mail).to_dict(flat=False)
    assert got["to"] == ["Ada <ada@example.org>", "bob@example.org"]
    assert got["cc"] == ["cc@example.org"]
    assert got["bcc"] == ["bcc1@example.org", "bcc2@example.org"]
    assert got["h:Reply-To"] == ["Answers <answers@example.com>"]
    assert got["html"] == ["<p>Hello</p>"]
    assert got["h:X-Priority"] == ["1"]
    assert got["h:List-Unsubscribe"] == ["<https://example.com/u?a=b&c=d>"]
    assert got["o:tag"] == ["weekly", "figures & facts"]
    assert got["v:customer"] == ["42"]
    assert got['v:odd "name"'] == ["größer"]


def test_equal_mails_make_equal_requests() -> None:
    assert MAILGUN.request(MAIL) == MAILGUN.request(replace(MAIL))
    assert MAILGUN.request(MAIL) != MAILGUN.request(replace(MAIL, attempt_no=4))


@pytest.mark.parametrize(
    "text",
    ["Grüße 🎉 从", 'a "quoted" \\ word', "--boundary", "x" * 100_000, "line\r\n\r\n--\r\nContent-Disposition: x"],
)
def test_text_arrives_as_it_was_written(text: str) -> None:
    got = fields(replace(MAIL, text=text, html=text, subject=text.replace("\r\n", " ")))
    assert (got["text"], got["html"], got["subject"]) == (text, text, text.replace("\r\n", " "))


@given(
    text=st.text(st.characters(exclude_characters="\0", codec="utf-8"), min_size=1),
    subject=st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Zl", "Zp"])),
)
def test_any_text_arrives_as_it_was_written(text: str, subject: str) -> None:
    got = fields(replace(MAIL, text=text, subject=subject))
    assert (got["text"], got["subject"]) == (text, subject)


@given(
    name=st.text(
        st.characters(codec="utf-8", exclude_categories=["Cc", "Cf", "Zl", "Zp", "Zs", "Cn", "Co"]), min_size=1
    )
)
def test_any_name_is_read_back_by_a_mail_parser(name: str) -> None:
    header = fields(replace(MAIL, sender=Address("reports@example.com", name)))["from"]
    message = Parser(policy=policy.SMTPUTF8).parsestr(f"From: {header}\n\n", headersonly=True)
    parsed = message["From"]
    assert isinstance(parsed, AddressHeader)
    if unicodedata.is_normalized("NFC", name) and "=?" not in name:
        assert [(address.addr_spec, address.display_name) for address in parsed.addresses] == [
            ("reports@example.com", name)
        ]


def test_an_international_domain_goes_out_in_its_ascii_form() -> None:
    assert fields(replace(MAIL, to=(Address("ada@straße.example"),)))["to"] == "ada@xn--strae-oqa.example"
    assert fields(replace(MAIL, to=(Address("ädä@example.org"),)))["to"] == "ädä@example.org"


CONTROLS = ["\r\nBcc: victim@example.org", "\n", "\r", "\0", "\x0b", "\x85", "\u2028", "\u2029", "\x7f"]


@pytest.mark.parametrize("control", CONTROLS)
@pytest.mark.parametrize(
    ("field", "pointer"),
    [
        ("subject", "/message/subject"),
        ("name", "/message/from"),
        ("address", "/message/to/0"),
        ("domain", "/message/to/0"),
        ("reply_to", "/message/reply_to"),
        ("header", "/message/headers/X-Note"),
        ("header name", "/message/headers"),
        ("tag", "/message/tags/0"),
        ("metadata", "/message/metadata/note"),
        ("metadata name", "/message/metadata"),
        ("message_id", "/message_id"),
    ],
)
def test_a_line_break_gets_through_nowhere(field: str, pointer: str, control: str) -> None:
    bad = f"x{control}y"
    changes: dict[str, dict[str, Any]] = {
        "subject": {"subject": bad},
        "name": {"sender": Address("reports@example.com", bad)},
        "address": {"to": (Address(f"{bad}@example.org"),)},
        "domain": {"to": (Address(f"ada@{bad}.example"),)},
        "reply_to": {"reply_to": Address("a@example.com", bad)},
        "header": {"headers": {"X-Note": bad}},
        "header name": {"headers": {bad: "note"}},
        "tag": {"tags": (bad,)},
        "metadata": {"metadata": {"note": bad}},
        "metadata name": {"metadata": {bad: "note"}},
        "message_id": {"message_id": bad},
    }
    with pytest.raises(Invalid) as refused:
        MAILGUN.request(replace(MAIL, **changes[field]))
    assert refused.value.problems[0].pointer == pointer


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "a second address in an address": ({"to": (Address("a@b.example>, <c@d.example"),)}, "/message/to/0"),
    "no @": ({"cc": (Address("ada"),)}, "/message/cc/0"),
    "no domain": ({"bcc": (Address("ada@"),)}, "/message/bcc/0"),
    "a domain that is none": ({"to": (Address("ada@ü..example"),)}, "/message/to/0"),
    "a sender that Mailgun spoils": ({"sender": Address("rêports@example.com")}, "/message/from"),
    "nobody to send to": ({"to": ()}, "/message/to"),
    "a crowd": ({"bcc": tuple(Address(f"r{number}@example.org") for number in range(1000))}, "/message/to"),
    "no content": ({"text": None}, "/message/text"),
    "NUL in the text": ({"text": "a\0b"}, "/message/text"),
    "NUL in the html": ({"html": "a\0b"}, "/message/html"),
    "half a character": ({"text": "\ud83d"}, "/message"),
    "half a character in a header": ({"headers": {"X-Note": "\ud83d"}}, "/message"),
    "four tags": ({"tags": ("a", "b", "c", "d")}, "/message/tags"),
    "a long tag": ({"tags": ("x" * 129,)}, "/message/tags/0"),
    "a tag with an umlaut": ({"tags": ("wöchentlich",)}, "/message/tags/0"),
    "an empty tag": ({"tags": ("",)}, "/message/tags/0"),
    "a header with a field of its own": ({"headers": {"Subject": "other"}}, "/message/headers/Subject"),
    "another message id": ({"headers": {"message-ID": "<a@b>"}}, "/message/headers/message-ID"),
    "a header that commands Mailgun": (
        {"headers": {"X-Mailgun-Variables": "{}"}},
        "/message/headers/X-Mailgun-Variables",
    ),
    "a header name with a quote": ({"headers": {'X"; filename="x': "1"}}, "/message/headers"),
    "our own variable": ({"metadata": {"fencepost": "eml_other/1"}}, "/message/metadata/fencepost"),
    "more options than fit": ({"metadata": {"a": "x" * 16_384}}, "/message"),
}


@pytest.mark.parametrize(("changes", "pointer"), REFUSED.values(), ids=REFUSED.keys())
def test_what_mailgun_would_refuse_is_not_sent(changes: dict[str, Any], pointer: str) -> None:
    with pytest.raises(Invalid) as refused:
        MAILGUN.request(replace(MAIL, **changes))
    assert refused.value.problems[0].pointer == pointer


# -- the settings


@pytest.mark.parametrize(
    "base_url", ["https://api.eu.mailgun.net", "https://api.eu.mailgun.net/", "http://127.0.0.1:5080"]
)
def test_any_region_and_any_stand_in_can_be_called(base_url: str) -> None:
    mailgun = Mailgun(MailgunSettings(base_url=base_url, domain="mg.example.com"), StandingClock())
    assert mailgun.request(MAIL).url == f"{base_url.rstrip('/')}/v3/mg.example.com/messages"


@pytest.mark.parametrize(
    "wrong",
    [
        {"base_url": "api.mailgun.net"},
        {"base_url": "ftp://api.mailgun.net"},
        {"base_url": "https://api.mailgun.net/v3"},
        {"base_url": "https://api:key@api.mailgun.net"},
        {"base_url": "http://api.mailgun.net"},
        {"domain": "example.com/messages?"},
        {"domain": "example.com%2fmessages"},
        {"domain": "../domains"},
        {"domain": ""},
    ],
)
def test_settings_that_lead_elsewhere_are_refused(wrong: dict[str, str]) -> None:
    with pytest.raises(Misconfigured, match="FENCEPOST_PROVIDERS__MAILGUN__"):
        Mailgun(MailgunSettings(**wrong), StandingClock())


def test_the_factory_knows_its_providers() -> None:
    settings = Providers()
    assert [create(name, settings, StandingClock()).name for name in settings.order] == ["mailgun"]
    with pytest.raises(Misconfigured, match="carrier-pigeon"):
        create("carrier-pigeon", settings, StandingClock())
