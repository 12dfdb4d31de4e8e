"""Amazon SES: a mail as its documented request, and every answer, documented or not, by its outcome."""

import json
from dataclasses import replace
from email.header import decode_header, make_header
from typing import Any

import pytest
from pydantic import SecretStr

from fencepost.deliveries import Outcome, OutcomeKind
from fencepost.errors import Invalid, Misconfigured
from fencepost.messages import Address, Mail
from fencepost.providers.http import HttpReply, Lost, NotSent
from fencepost.providers.ses import Ses
from fencepost.reconciliation import Evidence, Reference
from fencepost.settings import Ses as SesSettings
from tests.contract.providers.mails import MAIL, StandingClock

SETTINGS = SesSettings(
    region="eu-central-1", access_key_id=SecretStr("AKIDEXAMPLE"), secret_access_key=SecretStr("wJalr/EXAMPLEKEY")
)
SES = Ses(SETTINGS, StandingClock())
REFERENCE = Reference(MAIL.delivery_id, MAIL.message_id, "ses")


def document(mail: Mail, adapter: Ses = SES) -> Any:
    return json.loads(adapter.request(mail).body)


# -- the request


def test_the_call_is_the_documented_one_byte_for_byte() -> None:
    request = SES.request(MAIL)
    url = "https://email.eu-central-1.amazonaws.com/v2/email/outbound-emails"
    assert (request.method, request.url) == ("POST", url)
    assert request.headers.keys() == {"Content-Type", "X-Amz-Date", "Authorization", "User-Agent"}
    assert request.headers["Content-Type"] == "application/json"
    assert request.headers["X-Amz-Date"] == "20211220T203300Z"
    assert request.headers["Authorization"].startswith(
        "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20211220/eu-central-1/ses/aws4_request, "
        "SignedHeaders=content-type;host;x-amz-date, Signature="
    )
    assert request.body.decode() == (
        '{"FromEmailAddress":"Reports <reports@example.com>",'
        '"Destination":{"ToAddresses":["ada@example.org"]},'
        '"Content":{"Simple":{"Subject":{"Data":"Weekly figures","Charset":"UTF-8"},'
        '"Body":{"Text":{"Data":"Hello\\n","Charset":"UTF-8"}}}},'
        '"EmailTags":[{"Name":"fencepost","Value":"eml_01JDD0Z3S8Q6ZV0000000000AB"},'
        '{"Name":"fencepost_attempt","Value":"3"}]}'
    )
    assert SES.request(MAIL) == request, "equal mails at one instant give equal bytes"


def test_a_full_mail_has_a_field_for_everything() -> None:
    mail = replace(
        MAIL,
        to=(Address("ada@example.org", "Ada, Countess"), Address("bob@bücher.example")),
        cc=(Address("cc@example.org"),),
        bcc=(Address("bcc@example.org"),),
        reply_to=Address("answers@example.com", "Answers"),
        html="<p>Hellö</p>",
        headers={"X-Priority": "1"},
        tags=("weekly", "figures & facts"),
        metadata={"customer": "42", "odd name": "größer", "empty": ""},
    )
    configured = Ses(SETTINGS.model_copy(update={"configuration_set": "tracked"}), StandingClock())
    assert document(mail, configured) == {
        "FromEmailAddress": "Reports <reports@example.com>",
        "Destination": {
            "ToAddresses": ['"Ada, Countess" <ada@example.org>', "bob@xn--bcher-kva.example"],
            "CcAddresses": ["cc@example.org"],
            "BccAddresses": ["bcc@example.org"],
        },
        "Content": {
            "Simple": {
                "Subject": {"Data": "Weekly figures", "Charset": "UTF-8"},
                "Body": {
                    "Text": {"Data": "Hello\n", "Charset": "UTF-8"},
                    "Html": {"Data": "<p>Hellö</p>", "Charset": "UTF-8"},
                },
                "Headers": [{"Name": "X-Priority", "Value": "1"}],
            }
        },
        "EmailTags": [
            {"Name": "fencepost", "Value": MAIL.delivery_id},
            {"Name": "fencepost_attempt", "Value": "3"},
            {"Name": "customer", "Value": "42"},
            {"Name": "odd_name", "Value": "gr__er"},
            {"Name": "tag_1", "Value": "weekly"},
            {"Name": "tag_2", "Value": "figures___facts"},
        ],
        "ReplyToAddresses": ["Answers <answers@example.com>"],
        "ConfigurationSetName": "tracked",
    }


@pytest.mark.parametrize(
    "name", ["Größe", "Österreichische Bundesbahnen, Abteilung für Fahrgastauskünfte und Züge", "日本"]
)
def test_names_and_headers_are_written_in_ascii_words(name: str) -> None:
    found = document(replace(MAIL, sender=Address("reports@example.com", name), headers={"X-Name": name}))
    written, _, address = found["FromEmailAddress"].rpartition(" ")
    [header] = found["Content"]["Simple"]["Headers"]
    for text in (written, header["Value"]):
        assert text.isascii()
        assert text.isprintable()
        assert max(len(word) for word in text.split()) <= 75, "as long as a word may be"
        assert str(make_header(decode_header(text))) == name
    assert address == "<reports@example.com>"


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "nobody": ({"to": ()}, "/message/to"),
    "too many": ({"cc": tuple(Address(f"a{number}@example.org") for number in range(50))}, "/message/to"),
    "nothing": ({"text": ""}, "/message/text"),
    "a line break in the subject": ({"subject": "a\r\nBcc: eve@example.org"}, "/message/subject"),
    "a line break in a name": ({"to": (Address("ada@example.org", "A\nB"),)}, "/message/to/0"),
    "a line break in a name in words": ({"to": (Address("ada@example.org", "Ä\nB"),)}, "/message/to/0"),
    "no address": ({"cc": (Address("ada"),)}, "/message/cc/0"),
    "more than ASCII before the @": ({"to": (Address("ädä@example.org"),)}, "/message/to/0"),
    "a line break in a header": ({"headers": {"X-A": "1\n2"}}, "/message/headers/X-A"),
    "an empty header": ({"headers": {"X-A": ""}}, "/message/headers/X-A"),
    "a long header": ({"headers": {"X-A": "x" * 996}}, "/message/headers/X-A"),
    "too many headers": ({"headers": {f"X-{number}": "1" for number in range(16)}}, "/message/headers"),
    "a header of ours": ({"headers": {"Message-ID": "<a@b>"}}, "/message/headers/Message-ID"),
    "a header of theirs": ({"headers": {"X-SES-MESSAGE-TAGS": "1"}}, "/message/headers/X-SES-MESSAGE-TAGS"),
    "a variable of ours": ({"metadata": {"fencepost": "1"}}, "/message/metadata/fencepost"),
    "too much metadata": ({"metadata": {f"n{number}": "1" for number in range(49)}}, "/message/metadata"),
    "NUL": ({"text": "a\0b"}, "/message/text"),
    "half a character": ({"text": "\ud800"}, "/message"),
    "half a character in a name": ({"sender": Address("a@example.com", "\ud800")}, "/message/from"),
    "too large": ({"text": "x" * 41_943_040}, "/message"),
}


@pytest.mark.parametrize(("changes", "pointer"), REFUSED.values(), ids=REFUSED.keys())
def test_what_ses_would_refuse_is_refused_before_the_call(changes: dict[str, Any], pointer: str) -> None:
    with pytest.raises(Invalid) as refused:
        SES.request(replace(MAIL, **changes))
    assert refused.value.problems[0].pointer == pointer


@pytest.mark.parametrize(
    ("changes", "variable"),
    [
        ({"region": "frankfurt"}, "REGION"),
        ({"region": "us-east-1.evil.example/"}, "REGION"),
        ({"base_url": "http://email.us-east-1.amazonaws.com"}, "BASE_URL"),
        ({"base_url": "https://email.us-east-1.amazonaws.com/v2"}, "BASE_URL"),
    ],
)
def test_a_setting_that_leads_astray_refuses_to_start(changes: dict[str, str], variable: str) -> None:
    with pytest.raises(Misconfigured, match=f"FENCEPOST_PROVIDERS__SES__{variable}"):
        Ses(SesSettings.model_validate(changes), StandingClock())


# -- the answers

MESSAGE_ID = "0100018f3d5b7c3a-2f1e9c8d-6a5b-4c3d-9e8f-7a6b5c4d3e2f-000000"
TAKEN = {"MessageId": MESSAGE_ID}


def outcome(status: int, body: object = "", **headers: str) -> Outcome:
    data = body.encode() if isinstance(body, str) else json.dumps(body).encode()
    return SES.outcome(HttpReply(status, {name.replace("_", "-"): value for name, value in headers.items()}, data))


ERRORS: dict[tuple[int, str, str], OutcomeKind] = {
    (400, "BadRequestException", "Missing final '@domain'"): OutcomeKind.REJECTED,
    (400, "MessageRejected", "Transaction failed: Illegal content"): OutcomeKind.REJECTED,
    (400, "MessageRejected", "Email address is not verified. The following identities failed"): OutcomeKind.UNAVAILABLE,
    (400, "AccountSuspendedException", "restricted"): OutcomeKind.UNAVAILABLE,
    (400, "SendingPausedException", "paused"): OutcomeKind.UNAVAILABLE,
    (400, "MailFromDomainNotVerifiedException", "not verified"): OutcomeKind.UNAVAILABLE,
    (400, "LimitExceededException", "Daily message quota exceeded"): OutcomeKind.THROTTLED,
    (400, "ThrottlingException", "Rate exceeded"): OutcomeKind.THROTTLED,
    (400, "ExpiredTokenException", "expired"): OutcomeKind.UNAVAILABLE,
    (400, "RequestExpired", "expired"): OutcomeKind.UNAVAILABLE,
    (400, "IncompleteSignatureException", "no"): OutcomeKind.UNAVAILABLE,
    (400, "SomethingNew", "no"): OutcomeKind.REJECTED,
    (400, "", ""): OutcomeKind.REJECTED,
    (401, "", ""): OutcomeKind.UNAVAILABLE,
    (402, "", ""): OutcomeKind.UNAVAILABLE,
    (403, "UnrecognizedClientException", "The security token is invalid."): OutcomeKind.UNAVAILABLE,
    (403, "InvalidSignatureException", "Signature expired"): OutcomeKind.UNAVAILABLE,
    (403, "AccessDeniedException", "not authorized"): OutcomeKind.UNAVAILABLE,
    (403, "SomethingNew", "no"): OutcomeKind.UNAVAILABLE,
    (404, "NotFoundException", "Configuration set does not exist."): OutcomeKind.UNAVAILABLE,
    (404, "", ""): OutcomeKind.UNAVAILABLE,
    (405, "", ""): OutcomeKind.UNKNOWN,
    (408, "RequestTimeoutException", ""): OutcomeKind.UNKNOWN,
    (409, "ConflictException", ""): OutcomeKind.UNKNOWN,
    (413, "RequestEntityTooLargeException", ""): OutcomeKind.REJECTED,
    (429, "TooManyRequestsException", "Maximum sending rate exceeded."): OutcomeKind.THROTTLED,
    (429, "", ""): OutcomeKind.THROTTLED,
    (500, "InternalFailure", ""): OutcomeKind.UNKNOWN,
    (500, "TooManyRequestsException", ""): OutcomeKind.UNKNOWN,
    (503, "ServiceUnavailable", ""): OutcomeKind.UNKNOWN,
}


@pytest.mark.parametrize(("status", "error", "text"), ERRORS)
@pytest.mark.parametrize("place", ["header", "header with an address", "body", "body with a name space"])
def test_every_error_has_its_outcome_wherever_its_name_stands(status: int, error: str, text: str, place: str) -> None:
    headers = {
        "header": {"x_amzn_errortype": error},
        "header with an address": {"x_amzn_errortype": f"{error}:http://a/"},
    }
    names = {"body": {"__type": error}, "body with a name space": {"__type": f"com.amazonaws.ses#{error}"}}
    got = outcome(status, {"message": text, **names.get(place, {})}, **headers.get(place, {}))
    assert (got.kind, got.status, got.receipt) == (ERRORS[status, error, text], status, None)
    assert got.misconfigured == (got.kind is OutcomeKind.UNAVAILABLE)
    assert text in got.detail


ANSWERS: dict[str, tuple[int, object, OutcomeKind]] = {
    "taken": (200, TAKEN, OutcomeKind.ACCEPTED),
    "taken, under another 2xx": (202, TAKEN, OutcomeKind.UNKNOWN),
    "no id": (200, {}, OutcomeKind.UNKNOWN),
    "an empty id": (200, {"MessageId": ""}, OutcomeKind.UNKNOWN),
    "an id that is no text": (200, {"MessageId": 7}, OutcomeKind.UNKNOWN),
    "a list": (200, [TAKEN], OutcomeKind.UNKNOWN),
    "truncated JSON": (200, '{"MessageId":"0100', OutcomeKind.UNKNOWN),
    "a page": (200, "<html>", OutcomeKind.UNKNOWN),
    "nothing": (200, "", OutcomeKind.UNKNOWN),
    "nothing, politely": (204, "", OutcomeKind.UNKNOWN),
    "a redirect that repeats": (307, "", OutcomeKind.UNKNOWN),
    "an error that looks like success": (500, TAKEN, OutcomeKind.UNKNOWN),
    "a bad gateway": (502, "<html>", OutcomeKind.UNKNOWN),
    "a gateway's time-out": (504, "", OutcomeKind.UNKNOWN),
    "bytes": (500, "\ufffd\x00\x1b[31m", OutcomeKind.UNKNOWN),
}


@pytest.mark.parametrize(("status", "body", "kind"), ANSWERS.values(), ids=ANSWERS.keys())
def test_every_other_answer_has_its_outcome(status: int, body: object, kind: OutcomeKind) -> None:
    got = outcome(status, body)
    assert (got.kind, got.status) == (kind, status)
    assert got.receipt == (MESSAGE_ID if kind is OutcomeKind.ACCEPTED else None)
    assert got.detail.isprintable()


def test_no_undocumented_status_is_taken_for_an_answer() -> None:
    for status in set(range(100, 600)) - {200, 400, 401, 402, 403, 404, 413, 429}:
        assert outcome(status, TAKEN).kind is OutcomeKind.UNKNOWN


def test_a_call_without_an_answer_is_unknown_and_one_that_was_not_sent_is_not() -> None:
    assert SES.outcome(Lost("reset")).kind is OutcomeKind.UNKNOWN
    got = SES.outcome(NotSent("refused"))
    assert (got.kind, got.misconfigured) == (OutcomeKind.UNAVAILABLE, False)


def test_a_refusal_of_ours_says_what_to_check() -> None:
    wrong = outcome(403, {"message": "no"}, x_amzn_errortype="InvalidSignatureException")
    assert "FENCEPOST_PROVIDERS__SES__SECRET_ACCESS_KEY" in wrong.detail
    assert "FENCEPOST_PROVIDERS__SES__CONFIGURATION_SET" in outcome(404).detail


def test_details_hold_no_addresses() -> None:
    assert "ada@" not in outcome(400, {"message": "ada@example.org is not valid"}).detail


@pytest.mark.parametrize(("headers", "seconds"), [({}, None), ({"retry_after": "7"}, 7), ({"retry_after": "x"}, None)])
def test_the_wait_of_a_429_is_read_where_there_is_one(headers: dict[str, str], seconds: float | None) -> None:
    assert outcome(429, {"message": "Maximum sending rate exceeded."}, **headers).retry_after_seconds == seconds


# -- the records


def test_there_are_no_records_to_ask() -> None:
    SES.look_up(REFERENCE)
    assert SES.trace(REFERENCE, HttpReply(200, {}, b"{}")).evidence is Evidence.NO_RECORDS
