"""Explanations as JSON."""

from typing import Literal

from pydantic import with_config
from typing_extensions import TypedDict

from fencepost.explaining import Explanation
from registry.answers.common import EXACT, Instant, maybe_iso


@with_config(EXACT)
class GateAnswer(TypedDict):
    """One thing that a mail has to pass."""

    gate: str
    title: str
    holds: bool | None
    """Whether it keeps the mail back; null: that is not known."""
    detail: str
    until: Instant | None
    """When it may open, where that is known."""


@with_config(EXACT)
class ExplanationAnswer(TypedDict):
    """Why it is not sent, or what came of it. The first gate that holds is the reason."""

    object: Literal["explanation"]
    subject: str
    """The id of what is explained."""
    at: Instant | None
    """The instant, of a schedule's explanation."""
    verdict: str
    reason: str | None
    """The name of the first gate that holds; null if none does."""
    next_try_at: Instant | None
    gates: list[GateAnswer]


def explanation_answer(subject: str, at: str | None, found: Explanation) -> ExplanationAnswer:
    return {
        "object": "explanation",
        "subject": subject,
        "at": at,
        "verdict": found.verdict,
        "reason": found.holding.name if found.holding else None,
        "next_try_at": maybe_iso(found.next_try_at),
        "gates": [
            {
                "gate": gate.name,
                "title": gate.title,
                "holds": gate.holds,
                "detail": gate.detail,
                "until": maybe_iso(gate.until),
            }
            for gate in found.gates
        ],
    }
