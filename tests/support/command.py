"""The `fencepost` command as a person or a script runs it: a process of its own."""

import contextlib
import json
import os
import pty
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from devstack.stack import ROOT

_COMMAND = (sys.executable, "-m", "cli")
_SECONDS = 90
Ran = subprocess.CompletedProcess[str]


@dataclass(frozen=True)
class Command:
    """The command with this registry in its environment, and `variables` beside it."""

    url: str
    variables: Mapping[str, str] = field(default_factory=dict)

    def run(self, *arguments: str, stdin: str = "", status: int = 0) -> Ran:
        """Through pipes. Raises AssertionError for another exit status."""
        ran = subprocess.run(
            [*_COMMAND, *arguments],
            env=self._environment(),
            input=stdin,
            capture_output=True,
            text=True,
            timeout=_SECONDS,
        )
        assert ran.returncode == status, f"status {ran.returncode}\n{ran.stdout}\n{ran.stderr}"
        assert "\x1b" not in ran.stdout + ran.stderr
        return ran

    def json(self, *arguments: str, stdin: str = "", status: int = 0) -> Any:
        """What --json prints."""
        return json.loads(self.run(*arguments, "--json", stdin=stdin, status=status).stdout)

    def on_terminal(self, *arguments: str, columns: int = 80, **variables: str) -> str:
        """What it shows on a terminal so wide."""
        ours, theirs = pty.openpty()
        shown = {"TERM": "xterm-256color", "COLUMNS": str(columns), "LINES": "40", **variables}
        with subprocess.Popen(
            [*_COMMAND, *arguments],
            env={**self._environment(), **shown},
            stdin=theirs,
            stdout=theirs,
            stderr=subprocess.DEVNULL,
        ) as process:
            os.close(theirs)
            found = b""
            with contextlib.suppress(OSError):  # how Linux says that nobody writes any more
                while chunk := os.read(ours, 65_536):
                    found += chunk
            process.wait(_SECONDS)
        os.close(ours)
        return found.decode().replace("\r\n", "\n")

    def _environment(self) -> dict[str, str]:
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith("FENCEPOST_") and name not in ("NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE")
        }
        return {**kept, "PYTHONPATH": str(ROOT), "FENCEPOST_URL": self.url, **self.variables}
