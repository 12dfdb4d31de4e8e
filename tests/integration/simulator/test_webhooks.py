"""The simulator tells of what happened to a mail, as Mailgun's webhooks do."""

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest

from fencepost.events import EventKind
from fencepost.providers.mailgun_events import read_event
from fencepost.providers.mailgun_hooks import read_hook
from simulator.dials import Setting, WrongDials, parse
from tests.integration.simulator.conftest import Simulator, StartsSimulator, _start
from tests.support.eventually import eventually

KEY = "key-signing"


class Listener:
    """Takes webhooks, and answers each with the next of `answers`, then with 200."""

    def __init__(self) -> None:
        self.answers: list[int] = []
        self.calls: list[dict[str, Any]] = []
        listener = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                assert self.headers["Content-Type"] == "application/json"
                listener.calls.append(json.loads(body))
                self.send_response(listener.answers.pop(0) if listener.answers else 200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: Any, **__: Any) -> None:
                """Nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/hooks"
        self._thread = Thread(target=self._server.serve_forever)
        self._thread.start()

    def told(self) -> list[str]:
        """The kinds of the events, in the order in which they were told."""
        return [one["event-data"]["event"] for one in self.calls]

    def wait(self, count: int) -> list[dict[str, Any]]:
        """So many calls, and no more of them for a moment."""
        eventually(lambda: len(self.calls) >= count, seconds=30)
        return self.calls

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@pytest.fixture(scope="module")
def _telling(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Simulator, Listener]]:
    listener = Listener()
    variables = {"HOOKS_URL": listener.url, "WEBHOOK_SIGNING_KEY": KEY}
    simulator = _start(tmp_path_factory.mktemp("telling"), variables)
    yield simulator, listener
    simulator.http.close()
    simulator.process.kill()
    listener.close()


@pytest.fixture
def listener(_telling: tuple[Simulator, Listener]) -> Listener:
    """One that has heard nothing yet. Each test waits for all that it caused."""
    _telling[1].calls.clear()
    return _telling[1]


@pytest.fixture
def telling(_telling: tuple[Simulator, Listener]) -> Simulator:
    simulator, _ = _telling
    simulator.dial()
    simulator.http.delete(f"{simulator.url}/_simulator/ledger", timeout=10)
    return simulator


FORM = {"from": "a@example.com", "to": "b@example.org", "subject": "x", "text": "y", "v:fencepost": "eml_1/3"}


def test_what_became_of_a_mail_is_told_as_mailgun_tells_it(telling: Simulator, listener: Listener) -> None:
    telling.post(FORM)
    told = [read_event(read_hook(body, [KEY], datetime.now(UTC)).event_data) for body in listener.wait(2)]
    assert [(event.kind, event.delivery_id, event.attempt_no) for event in told if event] == [
        (EventKind.ACCEPTED, "eml_1", 3),
        (EventKind.DELIVERED, "eml_1", 3),
    ]
    recorded = eventually(lambda: telling.events(begin="0", ascending="yes").json()["items"])
    assert [body["event-data"] for body in listener.calls] == recorded, "webhooks and records tell the same"


def test_a_mail_is_told_of_also_if_its_caller_never_hears(telling: Simulator, listener: Listener) -> None:
    telling.dial(faults={"accept_and_500": {"next": 1}, "refuse_500": {"next": 1}})
    for number in (1, 2):
        assert telling.post({**FORM, "v:fencepost": f"eml_{number}/1"}).status_code == 500
    listener.wait(2)
    assert {body["event-data"]["user-variables"]["fencepost"] for body in listener.calls} == {"eml_1/1"}


def test_a_call_that_is_not_taken_is_repeated_word_for_word(telling: Simulator, listener: Listener) -> None:
    listener.answers = [503, 200, 500]
    telling.post(FORM)
    listener.wait(4)
    assert listener.told() == ["accepted", "delivered", "accepted", "accepted"]
    first, _, second, third = listener.calls
    assert first == second == third


def test_406_ends_it_and_what_was_delivered_is_told_once(telling: Simulator, listener: Listener) -> None:
    listener.answers = [406, 500]
    telling.post(FORM)
    listener.wait(2)
    telling.post({**FORM, "subject": "the next"})
    listener.wait(4)
    assert listener.told() == ["accepted", "delivered"] * 2


def test_nobody_who_answers_for_mail_waits_for_a_webhook(start_simulator: StartsSimulator) -> None:
    # A network for documentation: whoever calls there waits.
    simulator = start_simulator(HOOKS_URL="http://192.0.2.1/hooks", WEBHOOK_SIGNING_KEY=KEY)
    began = time.monotonic()
    for _ in range(20):
        assert simulator.post(FORM).status_code == 200
    assert time.monotonic() - began < 10


def test_the_dials_repeat_drop_and_disorder_them(telling: Simulator, listener: Listener) -> None:
    telling.dial(webhook_drop=1)
    telling.post({**FORM, "subject": "dropped"})
    telling.dial(webhook_duplicates=3, webhook_shuffle=True, webhook_delay_ms=100, seed=5)
    began = time.time()
    for number in range(5):
        telling.post({**FORM, "subject": str(number)})
    calls = listener.wait(40)
    assert len({body["event-data"]["id"] for body in calls}) == 10
    assert len({body["signature"]["token"] for body in calls}) == 40
    assert "dropped" not in {body["event-data"]["message"]["headers"]["subject"] for body in calls}
    stamps = [body["event-data"]["timestamp"] for body in calls]
    assert stamps != sorted(stamps)
    assert time.time() - began > 0.1


@pytest.mark.parametrize(
    "dials",
    [
        {"webhook_drop": 1.5},
        {"webhook_duplicates": 0.5},
        {"webhook_duplicates": 1001},
        {"webhook_shuffle": "yes"},
        {"webhook_delay_ms": -1},
        {"opens": 1.1},
        {"clicks": True},
    ],
)
def test_a_dial_that_is_none_is_refused(dials: dict[str, Any]) -> None:
    with pytest.raises(WrongDials):
        parse(dials)


def test_untouched_dials_do_no_harm() -> None:
    setting = parse({})
    assert setting == Setting()
    assert (setting.webhook_delay_ms, setting.webhook_duplicates, setting.webhook_drop) == (0, 0, 0)
