"""POST /providers/{name}/register-webhook: what it answers and puts on record, and what keeps it."""

from dataclasses import replace
from typing import Any

from fencepost.coordination.breakers import Breaker
from fencepost.errors import Unreachable
from fencepost.providers.http import HttpReply
from fencepost.providers.registering import Call
from registry.app import create_app
from registry.parts import Parts
from tests.support.api import Api

URL = "https://mail.example.com/hooks/mailgun"


def with_settings(parts: Parts, answers: dict[str, HttpReply | Exception], **changes: Any) -> Api:
    """A registry whose providers answer so, by method."""

    def ask(provider: str, call: Call, seconds: float) -> HttpReply:
        found = answers[call.method]
        if isinstance(found, Exception):
            raise found
        return found

    given = parts.settings.model_dump() | {"public_url": "https://mail.example.com", **changes}
    given["providers"]["mailgun"] |= {"events_api_key": "key", "webhook_signing_key": "signing"}
    given["providers"]["order"] = ("mailgun", "smtp")
    settings = type(parts.settings).model_validate(given)
    stand = dict.fromkeys(("mailgun", "smtp"), Breaker())
    return Api(create_app(replace(parts, settings=settings, ask=ask, read_breakers=lambda: stand)).test_client())


GOOD: dict[str, HttpReply | Exception] = {
    "GET": HttpReply(200, {}, b'{"webhooks": {"opened": {"urls": ["https://mail.example.com/hooks/mailgun"]}}}'),
    "POST": HttpReply(200, {}, b"{}"),
}


def test_it_is_answered_by_kind_and_stands_in_the_history(parts: Parts) -> None:
    api = with_settings(parts, GOOD)
    before = api.get("/providers/mailgun")["webhook"]
    assert before == {"url": URL, "obstacle": None, "registered_at": None}
    done = api.post("/providers/mailgun/register-webhook", {"by": "Ann"}, status=200)
    assert (done["url"], done["kinds"]["opened"], done["kinds"]["clicked"]) == (URL, "known", "registered")
    found = api.get("/providers/mailgun")
    change = found["changes"][0]
    assert (change["kind"], change["became"], change["by"]) == ("webhook", URL, "Ann")
    assert found["webhook"]["registered_at"] == change["at"]


def test_what_keeps_it_is_told_before_anybody_is_asked(parts: Parts) -> None:
    api = with_settings(parts, {}, public_url="http://127.0.0.1:5000")
    obstacle = api.get("/providers/mailgun")["webhook"]["obstacle"]
    assert "PUBLIC_URL" in obstacle
    assert api.post("/providers/mailgun/register-webhook", status=409)["detail"] == obstacle
    assert api.get("/providers/smtp")["webhook"] is None
    assert "SMTP has no webhooks" in api.post("/providers/smtp/register-webhook", status=409)["detail"]
    api.post("/providers/sendgrid/register-webhook", status=404)


def test_a_refusal_of_the_providers_is_told_and_nothing_is_on_record(parts: Parts) -> None:
    refused = with_settings(parts, {"GET": HttpReply(401, {}, b"Forbidden")})
    assert "EVENTS_API_KEY" in refused.post("/providers/mailgun/register-webhook", status=409)["detail"]
    away = with_settings(parts, {"GET": Unreachable("mailgun", "ConnectTimeout")})
    assert "mailgun does not answer" in away.post("/providers/mailgun/register-webhook", status=503)["detail"]
    assert away.get("/providers/mailgun")["changes"] == []
