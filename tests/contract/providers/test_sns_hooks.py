"""Amazon SNS with SES's events inside: what shows that it was SNS who called for a topic of ours, and what is made of it."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from fencepost.errors import Unreachable
from fencepost.events import Event, EventKind
from fencepost.providers.hooks import Told, Unacceptable, Unsigned
from fencepost.providers.sns_hooks import SnsHooks
from fencepost.suppression import Reason, suppression_of
from tests.support.schedules import at
from tests.support.signing import CERTIFICATE_URL, TOPIC, sns

NOW = at("2026-03-02 09:00:00")
SUBSCRIBE_URL = f"https://sns.us-west-2.amazonaws.com/?Action=ConfirmSubscription&TopicArn={TOPIC}&Token=2336412f37"
# As SNS's reference shows a message that confirms a subscription.
CONFIRMATION = {
    "Type": "SubscriptionConfirmation",
    "MessageId": "165545c9-2a5c-472c-8df2-7ff2be2b3b1b",
    "Token": "2336412f37",
    "Message": f"You have chosen to subscribe to the topic {TOPIC}.",
    "SubscribeURL": SUBSCRIBE_URL,
}


class Fetched:
    """What stands at addresses, and which of them were asked for."""

    def __init__(self) -> None:
        self.urls: list[str] = []

    def __call__(self, url: str) -> bytes:
        self.urls.append(url)
        return sns().certificate


def read(message: object, fetched: Fetched | None = None, stand_in: str | None = None) -> list[Told]:
    body = json.dumps(message).encode()
    return list(SnsHooks([TOPIC], fetched or Fetched(), stand_in).read(body, {}, NOW))


def documented(kind: str, part: dict[str, Any], *to: str) -> dict[str, Any]:
    """An event as SES's developer guide shows it, with our tags on the mail."""
    names = {"DeliveryDelay": "deliveryDelay", "Rendering Failure": "failure"}
    return {
        "eventType": kind,
        "mail": {
            "timestamp": "2026-03-02T08:59:00.000Z",
            "source": "sender@example.com",
            "sendingAccountId": "123456789012",
            "messageId": "EXAMPLE7c191be45-e9aedb9a-02f9-4d12-a87d-dd0099a07f8a-000000",
            "destination": list(to) or ["recipient@example.com"],
            "commonHeaders": {"messageId": "EXAMPLE7c191be45", "subject": "Message sent from Amazon SES"},
            "tags": {"ses:configuration-set": ["ConfigSet"], "fencepost": ["eml_1"], "fencepost_attempt": ["4"]},
        },
        names.get(kind, kind.lower()): part,
    }


STAMP = {"timestamp": "2026-03-02T08:59:05.123Z"}
BOUNCE = {
    "bounceType": "Permanent",
    "bounceSubType": "General",
    "bouncedRecipients": [
        {
            "emailAddress": "recipient@example.com",
            "action": "failed",
            "status": "5.1.1",
            "diagnosticCode": "smtp; 550 5.1.1 user unknown",
        }
    ],
    **STAMP,
}
COMPLAINT = {
    "complainedRecipients": [{"emailAddress": "recipient@example.com"}],
    "complaintFeedbackType": "abuse",
    **STAMP,
}
DELIVERY = {"processingTimeMillis": 11893, "recipients": ["recipient@example.com"], "smtpResponse": "250 OK", **STAMP}
OPEN = {"ipAddress": "192.0.2.1", "userAgent": "Mozilla/5.0 (iPhone; CPU iPhone OS 10_3_3 like Mac OS X)", **STAMP}
CLICK = {"ipAddress": "192.0.2.1", "link": "http://docs.aws.amazon.com/", "userAgent": "Mozilla/5.0 (X11)", **STAMP}
DELAY = {"delayType": "TransientCommunicationFailure", "delayedRecipients": [{"emailAddress": "recipient@example.com"}]}
LEFT = {"contactList": "l", **STAMP, "newTopicPreferences": {"unsubscribeAll": True}}
DOCUMENTED = [
    ("Send", {}, EventKind.ACCEPTED, None),
    ("Delivery", DELIVERY, EventKind.DELIVERED, "250 OK"),
    ("Bounce", BOUNCE, EventKind.BOUNCED, "smtp; 550 5.1.1 user unknown"),
    ("Complaint", COMPLAINT, EventKind.COMPLAINED, "abuse"),
    ("Reject", {"reason": "Bad content"}, EventKind.REJECTED, "Bad content"),
    ("Open", OPEN, EventKind.OPENED, OPEN["userAgent"]),
    ("Click", CLICK, EventKind.CLICKED, "http://docs.aws.amazon.com/"),
    (
        "Rendering Failure",
        {"errorMessage": "Attribute 'x' is not present"},
        EventKind.REJECTED,
        "Attribute 'x' is not present",
    ),
    ("DeliveryDelay", DELAY | STAMP, EventKind.DEFERRED, None),
    ("Subscription", LEFT, EventKind.UNSUBSCRIBED, None),
]


def events(kind: str, part: dict[str, Any], *to: str) -> list[Event]:
    return [told.event for told in read(sns().message(documented(kind, part, *to), NOW)) if told.event]


@pytest.mark.parametrize(("name", "part", "kind", "detail"), DOCUMENTED, ids=[name for name, *_ in DOCUMENTED])
def test_the_documented_events_are_read(name: str, part: dict[str, Any], kind: EventKind, detail: str | None) -> None:
    [event] = events(name, part)
    assert (event.kind, event.detail, event.provider) == (kind, detail, "ses")
    assert (event.delivery_id, event.attempt_no, event.recipient) == ("eml_1", 4, "recipient@example.com")
    assert event.receipt == "EXAMPLE7c191be45-e9aedb9a-02f9-4d12-a87d-dd0099a07f8a-000000"
    assert event.message_id == "EXAMPLE7c191be45"
    assert not event.by_machine
    assert event.at.tzinfo is UTC


def test_one_about_several_recipients_makes_an_event_of_each() -> None:
    several = {**BOUNCE, "bouncedRecipients": [{"emailAddress": f"{name}@example.com"} for name in "ab"]}
    found = events("Bounce", several, "a@example.com", "b@example.com")
    assert [event.recipient for event in found] == ["a@example.com", "b@example.com"]
    assert len({event.id for event in found}) == 2


def test_an_opening_of_a_mail_to_several_is_nobodys_in_particular() -> None:
    assert events("Open", OPEN, "a@example.com", "b@example.com")[0].recipient is None


@pytest.mark.parametrize("version", ["1", "2"])
def test_both_versions_of_the_signature_are_taken(version: str) -> None:
    assert read(sns().message(documented("Send", {}), NOW, version))[0].event
    assert read(sns().message(documented("Send", {}), NOW, version, Subject="with a subject"))[0].event


@pytest.mark.parametrize("field", ["Message", "MessageId", "Timestamp", "TopicArn", "Signature"])
def test_a_flipped_byte_in_whatever_is_signed_is_noticed(field: str) -> None:
    message = sns().message(documented("Send", {}), NOW)
    for place in range(0, len(message[field]), 7):
        text = message[field]
        spoilt = text[:place] + chr(ord(text[place]) ^ 1) + text[place + 1 :]
        with pytest.raises((Unsigned, Unacceptable)):
            read({**message, field: spoilt})


@pytest.mark.parametrize(
    "changes",
    [
        {"SignatureVersion": "3"},
        {"SignatureVersion": "2"},
        {"SignatureVersion": None},
        {"Type": "SubscriptionConfirmation"},
        {"Type": "Else"},
        {"Subject": "slipped in"},
        {"Signature": None},
        {"Signature": "no base64"},
        {"Message": 7},
    ],
)
def test_what_differs_from_what_was_signed_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(Unsigned):
        read({**sns().message(documented("Send", {}), NOW), **changes})


def test_another_topic_is_refused_before_anything_is_fetched() -> None:
    fetched = Fetched()
    with pytest.raises(Unacceptable, match="TOPIC_ARNS"):
        read(sns().message(documented("Send", {}), NOW, TopicArn=f"{TOPIC}2"), fetched)
    assert fetched.urls == []


@pytest.mark.parametrize(
    "url",
    [
        "http://sns.us-west-2.amazonaws.com/x.pem",
        "https://sns.us-west-2.amazonaws.com.evil.example/x.pem",
        "https://sns.us-west-2.amazonaws.com@evil.example/x.pem",
        "https://evil.example/https://sns.us-west-2.amazonaws.com/x.pem",
        "https://sns.evil.example/.amazonaws.com/x.pem",
        "https://sns.s3.amazonaws.com/x.pem",
        "https://sns.s3-us-west-2.amazonaws.com/x.pem",
        "https://s3.us-west-2.amazonaws.com/x.pem",
        "https://sns.us-west-2.amazonaws.com:8443/x.pem",
        "https://SNS.us-west-2.amazonaws.com\n/x.pem",
        "https://127.0.0.1/x.pem",
        "",
        None,
        7,
    ],
)
def test_nothing_is_fetched_from_anywhere_else(url: object) -> None:
    fetched = Fetched()
    with pytest.raises(Unsigned):
        read({**sns().message(documented("Send", {}), NOW), "SigningCertURL": url}, fetched)
    assert fetched.urls == []


@pytest.mark.parametrize(
    "region", ["us-west-2.amazonaws.com", "us-gov-east-1.amazonaws.com", "cn-north-1.amazonaws.com.cn"]
)
def test_certificates_come_from_amazon(region: str) -> None:
    fetched, url = Fetched(), f"https://sns.{region}/SimpleNotificationService-1.pem"
    assert read({**sns().message(documented("Send", {}), NOW), "SigningCertURL": url}, fetched)
    assert fetched.urls == [url]


def test_a_stand_ins_certificate_is_taken_from_the_stand_in_alone() -> None:
    message, url = sns().message(documented("Send", {}), NOW), "http://simulator:5080/sns/certificate.pem"
    assert read({**message, "SigningCertURL": url}, stand_in="http://simulator:5080")
    for other in (CERTIFICATE_URL, "http://simulator:50801/x", "http://simulator:5080.evil.example/x"):
        with pytest.raises(Unsigned):
            read({**message, "SigningCertURL": other}, stand_in="http://simulator:5080")


@pytest.mark.parametrize("pem", [b"", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", b"\xff"])
def test_what_is_no_certificate_verifies_nothing(pem: bytes) -> None:
    body = json.dumps(sns().message(documented("Send", {}), NOW)).encode()
    with pytest.raises(Unsigned):
        SnsHooks([TOPIC], lambda _: pem).read(body, {}, NOW)


def test_a_certificate_that_cannot_be_fetched_is_no_refusal() -> None:
    def fails(_: str) -> bytes:
        raise Unreachable("sns", "no answer")

    body = json.dumps(sns().message(documented("Send", {}), NOW)).encode()
    with pytest.raises(Unreachable):
        SnsHooks([TOPIC], fails).read(body, {}, NOW)


@pytest.mark.parametrize(("hours", "refusal"), [(26, Unacceptable), (-1, Unsigned)])
def test_what_is_old_or_to_come_is_refused(hours: int, refusal: type[Exception]) -> None:
    with pytest.raises(refusal):
        read(sns().message(documented("Send", {}), NOW - timedelta(hours=hours)))


def confirmation(**changes: Any) -> dict[str, Any]:
    return sns().message("", NOW, **{**CONFIRMATION, **changes})


def test_a_subscription_is_confirmed_at_amazons_address_alone() -> None:
    [told] = read(confirmation())
    assert (told.event, told.visit) == (None, SUBSCRIBE_URL)
    with pytest.raises(Unsigned):
        read(confirmation(SubscribeURL="https://evil.example/"))


@pytest.mark.parametrize("said", ["no json", "[]", "7", json.dumps({"eventType": "Send"})])
def test_what_is_unknown_is_handed_on_as_it_came(said: str) -> None:
    [told] = read(sns().message(said, NOW))
    assert told.event is None
    assert told.raw is not None


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b'{"TopicArn": 7}'])
def test_whatever_else_comes_is_refused(body: bytes) -> None:
    with pytest.raises((Unsigned, Unacceptable)):
        SnsHooks([TOPIC], Fetched()).read(body, {}, NOW)


def test_openings_by_machines_are_told_apart() -> None:
    proxy = {"userAgent": "Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)"}
    at_once, later = {"timestamp": "2026-03-02T08:59:03Z"}, {"timestamp": "2026-03-02T08:59:30Z"}
    assert events("Open", proxy | at_once)[0].by_machine
    assert not events("Open", proxy | later)[0].by_machine
    assert events("Open", {"userAgent": "Mozilla/5.0"} | later)[0].by_machine


@pytest.mark.parametrize(
    ("kind", "part", "reason"),
    [
        ("Bounce", BOUNCE, Reason.BOUNCE),
        ("Bounce", {**BOUNCE, "bounceType": "Transient"}, None),
        ("Complaint", COMPLAINT, Reason.COMPLAINT),
        ("Subscription", LEFT, Reason.UNSUBSCRIBE),
    ],
)
def test_what_lasts_is_a_reason_to_send_no_more(kind: str, part: dict[str, Any], reason: Reason | None) -> None:
    [event] = events(kind, part)
    assert suppression_of(event) is reason


def test_preferences_for_one_topic_are_no_farewell() -> None:
    assert events("Subscription", {**LEFT, "newTopicPreferences": {"unsubscribeAll": False}}) == []


def test_times_are_as_sns_writes_them() -> None:
    assert read(sns().message(documented("Send", {}), datetime(2026, 3, 2, 8, 59, 59, 999_000, tzinfo=UTC)))


def test_a_time_beyond_the_calendar_is_none() -> None:
    message = documented("Delivery", {"timestamp": "0001-01-01T00:00:00+23:00"})
    [told] = read(sns().message(message, NOW))
    assert told.event is not None
    assert told.event.at == at("2026-03-02 08:59:00"), "when it was sent, for want of better"
