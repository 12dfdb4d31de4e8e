"""Providers, webhooks and suppressions in words, over a registry that answers as a test wants."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, cast

import pytest
from flask.testing import FlaskClient

from fencepost.provider_names import AS_WRITTEN
from fencepost.providers import NAMES as PROVIDERS
from fencepost.settings import Frontend, Settings
from fencepost.webhooks import TEST, TYPES
from frontend import webhook_words
from frontend.app import create_app
from frontend.operating_shapes import Change, Provider, Webhook
from frontend.provider_words import next_try, part, since, standing, told
from frontend.providers import history
from frontend.registry_client import Page, Refused
from frontend.suppressions import api_filters
from frontend.views import REGISTRY
from tests.support.pages import signed_in

NOW = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
OWN = {"Origin": "http://localhost"}
CLOSED = {"state": "closed", "for_seconds": 1.8e9, "retry_seconds": 0, "wait_seconds": 0, "share": 1, "reason": None}


def change(kind: str, was: str, became: str, at: str = "2026-03-02T07:00:00Z") -> Change:
    return cast(
        Change, {"id": f"chg_{at}", "at": at, "kind": kind, "was": was, "became": became, "reason": "", "by": "Ann"}
    )


def provider(name: str = "mailgun", breaker: Mapping[str, Any] | None = None, **fields: Any) -> Provider:
    found = {
        "name": name,
        "enabled": True,
        "weight": None,
        "weight_in_effect": 1.0,
        "max_per_second": None,
        "cap": None,
        "settling_seconds": 2100.0,
        "breaker": {**CLOSED, **(breaker or {})},
        "webhook": None,
        "changes": [],
        **fields,
    }
    return cast(Provider, found)


# -- words


def test_every_provider_has_a_name_and_every_kind_of_event_a_sentence() -> None:
    assert set(AS_WRITTEN) == set(PROVIDERS)
    assert {*webhook_words.KINDS, TEST} == set(TYPES)


@pytest.mark.parametrize(
    ("found", "label"),
    [
        (provider(), "Well"),
        (provider(breaker={"state": "open"}), "Kept from mail"),
        (provider(breaker={"state": "half_open"}), "On trial"),
        (provider(breaker={"state": "recovering"}), "Coming back"),
        (provider(cap={"most": 50, "used": 50}), "Done for today"),
        (provider(cap={"most": 50, "used": 49}), "Well"),
        (provider(cap={"most": 50, "used": None}), "Well"),
        (provider(breaker={"state": "open"}, cap={"most": 50, "used": 50}), "Kept from mail"),
        (provider(breaker={"state": "open"}, enabled=False), "Switched off"),
        (cast(Provider, {**provider(), "breaker": None}), "Not known"),
    ],
)
def test_how_a_provider_stands(found: Provider, label: str) -> None:
    assert standing(found).label == label


def test_since_when_and_when_next_are_instants_and_nothing_where_nobody_knows() -> None:
    ill = provider(breaker={"state": "open", "for_seconds": 60, "retry_seconds": 4, "wait_seconds": 30})
    assert (since(ill, NOW), next_try(ill, NOW)) == ("2026-03-02T07:59:00Z", "2026-03-02T08:00:30Z")
    assert (since(provider(), NOW), next_try(provider(), NOW)) == (None, None)
    off = provider(
        enabled=False,
        changes=[change("breaker", "open", "closed"), change("enabled", "true", "false", "2026-03-02T06:00:00Z")],
    )
    assert (since(off, NOW), next_try(off, NOW)) == ("2026-03-02T06:00:00Z", None)


def test_parts_of_the_mail_follow_from_the_weights_in_effect() -> None:
    four, one = provider(weight_in_effect=80.0), provider("ses", weight_in_effect=20.0)
    last, off = provider("smtp", weight_in_effect=0.0), provider("mailjet", enabled=False, weight_in_effect=0.0)
    every = [four, one, last, off]
    assert [part(each, every) for each in every] == [
        "80 % of the mail",
        "20 % of the mail",
        "Fallback: only what the others can't take",
        "No mail",
    ]
    assert part(provider(), [provider(), last]) == "All mail"
    assert part(provider(weight_in_effect=0.1), [four, provider(weight_in_effect=0.1)]) == "Under 1 % of the mail"


def test_changes_are_told_by_what_they_mean() -> None:
    assert told(change("breaker", "closed", "open")).label == "Kept from mail"
    assert told(change("enabled", "true", "false")).label == "Switched off"
    assert told(change("webhook", "", "https://x.example/hooks/mailgun")).label == "Webhook address registered"
    weighed = told(change("weight", "", "80.0"))
    assert (weighed.label, weighed.sentence) == ("Weight 80", "It was as it is set before.")
    assert told(change("weight", "0.0", "")).label == "Weight as it is set"
    assert told(change("breaker", "closed", "molten")).label == "Breaker molten"


def test_the_history_of_all_has_the_newest_first() -> None:
    early, late = (change("enabled", "true", "false", f"2026-03-02T0{hour}:00:00Z") for hour in (6, 7))
    assert history([provider(changes=[early]), provider("ses", changes=[late])]) == [("ses", late), ("mailgun", early)]


@pytest.mark.parametrize(
    ("fields", "label"),
    [
        ({}, "On"),
        ({"failing_since": "2026-03-02T07:00:00Z"}, "Failing"),
        ({"enabled": False}, "Off"),
        ({"enabled": False, "disabled_reason": "It answered 410 Gone."}, "Turned off"),
    ],
)
def test_how_a_webhook_stands(fields: Mapping[str, Any], label: str) -> None:
    found: Any = {"enabled": True, "disabled_reason": None, "failing_since": None, **fields}
    assert webhook_words.standing(cast(Webhook, found)).label == label


def test_kinds_of_events_are_named_shortly() -> None:
    assert webhook_words.kinds_in_words([]) == "Everything"
    assert webhook_words.kinds_in_words(["email.bounced", "email.failed"]) == "bounced, failed"
    assert webhook_words.kinds_in_words(list(webhook_words.KINDS)) == "accepted, delivered, deferred and 11 more"


def test_a_period_counts_back_from_now() -> None:
    asked = {"q": "ann", "reason": "", "scope": "", "since": "7d"}
    assert api_filters(asked, NOW) == {"q": "ann", "reason": "", "scope": "", "since": "2026-02-23T08:00:00Z"}


# -- what is asked of the registry


class Pretended:
    """One provider, and refusals that a test wants."""

    def __init__(self, refusal: Refused | None = None) -> None:
        self.refusal = refusal
        self.asked: list[tuple[str, str, Any, str | None]] = []

    def ask(self, method: str, path: str, body: Any = None, *, key: str | None = None) -> Any:
        if method == "GET":
            return {"data": [provider()]} if path == "/providers" else provider()
        self.asked.append((method, path, body, key))
        if self.refusal:
            raise self.refusal
        return {"emails": [{"id": "eml_01"}]}

    def page(self, path: str, **filters: Any) -> Page[Any]:
        return Page([{"id": f"whm_{number}"} for number in (1, 2)])

    def emails(self, **_: Any) -> Page[Any]:
        raise Refused(403, "Forbidden", "this key lacks the scope emails:read")


@pytest.fixture
def client() -> FlaskClient:
    return signed_in(create_app(Settings(frontend=Frontend(registry_url="http://127.0.0.1:9"))))


def pretend(client: FlaskClient, refusal: Refused | None = None) -> Pretended:
    registry = client.application.extensions[REGISTRY] = Pretended(refusal)
    return registry


def test_a_sample_goes_through_this_provider_alone_under_the_key_of_its_form(client: FlaskClient) -> None:
    registry = pretend(client)
    assert client.get("/providers/mailgun/test").status_code == 200, "though its mail may not be read"
    form = {"to": "you@example.com", "from": "Shop <shop@example.com>", "key": "a-key"}
    answer = client.post("/providers/mailgun/test", data=form, headers=OWN)
    assert answer.headers["Location"] == "/mails/eml_01?done=test-sent"
    [(method, path, mail, key)] = registry.asked
    assert (method, path, key) == ("POST", "/emails", "a-key")
    assert (mail["providers"], mail["to"], mail["ttl_seconds"]) == (["mailgun"], ["you@example.com"], 3600)


def test_who_decides_is_whoever_is_signed_in_unless_they_say(client: FlaskClient) -> None:
    registry = pretend(client)
    client.post("/providers/mailgun/off", data={"reason": " a\n b "}, headers=OWN)
    client.post("/providers/mailgun/weight", data={"weight": "0,5", "by": "Ann"}, headers=OWN)
    client.post("/providers/mailgun/weight", data={"weight": ""}, headers=OWN)
    bodies = [body for _, _, body, _ in registry.asked]
    assert bodies[0] == {"enabled": False, "by": bodies[2]["by"], "reason": "a b"}
    assert bodies[1] == {"weight": 0.5, "by": "Ann"}
    assert bodies[2]["weight"] is None


def test_what_keeps_the_address_from_being_registered_is_said_on_the_page(client: FlaskClient) -> None:
    pretend(client, Refused(409, "Conflict", "set PUBLIC_URL <now>"))
    answer = client.post("/providers/mailgun/webhook", headers=OWN)
    assert answer.status_code == 409


def test_failed_messages_are_each_sent_again_unless_the_webhook_is_off(client: FlaskClient) -> None:
    registry = pretend(client)
    answer = client.post("/webhooks/whk_01/replay", headers=OWN)
    assert answer.headers["Location"] == "/webhooks/whk_01?done=webhook-replayed-several&count=2"
    assert [path for _, path, _, _ in registry.asked] == [
        f"/webhooks/whk_01/messages/whm_{each}/replay" for each in (1, 2)
    ]
    off = pretend(client, Refused(409, "Conflict", "is off"))
    assert "webhook-is-off" in client.post("/webhooks/whk_01/replay", headers=OWN).headers["Location"]
    assert len(off.asked) == 1


def test_a_suppression_that_somebody_else_has_lifted_is_as_it_should_be(client: FlaskClient) -> None:
    pretend(client, Refused(404, "Not found", "no such thing"))
    answer = client.post("/suppressions/sup_01/lift", headers=OWN)
    assert answer.headers["Location"] == "/suppressions?done=suppression-lifted"


def test_an_address_that_is_no_provider_s_name_reaches_nobody(client: FlaskClient) -> None:
    registry = pretend(client)
    for path in ("/providers/..", "/providers/a%2fb", "/providers/Mailgun", "/providers/a.b/off"):
        assert client.get(path).status_code == 404
    assert client.get("/providers/pigeon").status_code == 404
    assert registry.asked == []
