"""`fencepost dev`: everything comes up, says where it is, and goes away without a trace."""

import os
import re
import signal
import socket
import sys
import time
from pathlib import Path

import pytest
import requests

from tests.conftest import StartsDev
from tests.support.dev import START_SECONDS, Run, ledger
from tests.support.eventually import eventually

EVERY_MINUTE = "Demo: every minute"
pytestmark = [
    pytest.mark.timeout(240),
    pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc"),
]


def schedules(run: Run) -> set[str]:
    return {schedule["name"] for schedule in run.get("/schedules")["data"]}


def test_the_demo_mail_arrives_within_ten_seconds_and_ctrl_c_leaves_nothing_behind(dev: StartsDev) -> None:
    run = dev("--demo", "--senders", "2").ready()
    since = time.monotonic()
    eventually(lambda: "Hello from Fencepost" in {mail["subject"] for mail in ledger(run.address("Inbox"))}, seconds=15)
    assert time.monotonic() - since < 10
    assert requests.get(run.address("Pages"), timeout=10).status_code == 200
    assert requests.get(run.address("API docs"), timeout=10).status_code == 200
    assert run.end() == 0
    assert run.processes() == []
    assert run.temporary_files() == []
    assert "All that was started has ended." in run.screen


def test_a_process_that_dies_is_reported_and_the_others_go_on(dev: StartsDev) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        run = dev("--senders", "2", variables={"FENCEPOST_REGISTRY__PORT": str(port)}).ready()
        assert f"Port {port} is taken, so the registry listens on" in run.screen
        found = re.search(r"sender-1 \(pid (\d+)\)", run.screen)
        assert found
        os.kill(int(found[1]), signal.SIGKILL)
        eventually(lambda: "sender-1 was killed by signal 9." in run.screen)
        assert schedules(run) == set()
        assert run.end(signal.SIGTERM) == 0
        assert run.processes() == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP], ids=lambda number: number.name)
def test_a_signal_while_it_starts_ends_what_is_there_already(dev: StartsDev, number: signal.Signals) -> None:
    run = dev()
    eventually(lambda: len(run.processes()) >= 4, seconds=START_SECONDS, every=0.01)
    assert run.end(number) == 0
    assert run.processes() == []
    assert run.temporary_files() == []


def test_even_kill_9_leaves_no_process_behind(dev: StartsDev) -> None:
    run = dev()
    eventually(lambda: len(run.processes()) >= 5, seconds=START_SECONDS, every=0.01)
    run.end(signal.SIGKILL)
    eventually(lambda: run.processes() == [], seconds=30)


def test_kept_data_is_there_the_next_time_and_for_one_at_a_time(dev: StartsDev) -> None:
    first = dev("--keep", "--senders", "1", "--demo").ready()
    second = dev("--keep")
    assert second.process.wait(30) == 1
    assert "another `fencepost dev --keep` works in" in second.screen
    eventually(lambda: ledger(first.address("Inbox")), seconds=15)
    assert EVERY_MINUTE in schedules(first)
    assert first.end() == 0

    again = dev("--keep", "--senders", "1").ready()
    assert EVERY_MINUTE in schedules(again)
    assert ledger(again.address("Inbox"))
    assert again.end() == 0
    assert again.processes() == []


def test_settings_that_cannot_be_used_are_all_named_before_anything_starts(dev: StartsDev) -> None:
    run = dev(variables={"FENCEPOST_SENDER__SEATS": "many", "FENCEPOST_SENDER__SHARDS": "0"})
    assert run.process.wait(30) == 2
    assert "FENCEPOST_SENDER__SEATS" in run.screen
    assert "FENCEPOST_SENDER__SHARDS" in run.screen
    assert "Traceback" not in run.screen
    assert run.temporary_files() == []


def test_a_server_that_does_not_start_is_named_with_the_end_of_its_log(dev: StartsDev, tmp_path: Path) -> None:
    broken = tmp_path / "bin"
    broken.mkdir()
    (broken / "redis-server").write_text(
        '#!/bin/sh\n[ "$1" = --version ] && exit 0\necho "no memory left" >&2\nexit 1\n'
    )
    (broken / "redis-server").chmod(0o755)
    run = dev(variables={"PATH": f"{broken}:{os.environ['PATH']}"})
    assert run.process.wait(60) == 1
    assert "redis ended with status 1." in run.screen
    assert "no memory left" in run.screen
    assert "Traceback" not in run.screen
    assert run.processes() == []
