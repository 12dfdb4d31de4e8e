"""A sender's log as an operator reads it: sentences, each outage told once when it begins and once when it ends, no line of an
error that nobody foresaw. Reads the log alone and shares no code with what writes it."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

Line = Mapping[str, Any]

KNOWN_ERRORS = {
    "clock.off",
    "delivery.held",
    "lease.refused",
    "provider.open",
    "records.closed",
    "schedule.quarantined",
}
"""What is wrong in a way that an operator, or the owner of a schedule, has to mend."""
_LONGEST_DETAIL = 300
_REPEAT_SECONDS = 59


def problems(lines: Sequence[Line], *, ended_well: bool = True) -> list[str]:
    """What is wrong with this log, a sentence each. `ended_well`: every outage must have ended by now."""
    return [*_not_sentences(lines), *_unforeseen(lines), *_outages(lines, ended_well)]


def outages(lines: Sequence[Line]) -> Counter[str]:
    """How many outages of each server were told of."""
    return Counter(line["server"] for line in lines if line["action"] == "server.back")


def _not_sentences(lines: Sequence[Line]) -> Iterator[str]:
    for line in lines:
        if "exception" in line or "Traceback" in str(line):
            yield f"a traceback: {line}"
        if line["action"] == "library.log":
            yield f"a library speaks: {line}"
        if not line["message"].endswith("."):
            yield f"no sentence: {line}"
        if len(str(line.get("detail", ""))) > _LONGEST_DETAIL:
            yield f"runs over: {line}"


def _unforeseen(lines: Sequence[Line]) -> Iterator[str]:
    for line in lines:
        if line["level"] not in ("debug", "info", "warning") and line["action"] not in KNOWN_ERRORS:
            yield f"an error that nobody foresaw: {line}"


def _outages(lines: Sequence[Line], ended_well: bool) -> Iterator[str]:
    away: dict[str, list[datetime]] = defaultdict(list)
    for line in lines:
        at = datetime.fromisoformat(line["at"])
        if line["action"] == "server.away":
            said = away[line["server"]]
            if said and (at - said[-1]).total_seconds() < _REPEAT_SECONDS:
                yield f"said again too soon: {line}"
            said.append(at)
        elif line["action"] == "server.back" and not away.pop(line["server"], None):
            yield f"back without having been away: {line}"
    if ended_well:
        for server in away:
            yield f"{server} never came back"
