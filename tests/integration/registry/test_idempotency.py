"""Idempotency-Key: whatever happens to a request, repeating it makes one thing."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
from pymongo import MongoClient
from pymongo.monitoring import CommandFailedEvent, CommandListener, CommandStartedEvent, CommandSucceededEvent

from fencepost.api_keys import Scope
from fencepost.deliveries import Delivery
from fencepost.errors import Conflict, Unreachable
from fencepost.schedules import Schedule
from fencepost.settings import Settings
from fencepost.store import Store
from fencepost.store.deliveries import Deliveries
from fencepost.store.idempotency import Begun, IdempotencyKeys
from fencepost.store.mongodb import Document
from fencepost.store.schedules import Schedules
from registry.app import create_app
from registry.parts import Parts
from tests.support.api import MESSAGE, Api, MovableClock, text
from tests.support.keys import Holder, make_key

KEY = {"Idempotency-Key": "order-4711"}


def test_a_repeated_request_gets_the_first_answer(api: Api, store: Store, clock: MovableClock) -> None:
    first = api.call("POST", "/schedules", text(), headers=KEY)
    api.patch(first.headers["Location"], {"name": "Changed since"})
    clock.move(hours=5)
    again = api.call("POST", "/schedules", text(), headers=KEY)
    assert (again.status_code, again.get_json()) == (201, first.get_json())
    assert again.headers["Location"] == first.headers["Location"]
    assert again.headers["ETag"] == first.headers["ETag"]
    assert "Idempotent-Replayed" not in first.headers
    assert again.headers["Idempotent-Replayed"] == "true"
    assert store.database.schedules.count_documents({}) == 1


def test_an_answer_too_large_to_be_kept_is_given_again_from_what_it_made(parts: Parts, store: Store) -> None:
    to = [{"email": f"a{number}@example.com", "variables": {"v": "é" * 30_000}} for number in range(100)]
    body = json.dumps(text(message={**MESSAGE, "to": to}), ensure_ascii=False).encode()
    client = create_app(parts).test_client()
    first, again = (
        client.post("/schedules", data=body, content_type="application/json", headers=KEY) for _ in range(2)
    )
    assert (first.status_code, again.status_code) == (201, 201)
    assert len(first.data) > 16 * 1024 * 1024, "more than one document of MongoDB takes"
    assert again.data == first.data
    assert store.database.schedules.count_documents({}) == 1
    other = client.post("/schedules", json=text(name="Other"), headers=KEY)
    assert other.status_code == 422


def test_the_same_body_in_another_order_is_the_same_body(api: Api) -> None:
    first = api.call("POST", "/schedules", text(), headers=KEY).get_json()
    again = api.call("POST", "/schedules", dict(reversed(text().items())), headers=KEY).get_json()
    assert again["id"] == first["id"]


def test_another_body_under_the_same_key_is_refused(api: Api, store: Store) -> None:
    api.call("POST", "/schedules", text(), headers=KEY)
    refused = api.call("POST", "/schedules", text(name="Other"), headers=KEY)
    assert (refused.status_code, refused.get_json(force=True)["type"]) == (422, "/problems#key-reused")
    assert store.database.schedules.count_documents({}) == 1


def test_keys_belong_to_their_address(api: Api) -> None:
    made = [
        api.call("POST", "/schedules", text(name=name), headers={"Idempotency-Key": name}).get_json() for name in "ab"
    ]
    triggered = [api.call("POST", f"/schedules/{one['id']}/trigger", headers=KEY).get_json()["id"] for one in made]
    assert len(set(triggered)) == 2


def test_what_a_key_for_tests_asked_for_is_not_the_answer_to_a_live_one(parts: Parts, store: Store) -> None:
    app = create_app(parts)
    made = [
        Holder.of(app, make_key(store, parts.clock.now(), Scope.EMAILS_SEND, test=test))
        .call("POST", "/emails", MESSAGE, headers=KEY)
        .get_json()["emails"][0]["id"]
        for test in (True, False)
    ]
    assert [store.deliveries.get("ann", name).get("test", False) for name in made] == [True, False]


def test_a_refused_request_leaves_its_key_free(api: Api) -> None:
    assert api.call("POST", "/schedules", text(name=""), headers=KEY).status_code == 422
    assert api.call("POST", "/schedules", text(), headers=KEY).status_code == 201


@pytest.mark.parametrize("verb", ["/emails", "/emails/batch"])
def test_a_request_without_a_body_leaves_its_key_free(api: Api, verb: str) -> None:
    assert api.call("POST", verb, headers=KEY).status_code == 400
    body = MESSAGE if verb == "/emails" else {"emails": [MESSAGE]}
    assert api.call("POST", verb, body, headers=KEY).status_code == 202


class FailsMeanwhile(CommandListener):
    """The first request with the key fails, and gives it back, just when the second has met it."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def started(self, event: CommandStartedEvent) -> None:
        if event.command_name == "update":
            self._store.idempotency.forget("scope")

    def succeeded(self, event: CommandSucceededEvent) -> None:
        """Nothing to do."""

    def failed(self, event: CommandFailedEvent) -> None:
        """Nothing to do."""


def test_a_request_that_meets_one_that_fails_is_not_taken_for_another(
    store: Store, registry_settings: Settings, clock: MovableClock
) -> None:
    store.idempotency.begin("scope", "hash", "one", clock.now())
    client: MongoClient[Document] = MongoClient(
        registry_settings.mongodb.url, tz_aware=True, event_listeners=[FailsMeanwhile(store)]
    )
    with client, pytest.raises(Conflict):
        IdempotencyKeys(client[store.database.name]).begin("scope", "hash", "two", clock.now())
    assert store.idempotency.begin("scope", "hash", "three", clock.now()) == Begun("three", None)


@pytest.mark.parametrize("key", ["", "x" * 257, "two words", "käse"])
def test_a_key_that_is_none_is_refused(api: Api, key: str) -> None:
    refused = api.call("POST", "/schedules", text(), headers={"Idempotency-Key": key})
    assert refused.status_code == 422
    assert refused.get_json(force=True)["errors"][0]["pointer"] == "/Idempotency-Key"


class Held(Schedules):
    """Waits before it writes."""

    reached = threading.Event()
    go_on = threading.Event()

    def create(self, schedule: Schedule) -> bool:
        self.reached.set()
        assert self.go_on.wait(20)
        return super().create(schedule)


def test_while_the_first_request_is_under_way_the_second_is_told_so(parts: Parts, store: Store) -> None:
    Held.reached.clear()
    Held.go_on.clear()
    app = create_app(replace(parts, store=replace(store, schedules=Held(store.database))))
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(Api(app.test_client()).call, "POST", "/schedules", text(), headers=KEY)
        assert Held.reached.wait(20)
        second = Api(app.test_client()).call("POST", "/schedules", text(), headers=KEY)
        Held.go_on.set()
    assert second.status_code == 409
    assert first.result().status_code == 201
    assert store.database.schedules.count_documents({}) == 1


class Dies(IdempotencyKeys):
    """The process is gone before the answer is on record."""

    def complete(self, scope: str, answer: dict[str, Any]) -> None:
        raise SystemExit


class LosesAnswer(Schedules):
    """Writes, and then the connection breaks."""

    lost = 0

    def create(self, schedule: Schedule) -> bool:
        made = super().create(schedule)
        type(self).lost += 1
        if type(self).lost == 1:
            raise Unreachable("mongodb", "the connection broke")
        return made


def test_a_request_that_broke_off_after_its_write_is_finished_by_its_repetition(parts: Parts, store: Store) -> None:
    LosesAnswer.lost = 0
    api = Api(create_app(replace(parts, store=replace(store, schedules=LosesAnswer(store.database)))).test_client())
    assert api.call("POST", "/schedules", text(), headers=KEY).status_code == 503
    again = api.call("POST", "/schedules", text(), headers=KEY)
    assert (again.status_code, again.get_json()["version"]) == (201, 1)
    assert store.database.schedules.count_documents({}) == 1


def test_a_dead_process_keeps_its_key_for_a_moment_only(
    parts: Parts, api: Api, store: Store, clock: MovableClock
) -> None:
    dying = create_app(replace(parts, store=replace(store, idempotency=Dies(store.database))))
    with pytest.raises(SystemExit):
        Api(dying.test_client()).call("POST", "/schedules", text(), headers=KEY)
    assert api.call("POST", "/schedules", text(), headers=KEY).status_code == 409
    clock.move(seconds=16)
    assert api.call("POST", "/schedules", text(), headers=KEY).status_code == 201
    assert store.database.schedules.count_documents({}) == 1


def test_a_repeated_trigger_is_the_same_occurrence(api: Api, store: Store, clock: MovableClock) -> None:
    path = f"/schedules/{api.create(message={'to': ['a@example.com', 'b@example.com']})['id']}/trigger"
    first = api.call("POST", path, headers=KEY)
    clock.move(minutes=10)
    again = api.call("POST", path, headers=KEY)
    other = api.call("POST", path, headers={"Idempotency-Key": "another"})
    assert (first.status_code, again.get_json()) == (202, first.get_json())
    assert other.get_json()["id"] != first.get_json()["id"]
    assert store.database.occurrences.count_documents({}) == 2
    assert store.database.deliveries.count_documents({}) == 4


class LosesHalf(Deliveries):
    """The first time, one row is written, and then the connection breaks."""

    calls = 0

    def insert(self, rows: Any) -> set[str]:
        type(self).calls += 1
        if type(self).calls == 1:
            super().insert(rows[:1])
            raise Unreachable("mongodb", "the connection broke")
        return super().insert(rows)


def test_a_trigger_that_broke_off_is_completed_and_not_doubled(parts: Parts, store: Store, clock: MovableClock) -> None:
    LosesHalf.calls = 0
    api = Api(create_app(replace(parts, store=replace(store, deliveries=LosesHalf(store.database)))).test_client())
    path = f"/schedules/{api.create(message={'to': ['a@example.com', 'b@example.com']})['id']}/trigger"
    assert api.call("POST", path, headers=KEY).status_code == 503
    clock.move(seconds=3)
    assert api.call("POST", path, headers=KEY).status_code == 202
    rows: list[Delivery] = list(store.database.deliveries.find({}))  # type: ignore[arg-type]
    assert sorted(row["recipient"] for row in rows) == ["a@example.com", "b@example.com"]
    assert len({row["due_at"] for row in rows}) == 1


def test_triggers_without_a_key_are_each_their_own(api: Api, store: Store) -> None:
    path = f"/schedules/{api.create()['id']}/trigger"
    assert api.post(path, status=202)["id"] != api.post(path, status=202)["id"]
    assert store.database.deliveries.count_documents({}) == 2


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/emails", {**MESSAGE, "scheduled_at": "2026-03-02T08:01:00Z"}, 202),
        ("/schedules", text(recurrence={"type": "once", "at": "2026-03-02T08:01:00", "timezone": "UTC"}), 201),
    ],
)
def test_a_repetition_is_judged_by_the_time_of_the_request_that_broke_off(
    parts: Parts, api: Api, store: Store, clock: MovableClock, path: str, body: Any, status: int
) -> None:
    """What it asked for is on record: that the instant has passed meanwhile does not unmake it."""

    dying = create_app(replace(parts, store=replace(store, idempotency=Dies(store.database))))
    with pytest.raises(SystemExit):
        Api(dying.test_client()).call("POST", path, body, headers=KEY)
    clock.move(minutes=10)
    again = api.call("POST", path, body, headers=KEY)
    assert again.status_code == status, again.text
    made = again.get_json()
    [row] = store.database.deliveries.find() if status == 202 else store.database.schedules.find()
    assert row["_id"] == (made["emails"][0]["id"] if status == 202 else made["id"])
