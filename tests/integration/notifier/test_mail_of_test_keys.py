"""Mail of a test key tells all that real mail tells, by API and to endpoints, and no provider hears of it: with a real registry,
sender and notifier."""

from collections import defaultdict
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import requests

from fencepost.api_keys import Scope
from tests.integration.notifier.conftest import Office, StartsNotifier
from tests.support.endpoint import Consumer
from tests.support.eventually import eventually
from tests.support.keys import make_key
from tests.support.world import World
from tests.support.worlds import _provider, make_world, nursery, provider, world

__all__ = ["_provider", "make_world", "nursery", "provider", "world"]

EXPECTED = {
    "ann": {"accepted", "delivered"},
    "bounced+7": {"accepted", "bounced"},
    "complained": {"accepted", "delivered", "complained"},
    "opened": {"accepted", "delivered", "opened"},
    "clicked": {"accepted", "delivered", "opened", "clicked"},
    "unsubscribed": {"accepted", "delivered", "opened", "unsubscribed"},
}
"""What an endpoint is told, by the address."""


def test_mail_of_a_test_key_tells_all_that_real_mail_does_and_reaches_no_provider(
    world: World, office: Office, start_notifier: StartsNotifier, consumer: Callable[..., Consumer]
) -> None:
    world.start_registry()
    world.start(2)
    start_notifier()
    there = consumer()
    endpoint = office.endpoint(there.url)
    eventually(office.is_followed, seconds=30)
    secret = make_key(world.store, datetime.now(UTC), Scope.EMAILS_SEND, Scope.EMAILS_READ, owner_id="local", test=True)

    def ask(method: str, path: str, body: object = None) -> Any:
        headers = {"Authorization": f"Bearer {secret}"}
        answer = requests.request(method, f"{world.registry_url}{path}", json=body, headers=headers, timeout=30)
        assert answer.ok, answer.text
        return answer.json()

    to = [f"{name}@example.com" for name in EXPECTED]
    mail = {"from": "Fence Post <post@sandbox.example.com>", "to": to, "subject": "Figures", "text": "Here they are."}
    names = {each["id"]: each["to"].partition("@")[0] for each in ask("POST", "/emails", mail)["emails"]}

    def told() -> dict[str, set[str]]:
        found: dict[str, set[str]] = defaultdict(set)
        for each in list(there.told):
            event = each.verified(endpoint.secrets[0].value)
            assert event["data"]["test"] is True
            found[names[event["data"]["email_id"]]].add(event["type"].removeprefix("email."))
        return found

    eventually(lambda: told() == EXPECTED, seconds=30)
    for email_id, name in names.items():
        email = ask("GET", f"/emails/{email_id}")
        assert email["test"] is True
        assert email["state"] in EXPECTED[name] - {"accepted"}
        assert bool(email["tracking"]["clicked_at"]) == (name == "clicked")
        [attempt] = email["attempts"]
        assert attempt["called_at"] is None
    assert world.provider.requests() == {}
    assert world.store.database.suppressions.count_documents({}) == 0, "a test keeps no real mail back"
