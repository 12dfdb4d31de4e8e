"""Reading log lines back: ours are JSON with `level`, `message` and `process`; a server's have any shape."""

import json
from dataclasses import dataclass


@dataclass(frozen=True)
class Line:
    """A line that a process of ours logged."""

    level: str
    message: str
    exception: str

    @property
    def complains(self) -> bool:
        """Whether it says that something is wrong."""
        return self.level in ("warning", "error", "critical")


def parse(text: str) -> Line | None:
    """The line, or None if it is not one of ours."""
    try:
        event = json.loads(text)
    except ValueError:
        return None
    if not isinstance(event, dict) or not {"level", "message", "process"} <= event.keys():
        return None
    return Line(str(event["level"]), str(event["message"]), str(event.get("exception", "")))


def readable(text: str) -> str:
    """The same line for a person."""
    line = parse(text)
    return text if line is None else "\n".join(filter(None, (f"{line.level}: {line.message}", line.exception)))
