"""Gates: what a mail has to pass, each with whether it holds the mail and what is known of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Gate:
    """One thing on the way. `holds`: whether it keeps the mail back; None: that is not known, or it was not asked since an earlier
    one decides. `until` is when it may open, where that is known."""

    name: str
    title: str
    holds: bool | None
    detail: str
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Explanation:
    """The first gate that holds is the reason; none holds where the mail is on its way, or all is as it should be."""

    gates: Sequence[Gate]
    verdict: str
    next_try_at: datetime | None

    @property
    def holding(self) -> Gate | None:
        return next((gate for gate in self.gates if gate.holds), None)


def explanation(gates: Sequence[Gate], otherwise: str) -> Explanation:
    """What these gates come to; `otherwise` is the verdict where none of them holds."""
    first = next((gate for gate in gates if gate.holds), None)
    if first is None:
        return Explanation(gates, otherwise, None)
    return Explanation(gates, first.detail, first.until)
