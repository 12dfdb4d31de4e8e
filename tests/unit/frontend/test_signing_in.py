"""Signing in: who gets pages and who is asked for a key, what the cookie gives away, and whose forms count."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from pydantic import SecretStr

from fencepost.api_keys import Scope
from fencepost.settings import Frontend, Settings
from frontend import keys, sessions, visitors
from frontend.app import create_app
from frontend.registry_client import Page, Refused
from frontend.sessions import COOKIE, Sealer, Session, sealer_of
from frontend.views import REGISTRY
from frontend.visitors import local_path
from tests.support.pages import SECRET, WHO, signed_in

OWN = {"Origin": "http://localhost"}
AFAR = {"REMOTE_ADDR": "203.0.113.9"}
TEMPLATES = Path(keys.__file__).with_name("templates")


class Pretended:
    """A registry that knows one key, or none any more."""

    def __init__(self) -> None:
        self.revoked = False

    def whose(self, key: str) -> Mapping[str, Any]:
        if key != SECRET:
            raise Refused(401, "A valid key is needed", "this is not the secret of any key")
        return WHO

    def keys(self, **_: Any) -> Page[Any]:
        if self.revoked:
            raise Refused(401, "A valid key is needed", "this key was revoked")
        return Page([])

    def create_key(self, body: Mapping[str, Any]) -> Any:
        raise Refused(403, "The key may not do that", "this key lacks the scope keys:manage")


def make(**settings: Any) -> Flask:
    public_url = settings.pop("public_url", "http://127.0.0.1:5000")
    frontend = Frontend(registry_url="http://127.0.0.1:9", allowed_hosts=("localhost", "pages.example"), **settings)
    app = create_app(Settings(frontend=frontend, public_url=public_url))
    app.extensions[REGISTRY] = Pretended()
    return app


@pytest.fixture
def app() -> Flask:
    return make(key_hint="look in the safe")


def token_in(page: str) -> str:
    found = re.search(r'name="csrf" value="([^"]+)"', page)
    assert found
    return found[1]


def sign_in(client: FlaskClient, key: str, **more: str) -> Any:
    token = token_in(client.get("/sign-in").text)
    return client.post("/sign-in", data={"key": key, "csrf": token, **more}, headers=OWN)


def test_whoever_has_no_key_is_asked_for_one_and_comes_back_to_the_page(app: Flask) -> None:
    client = app.test_client()
    answer = client.get("/keys?cursor=abc")
    assert (answer.status_code, answer.location) == (303, "/sign-in?next=/keys?cursor%3Dabc")
    page = client.get(answer.location).text
    assert "look in the safe" in page
    assert 'aria-label="Main"' not in page
    answer = sign_in(client, f"  {SECRET}\n", next="/keys?cursor=abc")
    assert (answer.status_code, answer.location) == (303, "/keys?cursor=abc")
    page = client.get("/keys").text
    assert "Ann&#39;s key" in page
    assert "Mail of ann" in page
    assert SECRET not in page


def test_a_part_of_a_page_takes_the_whole_page_to_sign_in(app: Flask) -> None:
    headers = {"HX-Request": "true", "HX-Current-URL": "http://localhost/mails?to=a%40example.com"}
    answer = app.test_client().get("/desk/count", headers=headers)
    assert (answer.status_code, answer.text) == (401, "")
    assert answer.headers["HX-Redirect"] == "/sign-in?next=/mails?to%3Da%2540example.com"


@pytest.mark.parametrize(
    ("key", "status", "said"),
    [
        ("", 422, "Paste your API key"),
        ("fp_live_wrong", 401, "not the secret of any key"),
        ("schlüssel", 422, "look"),
        ("x" * 201, 422, "look"),
        ("two\r\nlines", 401, "not the secret"),
    ],
)
def test_what_is_no_key_is_refused_in_words(app: Flask, key: str, status: int, said: str) -> None:
    client = app.test_client()
    answer = sign_in(client, key)
    assert answer.status_code == status
    assert said in answer.text
    assert 'role="alert"' in answer.text
    assert client.get("/keys").status_code == 303


def test_signing_out_forgets_the_key(app: Flask) -> None:
    client = app.test_client()
    sign_in(client, SECRET)
    token = token_in(client.get("/keys").text)
    assert client.post("/sign-out", data={"csrf": token}, headers=OWN).location == "/sign-in"
    assert client.get("/keys").status_code == 303
    assert client.post("/sign-out", data={"csrf": token}, headers=OWN).status_code == 403


def test_a_key_that_was_revoked_meanwhile_is_forgotten_and_that_is_said(app: Flask) -> None:
    client = app.test_client()
    sign_in(client, SECRET)
    app.extensions[REGISTRY].revoked = True
    answer = client.get("/keys")
    assert answer.status_code == 303
    assert "revoked or has expired" in client.get(answer.location).text
    assert "next=/keys" in client.get("/keys").location


def test_a_page_that_the_key_may_not_see_names_the_scope(app: Flask) -> None:
    answer = signed_in(app).post("/keys/new", data={"name": "x", "scopes": ["admin"]}, headers=OWN)
    assert answer.status_code == 403
    assert "lacks the scope keys:manage" in answer.text


@pytest.mark.parametrize(
    ("scopes", "place"),
    [
        (["reports:read", "emails:read"], "/mails"),
        (["schedules:read", "schedules:write"], "/schedules"),
        (["emails:send"], "/mails/new"),
    ],
)
def test_whoever_may_not_see_the_cluster_begins_at_what_they_may_see(app: Flask, scopes: list[str], place: str) -> None:
    client = signed_in(app, who={**WHO, "scopes": scopes})
    assert client.get("/").location == place


def test_the_menu_leads_to_what_the_key_opens(app: Flask) -> None:
    def places(*scopes: str) -> set[str]:
        page = signed_in(app, who={**WHO, "scopes": list(scopes)}).get("/sign-in").text
        return set(re.findall(r'class="(?:place|menu-item)" href="([^"]+)"', page))

    assert places("emails:read") == {"/mails", "/desk", "/report"}
    assert places("emails:send", "schedules:write") == {"/mails/new", "/schedules/new", "/report"}
    assert places("admin") >= {
        "/",
        "/schedules",
        "/reports/mail",
        "/providers",
        "/webhooks",
        "/suppressions",
        "/cluster",
    }
    assert places("admin") >= {"/audit", "/keys", "/mails/new"}


def test_on_loopback_with_trust_the_user_of_the_machine_is_signed_in_by_itself() -> None:
    app = make(trust_loopback=True)
    client = app.test_client()
    assert "This machine" in client.get("/keys").text
    assert client.get("/keys", environ_overrides=AFAR).status_code == 303
    assert client.get("/keys", headers={"X-Forwarded-For": "203.0.113.9"}).status_code == 303
    assert client.get("/keys", headers={"Host": "pages.example"}).status_code == 303


def test_the_key_of_the_settings_is_for_the_user_of_the_machine_alone() -> None:
    settings = Frontend(trust_loopback=True, api_key=SecretStr("fp_live_own"))
    app = make(trust_loopback=True)
    app.add_url_rule("/used", "used", lambda: visitors.key(settings) or "none")
    client = app.test_client()
    assert client.get("/used").text == "fp_live_own"
    assert signed_in(app).get("/used").text == SECRET
    assert client.get("/used", environ_overrides=AFAR).status_code == 303


def test_the_cookie_is_out_of_reach_of_scripts_and_other_sites_and_tells_nothing(app: Flask) -> None:
    client = app.test_client()
    answer = sign_in(client, SECRET)
    cookie = answer.headers["Set-Cookie"]
    assert {"HttpOnly", "SameSite=Lax", "Path=/", "Max-Age=43200"} <= set(cookie.split("; "))
    assert "Secure" not in cookie
    assert SECRET not in cookie


def test_where_the_address_is_https_the_cookie_travels_by_https_alone() -> None:
    client = make(public_url="https://mail.example").test_client()
    assert "Secure" in client.get("/sign-in", headers={"Host": "pages.example"}).headers["Set-Cookie"].split("; ")
    assert "Secure" not in client.get("/sign-in", headers={"Host": "localhost"}).headers["Set-Cookie"].split("; ")


def test_files_and_probes_hand_out_no_cookie(app: Flask) -> None:
    for path in ("/static/css/keys.css", "/healthz"):
        assert "Set-Cookie" not in app.test_client().get(path, buffered=True).headers


@pytest.mark.parametrize("token", [None, "", "wrong", "schlüssel"])
def test_a_form_without_the_token_of_the_session_changes_nothing(app: Flask, token: str | None) -> None:
    client = signed_in(app)
    client.environ_base.pop("HTTP_X_CSRF_TOKEN")
    data = {} if token is None else {"csrf": token}
    answer = client.post("/keys/new", data={"name": "x", "scopes": ["admin"], **data}, headers=OWN)
    assert answer.status_code == 403
    assert "nothing was changed" in answer.text


def test_the_token_of_another_session_does_not_count(app: Flask) -> None:
    other = token_in(app.test_client().get("/sign-in").text)
    client = signed_in(app)
    client.environ_base["HTTP_X_CSRF_TOKEN"] = other
    assert client.post("/sign-out", headers=OWN).status_code == 403


def test_every_form_that_changes_something_carries_the_token() -> None:
    assert forms_without_token(TEMPLATES) == []


def test_a_form_without_the_token_is_found(tmp_path: Path) -> None:
    (tmp_path / "bad.html").write_text('<form method="post" action="/x">\n<button>')
    assert forms_without_token(tmp_path) == ["bad.html"]


def forms_without_token(folder: Path) -> list[str]:
    found = []
    for path in folder.rglob("*.html"):
        text = path.read_text()
        forms, tokens = len(re.findall(r'method="?post', text, re.IGNORECASE)), text.count("{{ csrf_field() }}")
        if forms != tokens:
            found.append(path.name)
    return found


@pytest.mark.parametrize(
    ("asked", "path"),
    [
        ("/mails?x=1", "/mails?x=1"),
        ("/mails?", "/mails"),
        ("/", None),
        (None, None),
        ("//evil.example", None),
        ("/\\evil.example", None),
        ("https://evil.example/", None),
        ("javascript:alert(1)", None),
        ("/a\r\nSet-Cookie: x", None),
        ("/" + "a" * 2000, None),
    ],
)
def test_signing_in_leads_to_pages_of_ours_alone(asked: str | None, path: str | None) -> None:
    assert local_path(asked) == path


class Clock:
    now = datetime(2026, 3, 2, 8, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


def test_a_session_ends_is_not_altered_and_is_not_read_under_another_secret() -> None:
    clock = Clock()
    sealer = Sealer("secret", 1, clock)
    text = sealer.seal(Session("token", SECRET, WHO))
    assert sealer.open(text) == Session("token", SECRET, WHO)
    assert Sealer("other", 1, clock).open(text) is None
    middle = len(text) // 2
    assert sealer.open(text[:middle] + ("A" if text[middle] != "A" else "B") + text[middle + 1 :]) is None
    for wrong in (None, "", "nonsense", text + "x"):
        assert sealer.open(wrong) is None
    clock.now += timedelta(hours=1, seconds=2)
    assert sealer.open(text) is None


def test_all_replicas_read_the_session_of_one_if_they_share_the_secret() -> None:
    one, two = (make(session_secret=SecretStr("shared")) for _ in range(2))
    session = sessions.fresh(SECRET, WHO)
    assert sealer_of(two).open(sealer_of(one).seal(session)) == session
    assert sealer_of(make()).open(sealer_of(one).seal(session)) is None
    assert COOKIE in str(signed_in(one)._cookies)


def test_the_form_of_a_key_knows_every_scope_of_the_api() -> None:
    assert set(keys.SCOPES) == {scope.value for scope in Scope}
