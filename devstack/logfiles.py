"""Following the log files of many processes as they grow."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from devstack import loglines
from devstack.processes import Process


@dataclass(frozen=True)
class Complaint:
    """What a process says that is wrong."""

    process: str
    level: str
    message: str


@dataclass
class _File:
    process: Process
    position: int = 0
    rest: bytes = field(default=b"", repr=False)


class LogFollower:
    """Writes what processes log into one file, each line behind its process's name, and picks out the complaints."""

    def __init__(self, processes: Sequence[Process], merged: Path) -> None:
        self._files = [_File(process) for process in processes]
        self._merged = merged

    def poll(self) -> list[Complaint]:
        """Take over what has been written since the last time; the warnings and errors in it."""
        complaints: list[Complaint] = []
        with self._merged.open("a") as merged:
            for file in self._files:
                for line in _new_lines(file):
                    merged.write(f"{file.process.name:<10} | {line}\n")
                    said = loglines.parse(line)
                    if said and said.complains:
                        complaints.append(Complaint(file.process.name, said.level, said.message))
        return complaints


def _new_lines(file: _File) -> list[str]:
    if not file.process.log.exists():
        return []
    with file.process.log.open("rb") as log:
        log.seek(file.position)
        written = file.rest + log.read()
        file.position = log.tell()
    *whole, file.rest = written.split(b"\n")
    return [line.decode(errors="replace") for line in whole]
