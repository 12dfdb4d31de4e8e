"""The addresses that providers are to tell, registered by our own calls at the simulator's dialects."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from devstack.hook_keys import HookKeys
from fencepost.errors import Conflict
from fencepost.providers.asking import perform
from fencepost.providers.registering import Registered, Result, steps
from fencepost.settings import Providers
from tests.integration.simulator.conftest import Simulator, StartsSimulator
from tests.integration.simulator.test_mailgun_dialect import FORM
from tests.integration.simulator.test_webhooks import KEY, Listener
from tests.support.eventually import eventually

PUBLIC = "http://127.0.0.1:9"
NAMES = ("mailgun", "sendgrid", "mailjet", "ses")


@pytest.fixture(autouse=True)
def _forgets(simulator: Simulator) -> Iterator[None]:
    yield
    simulator.http.delete(f"{simulator.url}/_simulator/registrations", timeout=10)


def settings(simulator: Simulator, **changes: dict[str, Any]) -> Providers:
    own: dict[str, dict[str, Any]] = {
        "mailgun": {"base_url": simulator.url, "webhook_signing_key": "signing"},
        "sendgrid": {"base_url": simulator.url},
        "mailjet": {"base_url": simulator.url, "webhook_credentials": "hooks:secret"},
        "ses": {"sns_base_url": f"{simulator.url}/sns", "topic_arns": ["arn:aws:sns:us-east-1:123456789012:mail"]},
    }
    return Providers.model_validate({name: {**given, **changes.get(name, {})} for name, given in own.items()})


def register(simulator: Simulator, name: str, public_url: str = PUBLIC, **changes: Any) -> Registered:
    """`changes` are settings of that provider."""
    found = settings(simulator, **{name: changes})
    return perform(name, steps(name, found, public_url, lambda: datetime.now(UTC)), seconds=30)


@pytest.mark.parametrize("name", NAMES)
def test_each_dialect_keeps_the_address_and_knows_it_the_next_time(simulator: Simulator, name: str) -> None:
    assert set(register(simulator, name).kinds.values()) == {Result.REGISTERED}
    [kept] = simulator.get("registrations")[name]
    assert kept.replace("hooks:secret@", "") == f"{PUBLIC}/hooks/{name}"
    assert set(register(simulator, name).kinds.values()) == {Result.KNOWN}
    assert simulator.get("registrations")[name] == [kept]


@pytest.mark.parametrize("name", NAMES)
def test_each_dialect_refuses_another_key(simulator: Simulator, name: str) -> None:
    wrong: dict[str, Any] = {"access_key_id" if name == "ses" else "api_key": "wrong"}
    with pytest.raises(Conflict, match="does not let us register"):
        register(simulator, name, **wrong)
    assert simulator.get("registrations")[name] == []


def test_a_second_address_stands_beside_the_first_or_is_told_to_be_one_too_many(simulator: Simulator) -> None:
    for number in (1, 2, 3):
        assert Result.TAKEN not in register(simulator, "mailgun", f"http://127.0.0.{number}").kinds.values()
    assert set(register(simulator, "mailgun", "http://127.0.0.4").kinds.values()) == {Result.TAKEN}
    for number in (1, 2):
        register(simulator, "sendgrid", f"http://127.0.0.{number}")
    with pytest.raises(Conflict, match="maximum number of webhooks"):
        register(simulator, "sendgrid", "http://127.0.0.3")
    register(simulator, "mailjet")
    assert set(register(simulator, "mailjet", "http://127.0.0.2").kinds.values()) == {Result.TAKEN}
    assert len(simulator.get("registrations")["mailgun"]) == 3


def test_a_new_password_for_mailjet_takes_the_place_of_the_old_one(simulator: Simulator) -> None:
    register(simulator, "mailjet")
    changed = register(simulator, "mailjet", webhook_credentials="hooks:new")
    assert set(changed.kinds.values()) == {Result.REGISTERED}
    assert simulator.get("registrations")["mailjet"] == ["http://hooks:new@127.0.0.1:9/hooks/mailjet"]


def test_an_address_that_is_registered_at_mailguns_api_is_told_of_what_becomes_of_mail(
    start_simulator: StartsSimulator,
) -> None:
    listener = Listener()
    simulator = start_simulator(WEBHOOK_SIGNING_KEY=KEY)
    register(simulator, "mailgun", listener.url.removesuffix("/hooks/mailgun").removesuffix("/hooks"))
    assert simulator.post(FORM).status_code == 200
    eventually(lambda: "delivered" in listener.told(), seconds=20)
    listener.close()


def test_what_sendgrid_says_that_it_signs_with_is_what_verifies_its_calls(start_simulator: StartsSimulator) -> None:
    keys = HookKeys.fresh("http://127.0.0.1:9")
    prefix = "FENCEPOST_SIMULATOR__"
    simulator = start_simulator(**{name.removeprefix(prefix): value for name, value in keys.simulator.items()})
    ours = keys.registry["FENCEPOST_PROVIDERS__SENDGRID__WEBHOOK_PUBLIC_KEY"]
    [sentence] = register(simulator, "sendgrid").to_do
    assert sentence.endswith(f"FENCEPOST_PROVIDERS__SENDGRID__WEBHOOK_PUBLIC_KEY={ours}")
    assert register(simulator, "sendgrid", webhook_public_key=ours).to_do == ()
