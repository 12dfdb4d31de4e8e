"""Notifiers as they run: what happens to mail reaches whoever wants to know, signed, at least once, and nobody waits for another."""

import json
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests
from standardwebhooks.webhooks import WebhookVerificationError

from fencepost import webhooks
from fencepost.clock import SystemClock
from fencepost.events import Event, EventKind
from fencepost.failpoints import Failpoints
from fencepost.outages import Outages
from fencepost.providers.transport import Transport
from fencepost.schedules import milliseconds
from fencepost.store.webhooks import Webhooks
from fencepost.webhooks import Endpoint, MessageState, News, Secret, rotated
from notifier.calling import attempt, call_once
from notifier.following import Follower
from tests.integration.notifier.conftest import Office, StartsNotifier
from tests.support.endpoint import Consumer, Told
from tests.support.eventually import eventually

Consumers = Callable[..., Consumer]


def test_a_change_of_state_is_told_signed_within_five_seconds(
    office: Office, start_notifier: StartsNotifier, consumer: Consumers
) -> None:
    start_notifier()
    all_of_it, bounces, anothers = consumer(), consumer(), consumer()
    endpoint = office.endpoint(all_of_it.url)
    office.endpoint(bounces.url, types=("email.bounced",))
    office.endpoint(anothers.url, owner="somebody-else")
    eventually(office.is_followed)
    email_id = office.mail()
    for state in ("sending", "accepted", "delivered"):
        office.moves(email_id, state)
    changed_at = time.time()
    told = all_of_it.told
    eventually(lambda: len(told) == 2)
    assert max(each.at for each in told) - changed_at < 5
    events = [each.verified(endpoint.secrets[0].value) for each in told]
    assert {event["type"] for event in events} == {"email.accepted", "email.delivered"}
    assert {event["data"]["email_id"] for event in events} == {email_id}
    assert events[0]["data"]["to"] == ["ann@example.org"]
    assert len({each.id for each in told}) == 2
    office.moves(office.accepted(), "bounced")
    eventually(lambda: bounces.told)
    assert [json.loads(each.body)["type"] for each in bounces.told] == ["email.bounced"]
    assert anothers.told == [], "another's mail is nobody's business"


def test_that_it_was_accepted_is_told_though_delivery_was_told_before_that_was_on_record(
    office: Office, start_notifier: StartsNotifier, consumer: Consumers
) -> None:
    start_notifier()
    everything, acceptances = consumer(), consumer()
    office.endpoint(everything.url)
    office.endpoint(acceptances.url, types=("email.accepted",))
    eventually(office.is_followed)
    email_id = office.mail()
    office.settles_what_was_told_before(email_id)
    eventually(lambda: len(everything.of(email_id)) == 2)
    eventually(lambda: acceptances.of(email_id))
    types = {json.loads(told.body)["type"] for told in everything.of(email_id)}
    assert types == {"email.accepted", "email.delivered"}


def test_what_providers_tell_without_a_change_of_state_is_told_as_well(
    office: Office, start_notifier: StartsNotifier, consumer: Consumers
) -> None:
    start_notifier()
    there = consumer()
    endpoint = office.endpoint(there.url)
    eventually(office.is_followed)
    now = milliseconds(datetime.now(UTC))
    opened = Event("ev-1", "mailgun", EventKind.OPENED, now, "eml_1", 1, None, by_machine=True, detail="Mozilla/5.0")
    assert office.store.events.insert(opened, "local", now, timedelta(days=1))
    [told] = eventually(lambda: there.told)
    event = told.verified(endpoint.secrets[0].value)
    assert event["type"] == "email.opened"
    about = {"email_id": "eml_1", "provider": "mailgun", "detail": "Mozilla/5.0", "machine": True, "test": False}
    assert event["data"] == about


def test_an_event_whose_provider_has_a_fast_clock_is_told_at_once(
    office: Office, start_notifier: StartsNotifier, consumer: Consumers
) -> None:
    start_notifier()
    there = consumer()
    office.endpoint(there.url)
    eventually(office.is_followed)
    now = milliseconds(datetime.now(UTC))
    opened = Event("ev-1", "mailgun", EventKind.OPENED, now + timedelta(hours=1), "eml_1", 1, None)
    assert office.store.events.insert(opened, "local", now, timedelta(days=1))
    [told] = eventually(lambda: there.told)
    assert datetime.fromisoformat(json.loads(told.body)["timestamp"]) == now, "when it came, which is not after now"


def test_a_message_that_cannot_be_read_keeps_no_other_waiting(
    office: Office, start_notifier: StartsNotifier, consumer: Consumers
) -> None:
    process = start_notifier()
    there = consumer()
    endpoint = office.endpoint(there.url)
    eventually(office.is_followed)
    broken = {"_id": "whm_1", "owner_id": "local", "webhook_id": endpoint.id, "state": "pending", "attempt_no": 0}
    office.store.database.webhook_messages.insert_one({**broken, "next_attempt_at": datetime(2026, 1, 1, tzinfo=UTC)})
    eventually(lambda: "KeyError" in process.log.read_text())
    email_id = office.accepted()
    eventually(lambda: there.of(email_id))


def test_both_secrets_sign_while_one_takes_over_from_the_other(
    office: Office, start_notifier: StartsNotifier, consumer: Consumers
) -> None:
    start_notifier()
    there = consumer()
    endpoint = office.endpoint(there.url)
    old, new = endpoint.secrets[0].value, "whsec_" + "QUJD" * 8
    overlap = datetime.now(UTC) + timedelta(hours=1)
    changed = office.store.webhooks.replace_secrets(endpoint, rotated(endpoint.secrets, new, overlap))
    assert changed
    eventually(office.is_followed)
    office.accepted()
    [told] = eventually(lambda: there.told)
    assert told.verified(old) == told.verified(new)
    assert len(told.headers["webhook-signature"].split(" ")) == 2
    office.store.webhooks.replace_secrets(changed, (Secret(new), Secret(old, datetime.now(UTC))))
    office.accepted()
    eventually(lambda: len(there.told) == 2)
    later = there.told[1]
    assert later.verified(new)
    with pytest.raises(WebhookVerificationError):
        later.verified(old)


def test_what_is_refused_is_tried_again_under_the_same_id_and_the_log_tells(
    office: Office, start_notifier: StartsNotifier, consumer: Consumers
) -> None:
    process = start_notifier()
    statuses = iter([500, 302])
    there = consumer(lambda _: next(statuses, 200))
    endpoint = office.endpoint(there.url)
    eventually(office.is_followed)
    office.accepted()

    def the_message() -> tuple[MessageState, int] | None:
        for message in office.store.webhook_messages.page_of(endpoint.id, 10, None).items:
            return message.state, len(message.attempts)
        return None

    eventually(lambda: the_message() == (MessageState.PENDING, 1))
    [message] = office.store.webhook_messages.page_of(endpoint.id, 10, None).items
    [first] = message.attempts
    assert (first["status"], first["answer"]) == (500, "said")
    assert message.next_attempt_at is not None
    assert 4 <= (message.next_attempt_at - first["at"]).total_seconds() <= 8, "the first wait is 5 s"
    assert office.store.webhooks.get("local", endpoint.id).failing_since
    eventually(lambda: len(there.told) == 2, seconds=20)
    eventually(lambda: the_message() == (MessageState.PENDING, 2))
    [message] = office.store.webhook_messages.page_of(endpoint.id, 10, None).items
    assert message.next_attempt_at is not None
    assert (message.next_attempt_at - datetime.now(UTC)).total_seconds() > 200, "the second wait is 5 min"
    assert [each["status"] for each in message.attempts] == [500, 302]
    assert {told.path for told in there.told} == {"/hook"}, "no redirect is followed"

    office.store.webhook_messages.replay(endpoint.id, message.id, milliseconds(datetime.now(UTC)))
    eventually(lambda: the_message() == (MessageState.DELIVERED, 3))
    assert {told.id for told in there.told} == {message.id}
    eventually(lambda: office.store.webhooks.get("local", endpoint.id).failing_since is None)
    metrics = requests.get(f"{process.url}/metrics", timeout=5).text
    assert 'fencepost_webhook_calls_total{result="taken"} 1.0' in metrics
    assert 'fencepost_webhook_calls_total{result="refused"} 2.0' in metrics


def test_an_endpoint_that_is_gone_is_told_nothing_more_and_an_alarm_says_so(
    office: Office, start_notifier: StartsNotifier, consumer: Consumers
) -> None:
    start_notifier()
    there = consumer(lambda _: 410)
    endpoint = office.endpoint(there.url)
    eventually(office.is_followed)
    office.accepted()
    eventually(lambda: not office.store.webhooks.get("local", endpoint.id).enabled)
    assert office.store.webhooks.get("local", endpoint.id).disabled_reason == "It answered 410 Gone."
    [alarm] = eventually(office.store.cluster.alarms)
    assert alarm["kind"] == f"webhook.disabled:{endpoint.id}"


def test_an_endpoint_that_hangs_delays_nobody_else(
    office: Office, start_notifier: StartsNotifier, consumer: Consumers
) -> None:
    start_notifier(
        FENCEPOST_NOTIFIER__SEATS="6",
        FENCEPOST_NOTIFIER__SEATS_PER_OWNER="4",
        FENCEPOST_NOTIFIER__SEATS_PER_ENDPOINT="2",
    )
    over = threading.Event()

    def hang(_: Told) -> int:
        over.wait(30)
        return 200

    stuck = [consumer(hang) for _ in range(3)]
    well = consumer()
    for each in stuck:
        office.endpoint(each.url, owner="slow")
    office.endpoint(well.url, owner="quick")
    eventually(office.is_followed)
    for _ in range(10):
        office.accepted(owner="slow")
    eventually(lambda: sum(len(each.told) for each in stuck) == 4, seconds=20)
    began = time.time()
    ids = [office.accepted(owner="quick") for _ in range(20)]
    eventually(lambda: all(well.of(email_id) for email_id in ids), seconds=20)
    assert max(told.at for told in well.told) - began < 5
    over.set()


def test_an_address_that_is_not_public_is_never_called(
    office: Office, start_notifier: StartsNotifier, consumer: Consumers
) -> None:
    """As if its name had changed since it was taken."""
    start_notifier(FENCEPOST_NOTIFIER__ALLOW_LOOPBACK="false")
    there = consumer()
    endpoint = office.endpoint(there.url)
    eventually(office.is_followed)
    office.accepted()

    def attempts() -> list[object]:
        return [
            each
            for message in office.store.webhook_messages.page_of(endpoint.id, 1, None).items
            for each in message.attempts
        ]

    eventually(attempts)
    [message] = office.store.webhook_messages.page_of(endpoint.id, 1, None).items
    assert message.attempts[0]["status"] is None
    assert message.attempts[0]["answer"].startswith("Not called:")
    assert there.told == []


def test_a_call_goes_to_the_address_that_was_looked_at_under_the_name_that_was_given(
    office: Office, consumer: Consumers
) -> None:
    """No server of names knows this one: whoever asked again would not arrive."""
    there = consumer()
    endpoint = office.endpoint(there.url.replace("127.0.0.1", "hooks.nobody-knows.example"))
    message = webhooks.message(endpoint, News("local", "email.opened", datetime.now(UTC), "eml_1", "k", {}))
    transport = Transport(connections=1)
    result = attempt(
        message,
        endpoint,
        datetime.now(UTC),
        lambda _: ["127.0.0.1"],
        lambda request: call_once(transport, request, 10),
        loopback=True,
    )
    transport.close()
    assert result.well, result.answer
    [told] = there.told
    assert told.headers["host"] == endpoint.url.split("/")[2]


def test_an_answer_is_read_to_64_kib_and_no_further(
    office: Office, start_notifier: StartsNotifier, consumer: Consumers
) -> None:
    start_notifier()
    fitting, longer = consumer(lambda _: 200), consumer(lambda _: 200)
    fitting.says, longer.says = b"x" * 65_536, b"x" * 65_537
    endpoints = [office.endpoint(each.url) for each in (fitting, longer)]
    eventually(office.is_followed)
    office.accepted()

    def ended(webhook_id: str) -> list[tuple[int | None, int]]:
        page = office.store.webhook_messages.page_of(webhook_id, 1, None)
        return [(each["status"], len(each["answer"])) for message in page.items for each in message.attempts]

    [(status, length)] = eventually(lambda: ended(endpoints[0].id))
    assert (status, length <= 1000) == (200, True)
    [(status, length), *_] = eventually(lambda: ended(endpoints[1].id))
    assert (status, length <= 1000) == (None, True), "nobody can make us hold more"


@pytest.mark.parametrize("place", ["N1.before", "N1.after", "N2.after"])
def test_a_notifier_that_is_killed_is_followed_and_repetitions_have_the_same_id(
    office: Office, start_notifier: StartsNotifier, consumer: Consumers, place: str
) -> None:
    there = consumer()
    office.endpoint(there.url)
    first = start_notifier(FENCEPOST_FAILPOINT=f"{place}:kill:2")
    eventually(office.is_followed)
    email_ids = []
    for number in range(2):
        email_ids.append(office.accepted())
        if number == 0:
            eventually(lambda: there.of(email_ids[0]))
    eventually(lambda: not first.alive, seconds=20)
    email_ids.append(office.accepted())  # while nobody reads
    start_notifier()
    eventually(lambda: all(there.of(email_id) for email_id in email_ids), seconds=30)
    if place == "N2.after":
        eventually(lambda: len(there.of(email_ids[1])) == 2, seconds=30)
    for email_id in email_ids:
        assert len({told.id for told in there.of(email_id)}) == 1, "its consumer tells repetitions by the id"
    assert office.store.database.webhook_messages.count_documents({}) == 3, "each is on record once"


def test_a_history_that_is_lost_is_told_as_far_as_it_still_shows(
    office: Office, start_notifier: StartsNotifier, consumer: Consumers
) -> None:
    there = consumer()
    office.endpoint(there.url)
    first = start_notifier()
    eventually(office.is_followed)
    office.accepted()
    eventually(lambda: there.told)
    assert first.stop(30) == 0
    missed = office.accepted()
    # A token that the server can make nothing of.
    token = {"_data": "zz"}
    office.store.database.cluster.update_one({"_id": "notifier"}, {"$set": {"token": token}})
    start_notifier()
    eventually(lambda: there.of(missed), seconds=20)
    assert len({told.id for told in there.told}) == 2, "what was told before is not told under another id"
    assert "webhooks.history_lost" in {alarm["kind"] for alarm in office.store.cluster.alarms()}
    later = office.accepted()
    eventually(lambda: there.of(later), seconds=20)


def test_of_a_lost_history_it_is_known_how_far_it_was_read_by_who_was_behind(
    office: Office, start_notifier: StartsNotifier, consumer: Consumers
) -> None:
    there = consumer()
    office.endpoint(there.url)
    behind = start_notifier(FENCEPOST_FAILPOINT="N1.before:kill:3")
    eventually(office.is_followed)
    behind.pause()
    office.accept_many(1200)
    wrote_at = office.store.now()
    # Longer than what is read twice anyhow.
    eventually(lambda: office.store.now() - wrote_at > timedelta(seconds=4))
    behind.resume()
    eventually(lambda: not behind.alive, seconds=20)
    told = office.store.database.webhook_messages.count_documents({})
    assert 0 < told < 1200, "it came half-way"
    office.store.database.cluster.update_one({"_id": "notifier"}, {"$set": {"token": {"_data": "zz"}}})
    start_notifier()
    eventually(lambda: office.store.database.webhook_messages.count_documents({}) == 1200, seconds=30)


class LooksSlowly:
    """The endpoints, read once by a notifier that is frozen right after."""

    def __init__(self, webhooks: Webhooks, meanwhile: Callable[[], None]) -> None:
        self._webhooks, self._meanwhile = webhooks, [meanwhile]

    def enabled(self) -> dict[str, Endpoint]:
        found = self._webhooks.enabled()
        while self._meanwhile:
            self._meanwhile.pop()()
        return found


def test_who_registers_while_a_notifier_is_frozen_is_told_of_what_comes_after(
    office: Office, clock: SystemClock
) -> None:
    accepted = []

    def meanwhile() -> None:
        office.endpoint("http://127.0.0.1:9/hook")
        accepted.append(office.accepted())
        at = office.store.now()
        eventually(lambda: office.store.now() - at > timedelta(seconds=4))

    slow: Any = LooksSlowly(office.store.webhooks, meanwhile)
    store = replace(office.store, webhooks=slow)
    outages = Outages(clock)
    follower = Follower(store, "one", timedelta(seconds=10), clock, outages, Failpoints(), lambda _: None)
    stop = threading.Event()
    thread = threading.Thread(target=follower.run, args=(stop,))
    thread.start()
    try:
        found = eventually(lambda: office.store.database.webhook_messages.find_one(), seconds=20)
    finally:
        stop.set()
        thread.join(20)
    assert found
    assert found["email_id"] == accepted[0]


def test_of_two_notifiers_one_reads_and_both_send(
    office: Office, start_notifier: StartsNotifier, consumer: Consumers
) -> None:
    together, met = threading.Barrier(2), threading.Event()

    def answer(_: Told) -> int:
        """Two at a time, of which a notifier makes one."""
        if not met.is_set():
            try:
                together.wait(4)
            except threading.BrokenBarrierError:
                together.reset()
                return 503
            met.set()
        return 204

    there = consumer(answer)
    office.endpoint(there.url)
    both = [start_notifier(FENCEPOST_NOTIFIER__SEATS_PER_ENDPOINT="1") for _ in range(2)]

    def reading() -> list[float]:
        return [metric(process.url, "fencepost_webhook_reading") for process in both]

    eventually(lambda: sorted(reading()) == [0.0, 1.0])
    eventually(office.is_followed)
    email_ids = [office.accepted() for _ in range(50)]
    eventually(lambda: all(there.of(email_id) for email_id in email_ids), seconds=30)
    assert met.is_set()
    assert len({told.id for told in there.told}) == 50
    reader = both[reading().index(1.0)]
    reader.kill()
    both.remove(reader)
    last = office.accepted()
    eventually(lambda: there.of(last), seconds=20)
    assert "Traceback" not in both[0].log.read_text()


def metric(url: str, name: str) -> float:
    lines = requests.get(f"{url}/metrics", timeout=5).text.splitlines()
    return next(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(name))
