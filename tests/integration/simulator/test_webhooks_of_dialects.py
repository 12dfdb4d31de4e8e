"""The simulator tells of what became of mail in the dialects of SendGrid, Mailjet and SES: what Fencepost's own readers verify and
understand, gathered and repeated as each of them does."""

import json
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest
import requests

from devstack.hook_keys import HookKeys
from devstack.processes import free_port
from fencepost.events import Event, EventKind
from fencepost.providers.fetching import fetch
from fencepost.providers.hook_readers import reader
from fencepost.providers.hooks import HookReader
from fencepost.providers.transport import Transport
from fencepost.settings import load
from tests.integration.simulator.conftest import Simulator, _start, call, mail
from tests.support.endpoint import Consumer, Told
from tests.support.eventually import eventually

OTHERS = ("sendgrid", "mailjet", "ses")


@dataclass
class Ear:
    """Hears the simulator, verifies each call as the registry does, and confirms a subscription."""

    readers: dict[str, HookReader]
    answers: list[int] = field(default_factory=list)
    """For the next calls that tell of something; then 200."""
    confirms: bool = True
    events: list[Event] = field(default_factory=list)
    calls: list[Told] = field(default_factory=list)

    def __call__(self, told: Told) -> int:
        found = self.readers[told.path.rpartition("/")[2]].read(told.body, told.headers, datetime.now(UTC))
        for each in found:
            if each.visit:
                if self.confirms:
                    fetch(each.visit)
                return 200
        self.calls.append(told)
        self.events += [each.event for each in found if each.event]
        return self.answers.pop(0) if self.answers else 200

    def kinds(self) -> list[EventKind]:
        return [event.kind for event in self.events]


@pytest.fixture(scope="module")
def _telling(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Simulator, Ear, Consumer]]:
    port = free_port()
    keys = HookKeys.fresh(f"http://127.0.0.1:{port}")
    providers = load(keys.registry).providers
    ear = Ear({name: reader(name, providers, fetch) for name in OTHERS})
    consumer = Consumer(ear)
    settings = {name.removeprefix("FENCEPOST_SIMULATOR__"): value for name, value in keys.simulator.items()}
    simulator = _start(tmp_path_factory.mktemp("telling"), {"PORT": str(port), "HOOKS_URL": consumer.url, **settings})
    yield simulator, ear, consumer
    simulator.http.close()
    simulator.process.kill()
    consumer.stop()


@pytest.fixture
def ear(_telling: tuple[Simulator, Ear, Consumer]) -> Ear:
    """It has heard nothing yet. Each test waits for all that it caused."""
    _, ear, _ = _telling
    ear.events, ear.calls, ear.answers, ear.confirms = [], [], [], True
    return ear


@pytest.fixture
def consumer(_telling: tuple[Simulator, Ear, Consumer]) -> Consumer:
    """Where the ear listens."""
    return _telling[2]


@pytest.fixture
def telling(_telling: tuple[Simulator, Ear, Consumer]) -> Simulator:
    simulator, _, _ = _telling
    simulator.dial()
    simulator.http.delete(f"{simulator.url}/_simulator/ledger", timeout=10)
    return simulator


@pytest.fixture
def send(telling: Simulator, transport: Transport) -> Callable[..., None]:
    """Have so many mails accepted in that dialect."""

    def now(name: str, count: int = 1) -> None:
        adapter = telling.adapter(name)
        call(transport, *(adapter.request(mail(number)) for number in range(count)))
        assert telling.get("ledger/count")["accepted"] >= count

    return now


@pytest.mark.parametrize("name", OTHERS)
def test_all_that_can_become_of_a_mail_is_told_and_understood(
    telling: Simulator, ear: Ear, send: Callable[..., None], name: str
) -> None:
    telling.dial(opens=1, machine_opens=1, clicks=1, complaints=1, unsubscribes=1)
    send(name)
    expected = Counter(["delivered", "opened", "opened", "clicked", "complained", "unsubscribed"])
    if name != "mailjet":  # which says nothing before the recipient's server has it
        expected["accepted"] += 1
    eventually(lambda: Counter(ear.kinds()) == expected, seconds=30)
    assert {(event.delivery_id, event.attempt_no) for event in ear.events} == {(mail(0).delivery_id, 1)}
    assert {event.recipient for event in ear.events} == {"ada@example.org"}
    assert [event.kind for event in ear.events if event.by_machine] == ["opened"]
    assert len({event.id for event in ear.events}) == len(ear.events)
    [entry] = telling.ledger()
    assert {event.receipt for event in ear.events} == {entry["message_id"]}


@pytest.mark.parametrize("name", OTHERS)
@pytest.mark.parametrize("dial", ["hard_bounces", "soft_bounces"])
def test_a_bounce_says_whether_it_lasts(
    telling: Simulator, ear: Ear, send: Callable[..., None], name: str, dial: str
) -> None:
    telling.dial(**{dial: 1, "opens": 1})
    send(name)
    eventually(lambda: EventKind.BOUNCED in ear.kinds(), seconds=30)
    assert set(ear.kinds()) <= {EventKind.ACCEPTED, EventKind.BOUNCED}
    assert ear.events[-1].is_hard == (dial == "hard_bounces")


def test_sendgrid_and_mailjet_gather_and_sns_does_not(ear: Ear, send: Callable[..., None]) -> None:
    events = {"sendgrid": 40, "mailjet": 20, "ses": 40}
    for name in OTHERS:
        send(name, 20)
    eventually(lambda: len(ear.events) == sum(events.values()), seconds=30)
    calls = Counter(told.path.rpartition("/")[2] for told in ear.calls)
    assert calls["ses"] == events["ses"]
    assert all(calls[name] < events[name] for name in ("sendgrid", "mailjet")), calls


@pytest.mark.parametrize("name", OTHERS)
def test_what_is_not_taken_is_repeated_word_for_word(ear: Ear, send: Callable[..., None], name: str) -> None:
    ear.answers = [503, 500]
    send(name)
    counts = eventually(lambda: counted_bodies(ear, name), seconds=30)
    assert max(counts.values()) >= 2


def counted_bodies(ear: Ear, name: str) -> Counter[bytes]:
    """How often each call came, once all events have come and two of the calls were refused."""
    expected = {EventKind.DELIVERED} if name == "mailjet" else {EventKind.ACCEPTED, EventKind.DELIVERED}
    counts = Counter(told.body for told in ear.calls)
    assert set(ear.kinds()) == expected
    assert counts.total() == len(counts) + 2, "each refusal is made up for by one repetition"
    return counts


def test_sns_does_not_repeat_what_was_refused(ear: Ear, send: Callable[..., None]) -> None:
    ear.answers = [406, 404]
    send("ses")
    send("ses")
    eventually(lambda: len(ear.calls) == 4, seconds=30)
    assert len({told.body for told in ear.calls}) == 4


def test_duplicates_and_disorder_bear_the_same_names(telling: Simulator, ear: Ear, send: Callable[..., None]) -> None:
    telling.dial(webhook_duplicates=9, webhook_shuffle=True, opens=1, seed=5)
    for name in ("sendgrid", "ses"):
        send(name)
    eventually(lambda: len(ear.events) == 60, seconds=30)
    assert len({event.id for event in ear.events}) == 6
    order = [event.at for event in ear.events]
    assert order != sorted(order)


def test_nothing_is_told_through_a_topic_before_its_subscription_is_confirmed(
    telling: Simulator, ear: Ear, send: Callable[..., None], consumer: Consumer
) -> None:
    ear.confirms = False
    consumer.told.clear()
    point(telling, consumer.url)
    send("ses")

    def invited() -> dict[str, Any]:
        messages = [json.loads(told.body) for told in consumer.told]
        assert [message["Type"] for message in messages][:2] == ["SubscriptionConfirmation"] * 2
        found: dict[str, Any] = messages[0]
        return found

    url = eventually(invited, seconds=30)["SubscribeURL"]
    assert requests.get(url.replace("Token=", "Token=0"), timeout=10).status_code == 400
    assert not ear.calls
    assert requests.get(url, timeout=10).status_code == 200
    eventually(lambda: len(ear.calls) == 2, seconds=30)


def test_who_is_told_nothing_hears_nothing(
    telling: Simulator, ear: Ear, send: Callable[..., None], consumer: Consumer
) -> None:
    point(telling, None)
    send("sendgrid")
    point(telling, consumer.url)
    send("sendgrid")
    eventually(lambda: len(ear.events) == 2, seconds=30)
    assert {event.receipt for event in ear.events} == {telling.ledger()[1]["message_id"]}


def test_an_address_that_is_none_is_refused(telling: Simulator) -> None:
    bodies: list[object] = [{"url": "ftp://x"}, {"url": 7}, {}, []]
    for body in bodies:
        answer = telling.http.put(f"{telling.url}/_simulator/webhooks", json=body, timeout=10)
        assert answer.status_code == 422, body


def point(simulator: Simulator, url: str | None) -> None:
    answer = simulator.http.put(f"{simulator.url}/_simulator/webhooks", json={"url": url}, timeout=10)
    assert answer.status_code == 200
