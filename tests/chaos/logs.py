"""The logs of a run: whether they read as a story, whatever broke."""

import json
from collections.abc import Iterator
from pathlib import Path

from tests.support import story


def complaints(folder: Path) -> list[str]:
    """What does not belong into the logs of the senders and registries in this folder, a sentence each: tracebacks, errors that
    nobody foresaw, outages that were told of twice."""
    return [
        f"log: {log.stem}: {problem[:300]}"
        for log in sorted(folder.glob("*.log"))
        for problem in story.problems(list(_lines(log)), ended_well=False)
    ]


def _lines(log: Path) -> Iterator[story.Line]:
    texts = log.read_text(errors="replace").splitlines()
    for number, text in enumerate(texts, 1):
        try:
            line: story.Line = json.loads(text)
        except ValueError:
            if number < len(texts):  # the last may be cut: its process was killed
                yield {
                    "action": "",
                    "level": "error",
                    "at": "1970-01-01T00:00:00Z",
                    "message": f"no JSON: {text[:200]}.",
                }
            continue
        # The web server's own lines about its start and its end.
        if line["action"] != "library.log" or line["level"] != "info":
            yield line
