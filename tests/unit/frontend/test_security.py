"""Foreign hosts and foreign pages are refused, and every answer says what a browser may load."""

import pytest
from flask.testing import FlaskClient

from fencepost.settings import Frontend, Settings
from frontend.app import create_app
from frontend.security import is_known_host, is_own_page
from tests.support.pages import signed_in

OWN = "http://localhost:3000"


@pytest.fixture
def client() -> FlaskClient:
    # Port 9 is the discard service: nothing listens there, so no page finds a registry.
    return signed_in(create_app(Settings(frontend=Frontend(registry_url="http://127.0.0.1:9"))))


@pytest.mark.parametrize("host", ["127.0.0.1:3000", "localhost", "LOCALHOST:80", "[::1]:3000", "[::1]"])
def test_own_names_are_answered(client: FlaskClient, host: str) -> None:
    assert client.get("/healthz", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example:3000", "localhost:x"]
)
def test_foreign_names_are_refused(client: FlaskClient, host: str) -> None:
    answer = client.get("/healthz", headers={"Host": host})
    assert answer.status_code == 400
    assert "FENCEPOST_FRONTEND__ALLOWED_HOSTS" in answer.text


@pytest.mark.parametrize(
    ("origin", "site", "own"),
    [
        (OWN, "same-origin", True),
        (OWN, None, True),
        (None, "same-origin", True),
        (None, None, False),
        ("null", None, False),
        ("http://evil.example", None, False),
        ("http://localhost:3001", None, False),
        (OWN, "cross-site", False),
        (OWN, "same-site", False),
    ],
)
def test_unsafe_requests_must_come_from_a_page_of_this_host(origin: str | None, site: str | None, own: bool) -> None:
    assert is_own_page(origin, site, "localhost:3000") is own


def test_a_foreign_form_changes_nothing(client: FlaskClient) -> None:
    answer = client.post("/schedules/new", data={"name": "x"}, headers={"Origin": "http://evil.example"})
    assert answer.status_code == 403
    assert "nothing was changed" in answer.text


@pytest.mark.parametrize("path", ["/healthz", "/nothing-here", "/schedules", "/static/css/tokens.css"])
def test_every_answer_has_the_policy(client: FlaskClient, path: str) -> None:
    answer = client.get(path, buffered=True)
    policy = answer.headers["Content-Security-Policy"]
    assert "script-src 'self'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_the_html_of_a_mail_may_load_and_run_nothing(client: FlaskClient) -> None:
    answer = client.post("/schedules/preview/html", data={"html": "<b>x</b>"}, headers={"Origin": "http://localhost"})
    assert answer.text == "<b>x</b>"
    policy = answer.headers["Content-Security-Policy"].split("; ")
    assert {"default-src 'none'", "sandbox", "form-action 'none'", "frame-ancestors 'self'"} <= set(policy)


def test_host_names_are_compared_whole() -> None:
    assert not is_known_host("", ("localhost",))
    assert not is_known_host("localhos", ("localhost",))
