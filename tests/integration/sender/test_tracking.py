"""What becomes of a mail that a real sender sent, told by each provider's webhooks through the registry's own route."""

from collections import Counter
from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import pytest
import requests

from fencepost.deliveries import State
from fencepost.tracking import RANK
from tests.support.eventually import eventually
from tests.support.world import World
from tests.support.worlds import MakesWorld

TOLD = ("mailgun", "sendgrid", "mailjet", "ses")
MAIL = {"from": "Fence Post <post@sandbox.example.com>", "subject": "Figures", "html": "<p>Here they are.</p>"}
_ORDER = {State.PENDING: -2, State.SENDING: -1, **RANK}


@pytest.fixture
def world(make_world: MakesWorld) -> World:
    """One with a sender, a registry that hears of what becomes of mail, and all providers that tell."""
    own = make_world({"FENCEPOST_PROVIDERS__ORDER": ",".join(TOLD)})
    own.start_registry(tracking=True)
    own.start(1)
    return own


def post(world: World, to: str, **changes: Any) -> str:
    """The id of a mail to that address."""
    [email] = world.call("POST", "/emails", {**MAIL, "to": [to], **changes})["emails"]
    return str(email["id"])


def shown(world: World, email_id: str) -> dict[str, Any]:
    found: dict[str, Any] = world.call("GET", f"/emails/{email_id}")
    return found


def watched(world: World, names: Mapping[str, str], until: str) -> dict[str, list[dict[str, Any]]]:
    """Each of these mails at every look at it, until it was `clicked_at`, say."""
    seen: dict[str, list[dict[str, Any]]] = {name: [] for name in names}

    def there() -> bool:
        for name, email_id in names.items():
            seen[name].append(shown(world, email_id))
        return all(each[-1]["tracking"][until] for each in seen.values())

    eventually(there, seconds=60, every=0.02)
    return seen


def never_backwards(seen: list[dict[str, Any]]) -> None:
    ranks = [_ORDER[State(each["state"])] for each in seen]
    assert ranks == sorted(ranks), [each["state"] for each in seen]
    for earlier, later in pairwise(seen):
        for name, value in earlier["tracking"].items():
            if name.endswith("_at") and value is not None:
                assert later["tracking"][name] is not None, name
            elif not name.endswith("_at"):
                assert later["tracking"][name] >= value, name


def test_mail_is_delivered_then_opened_then_clicked_whoever_sent_it(world: World) -> None:
    world.provider.dials(opens=1, machine_opens=1, clicks=1, reading_ms=400)
    names = {name: post(world, f"{name}@example.com", providers=[name]) for name in TOLD}
    for name, seen in watched(world, names, "clicked_at").items():
        never_backwards(seen)
        last, tracking = seen[-1], seen[-1]["tracking"]
        assert (last["state"], last["provider"]) == ("delivered", name)
        assert tracking["delivered_at"] <= tracking["opened_at"] <= tracking["clicked_at"], name
        assert (tracking["opens"], tracking["clicks"], tracking["machine_opens"]) == (1, 1, 1), name


def test_who_bounced_gets_no_more_mail_whoever_told_of_it(world: World) -> None:
    world.provider.dials(hard_bounces=1)
    names = {name: post(world, f"{name}@example.com", providers=[name]) for name in TOLD}
    for name, seen in watched(world, names, "bounced_at").items():
        never_backwards(seen)
        assert seen[-1]["state"] == "bounced", name

    def suppressed() -> bool:
        found = {each["email"]: each["reason"] for each in world.call("GET", "/suppressions")["data"]}
        assert found == {f"{name}@example.com": "bounce" for name in TOLD}
        return True

    eventually(suppressed)
    again = [post(world, f"{name}@example.com") for name in TOLD]
    eventually(lambda: {shown(world, email_id)["state"] for email_id in again} == {"suppressed"}, seconds=30)
    assert not set(again) & set(world.provider.requests())


def test_each_event_told_46_times_in_disorder_is_kept_once(world: World) -> None:
    world.provider.dials(opens=1, clicks=1, complaints=1, webhook_duplicates=45, webhook_shuffle=True, reading_ms=0)
    names = {name: post(world, f"{name}@example.com", providers=[name]) for name in TOLD}
    kinds = {"delivered", "opened", "clicked", "complained"}

    def all_told_and_quiet() -> bool:
        """Each event has come 46 times: to the registry, which counts its calls, and in those that gather several."""
        assert min(told(world, "mailgun"), told(world, "ses")) >= 46 * 5
        return all(kinds <= set(kinds_of(world, email_id)) for email_id in names.values())

    eventually(all_told_and_quiet, seconds=90)
    for name, email_id in names.items():
        expected = kinds if name == "mailjet" else {*kinds, "accepted"}
        assert Counter(kinds_of(world, email_id)) == Counter(expected), name
        email = shown(world, email_id)
        assert (email["state"], email["tracking"]["opens"], email["tracking"]["clicks"]) == ("complained", 1, 1), name


def kinds_of(world: World, email_id: str) -> list[str]:
    return [event.kind.value for event in world.store.events.of([email_id]).get(email_id, [])]


def told(world: World, provider: str) -> float:
    """How many calls of a provider's the registry has answered."""
    lines = requests.get(f"{world.registry_url}/metrics", timeout=10).text.splitlines()
    mine = [line for line in lines if line.startswith("fencepost_hooks_total{") and f'"{provider}"' in line]
    return sum(float(line.rpartition(" ")[2]) for line in mine)
