"""A sender whose clock is off by as many seconds as a file says, read at each look; the steady clock is the machine's."""

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

from fencepost import logs
from fencepost.clock import SystemClock
from fencepost.settings import load
from sender.__main__ import main
from sender.process import SenderProcess

FILE = "TEST_CLOCK_OFF_BY"
"""The variable that names the file; without it the sender is one like any other."""


class SkewedClock(SystemClock):
    def __init__(self, offset: Path) -> None:
        self._offset = offset

    def now(self) -> datetime:
        return datetime.now(UTC) + timedelta(seconds=float(self._offset.read_text()))


def skew(path: Path, seconds: float) -> None:
    """From now on the clocks that read this file are off by so much."""
    fresh = path.with_suffix(".new")
    fresh.write_text(str(seconds))
    fresh.rename(path)


def send() -> int:
    """`python -m sender`, with such a clock if one is wanted."""
    if FILE not in os.environ:
        return main()
    settings = load()
    logs.configure(settings.logging, process="sender")
    return SenderProcess(settings, SkewedClock(Path(os.environ[FILE]))).run()
