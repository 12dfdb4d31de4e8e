"""Registering the address of our webhooks: the calls as each provider documents them, what is left alone, and what keeps it."""

import json
from base64 import b64decode
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs

import pytest

from fencepost.errors import Conflict, Unreachable
from fencepost.providers.asking import perform
from fencepost.providers.http import HttpReply
from fencepost.providers.registering import Call, Registered, Result, obstacle, steps
from fencepost.settings import Providers

PUBLIC = "https://mail.example.com/"
KEYS: Mapping[str, Mapping[str, Any]] = {
    "mailgun": {"domain": "mg.example.com", "events_api_key": "key-account", "webhook_signing_key": "signing"},
    "sendgrid": {"api_key": "SG.key"},
    "mailjet": {"api_key": "public", "secret_key": "private", "webhook_credentials": "hooks:p@ss/word"},
    "ses": {
        "access_key_id": "AKIA",
        "secret_access_key": "secret",
        "topic_arns": ["arn:aws:sns:eu-west-1:123456789012:mail"],
    },
}
NOW = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
Answers = Callable[[Call], tuple[int, Any]]


def settings(**changes: Mapping[str, Any]) -> Providers:
    return Providers.model_validate({name: {**given, **changes.get(name, {})} for name, given in KEYS.items()})


def register(
    name: str, answer: Answers, public_url: str = PUBLIC, **changes: Mapping[str, Any]
) -> tuple[Registered, list[Call]]:
    made: list[Call] = []

    def ask(provider: str, call: Call, seconds: float) -> HttpReply:
        assert (provider, 0 < seconds <= 5) == (name, True)
        made.append(call)
        status, found = answer(call)
        return HttpReply(status, {}, found.encode() if isinstance(found, str) else json.dumps(found).encode())

    return perform(name, steps(name, settings(**changes), public_url, lambda: NOW), ask), made


# -- Mailgun


def test_mailgun_gets_the_address_for_each_kind_beside_those_of_others() -> None:
    ours, other = "https://mail.example.com/hooks/mailgun", "https://crm.example.com"
    there = {
        "accepted": {"urls": [ours]},
        "clicked": {"urls": [other]},
        "opened": {"urls": [other, f"{other}/2", f"{other}/3"]},
        "delivered": None,
    }
    done, made = register("mailgun", lambda call: (200, {"webhooks": there} if call.method == "GET" else {}))
    place = "https://api.mailgun.net/v3/domains/mg.example.com/webhooks"
    assert [(call.method, call.url) for call in made[:2]] == [("GET", place), ("POST", place)]
    assert parse_qs(made[1].body.decode()) == {"id": ["delivered"], "url": [ours]}
    assert [(call.method, call.url, parse_qs(call.body.decode())) for call in made if call.method == "PUT"] == [
        ("PUT", f"{place}/clicked", {"url": [other, ours]})
    ]
    assert {b64decode(call.headers["Authorization"].split()[1]) for call in made} == {b"api:key-account"}
    assert done.kinds["accepted"] is Result.KNOWN
    assert done.kinds["opened"] is Result.TAKEN
    assert set(done.kinds.values()) == set(Result)
    assert "opened" in done.to_do[0]


def test_mailgun_is_asked_nothing_more_where_all_is_registered() -> None:
    ours = {"urls": ["https://mail.example.com/hooks/mailgun"]}
    every = dict.fromkeys(
        (
            "accepted",
            "delivered",
            "temporary_fail",
            "permanent_fail",
            "complained",
            "opened",
            "clicked",
            "unsubscribed",
        ),
        ours,
    )
    done, made = register("mailgun", lambda _: (200, {"webhooks": every}))
    assert [call.method for call in made] == ["GET"]
    assert set(done.kinds.values()) == {Result.KNOWN}


# -- SendGrid


def test_sendgrid_gets_a_webhook_of_its_own_and_says_with_which_key_it_signs() -> None:
    def answer(call: Call) -> tuple[int, Any]:
        if call.url.endswith("/all"):
            return 200, {"webhooks": [{"id": "other", "url": "https://crm.example.com", "enabled": True}]}
        if call.method == "POST":
            return 201, {"id": "ours"}
        return 200, {"id": "ours", "public_key": "MFkw" if call.method == "PATCH" else ""}

    done, made = register("sendgrid", answer)
    place = "https://api.sendgrid.com/v3/user/webhooks/event/settings"
    assert [(call.method, call.url.removeprefix(place)) for call in made] == [
        ("GET", "/all"),
        ("POST", ""),
        ("GET", "/signed/ours"),
        ("PATCH", "/signed/ours"),
    ]
    asked = json.loads(made[1].body)
    assert (asked["url"], asked["enabled"], asked["bounce"]) == ("https://mail.example.com/hooks/sendgrid", True, True)
    assert {call.headers["Authorization"] for call in made} == {"Bearer SG.key"}
    assert set(done.kinds.values()) == {Result.REGISTERED}
    assert done.to_do[0].endswith("FENCEPOST_PROVIDERS__SENDGRID__WEBHOOK_PUBLIC_KEY=MFkw")


def test_sendgrid_has_only_what_is_missing_changed() -> None:
    ours = {"id": "ours", "url": "https://mail.example.com/hooks/sendgrid", "enabled": True, "open": True}

    def answer(call: Call) -> tuple[int, Any]:
        return 200, {"webhooks": [ours]} if call.url.endswith("/all") else {"id": "ours", "public_key": "MFkw"}

    done, made = register("sendgrid", answer, sendgrid={"webhook_public_key": "MFkw"})
    assert [call.method for call in made] == ["GET", "PATCH", "GET"]
    assert [kind for kind, result in done.kinds.items() if result is Result.KNOWN] == ["open"]
    assert done.to_do == ()


# -- Mailjet


def test_mailjet_gets_the_address_with_credentials_and_keeps_that_of_others() -> None:
    there = [
        {"ID": 1, "EventType": "open", "Url": "https://crm.example.com/mj", "Status": "alive", "Version": 1},
        {
            "ID": 2,
            "EventType": "bounce",
            "Url": "https://hooks:old@mail.example.com/hooks/mailjet",
            "Status": "dead",
            "Version": 2,
        },
        {
            "ID": 3,
            "EventType": "click",
            "Url": "https://hooks:p%40ss%2Fword@mail.example.com/hooks/mailjet",
            "Status": "alive",
            "Version": 2,
        },
    ]
    done, made = register("mailjet", lambda call: (200, {"Data": there if call.method == "GET" else []}))
    place = "https://api.mailjet.com/v3/REST/eventcallbackurl"
    assert made[0].url == f"{place}?Limit=100"
    [changed] = [call for call in made if call.method == "PUT"]
    assert changed.url == f"{place}/2"
    assert json.loads(changed.body) == {
        "EventType": "bounce",
        "Url": "https://hooks:p%40ss%2Fword@mail.example.com/hooks/mailjet",
        "Version": 2,
        "Status": "alive",
        "IsBackup": False,
    }
    assert [json.loads(call.body)["EventType"] for call in made if call.method == "POST"] == [
        "sent",
        "blocked",
        "spam",
        "unsub",
    ]
    assert (done.kinds["open"], done.kinds["click"]) == (Result.TAKEN, Result.KNOWN)
    assert "crm.example.com" in done.to_do[0]
    assert "p%40ss" not in str(done)


# -- SNS


def test_sns_is_asked_to_subscribe_the_address_to_each_topic() -> None:
    body = "<SubscribeResponse><SubscribeResult><SubscriptionArn>pending confirmation</SubscriptionArn></SubscribeResult></SubscribeResponse>"
    done, [call] = register("ses", lambda _: (200, body))
    assert (call.method, call.url) == ("POST", "https://sns.eu-west-1.amazonaws.com/")
    assert parse_qs(call.body.decode()) == {
        "Action": ["Subscribe"],
        "Version": ["2010-03-31"],
        "TopicArn": ["arn:aws:sns:eu-west-1:123456789012:mail"],
        "Protocol": ["https"],
        "Endpoint": ["https://mail.example.com/hooks/ses"],
    }
    assert "/20260302/eu-west-1/sns/aws4_request" in call.headers["Authorization"]
    assert done.kinds == {"mail": Result.REGISTERED}
    assert "event destination" in done.to_do[0]
    arn = "<SubscriptionArn>arn:aws:sns:eu-west-1:123456789012:mail:1</SubscriptionArn>"
    assert register("ses", lambda _: (200, arn))[0].kinds == {"mail": Result.KNOWN}


# -- what keeps it


@pytest.mark.parametrize("name", KEYS)
@pytest.mark.parametrize("url", ["http://127.0.0.1:5000", "http://localhost:5000", "https://[::1]", "http://10.0.0.7"])
def test_an_address_that_nobody_else_reaches_is_refused_but_by_a_stand_in(name: str, url: str) -> None:
    assert "PUBLIC_URL" in str(obstacle(name, settings(), url))
    with pytest.raises(Conflict, match="PUBLIC_URL"):
        steps(name, settings(), url, lambda: NOW)
    stand_in = {"sns_base_url" if name == "ses" else "base_url": "http://simulator:5080"}
    assert obstacle(name, settings(**{name: stand_in}), url) is None


@pytest.mark.parametrize(
    ("name", "changes", "variable"),
    [
        ("mailgun", {"events_api_key": None}, "MAILGUN__EVENTS_API_KEY"),
        ("mailgun", {"webhook_signing_key": None}, "MAILGUN__WEBHOOK_SIGNING_KEY"),
        ("sendgrid", {"api_key": "key-simulator"}, "SENDGRID__API_KEY"),
        ("mailjet", {"secret_key": ""}, "MAILJET__SECRET_KEY"),
        ("mailjet", {"webhook_credentials": None}, "MAILJET__WEBHOOK_CREDENTIALS"),
        ("ses", {"access_key_id": "key-simulator"}, "SES__ACCESS_KEY_ID"),
        ("ses", {"topic_arns": []}, "SES__TOPIC_ARNS"),
    ],
)
def test_what_has_to_be_set_first_is_named(name: str, changes: Mapping[str, Any], variable: str) -> None:
    assert obstacle(name, settings(), PUBLIC) is None
    assert f"FENCEPOST_PROVIDERS__{variable}" in str(obstacle(name, settings(**{name: changes}), PUBLIC))


def test_smtp_has_no_webhooks() -> None:
    with pytest.raises(Conflict, match="SMTP has no webhooks"):
        steps("smtp", settings(), PUBLIC, lambda: NOW)


@pytest.mark.parametrize("name", KEYS)
@pytest.mark.parametrize("status", [401, 403])
def test_a_key_that_may_not_is_told_with_the_right_that_it_lacks(name: str, status: int) -> None:
    with pytest.raises(Conflict, match=rf"does not let us register an address \({status}: no.*FENCEPOST_PROVIDERS__"):
        register(name, lambda _: (status, "no"))


@pytest.mark.parametrize("name", KEYS)
def test_another_refusal_is_told_and_trouble_of_theirs_is_to_be_tried_again(name: str) -> None:
    with pytest.raises(Conflict, match=r"refuses to register the address \(400: no room"):
        register(name, lambda _: (400, "no room"))
    for status in (429, 500, 503):
        with pytest.raises(Unreachable):
            register(name, lambda _, status=status: (status, "busy"))  # type: ignore[misc]


def test_a_provider_that_takes_its_time_over_each_call_is_left_in_the_end() -> None:
    registering = steps("mailgun", settings(), PUBLIC, lambda: NOW)
    with pytest.raises(Unreachable, match="took longer than 0 s together"):
        perform("mailgun", registering, seconds=0)


@pytest.mark.parametrize("name", ["mailgun", "sendgrid", "mailjet"])
@pytest.mark.parametrize("body", ["Mailgun Magnificent API", "{}", "[]", '{"webhooks": 1, "Data": {}}'])
def test_whoever_else_answers_is_not_taken_for_the_provider(name: str, body: str) -> None:
    with pytest.raises(Conflict, match="does not speak its API: check its BASE_URL"):
        register(name, lambda _: (200, body))
