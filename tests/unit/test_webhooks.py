"""Outgoing webhooks: signed as the official library checks it, tried again by the table, ended by what says so."""

import base64
import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from fencepost import webhooks
from fencepost.webhooks import Endpoint, News, Result, Secret

NOW = datetime.now(UTC)
OLD, NEW = (webhooks.new_secret(bytes([number]) * 32) for number in (1, 2))
ENDPOINT = Endpoint("whk_1", "local", "https://example.com", (), "", (Secret(OLD),), True, None, None, NOW, NOW)
NEWS = News("local", "email.delivered", NOW, "eml_1", "k", {"email_id": "eml_1", "subject": "größer"})


def test_the_official_library_takes_what_we_sign_and_nothing_that_was_touched() -> None:
    message = webhooks.message(ENDPOINT, NEWS)
    headers = webhooks.headers(message.id, NOW, message.body, [OLD, NEW])
    for secret in (OLD, NEW):
        assert Webhook(secret).verify(message.body, headers)["type"] == "email.delivered"
    for changed in (message.body + " ", message.body.replace("eml_1", "eml_2")):
        with pytest.raises(WebhookVerificationError):
            Webhook(OLD).verify(changed, headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(OLD).verify(message.body, {**headers, "webhook-id": "whm_other"})


def test_a_secret_has_256_bits_behind_the_known_prefix() -> None:
    assert OLD.startswith("whsec_")
    assert len(base64.b64decode(OLD.removeprefix("whsec_"))) == 32


def test_a_rotated_secret_signs_until_its_overlap_is_over() -> None:
    until = NOW + timedelta(hours=24)
    endpoint = replace(ENDPOINT, secrets=webhooks.rotated(ENDPOINT.secrets, NEW, until))
    assert endpoint.signing(NOW) == [NEW, OLD]
    assert endpoint.signing(until) == [NEW]


def test_waits_follow_the_table_over_three_days_with_some_jitter() -> None:
    dice, waits, attempts = random.Random(1), [], 1
    while again := webhooks.next_attempt(attempts, NOW, dice):
        waits.append((again - NOW).total_seconds())
        attempts += 1
    assert len(waits) == len(webhooks.RETRY_SECONDS)
    for wait, stated in zip(waits, webhooks.RETRY_SECONDS, strict=True):
        assert stated <= wait <= stated * 1.1
    assert sum(webhooks.RETRY_SECONDS) > 3 * 86_400


@pytest.mark.parametrize(
    ("status", "days", "ends"), [(410, 0, True), (500, 2.9, False), (500, 3, True), (None, 3, True), (200, 9, False)]
)
def test_an_endpoint_ends_when_it_says_so_or_takes_nothing_for_three_days(
    status: int | None, days: float, ends: bool
) -> None:
    result = Result(status, 0.1, "")
    assert bool(webhooks.reason_to_disable(result, NOW - timedelta(days=days), NOW)) == ends


def test_the_id_of_a_message_follows_from_what_it_tells() -> None:
    assert webhooks.message_id("whk_1", NEWS) == webhooks.message_id("whk_1", replace(NEWS, data={}))
    others = [replace(NEWS, key="l"), replace(NEWS, kind="email.bounced"), replace(NEWS, email_id="eml_2")]
    assert (
        len({webhooks.message_id("whk_1", each) for each in [NEWS, *others]} | {webhooks.message_id("whk_2", NEWS)})
        == 5
    )


def test_an_endpoint_hears_of_what_it_wants_while_it_is_on() -> None:
    some = replace(ENDPOINT, types=("email.bounced",))
    assert ENDPOINT.wants("email.opened")
    assert not some.wants("email.opened")
    assert some.wants("email.bounced")
    assert some.wants("webhook.test")
    assert not replace(ENDPOINT, enabled=False).wants("email.opened")
