"""`fencepost dev`, run as a person runs it at a terminal."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import requests

from devstack.processes import free_port
from devstack.stack import ROOT
from tests.support.eventually import eventually

READY = "Ctrl-C stops all that was started."
START_SECONDS = 90
COMMAND = (sys.executable, "-m", "cli", "dev")


class Run:
    """A running `fencepost dev`, or a command that comes to the same, with a folder for all its temporary files."""

    def __init__(
        self,
        folder: Path,
        *arguments: str,
        command: Sequence[str] = COMMAND,
        variables: Mapping[str, str] | None = None,
    ) -> None:
        """Starts at once, in `folder`. `variables` are added to the environment, from which settings are removed."""
        self._screen = folder / f"screen-{len(list(folder.glob('screen-*')))}"
        self._temporary = folder / "temporary"
        self._temporary.mkdir(exist_ok=True)
        # Not the usual ports: another run, in another worker or terminal, may be about to take them.
        ports = {f"FENCEPOST_{part}__PORT": str(free_port()) for part in ("REGISTRY", "FRONTEND", "SIMULATOR")}
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(("FENCEPOST_", "MAKE"))}
        with self._screen.open("wb") as screen:
            self.process = subprocess.Popen(
                [*command, *arguments],
                cwd=folder,
                env={
                    **inherited,
                    **ports,
                    "PYTHONPATH": str(ROOT),
                    "TMPDIR": str(self._temporary),
                    **(variables or {}),
                },
                stdin=subprocess.DEVNULL,
                stdout=screen,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def screen(self) -> str:
        """All that it has shown so far."""
        return self._screen.read_text()

    def ready(self) -> "Run":
        """Wait until it says that it is."""

        def said() -> bool:
            assert self.process.poll() is None, self.screen
            return READY in self.screen

        eventually(said, seconds=START_SECONDS)
        return self

    def address(self, name: str) -> str:
        """What the screen says behind that word."""
        found = re.search(rf"^  {name} +(\S+)", self.screen, re.MULTILINE)
        assert found, self.screen
        return found[1]

    def get(self, path: str) -> Any:
        """What the registry answers."""
        answer = requests.get(f"{self.address('API').removesuffix('/schedules')}{path}", timeout=10)
        answer.raise_for_status()
        return answer.json()

    def end(self, number: signal.Signals = signal.SIGINT) -> int:
        """Send the signal, Ctrl-C as a terminal does to the whole foreground group, and wait for the status."""
        if number == signal.SIGINT:
            os.killpg(self.process.pid, number)
        else:
            self.process.send_signal(number)
        return self.process.wait(60)

    def processes(self) -> list[str]:
        """Every process that was started by it or by what it started: they all have its temporary folder."""
        return [name for pid in Path("/proc").glob("[0-9]*") if (name := self._ours(pid))]

    def temporary_files(self) -> list[str]:
        """What is left in its temporary folder."""
        return [path.name for path in self._temporary.iterdir()]

    def _ours(self, pid: Path) -> str | None:
        try:
            if str(self._temporary).encode() in (pid / "environ").read_bytes():
                return (pid / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        except OSError:
            pass  # gone, or somebody else's
        return None


def ledger(simulator_url: str) -> list[dict[str, Any]]:
    """The mails that this simulator accepted, in their order."""
    answer = requests.get(f"{simulator_url}/_simulator/ledger", timeout=5)
    answer.raise_for_status()
    mails: list[dict[str, Any]] = answer.json()["data"]
    return mails
