"""Senders that start at once. A process that has imported the sender already forks one for each request: a program of eight
senders begins in the time of one import, and each is a process like any other, to be killed, frozen and continued.

Run as a program it reads one JSON line for each sender to fork, answers with its process id, and says when one has ended.
"""

import ctypes
import json
import os
import queue
import select
import signal
import subprocess
import sys
import threading
import traceback
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn

from devstack import probes
from devstack.processes import free_port
from tests.support.eventually import eventually

ROOT = Path(__file__).resolve().parent.parent.parent
_PR_SET_PDEATHSIG = 1


class Sender:
    """One sender: a process that a test may do anything to."""

    def __init__(self, name: str, pid: int, url: str, log: Path) -> None:
        self.name, self.pid, self.url, self.log = name, pid, url, log
        self._ended = threading.Event()
        self._status: int | None = None

    @property
    def alive(self) -> bool:
        return not self._ended.is_set()

    @property
    def returncode(self) -> int | None:
        """What it ended with (negative: the signal); None while it runs."""
        return self._status

    @property
    def frozen(self) -> bool:
        """Whether it was stopped (SIGSTOP), by itself or by another."""
        try:
            return Path(f"/proc/{self.pid}/stat").read_text().rsplit(") ", 1)[1][0] == "T"
        except FileNotFoundError:
            return False

    def kill(self) -> None:
        """SIGKILL; returns when it is gone."""
        self._signal(signal.SIGKILL)
        assert self._ended.wait(10)

    def pause(self) -> None:
        """SIGSTOP: it keeps its sockets and answers nobody."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """SIGCONT."""
        self._signal(signal.SIGCONT)

    def terminate(self) -> None:
        """SIGTERM, without waiting."""
        self._signal(signal.SIGTERM)

    def wait(self, seconds: float) -> int:
        """Its status once it has ended by itself. Raises AssertionError after so long."""
        assert self._ended.wait(seconds), f"{self.name} still runs after {seconds:g} s\n{self.text()[-4000:]}"
        assert self._status is not None
        return self._status

    def wait_ready(self, seconds: float = 60) -> "Sender":
        """Return when it is ready to send."""

        def ready() -> bool:
            assert self.alive, f"{self.name} ended with status {self.returncode}\n{self.text()[-4000:]}"
            with suppress(OSError):
                return probes.http_is_ready(f"{self.url}/readyz")
            return False

        eventually(ready, seconds=seconds, every=0.05)
        return self

    def text(self) -> str:
        """All that it logged."""
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def lines(self) -> list[dict[str, Any]]:
        """Its log, line by line. A line that is not JSON is an error: something spoke past the log."""
        return [json.loads(line) for line in self.text().splitlines()]

    def ended(self, status: int) -> None:
        self._status = status
        self._ended.set()

    def _signal(self, number: int) -> None:
        if self.alive:
            with suppress(ProcessLookupError):  # it is just being noticed
                os.kill(self.pid, number)


class Nursery:
    """Forks senders until close(), which kills those that are left."""

    def __init__(self) -> None:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("FENCEPOST_")}
        self._child = subprocess.Popen(
            [sys.executable, "-m", "tests.support.nursery"],
            cwd=ROOT,
            env={**environment, "PYTHONPATH": str(ROOT)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._senders: dict[int, Sender] = {}
        self._born: queue.Queue[int] = queue.Queue()
        self._ends: dict[int, int] = {}
        self._lock = threading.Lock()
        self._reader = threading.Thread(target=self._read, name="nursery", daemon=True)
        self._reader.start()

    def fork(self, name: str, folder: Path, variables: Mapping[str, str]) -> Sender:
        """A sender with these settings, started; wait_ready() waits for its answer."""
        port, log = free_port(), folder / f"{name}.log"
        folder.mkdir(parents=True, exist_ok=True)
        request = {"variables": {"FENCEPOST_SENDER__METRICS_PORT": str(port), **variables}, "log": str(log)}
        assert self._child.stdin
        self._child.stdin.write(json.dumps(request) + "\n")
        self._child.stdin.flush()
        pid = self._born.get(timeout=60)
        sender = Sender(name, pid, f"http://127.0.0.1:{port}", log)
        with self._lock:
            self._senders[pid] = sender
            if pid in self._ends:
                sender.ended(self._ends[pid])
        return sender

    def close(self) -> None:
        for sender in self._senders.values():
            if sender.alive:
                sender.kill()
        assert self._child.stdin
        assert self._child.stdout
        self._child.stdin.close()
        self._child.wait(10)
        self._reader.join(10)
        self._child.stdout.close()

    def _read(self) -> None:
        assert self._child.stdout
        for line in self._child.stdout:
            word, pid, *status = line.split()
            if word == "born":
                with self._lock:
                    # After some thousands of others a number comes again.
                    self._ends.pop(int(pid), None)
                    self._senders.pop(int(pid), None)
                self._born.put(int(pid))
                continue
            with self._lock:
                self._ends[int(pid)] = int(status[0])
                if sender := self._senders.get(int(pid)):
                    sender.ended(int(status[0]))


def main() -> None:
    """The nursery itself. It has one thread, so that forking is safe."""
    from tests.support.skewed import send

    _die_with_parent()
    wake_read, wake_write = os.pipe()
    os.set_blocking(wake_write, False)
    signal.set_wakeup_fd(wake_write)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    unread = b""
    while True:
        ready, _, _ = select.select([0, wake_read], [], [])
        if wake_read in ready:
            os.read(wake_read, 4096)
            _report_ends()
        if 0 in ready:
            received = os.read(0, 65_536)
            if not received:
                return
            *lines, unread = (unread + received).split(b"\n")
            for line in lines:
                print("born", os.fork() or _become(json.loads(line), send), flush=True)


def _become(request: Mapping[str, Any], send: Callable[[], int]) -> NoReturn:
    status = 70
    try:
        _die_with_parent()
        os.setsid()
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        nothing = os.open(os.devnull, os.O_RDONLY)
        log = os.open(request["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        for source, target in ((nothing, 0), (log, 1), (log, 2)):
            os.dup2(source, target)
        os.environ.update(request["variables"])
        status = send()
    except BaseException:  # noqa: BLE001 - as the interpreter does it at the end of a program
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        os._exit(status)


def _die_with_parent() -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _report_ends() -> None:
    with suppress(ChildProcessError):
        while (ended := os.waitpid(-1, os.WNOHANG))[0]:
            print("ended", ended[0], os.waitstatus_to_exitcode(ended[1]), flush=True)


if __name__ == "__main__":
    main()
