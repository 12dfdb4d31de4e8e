"""Why a mail is not sent, or what came of an instant: the gates on the way as a page shows them. Pure."""

from dataclasses import dataclass
from typing import Literal

from frontend.mail_shapes import Email, Explanation

Step = Literal["passed", "holds", "unsure", "ahead"]
WAITING = ("pending", "sending", "unknown", "held")


@dataclass(frozen=True, slots=True)
class Shown:
    """A gate and how it stands. What comes after the first that holds has not been come to: it is `ahead`."""

    title: str
    step: Step
    detail: str


def steps(explanation: Explanation) -> list[Shown]:
    """The gates in their order."""
    found: list[Shown] = []
    held = False
    for gate in explanation["gates"]:
        step: Step = "ahead" if held else "holds" if gate["holds"] else "unsure" if gate["holds"] is None else "passed"
        held = held or gate["holds"] is True
        found.append(Shown(gate["title"], step, gate["detail"]))
    return found


def is_explained(mail: Email) -> bool:
    """Whether there is something to explain: it has neither been sent nor ended."""
    return mail["state"] in WAITING
