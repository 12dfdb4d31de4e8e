"""What the pages do while the registry is away."""

import pytest
from flask.testing import FlaskClient
from werkzeug.datastructures import MultiDict

from fencepost.settings import Frontend, Settings
from frontend.app import create_app
from frontend.registry_client import Refused
from frontend.views import REGISTRY
from tests.support.pages import signed_in

OWN = {"Origin": "http://localhost"}


@pytest.fixture
def client() -> FlaskClient:
    # Port 9 is the discard service: nothing listens there.
    return signed_in(create_app(Settings(frontend=Frontend(registry_url="http://127.0.0.1:9"))))


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/schedules",
        "/mails",
        "/cluster",
        "/schedules/sch_01",
        "/mails/eml_01",
        "/cluster/live",
        "/desk",
        "/audit",
        "/desk/count",
        "/reports/mail",
        "/reports/mail.csv",
        "/providers",
        "/providers/mailgun/test",
        "/webhooks",
        "/webhooks/whk_01/log",
        "/suppressions",
    ],
)
def test_pages_say_what_to_do(client: FlaskClient, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 503
    assert "The registry does not answer" in answer.text
    assert "FENCEPOST_FRONTEND__REGISTRY_URL" in answer.text


class Broken:
    """A registry that breaks our own code."""

    def __getattr__(self, name: str) -> None:
        raise ZeroDivisionError(name)


def test_a_fault_of_ours_is_a_page_too(client: FlaskClient) -> None:
    client.application.extensions[REGISTRY] = Broken()
    answer = client.get("/schedules?done=paused&in_flight=eml_01&leaving=x")
    assert answer.status_code == 500
    assert "This page failed" in answer.text
    assert "ZeroDivisionError" not in answer.text


class Unwilling:
    """A registry that refuses every pause with this status."""

    def __init__(self, status: int) -> None:
        self._status = status

    def pause(self, _schedule_id: str, *, reason: str) -> None:
        raise Refused(self._status, "No", f"not now: {reason}")


def test_pausing_several_tells_what_stands_in_the_way(client: FlaskClient) -> None:
    for status, answered in ((409, 303), (404, 303), (403, 403), (503, 503)):
        client.application.extensions[REGISTRY] = Unwilling(status)
        answer = client.post("/schedules/bulk", data={"ids": "sch_01", "action": "pause"}, headers=OWN)
        assert answer.status_code == answered, status
        assert ("refused=sch_01" in answer.headers.get("Location", "")) == (answered == 303)


def test_the_process_lives_and_is_not_ready(client: FlaskClient) -> None:
    assert client.get("/healthz").json == {"status": "ok"}
    ready = client.get("/readyz")
    assert ready.status_code == 503
    assert ready.json is not None
    assert not ready.json["checks"]["registry"]["ok"]


def test_a_form_can_be_opened_and_loses_nothing(client: FlaskClient) -> None:
    assert client.get("/schedules/new").status_code == 200
    typed = MultiDict(
        [("kind", "cron"), ("name", "My <report>"), ("expression", "1 2 3 4 5"), ("key", "k-1"), ("text", "a\nb")]
    )
    answer = client.post("/schedules/new", data=typed, headers=OWN)
    assert answer.status_code == 503
    assert "What you typed is still here" in answer.text
    assert "My &lt;report&gt;" in answer.text
    assert "1 2 3 4 5" in answer.text
    assert 'name="key" value="k-1"' in answer.text, "the same key, since the first try may have arrived"


def test_what_no_form_keeps_can_be_sent_again(client: FlaskClient) -> None:
    typed = MultiDict([("url", "https://example.com/a?b=1&c"), ("types", "email.bounced"), ("types", "email.failed")])
    answer = client.post("/webhooks/new", data=typed, headers=OWN)
    assert answer.status_code == 503
    assert "Send it again" in answer.text
    for kept in ("https://example.com/a?b=1&amp;c", "email.bounced", "email.failed"):
        assert f'value="{kept}"' in answer.text
    assert answer.text.count('name="csrf"') == 2, "that of the form, and that of the way out; none is carried twice"
    assert "Send it again" not in client.get("/webhooks").text


def test_an_edit_loses_nothing_either(client: FlaskClient) -> None:
    typed = {"kind": "cron", "name": "Mine", "version": "7", "opened_with": "{}", "anchor": "2026-01-01T00:00:00Z"}
    answer = client.post("/schedules/sch_01/edit", data=typed, headers=OWN)
    assert answer.status_code == 503
    for kept in ('value="Mine"', 'name="version" value="7"', 'value="2026-01-01T00:00:00Z"'):
        assert kept in answer.text


def test_what_is_no_address_of_ours_is_not_found(client: FlaskClient) -> None:
    for path in ("/nothing", "/schedules/..", "/schedules/sch_a%2fb", "/mails/%24ne", "/static/vendor/../app.py"):
        assert client.get(path).status_code == 404, path


def test_a_slash_too_many_leads_to_the_page(client: FlaskClient) -> None:
    for path, page in (
        ("/schedules/", "/schedules"),
        ("/mails/?state=held&to=a%40example.com", "/mails?state=held&to=a%40example.com"),
        ("/mails/eml_01/", "/mails/eml_01"),
        ("/providers/mailgun/weight/", "/providers/mailgun/weight"),
    ):
        answer = client.get(path)
        assert (answer.status_code, answer.headers["Location"]) == (308, page)
    for path in ("/nothing/", "/schedules/../", "/static/nothing/", "/schedules/sch_a%2fb/"):
        assert client.get(path).status_code == 404, path
    assert client.post("/webhooks/new/", headers=OWN).status_code == 404, "a form is sent nowhere else"


def test_a_slash_too_many_leads_to_no_other_host(client: FlaskClient) -> None:
    for path in ("//schedules/", "//evil.example/", "//evil.example/schedules/", "/\\evil.example/"):
        place = client.get(path).headers.get("Location", "/")
        assert place in ("/", "/schedules", "http://localhost/schedules", "http://localhost/schedules/"), path


def test_a_part_asked_for_by_a_script_comes_without_the_page(client: FlaskClient) -> None:
    asked = "/schedules/preview?kind=cron&expression=&timezone=UTC"
    alone, part = client.get(asked).text, client.get(asked, headers={"HX-Request": "true"}).text
    assert "<html" in alone
    assert "<html" not in part
    assert "Write five fields" in part
    assert part in alone or part.strip() in alone


def test_a_table_is_added_without_the_registry(client: FlaskClient) -> None:
    typed = {"to": "a@example.com", "table": "email,name\nb@example.com,Bob\nnobody,X"}
    answer = client.post("/schedules/preview/recipients", data=typed, headers={**OWN, "HX-Request": "true"})
    assert "Bob &lt;b@example.com&gt;" in answer.text
    assert "1 added, 1 left out" in answer.text


def test_too_large_a_form_is_said_to_be(client: FlaskClient) -> None:
    answer = client.post("/schedules/new", data={"text": "x" * 5_000_000}, headers=OWN)
    assert answer.status_code == 413
    assert "4 MB" in answer.text
