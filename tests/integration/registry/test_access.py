"""Every route with every kind of key, made from the OpenAPI document so that a new route can't be forgotten."""

import re
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask

from fencepost.api_keys import Scope
from fencepost.store import Store
from registry import posting, webhooks
from registry.access import Public
from registry.app import create_app
from registry.parts import Parts
from tests.integration.registry.test_settling import in_doubt
from tests.support.api import Api, MovableClock
from tests.support.keys import Holder, key_id_of, make_key
from tests.support.matrix import CannotFill, Ids, Keys, Operation, operations, wrong_answers

PUBLIC = {
    "/hooks/{provider}",
    "/healthz",
    "/readyz",
    "/metrics",
    "/openapi.json",
    "/docs",
    "/docs/reference.js",
    "/problems",
    "/unsubscribe/{token}",
}
"""What is served without a key, all of it."""


LISTS = {"/schedules", "/emails", "/suppressions", "/webhooks", "/api-keys"}
"""What is listed page by page, each owner's own."""


@pytest.fixture
def parts(parts: Parts) -> Parts:
    """That ask no name server."""
    return replace(parts, resolve=lambda _: ["93.184.216.34"])


@pytest.fixture
def app(parts: Parts) -> Flask:
    return create_app(parts)


@pytest.fixture
def keys(store: Store, clock: MovableClock) -> Keys:
    now = clock.now()
    return Keys(
        {scope: make_key(store, now, scope) for scope in Scope},
        {scope: make_key(store, now, scope, owner_id="bob") for scope in Scope},
        expired=make_key(store, now, *Scope, expires_at=now),
        revoked=make_key(store, now, *Scope, revoked_at=now),
    )


@pytest.fixture
def ids(app: Flask, store: Store, clock: MovableClock, keys: Keys) -> Ids:
    """What each parameter of a path may be: something of the owner of `keys.by_scope`. A new route with a parameter of its own
    says here what to put there."""
    ann = Holder.of(app, keys.by_scope[Scope.ADMIN])
    batch = ann.post("/emails", posting.EXAMPLE, status=202)
    schedule, email_id = ann.create(), in_doubt(ann, store, clock)
    key_id = key_id_of(make_key(store, clock.now(), Scope.REPORTS_READ))
    suppression = Kept(ann, "/suppressions", {"email": "bob@example.com"})
    webhook = Kept(ann, "/webhooks", webhooks.EXAMPLE)
    return {
        "schedule_id": lambda: schedule["id"],
        "email_id": lambda: email_id,
        "batch_id": lambda: batch["id"],
        "key_id": lambda: key_id,
        "suppression_id": suppression.id,
        "webhook_id": webhook.id,
        "message_id": lambda: ann.post(f"/webhooks/{webhook.id()}/test", status=202)["id"],
        "name": lambda: "mailgun",
    }


@dataclass
class Kept:
    """Something that is made anew once it was deleted."""

    api: Api
    path: str
    body: Any
    made: str = ""

    def id(self) -> str:
        if not self.made or self.api.call("GET", f"{self.path}/{self.made}").status_code == 404:
            self.made = self.api.post(self.path, self.body, status=201)["id"]
        return self.made


BODIES = {"POST /api-keys": {"name": "Next", "scopes": ["keys:manage"]}}
"""Where the document's own example is not one that the scope alone suffices for."""


def found(app: Flask) -> list[Operation]:
    made = operations(Holder.of(app, None).get("/openapi.json"))
    return [replace(each, body=BODIES.get(str(each), each.body)) for each in made]


def test_every_route_answers_every_kind_of_key_as_it_must(app: Flask, ids: Ids, keys: Keys) -> None:
    assert wrong_answers(app, found(app), ids, keys) == []


def written(rule: str) -> str:
    """A rule's path as the document writes it."""
    return re.sub("<(?:[a-z_]+:)?([a-z_]+)>", r"{\1}", rule)


def test_only_these_routes_are_served_without_a_key(app: Flask) -> None:
    stranger = Holder.of(app, None)
    routes = {written(rule.rule) for rule in app.url_map.iter_rules()}
    documented = {operation.path for operation in found(app) if operation.public}
    assert documented < PUBLIC <= routes
    for path in PUBLIC - documented:
        assert stranger.call("GET", path).status_code not in (401, 403)


def test_the_document_has_every_route_so_that_the_matrix_has_it(app: Flask) -> None:
    served = {
        f"{method} {written(rule.rule)}"
        for rule in app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
        if written(rule.rule) not in PUBLIC
    }
    assert served <= {str(operation) for operation in found(app)}
    assert "GET /emails/{email_id}" in served


def test_a_route_that_forgot_to_ask_is_found(parts: Parts, ids: Ids, keys: Keys) -> None:
    careless = create_app(parts)
    asks = careless.before_request_funcs[None]
    asks[:] = [ask for ask in asks if ask.__name__ != "require"]
    [preview] = [each for each in found(careless) if str(each) == "POST /schedules/preview"]
    assert wrong_answers(careless, [preview], ids, keys)


def test_a_route_that_was_stripped_of_its_scope_is_found(
    parts: Parts, ids: Ids, keys: Keys, monkeypatch: pytest.MonkeyPatch
) -> None:
    view = create_app(parts).view_functions["reports.get_activity"]
    monkeypatch.delattr(view, "fencepost_access")
    with pytest.raises(RuntimeError, match="/reports/activity"):
        create_app(parts)
    monkeypatch.setattr(view, "fencepost_access", Public("no reason at all"), raising=False)
    opened = create_app(parts)
    assert "/reports/activity" in {operation.path for operation in found(opened) if operation.public} - PUBLIC


def test_a_parameter_that_nobody_can_fill_is_found(app: Flask, keys: Keys) -> None:
    with pytest.raises(CannotFill, match="schedule_id"):
        wrong_answers(app, found(app), {}, keys)


def test_lists_hold_what_is_the_owners_own(app: Flask, ids: Ids, keys: Keys) -> None:
    for name in ("suppression_id", "webhook_id"):
        ids[name]()
    lists = [each for each in found(app) if each.method == "GET" and each.path in LISTS]
    assert {each.path for each in lists} == LISTS
    for operation in lists:
        assert operation.scope
        ann, bob = (
            {each["id"] for each in Holder.of(app, by_scope[operation.scope]).get(operation.path)["data"]}
            for by_scope in (keys.by_scope, keys.of_another)
        )
        assert ann
        assert not ann & bob


def test_no_other_route_lists_what_has_owners(app: Flask) -> None:
    document = Holder.of(app, None).get("/openapi.json")
    pages = {
        path
        for path, methods in document["paths"].items()
        if "{" not in path
        and any(parameter["name"] == "cursor" for parameter in methods.get("get", {}).get("parameters", ()))
    }
    assert pages == LISTS


def test_no_key_is_taken_for_the_user_of_this_machine_unless_loopback_is_trusted(parts: Parts, api: Api) -> None:
    assert api.get("/api-keys/current")["owner_id"] == "local"
    assert api.call("GET", "/schedules", headers={"X-Forwarded-For": "203.0.113.9"}).status_code == 401
    settings = parts.settings.model_copy(
        update={"registry": parts.settings.registry.model_copy(update={"trust_loopback": False})}
    )
    strict = Api(create_app(replace(parts, settings=settings)).test_client())
    refused = strict.call("GET", "/schedules")
    assert (refused.status_code, refused.headers["WWW-Authenticate"]) == (401, 'Bearer realm="fencepost"')


def test_a_bad_key_is_refused_on_loopback_as_well(api: Api, store: Store, clock: MovableClock) -> None:
    weak = make_key(store, clock.now(), Scope.EMAILS_READ)
    for header, status in {
        "Bearer nonsense": 401,
        "Bearer ": 401,
        "": 401,
        "Basic dTpw": 401,
        f"Bearer {weak}x": 401,
        f"Bearer {weak}, Bearer {weak}": 401,
        f"Bearer {weak}": 403,
        f"bearer  {weak} ": 403,
    }.items():
        assert api.call("GET", "/schedules", headers={"Authorization": header}).status_code == status, header


def test_a_key_for_tests_writes_only_mail_that_reaches_no_provider(
    app: Flask, store: Store, clock: MovableClock, ids: Ids
) -> None:
    tester = Holder.of(app, make_key(store, clock.now(), Scope.ADMIN, test=True))
    refused = {}
    for operation in found(app):
        if operation.public:
            continue
        answer: Any = tester.call(operation.method, operation.address(ids), operation.body)
        if answer.status_code == 403:
            refused[str(operation)] = answer.get_json()["detail"]
    writes = {str(each) for each in found(app) if each.method != "GET" and not each.public}
    assert writes - refused.keys() == {"POST /schedules/preview", "POST /emails", "POST /emails/batch"}
    assert all("for tests" in detail for detail in refused.values())
    made = tester.post("/emails", posting.EXAMPLE, status=202)
    rows = list(store.database.deliveries.find({"batch_id": made["id"]}))
    assert [row["test"] for row in rows] == [True]


def test_an_expired_key_opens_nothing_from_its_instant_on(app: Flask, store: Store, clock: MovableClock) -> None:
    holder = Holder.of(app, make_key(store, clock.now(), Scope.ADMIN, expires_at=clock.now() + timedelta(minutes=1)))
    holder.get("/schedules")
    clock.move(seconds=61)
    assert "expired" in holder.get("/schedules", status=401)["detail"]
