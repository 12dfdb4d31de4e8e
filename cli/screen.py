"""What `fencepost dev` shows."""

import time
from collections.abc import Callable

from rich.console import Console

from devstack.logfiles import Complaint
from devstack.processes import Process

_COLOURS = {"warning": "yellow", "error": "red", "critical": "red"}
_AGAIN_SECONDS = 60


def without_password(address: str) -> str:
    """The address without the user and password that it may carry."""
    scheme, _, rest = address.partition("://")
    return f"{scheme}://{rest.rpartition('@')[2]}"


class Screen:
    """Sentences on standard output; coloured on a terminal."""

    def __init__(self, console: Console | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self._console = console or Console(highlight=False)
        self._clock = clock
        self._said: dict[Complaint, float] = {}

    def say(self, text: str) -> None:
        """One line. A terminal that has gone away is no reason to stop stopping."""
        try:
            self._console.print(text, soft_wrap=True, markup=False)
        except OSError:
            self._console.quiet = True

    def addresses(self, rows: list[tuple[str, str]]) -> None:
        """Where everything is."""
        width = max(len(name) for name, _ in rows)
        self._console.print()
        for name, value in rows:
            self._console.print(f"  {name:<{width}}", style="bold", end="  ")
            self.say(value)
        self._console.print()

    def complaint(self, complaint: Complaint) -> None:
        """A process says that something is wrong: once a minute at most, if it goes on saying the same."""
        now = self._clock()
        if now - self._said.get(complaint, -_AGAIN_SECONDS) < _AGAIN_SECONDS:
            return
        self._said[complaint] = now
        colour = _COLOURS.get(complaint.level, "white")
        self._console.print(f"[{colour}]{complaint.process} {complaint.level}[/{colour}]", end=": ")
        self.say(complaint.message)

    def death(self, process: Process) -> None:
        """A process ended that nobody asked to."""
        status = process.returncode or 0
        how = f"was killed by signal {-status}" if status < 0 else f"ended with status {status}"
        self.say(f"{process.name} {how}. The others go on; its log is {process.log}")
