"""The settlement desk over a registry that answers as a test wants: what is asked of it, and what its refusals become."""

from collections.abc import Callable
from typing import Any, cast
from urllib.parse import parse_qs, urlsplit

import pytest
from flask.testing import FlaskClient

from fencepost.settings import Frontend, Settings
from frontend.app import create_app
from frontend.mail_shapes import Email
from frontend.registry_client import Page, Refused
from frontend.views import REGISTRY
from tests.support.pages import signed_in

OWN = {"Origin": "http://localhost"}
FULL = {"reason": " it\n came ", "by": " Ada ", "decision": "was_sent"}


class Pretended:
    """A registry with mails that are held, some of which somebody else has just decided, or that fails."""

    def __init__(self, *held: str, decided: tuple[str, ...] = (), failing: bool = False) -> None:
        self.held, self.decided, self.failing = held, decided, failing
        self.asked: list[tuple[str, ...]] = []

    def email(self, email_id: str) -> Email:
        if email_id not in (*self.held, *self.decided):
            raise Refused(404, "Not found", "")
        found: dict[str, Any] = dict.fromkeys(Email.__annotations__)
        state = "held" if email_id in self.held else "cancelled"
        found |= {"id": email_id, "state": state, "attempts": [], "to": [{"email": "a@example.com"}]}
        found |= {"due_at": "2026-01-01T09:00:00Z", "updated_at": "2026-01-01T09:00:00Z"}
        return cast(Email, {**found, "reason": "the same mail <b>twice</b>"})

    def emails(self, **filters: Any) -> Page[Email]:
        return Page([self.email(email_id) for email_id in self.held if filters["state"] == "held"])

    def cluster(self) -> Any:
        return {"emails_by_state": {"held": len(self.held)}}

    def settle(self, email_id: str, decision: str, *, reason: str, by: str) -> Email:
        if self.failing:
            raise Refused(503, "MongoDB is away", "")
        if email_id not in self.held:
            raise Refused(409 if email_id in self.decided else 404, "Conflict", f"{email_id} is not held")
        self.asked.append((email_id, decision, reason, by))
        return self.email(email_id)


@pytest.fixture
def client() -> FlaskClient:
    return signed_in(create_app(Settings(frontend=Frontend(registry_url="http://127.0.0.1:9"))))


@pytest.fixture
def pretend(client: FlaskClient) -> Callable[..., Pretended]:
    def install(*held: str, **fields: Any) -> Pretended:
        registry = client.application.extensions[REGISTRY] = Pretended(*held, **fields)
        return registry

    return install


Pretend = Callable[..., Pretended]


def went_to(answer: Any) -> tuple[str, dict[str, str]]:
    assert answer.status_code == 303
    parts = urlsplit(answer.location)
    return parts.path, {name: values[0] for name, values in parse_qs(parts.query).items()}


def test_each_is_decided_once_in_the_words_that_were_given(client: FlaskClient, pretend: Pretend) -> None:
    registry = pretend("eml_1", "eml_2")
    answer = client.post("/desk/decide", data={**FULL, "ids": ["eml_1", "eml_2,eml_1", "x'y"]}, headers=OWN)
    assert registry.asked == [("eml_1", "was_sent", "it came", "Ada"), ("eml_2", "was_sent", "it came", "Ada")]
    assert went_to(answer) == ("/desk", {"done": "was_sent-several", "count": "2", "by": "Ada"})


def test_what_another_has_decided_is_told(client: FlaskClient, pretend: Pretend) -> None:
    pretend("eml_1", decided=("eml_2",))
    answer = client.post("/desk/decide", data={**FULL, "ids": ["eml_1", "eml_2", "eml_3"]}, headers=OWN)
    said = {"done": "was_sent-several", "count": "1", "overtaken": "eml_2,eml_3", "by": "Ada"}
    assert went_to(answer) == ("/desk", said)
    answer = client.post("/desk/decide", data={**FULL, "ids": "eml_2", "back": "mail"}, headers=OWN)
    assert went_to(answer) == ("/mails/eml_2", {"done": "overtaken", "by": "Ada"})
    pretend(decided=("eml_2",))
    page = client.get("/desk?done=overtaken-all&count=0&overtaken=eml_2,eml_3").text
    assert "Somebody else had decided about 1 of yours meanwhile" in page
    assert "is cancelled" in page


def test_a_failure_is_no_decision_of_somebody_else(client: FlaskClient, pretend: Pretend) -> None:
    pretend("eml_1", failing=True)
    answer = client.post("/desk/decide", data={**FULL, "ids": "eml_1"}, headers=OWN)
    assert answer.status_code == 503


def test_nothing_is_decided_without_a_reason_a_name_and_a_mail(client: FlaskClient, pretend: Pretend) -> None:
    registry = pretend("eml_1")
    for lacking in ("reason", "by"):
        answer = client.post("/desk/decide", data={**FULL, "ids": "eml_1", lacking: "  "}, headers=OWN)
        assert answer.status_code == 422
        assert 'aria-invalid="true"' in answer.text
    for method in (client.get, client.post):
        assert went_to(method("/desk/decide", headers=OWN)) == ("/desk", {"done": "none-ticked"})
    assert (
        client.post("/desk/decide", data={**FULL, "ids": "eml_1"}, headers={"Origin": "http://evil"}).status_code == 403
    )
    assert registry.asked == []


def test_a_mail_that_no_provider_was_called_for_says_why_it_is_held(client: FlaskClient, pretend: Pretend) -> None:
    pretend("eml_1")
    page = client.get("/desk?by=A%22da").text
    assert "<dt>Held</dt><dd>The same mail &lt;b&gt;twice&lt;/b&gt;." in page
    assert "<dt>Called</dt>" not in page
    assert "by=A%22da" in page


def test_only_another_number_is_news(client: FlaskClient, pretend: Pretend) -> None:
    pretend("eml_1", "eml_2")
    part = {"HX-Request": "true"}
    assert client.get("/desk/news?shown=2", headers=part).text.strip() == ""
    assert "1 more waits" in client.get("/desk/news?shown=1", headers=part).text
    assert "2 wait now" in client.get("/desk/news?shown=7", headers=part).text
    assert client.get("/desk/news?shown=²", headers=part).text.strip() == ""


class Shut(Pretended):
    """One that shows mail to its owner, and the cluster to operators alone."""

    def cluster(self) -> Any:
        raise Refused(403, "The key may not do that", "this key lacks the scope cluster:read")


def test_an_owner_decides_without_seeing_the_cluster() -> None:
    app = create_app(Settings(frontend=Frontend(registry_url="http://127.0.0.1:9")))
    app.extensions[REGISTRY] = Shut("eml_1")
    client = signed_in(app)
    assert "eml_1" in client.get("/desk").text
    for part in ("/desk/count", "/desk/news?shown=1"):
        answer = client.get(part, headers={"HX-Request": "true"})
        assert (answer.status_code, answer.text.strip()) == (200, "")
