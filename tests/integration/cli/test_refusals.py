"""How commands end when the registry says no, or nothing: the status, the sentence, what is repeated and what is not."""

from pathlib import Path
from typing import Any

import pytest

from cli.client import Client
from cli.errors import NotReached, Refused
from devstack.processes import free_port
from tests.integration.cli.conftest import LOST, Stub

EMAIL = "eml_01ARZ3NDEKTSV4RRFFQ69G5FAV"
SEND = ("send", "--from", "a@example.com", "--to", "b@example.com", "--subject", "S", "-m", "T")
MADE = (202, {"id": "bat_1", "created_at": "2026-03-29T09:00:00Z", "emails": [{"id": EMAIL, "to": "b@example.com"}]})
KEY = "fp_live_0123456789_secret"


def problem(status: int, **fields: Any) -> tuple[int, dict[str, Any]]:
    return status, {"type": "about:blank", "title": "T", "status": status, "detail": "because", "errors": [], **fields}


def test_each_wrong_field_is_named_with_what_would_be_right(stub: Stub) -> None:
    errors = [
        {"pointer": "/to/0/email", "detail": "is not a mail address"},
        {"pointer": "", "detail": "needs `text`, `html` or both"},
    ]
    stub.answers = [problem(422, title="The input can't be taken as it is", errors=errors)]
    ran = stub.run(*SEND)
    assert ran.exit_code == 1
    assert ran.stderr.splitlines() == [
        "fencepost: The input can't be taken as it is (status 422)",
        "  /to/0/email: is not a mail address",
        "  the whole: needs `text`, `html` or both",
    ]
    assert ran.stdout == ""


@pytest.mark.parametrize(
    ("answer", "status", "sentence"),
    [
        (problem(409), 1, "because (status 409)"),
        (problem(401), 5, "because (status 401)"),
        (problem(403), 5, "because (status 403)"),
        (problem(404, type="/problems#not-found", detail="there is no email"), 4, "there is no email (status 404)"),
        (problem(404), 4, "this registry has no GET /emails/"),
        (problem(500, request_id="req_7"), 1, "its log has it under req_7"),
        (problem(503), 3, "because (status 503)"),
        ((502, b"<html>"), 3, "the registry gave no reason (status 502)"),
        ((200, b"<html>"), 3, "is no registry: it did not send JSON"),
        ((302, b"", {"Location": "http://example.com/"}), 3, "sends its callers elsewhere"),
    ],
)
def test_the_status_tells_what_to_do_next(answer: Any, status: int, sentence: str, stub: Stub) -> None:
    stub.answers = [answer]
    ran = stub.run("mails", "show", EMAIL, "--json")
    assert (ran.exit_code, ran.stdout) == (status, "")
    assert sentence in ran.stderr
    assert len(stub.asked) == 1


@pytest.mark.parametrize(
    ("arguments", "wanted"),
    [
        (("mails", "show", "ann"), "an email (eml_ and 26 characters)"),
        (("schedule", "show", EMAIL), "a schedule (sch_ and 26 characters)"),
        (("keys", "revoke", "shop"), "a key (key_ and 26 characters)"),
        (("suppressions", "remove", "ann@example.com"), "a suppression (sup_ and 26 characters)"),
        (("webhooks", "log", "shop"), "a webhook (whk_ and 26 characters)"),
        (("webhooks", "replay", EMAIL.replace("eml", "whk"), EMAIL), "a message (whm_ and 26 characters)"),
    ],
)
def test_what_is_no_id_is_said_before_anybody_is_asked(arguments: tuple[str, ...], wanted: str, stub: Stub) -> None:
    ran = stub.run(*arguments)
    assert ran.exit_code == 2
    assert f"is not the id of {wanted}" in " ".join(ran.stderr.split())
    assert stub.asked == []


def test_a_registry_that_is_not_there_is_3_with_its_address_but_no_password() -> None:
    told: list[str] = []
    with (
        Client(f"http://user:hidden@127.0.0.1:{free_port()}", None, told.append, lambda _: None) as client,
        pytest.raises(NotReached) as error,
    ):
        client.get("/cluster")
    assert error.value.exit_code == 3
    assert "nothing listens there" in error.value.message
    assert len(told) == 3
    assert "hidden" not in str(told) + error.value.message


def test_a_mail_whose_answer_was_lost_is_asked_for_again_under_the_same_key(stub: Stub) -> None:
    stub.answers = [LOST, MADE]
    ran = stub.run(*SEND)
    assert ran.exit_code == 0, ran.output
    assert "trying again" in ran.stderr
    first, second = stub.asked
    assert first.headers["Idempotency-Key"] == second.headers["Idempotency-Key"]
    assert first.body == second.body


def test_the_repetition_waits_while_the_first_request_is_under_way(stub: Stub) -> None:
    stub.answers = [LOST, problem(409), MADE]
    pauses: list[float] = []
    with Client(stub.url, None, lambda _: None, pauses.append) as client:
        assert client.post("/emails", {}, idempotency_key="k") == MADE[1]
    assert len(pauses) == 2


def test_a_first_409_is_an_answer(stub: Stub) -> None:
    stub.answers = [problem(409)]
    with Client(stub.url, None, lambda _: None, lambda _: None) as client, pytest.raises(Refused):
        client.post("/emails", {}, idempotency_key="k")
    assert len(stub.asked) == 1


def test_a_registry_that_asks_for_patience_is_given_it(stub: Stub) -> None:
    stub.answers = [(*problem(503), {"Retry-After": "5"}), (200, {"fine": True})]
    pauses: list[float] = []
    with Client(stub.url, None, lambda _: None, pauses.append) as client:
        assert client.get("/cluster") == {"fine": True}
    assert pauses == [5.0]


@pytest.mark.parametrize("answer", [LOST, (503, {}, {"Retry-After": "0"})])
def test_what_might_be_done_twice_is_asked_once(answer: Any, stub: Stub) -> None:
    stub.answers = [answer]
    ran = stub.run("replay", EMAIL)
    assert ran.exit_code == 3
    assert len(stub.asked) == 1
    assert answer is not LOST or "whether it was done is not known" in ran.stderr


def test_the_key_is_sent_and_never_shown(stub: Stub, tmp_path: Path) -> None:
    (tmp_path / "key").write_text(f"{KEY}\n")
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login somebody password else\n")
    stub.answers = [problem(401)]
    ways: list[tuple[tuple[str, ...], dict[str, str]]] = [
        (("--key", KEY), {"FENCEPOST_KEY": "another"}),
        (("--key-file", str(tmp_path / "key")), {"FENCEPOST_KEY": "another"}),
        ((), {"FENCEPOST_KEY": KEY}),
        ((), {"FENCEPOST_KEY_FILE": str(tmp_path / "key")}),
    ]
    for options, variables in ways:
        ran = stub.run("mails", "list", *options, HOME=str(tmp_path), **variables)
        assert ran.exit_code == 5
        assert KEY not in ran.output
        assert stub.asked[-1].headers["Authorization"] == f"Bearer {KEY}"
    assert "FENCEPOST_KEY" in stub.run("mails", "list", "--help", FENCEPOST_KEY=KEY).output
    assert KEY not in stub.run("mails", "list", "--help", FENCEPOST_KEY=KEY).output


def test_without_a_key_nothing_of_a_netrc_goes_out(stub: Stub, tmp_path: Path) -> None:
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login somebody password else\n")
    stub.answers = [(200, {"data": [], "next_cursor": None})]
    assert stub.run("mails", "list", HOME=str(tmp_path)).exit_code == 0
    assert "Authorization" not in stub.asked[0].headers


def test_a_key_that_can_be_none_is_refused_without_showing_it(stub: Stub, tmp_path: Path) -> None:
    for options in (("--key", "two words"), ("--key-file", str(tmp_path / "none")), ("--key", "a", "--key-file", "b")):
        ran = stub.run("mails", "list", *options)
        assert ran.exit_code == 2
        assert "two words" not in ran.output
    assert stub.asked == []
