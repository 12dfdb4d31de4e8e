"""/api-keys: shown once, stored as a hash, given on only in part, revoked for good."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from bson import BSON
from flask import Flask
from pydantic import SecretStr

from fencepost.api_keys import Scope
from fencepost.clock import iso
from fencepost.store import Store
from registry.app import create_app
from registry.parts import Parts
from tests.support.api import Api, MovableClock
from tests.support.keys import Holder, key_id_of, make_key

SHOP = {"name": "Shop", "scopes": ["emails:read", "emails:send"]}


@pytest.fixture
def app(parts: Parts) -> Flask:
    registry = parts.settings.registry.model_copy(update={"key_pepper": SecretStr("pepper")})
    return create_app(replace(parts, settings=parts.settings.model_copy(update={"registry": registry})))


@pytest.fixture
def machine(app: Flask) -> Api:
    """The user of this machine, who may do everything."""
    return Api(app.test_client())


def holder(app: Flask, store: Store, clock: MovableClock, *scopes: Scope, **fields: Any) -> Holder:
    return Holder.of(app, make_key(store, clock.now(), *scopes, **fields))


def test_a_new_key_opens_what_it_is_for_and_says_so_of_itself(app: Flask, machine: Api) -> None:
    made = machine.post("/api-keys", SHOP, status=201)
    shop = Holder.of(app, made["secret"])
    assert shop.get("/emails")["data"] == []
    assert shop.get("/schedules", status=403)["detail"] == "this key lacks the scope schedules:read"
    assert shop.get("/api-keys/current") == {
        "key_id": made["id"],
        "owner_id": "local",
        "name": "Shop",
        "scopes": ["emails:read", "emails:send"],
        "test": False,
        "expires_at": None,
    }


def test_the_secret_is_shown_once(machine: Api) -> None:
    made = machine.post("/api-keys", SHOP, status=201)
    for shown in (machine.get(f"/api-keys/{made['id']}"), *machine.get("/api-keys")["data"]):
        assert shown == {name: value for name, value in made.items() if name != "secret"}


def test_a_dump_of_the_database_holds_no_usable_key(machine: Api, store: Store) -> None:
    secret = machine.post("/api-keys", SHOP, status=201)["secret"]
    Holder.of(machine.client.application, secret).get("/emails")
    dump = b"".join(
        BSON.encode(row) for name in store.database.list_collection_names() for row in store.database[name].find()
    )
    assert key_id_of(secret).encode() in dump
    assert secret.rpartition("_")[2].encode() not in dump
    [row] = store.database.api_keys.find()
    assert row["digest"].startswith("hmac-sha256:")


def test_a_revoked_key_opens_nothing_and_stays_on_record(app: Flask, machine: Api) -> None:
    made = machine.post("/api-keys", SHOP, status=201)
    shop = Holder.of(app, made["secret"])
    shop.get("/emails")
    revoked = machine.delete(f"/api-keys/{made['id']}")
    assert revoked["revoked_at"]
    refused = shop.call("GET", "/emails")
    assert (refused.status_code, refused.get_json()["detail"]) == (401, "this key was revoked")
    assert machine.delete(f"/api-keys/{made['id']}") == revoked
    assert machine.get(f"/api-keys/{made['id']}") == revoked


def test_a_key_can_not_give_what_it_does_not_have(app: Flask, store: Store, clock: MovableClock) -> None:
    manager = holder(app, store, clock, Scope.KEYS_MANAGE, Scope.EMAILS_READ)
    made = manager.post("/api-keys", {"name": "Reader", "scopes": ["emails:read"]}, status=201)
    assert made["owner_id"] == "ann"
    for body, lacking in (
        ({"scopes": ["emails:read", "emails:send"]}, "emails:send"),
        ({"scopes": ["admin"]}, "admin"),
        ({"scopes": ["emails:read"], "owner_id": "bob"}, "admin"),
    ):
        assert lacking in manager.post("/api-keys", {"name": "More", **body}, status=403)["detail"]
    manager.post("/api-keys", {"name": "Own", "scopes": ["emails:read"], "owner_id": "ann"}, status=201)


def test_a_key_that_expires_makes_none_that_outlives_it(app: Flask, store: Store, clock: MovableClock) -> None:
    end = clock.now().replace(microsecond=0) + timedelta(hours=1)
    manager = holder(app, store, clock, Scope.KEYS_MANAGE, expires_at=end)
    body = {"name": "Later", "scopes": ["keys:manage"]}
    assert "expires" in manager.post("/api-keys", body, status=403)["detail"]
    manager.post("/api-keys", {**body, "expires_at": iso(end + timedelta(seconds=1))}, status=403)
    manager.post("/api-keys", {**body, "expires_at": iso(end - timedelta(seconds=1))}, status=201)


def test_a_key_for_tests_makes_no_keys(app: Flask, store: Store, clock: MovableClock) -> None:
    tester = holder(app, store, clock, Scope.ADMIN, test=True)
    assert "for tests" in tester.post("/api-keys", SHOP, status=403)["detail"]


def test_admin_makes_and_revokes_keys_of_every_owner(app: Flask, store: Store, clock: MovableClock) -> None:
    admin = holder(app, store, clock, Scope.ADMIN)
    made = admin.post("/api-keys", {**SHOP, "owner_id": "bob"}, status=201)
    assert made["owner_id"] == "bob"
    assert made["id"] in [each["id"] for each in admin.get("/api-keys")["data"]]
    manager = holder(app, store, clock, Scope.KEYS_MANAGE)
    manager.get(f"/api-keys/{made['id']}", status=404)
    manager.delete(f"/api-keys/{made['id']}", status=404)
    admin.delete(f"/api-keys/{made['id']}")


@pytest.mark.parametrize(
    ("wrong", "pointer"),
    [
        ({"name": ""}, "/name"),
        ({"name": "two\nlines"}, "/name"),
        ({"scopes": []}, "/scopes"),
        ({"scopes": ["emails:eat"]}, "/scopes/0"),
        ({"scopes": {"$ne": None}}, "/scopes"),
        ({"expires_at": "2020-01-01T00:00:00Z"}, "/expires_at"),
        ({"test": "yes"}, "/test"),
        ({"owner_id": {"$ne": None}}, "/owner_id"),
        ({"secret": "fp_live_mine"}, "/secret"),
    ],
)
def test_what_is_wrong_is_named(machine: Api, wrong: dict[str, Any], pointer: str) -> None:
    refused = machine.post("/api-keys", {**SHOP, **wrong}, status=422)
    assert [each["pointer"] for each in refused["errors"]] == [pointer]


def test_the_last_use_is_written_at_most_once_a_minute(
    app: Flask, store: Store, clock: MovableClock, machine: Api
) -> None:
    made = machine.post("/api-keys", SHOP, status=201)
    shop = Holder.of(app, made["secret"])
    shop.get("/emails")
    first = machine.get(f"/api-keys/{made['id']}")["last_used_at"]
    assert first == iso(clock.now())
    later = clock.move(seconds=59)
    store.api_keys.touch(made["id"], later)
    assert machine.get(f"/api-keys/{made['id']}")["last_used_at"] == first
    later = clock.move(seconds=1)
    store.api_keys.touch(made["id"], later)
    assert machine.get(f"/api-keys/{made['id']}")["last_used_at"] == iso(later)


def test_keys_are_listed_page_by_page_by_the_index_of_their_owner(
    app: Flask, store: Store, clock: MovableClock
) -> None:
    manager = holder(app, store, clock, Scope.KEYS_MANAGE)
    for number in range(4):
        manager.post("/api-keys", {"name": f"Key {number}", "scopes": ["keys:manage"]}, status=201)
    first = manager.get("/api-keys?limit=3")
    second = manager.get(f"/api-keys?limit=3&cursor={first['next_cursor']}")
    names = [key["name"] for key in first["data"] + second["data"]]
    assert names[:4] == ["Key 3", "Key 2", "Key 1", "Key 0"]
    plan = store.database.api_keys.find({"owner_id": "ann"}).sort("_id", -1).explain()
    winning = str(plan["queryPlanner"]["winningPlan"])
    assert "'owner'" in winning
    assert "'SORT'" not in winning
