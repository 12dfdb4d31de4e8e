"""Logs: JSON off a terminal, one way for all, and nothing in them that is not for everybody's eyes."""

import json
import os
import pty
import subprocess
import sys

import pytest

from fencepost.logs import STARS, mask

SCRIPT = """
import logging, warnings
from fencepost import logs
from fencepost.settings import Logging
logs.configure(Logging(level={level!r}), process="sender")
log = logs.get_logger("sender.loop")
log.debug("Nothing was due.", action="loop.idle")
log.info("The lease ran out.", action="lease.lost", shards=12)
logging.getLogger("some.library").warning("Mail to %s was refused.", "ada@example.com")
logging.getLogger("urllib3").info("GET /")
try:
    raise ValueError("no such mailbox: ada@example.com")
except ValueError:
    log.exception("The call failed.", action="call.failed")
"""


def logged(level: str = "info") -> list[dict[str, object]]:
    answer = subprocess.run(
        [sys.executable, "-c", SCRIPT.format(level=level)], capture_output=True, text=True, check=True
    )
    assert answer.stderr == ""
    return [json.loads(line) for line in answer.stdout.splitlines()]


def test_each_line_is_a_sentence_with_its_key_and_its_facts() -> None:
    line = logged()[0]
    assert line.pop("at")
    assert line == {
        "level": "info",
        "process": "sender",
        "module": "sender.loop",
        "action": "lease.lost",
        "message": "The lease ran out.",
        "shards": 12,
    }


def test_libraries_and_exceptions_take_the_same_way_masked() -> None:
    _, library, exception = logged()
    assert library["message"] == f"Mail to {STARS} was refused."
    assert library["module"] == "some.library"
    assert "ValueError: no such mailbox: " + STARS in str(exception["exception"])


def test_the_level_decides_what_is_said() -> None:
    assert [line["action"] for line in logged("error")] == ["call.failed"]
    assert logged("debug")[0]["action"] == "loop.idle"


@pytest.mark.parametrize(
    "fields",
    [
        {"authorization": "Basic YXBpOmtleQ=="},
        {"api_key": "key-3ax6xnjp29jd6fds4gc373sgvjxteol0"},
        {"headers": {"Authorization": "Bearer abc", "Cookie": "session=1"}},
        {"to": "ada@example.com"},
        {"recipients": ["ada@example.com", "grace@example.com"]},
        {"message_fields": {"subject": "Your results", "text": "positive", "html": "<p>positive"}},
        {"detail": "refused for ada@example.com"},
        {"detail": ["sent Authorization: Basic YXBpOmtleQ== to the provider"]},
        {"url": "mongodb://user:hunter2secret@db/"},
        {"detail": "key-3ax6xnjp29jd6fds4gc373sgvjxteol0 was refused"},
        {"path": "/unsubscribe/WyJsb2NhbCIsImFkYUBleGFtcGxlLmNvbSJd.c2lnbmF0dXJl"},
    ],
)
def test_secrets_addresses_and_bodies_are_masked(fields: dict[str, object]) -> None:
    text = json.dumps(mask(fields))
    assert STARS in text
    for private in (
        "YXBp",
        "3ax6",
        "abc",
        "session=1",
        "ada@",
        "grace@",
        "results",
        "positive",
        "hunter2",
        "WyJs",
        "c2ln",
    ):
        assert private not in text


def test_what_people_search_for_is_not_masked() -> None:
    fields = {
        "delivery_id": "dlv_01",
        "message_id": "<dlv_01@sandbox.example.com>",
        "token": 1099511627781,
        "shards": [1, 2],
        "detail": "keyboard-interrupt at http://127.0.0.1:5000/schedules",
    }
    assert mask(fields) == fields


def test_a_terminal_gets_colours() -> None:
    ours, theirs = pty.openpty()
    subprocess.run([sys.executable, "-c", SCRIPT.format(level="info")], stdout=theirs, check=True)
    os.close(theirs)
    with open(ours, "rb", buffering=0) as terminal:
        shown = terminal.read(4096).decode()
    assert "\x1b[" in shown
    assert "The lease ran out." in shown
