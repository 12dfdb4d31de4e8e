"""What one run's history comes to, in figures that can be added up."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from tests.chaos.checker import History, counts


@dataclass(frozen=True)
class Summary:
    """One run. Lateness is from the due instant to the provider's acceptance, in seconds; `calm` of mails during which no fault
    was there and that were called once, `troubled` of the others."""

    seed: int
    occurrences: int
    counts: Mapping[str, int]
    faults: Mapping[str, int]
    answers: Mapping[str, int]
    calls_without_answer: int
    calm: Sequence[float]
    troubled: Sequence[float]
    death_unknown: int
    """The most mails that one killed sender left unknown."""
    death_seconds: float
    """The longest time from a sender's death until what it had claimed and not called was accepted from another."""
    problems: Sequence[str]

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def summary(seed: int, history: History, problems: Sequence[str]) -> Summary:
    skipped = {(skip["schedule_id"], skip["from"]) for skip in history["skips"]}
    unknown, seconds = _cost_of_death(history)
    calm, troubled = _lateness(history)
    return Summary(
        seed=seed,
        occurrences=len({row["occurrence_id"] for row in history["deliveries"]} | skipped),
        counts=counts(history),
        faults=dict(Counter(fault["kind"] for fault in history["faults"])),
        answers=dict(Counter(request["answer"] for request in history["requests"])),
        calls_without_answer=sum(call["status"] is None for call in [*history["calls"], *history["posts"]]),
        calm=calm,
        troubled=troubled,
        death_unknown=unknown,
        death_seconds=seconds,
        problems=problems,
    )


def _lateness(history: History) -> tuple[list[float], list[float]]:
    due = {row["id"]: row["due_at"] for row in history["deliveries"]}
    asked = Counter(request["delivery_id"] for request in history["requests"])
    calm: list[float] = []
    troubled: list[float] = []
    for request in history["requests"]:
        delivery, at = request["delivery_id"], request["at"]
        if not request["accepted"] or delivery not in due:
            continue
        in_trouble = asked[delivery] > 1 or any(
            fault["from"] <= at and fault["to"] >= due[delivery] for fault in history["faults"]
        )
        (troubled if in_trouble else calm).append(round(at - due[delivery], 3))
    return calm, troubled


def _cost_of_death(history: History) -> tuple[int, float]:
    accepted = {request["delivery_id"]: request["at"] for request in history["requests"] if request["accepted"]}
    unknown: dict[int, int] = defaultdict(int)
    longest = 0.0
    for row, attempt, death in _after_a_death(history):
        if attempt.get("outcome") == "unknown":
            unknown[death["pid"]] += 1
        elif attempt.get("outcome") == "released" and row["id"] in accepted:
            longest = max(longest, accepted[row["id"]] - death["from"])
    return max(unknown.values(), default=0), round(longest, 2)


def _after_a_death(history: History) -> Iterator[tuple[Any, Any, Any]]:
    """Every attempt that ended after its sender had been killed, with its row and that death."""
    deaths = {fault["pid"]: fault for fault in history["faults"] if fault["kind"] == "sender.kill"}
    for row in history["deliveries"]:
        for attempt in row["attempts"]:
            death = deaths.get(int(attempt["sender"].split("-")[-2]))
            if death and attempt.get("ended_at", 0) > death["from"]:
                yield row, attempt, death
