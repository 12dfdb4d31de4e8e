"""/webhooks: endpoints are written, rotated and tested, secrets are shown once, and no address inside is taken."""

from dataclasses import replace

import pytest

from fencepost.webhooks import MessageState
from registry.app import create_app
from registry.parts import Parts
from tests.support.api import Api

BODY = {"url": "https://hooks.example.com/x", "types": ["email.bounced"]}


@pytest.fixture
def api(parts: Parts) -> Api:
    return Api(create_app(replace(parts, resolve=lambda _: ["93.184.216.34"])).test_client())


def test_an_endpoint_is_written_read_changed_and_deleted_and_its_secret_is_shown_once(api: Api) -> None:
    made = api.post("/webhooks", BODY, status=201)
    secret = made.pop("secret")
    assert secret.startswith("whsec_")
    path = f"/webhooks/{made['id']}"
    assert api.get(path) == made
    assert api.get("/webhooks")["data"] == [made]
    assert api.patch(path, {"types": [], "enabled": False})["enabled"] is False
    assert api.post(f"{path}/test", status=409)["title"]
    assert api.patch(path, {"enabled": True})["types"] == []
    rotated = api.post(f"{path}/rotate", {"overlap_hours": 1})["secret"]
    assert rotated != secret
    assert api.call("DELETE", path).status_code == 204
    api.get(path, status=404)


def test_a_test_event_is_in_the_log_and_can_be_replayed(api: Api, parts: Parts) -> None:
    path = f"/webhooks/{api.post('/webhooks', BODY, status=201)['id']}"
    sent = api.post(f"{path}/test", status=202)
    [logged] = api.get(f"{path}/messages")["data"]
    assert (logged["id"], logged["type"], logged["state"]) == (sent["id"], "webhook.test", "pending")
    assert api.get(f"{path}/messages?state=failed")["data"] == []
    again = api.post(f"{path}/messages/{sent['id']}/replay", status=202)
    assert (again["id"], again["state"]) == (sent["id"], MessageState.PENDING)
    api.post(f"{path}/messages/whm_{'0' * 26}/replay", status=404)


@pytest.mark.parametrize(
    "url", ["http://hooks.example.com/", "https://127.0.0.1/", "https://169.254.169.254/", "https://u:p@example.com/"]
)
def test_an_address_inside_is_refused(api: Api, url: str) -> None:
    refused = api.post("/webhooks", {"url": url}, status=422)
    assert refused["errors"][0]["pointer"] == "/url"


def test_an_unknown_type_is_refused(api: Api) -> None:
    assert api.post("/webhooks", {**BODY, "types": ["email.read"]}, status=422)["errors"][0]["pointer"] == "/types/0"
