"""Child processes that are ready when they say so, are ended by their id, and never outlive their parent."""

import fcntl
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from random import SystemRandom

from devstack import loglines

_TETHER = Path(__file__).with_name("tether.py")

# The kernel's "parent has died" signal fires when the *thread* that forked ends. So one thread forks every child: it
# ends with this process and not before.
_forker = ThreadPoolExecutor(max_workers=1, thread_name_prefix="forker")

# Below the range from which systems take the ports of outgoing connections, so that a server that is restarted finds
# its port still free.
_PORTS = range(20_000, 32_000)


class DidNotStart(Exception):
    """A process ended, or did not answer in time; the message carries the end of its log."""


class Process:
    """One child process: a group of its own, its output in a log file, killed when its parent dies."""

    def __init__(
        self,
        name: str,
        command: Sequence[str | Path],
        *,
        url: str,
        log: Path,
        ready: Callable[[], bool],
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """Nothing runs before start(). `url` is where it will answer; `ready` says whether it does, and may raise OSError
        while it does not. `environment` is the whole environment; None: the parent's."""
        self.name = name
        self.url = url
        self.log = log
        self._command = [str(part) for part in command]
        self._environment = dict(os.environ if environment is None else environment)
        self._ready = ready
        self._child: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        return self._running().pid

    @property
    def alive(self) -> bool:
        return self._child is not None and self.returncode is None

    @property
    def returncode(self) -> int | None:
        """What it ended with (negative: the signal); None while it runs or before it was started."""
        if self._child is None:
            return None
        if self._child.returncode is None and self._child.poll() is not None:
            self._kill_group()  # what it left behind; now, while nobody else can have got its id
        return self._child.returncode

    def start(self) -> "Process":
        """Start it and return at once; wait_ready() waits for its answer."""
        if self.alive:
            raise RuntimeError(f"{self.name} runs already")
        self.log.parent.mkdir(parents=True, exist_ok=True)
        _forker.submit(self._fork).result()
        return self

    def wait_ready(self, seconds: float = 60) -> "Process":
        """Return when it answers. Raises DidNotStart when it ends or stays silent for that long."""
        deadline = time.monotonic() + seconds
        while not self._answers():
            if not self.alive:
                raise DidNotStart(f"{self.name} ended with status {self.returncode}.\n{self.tail()}")
            if time.monotonic() > deadline:
                raise DidNotStart(f"{self.name} did not answer at {self.url} within {seconds:g} s.\n{self.tail()}")
            time.sleep(0.02)
        return self

    def stop(self, seconds: float = 10) -> int | None:
        """Ask it to end (SIGTERM), and after that long make it. Returns its status; None if it never ran."""
        if self.alive:
            child = self._running()
            self.terminate()
            with suppress(subprocess.TimeoutExpired):
                child.wait(seconds)
            self._kill_group()  # what it left behind
        return self.kill()

    def terminate(self) -> None:
        """SIGTERM, without waiting; a paused process is resumed, or it would never hear of it."""
        child = self._running()
        child.send_signal(signal.SIGTERM)
        os.killpg(child.pid, signal.SIGCONT)

    def kill(self) -> int | None:
        """SIGKILL to it and to all that it started; returns when it is gone."""
        if self.alive:
            self._kill_group()
            self._running().wait()
        return self.returncode

    def pause(self) -> None:
        """SIGSTOP: it keeps its sockets and answers nobody."""
        os.killpg(self._running().pid, signal.SIGSTOP)

    def resume(self) -> None:
        """SIGCONT."""
        os.killpg(self._running().pid, signal.SIGCONT)

    def restart(self) -> "Process":
        """Start it again with the same port and data, ready; what still runs is stopped first."""
        self.stop()
        return self.start().wait_ready()

    def wait(self, seconds: float | None = None) -> int:
        """Its status once it has ended by itself. Raises subprocess.TimeoutExpired."""
        return self._running().wait(seconds)

    def tail(self, lines: int = 20) -> str:
        """The end of its log, for a person."""
        if not self.log.exists():
            return ""
        last = self.log.read_text(errors="replace").splitlines()[-lines:]
        return "\n".join(f"{self.name}: {part}" for line in last for part in loglines.readable(line).splitlines())

    def _fork(self) -> None:
        # Kept here and not by start(): an interrupt that hits the starter must not lose a child that is there already.
        with self.log.open("ab") as output:
            self._child = subprocess.Popen(
                [sys.executable, "-I", "-S", str(_TETHER), str(os.getpid()), *self._command],
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def _answers(self) -> bool:
        try:
            return self._ready()
        except OSError:
            return False

    def _running(self) -> subprocess.Popen[bytes]:
        if self._child is None or self._child.returncode is not None:
            raise RuntimeError(f"{self.name} does not run")
        return self._child

    def _kill_group(self) -> None:
        if self._child:
            with suppress(ProcessLookupError):  # nobody is left in it
                os.killpg(self._child.pid, signal.SIGKILL)


def free_port(preferred: int = 0) -> int:
    """A loopback port on which nobody listens: the preferred one, else one that was not handed out for long. It may be a while
    until somebody listens there, so two who ask, in whatever processes, must not be given the same."""
    for port in _candidates(preferred):
        with socket.socket() as probe:
            # As servers do it: connections of the last one that are still being closed don't count.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise OSError(f"no free port found from {_PORTS.start} to {_PORTS.stop}")


def _candidates(preferred: int) -> Iterator[int]:
    if preferred:
        yield preferred
    for _ in range(200):
        yield _next_port()


def _next_port() -> int:
    """One after the other, round and round: all processes of this user count in one file, wherever their own files go."""
    with Path(f"/tmp/fencepost-next-port-{os.getuid()}").open("a+") as counter:
        fcntl.flock(counter, fcntl.LOCK_EX)
        counter.seek(0)
        last = counter.read().strip()
        port = int(last) + 1 if last.isdigit() else SystemRandom().choice(_PORTS)
        port = port if port in _PORTS else _PORTS.start
        counter.truncate(0)
        counter.write(str(port))
    return port
