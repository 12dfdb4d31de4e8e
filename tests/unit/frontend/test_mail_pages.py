"""The pages of mail over a registry that answers as a test wants: what is asked of it, and what its refusals become."""

import json
from base64 import b64decode
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from io import BytesIO
from typing import Any, cast
from urllib.parse import parse_qs, urlsplit

import pytest
from flask.testing import FlaskClient
from markupsafe import Markup
from werkzeug.datastructures import FileStorage

from fencepost.settings import Frontend, Settings
from frontend import uploads
from frontend.app import create_app
from frontend.batches import in_order
from frontend.explanations import steps
from frontend.formatting import with_times
from frontend.mail_actions import allowed
from frontend.mail_shapes import Email, Explanation
from frontend.mails import every_seconds
from frontend.registry_client import FieldProblem, Page, Refused, RegistryDown
from frontend.views import REGISTRY
from tests.support.pages import signed_in

OWN = {"Origin": "http://localhost"}
FORM = {"from": "shop@example.com", "to": "ada@example.com", "subject": "Hello", "text": "Hi", "key": "k-1"}


class Pretended:
    """A registry that gives one answer to every write, and one mail to every reader."""

    def __init__(self, answer: object = None, state: str = "pending") -> None:
        self.answer, self.state = answer, state
        self.asked: list[tuple[str, str, Any, str | None]] = []

    def ask(self, method: str, path: str, body: Mapping[str, Any] | None = None, *, key: str | None = None) -> Any:
        if path == "/providers":
            return {"data": [{"name": "mailgun"}]}
        self.asked.append((method, path, body, key))
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    def email(self, email_id: str) -> Email:
        return mail(id=email_id, state=self.state)

    def emails(self, **_: Any) -> Page[Email]:
        raise Refused(422, "Invalid", "from: is no instant")

    def schedules(self, **_: Any) -> Page[Any]:
        raise Refused(403, "Forbidden", "the key lacks schedules:read")


def mail(**fields: Any) -> Email:
    found: dict[str, Any] = dict.fromkeys(Email.__annotations__)
    found |= {"state": "pending", "origin": "api", "due_at": "2030-01-01T09:00:00Z", "attempts": [], "timeline": []}
    found |= {"to": [{"email": "a@example.com"}], "tags": [], "tracking": {}, "priority": "normal", "attachments": []}
    return cast(Email, found | fields)


@pytest.fixture
def client() -> FlaskClient:
    return signed_in(create_app(Settings(frontend=Frontend(registry_url="http://127.0.0.1:9"))))


@pytest.fixture
def pretend(client: FlaskClient) -> Callable[..., Pretended]:
    def install(answer: object = None, **fields: Any) -> Pretended:
        registry = client.application.extensions[REGISTRY] = Pretended(answer, **fields)
        return registry

    return install


def made(*ids: str) -> dict[str, Any]:
    return {"id": "bat_1", "emails": [{"id": each, "to": "a@example.com"} for each in ids]}


@pytest.mark.parametrize(("ids", "leads_to"), [(["eml_1"], "/mails/eml_1"), (["eml_1", "eml_2"], "/batches/bat_1")])
def test_one_mail_leads_to_its_page_and_several_to_their_batch(
    client: FlaskClient, pretend: Callable[..., Pretended], ids: list[str], leads_to: str
) -> None:
    registry = pretend(made(*ids))
    answer = client.post("/mails/new", data=FORM, headers=OWN)
    assert (answer.status_code, urlsplit(answer.location).path) == (303, leads_to)
    [(method, path, body, key)] = registry.asked
    assert (method, path, key) == ("POST", "/emails", "k-1")
    assert body["to"] == [{"email": "ada@example.com"}]


def test_without_an_answer_the_form_comes_back_with_its_key(
    client: FlaskClient, pretend: Callable[..., Pretended]
) -> None:
    pretend(RegistryDown("gone"))
    answer = client.post("/mails/new", data=FORM, headers=OWN)
    assert answer.status_code == 503
    assert 'name="key" value="k-1"' in answer.text
    assert "goes out once" in answer.text


def test_another_mail_under_a_key_that_was_used_gets_a_new_key_and_is_told_so(
    client: FlaskClient, pretend: Callable[..., Pretended]
) -> None:
    pretend(Refused(422, "Reused", "", kind="key-reused"))
    answer = client.post("/mails/new", data=FORM, headers=OWN)
    assert answer.status_code == 409
    assert "Your first try did arrive" in answer.text
    assert 'value="k-1"' not in answer.text


def test_a_refused_form_says_so_at_the_field_and_keeps_the_files(
    client: FlaskClient, pretend: Callable[..., Pretended]
) -> None:
    pretend(Refused(422, "Invalid", "", (FieldProblem("/subject", "must not be empty"),)))
    sent = {**FORM, "files": (BytesIO(b"figures"), "figures.txt")}
    answer = client.post("/mails/new", data=sent, headers=OWN)
    assert answer.status_code == 422
    assert "Must not be empty." in answer.text
    assert "figures.txt" in answer.text
    assert "ZmlndXJlcw==" in answer.text


def test_files_are_carried_as_long_as_they_are_ticked() -> None:
    first = uploads.with_files("", (), [FileStorage(BytesIO(b"one"), "one.txt"), FileStorage(BytesIO(b""), "")])
    both = uploads.with_files(first, ("0",), [FileStorage(BytesIO(b"two!"), "two.txt")])
    assert [(each["filename"], each["size"]) for each in json.loads(both)] == [("one.txt", 3), ("two.txt", 4)]
    assert b64decode(json.loads(both)[1]["content"]) == b"two!"
    assert uploads.with_files(both, (), ()) == ""
    assert uploads.too_large(both) is None
    assert uploads.too_large(json.dumps([{"filename": "x", "size": uploads.MOST_BYTES + 1}]))


@pytest.mark.parametrize("action", ["cancel", "hurry", "reschedule", "replay"])
def test_whoever_was_overtaken_by_a_sender_is_told(
    client: FlaskClient, pretend: Callable[..., Pretended], action: str
) -> None:
    pretend(Refused(409, "Conflict", "it is being sent"))
    form = {"at": "2030-01-01T09:00", "timezone": "UTC"}
    answer = client.post(f"/mails/eml_1/{action}", data=form, headers=OWN)
    assert (answer.status_code, urlsplit(answer.location).path) == (303, "/mails/eml_1")
    assert parse_qs(urlsplit(answer.location).query) == {"done": ["mail-too-late"]}


def test_a_mail_is_put_off_in_the_zone_that_is_named(client: FlaskClient, pretend: Callable[..., Pretended]) -> None:
    registry = pretend({})
    client.post("/mails/eml_1/reschedule", data={"at": "2030-01-01T09:00", "timezone": "Europe/Berlin"}, headers=OWN)
    assert registry.asked[0][2] == {"scheduled_at": "2030-01-01T08:00:00Z"}


@pytest.mark.parametrize("form", [{"at": "", "timezone": "UTC"}, {"at": "2030-01-01T09:00", "timezone": "Mars"}])
def test_a_time_that_is_none_asks_the_registry_for_nothing(
    client: FlaskClient, pretend: Callable[..., Pretended], form: dict[str, str]
) -> None:
    registry = pretend({})
    assert client.post("/mails/eml_1/reschedule", data=form, headers=OWN).status_code == 422
    assert registry.asked == []


@pytest.mark.parametrize("action", ["cancel", "replay"])
def test_a_question_that_has_no_sense_any_more_is_not_asked(
    client: FlaskClient, pretend: Callable[..., Pretended], action: str
) -> None:
    pretend(state="delivered")
    answer = client.get(f"/mails/eml_1/{action}")
    assert "be done with it any more" in answer.text
    assert '<form method="post" action="/mails' not in answer.text


def test_what_is_offered_follows_from_the_state(client: FlaskClient) -> None:
    with client.application.app_context():
        assert allowed(mail()) == ["hurry", "reschedule", "cancel"]
        assert allowed(mail(due_at="2020-01-01T09:00:00Z")) == ["reschedule", "cancel"]
        assert allowed(mail(origin="schedule")) == ["cancel"]
        assert allowed(mail(state="failed")) == allowed(mail(state="expired")) == ["replay"]
        for state in ("sending", "accepted", "unknown", "held", "cancelled", "suppressed", "skipped"):
            assert allowed(mail(state=state)) == []


def test_a_page_looks_often_only_while_something_happens() -> None:
    instant = datetime(2026, 11, 26, tzinfo=UTC)
    assert every_seconds(mail(), instant) == 10
    assert every_seconds(mail(due_at="2026-11-26T00:00:30Z"), instant) == 2
    assert every_seconds(mail(state="unknown"), instant) == 2
    assert every_seconds(mail(state="delivered"), instant) == 5


def test_a_key_that_may_read_mail_and_no_schedules_sees_the_list_and_filters_that_can_not_be_read_leave_the_page_standing(
    client: FlaskClient, pretend: Callable[..., Pretended]
) -> None:
    pretend()
    answer = client.get("/mails?from=nonsense&tag=orders")
    assert answer.status_code == 200
    assert "These filters can" in answer.text
    assert 'value="orders"' in answer.text


def test_a_batch_in_which_nothing_failed_any_more_says_so(
    client: FlaskClient, pretend: Callable[..., Pretended]
) -> None:
    pretend(Refused(409, "Conflict", "nothing failed"))
    answer = client.post("/batches/bat_1/replay", headers=OWN)
    assert parse_qs(urlsplit(answer.location).query) == {"done": ["batch-nothing-failed"]}


def test_counts_of_a_batch_add_up_whatever_their_states_are() -> None:
    counts = {"later_word": 1, "failed": 2, "pending": 3, "accepted": 4, "held": 0}
    assert in_order(counts) == [("pending", 3), ("accepted", 4), ("failed", 2), ("later_word", 1)]


def test_what_comes_after_the_first_gate_that_holds_is_ahead() -> None:
    gates = [
        {"title": title, "holds": holds, "detail": ""}
        for title, holds in zip("abcd", (False, None, True, True), strict=True)
    ]
    found = steps(cast(Explanation, {"gates": gates}))
    assert [each.step for each in found] == ["passed", "unsure", "holds", "ahead"]


def test_instants_in_a_sentence_are_written_as_on_the_pages_and_nothing_of_it_is_markup() -> None:
    said = with_times("<b>due</b> at 2026-12-01T09:00:00Z, or 2026-12-01T09:00:00.250Z.")
    assert isinstance(said, Markup)
    assert said.startswith("&lt;b&gt;due&lt;/b&gt; at <time ")
    assert said.count("<time ") == 2
