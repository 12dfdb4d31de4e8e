"""What one pass of the loop works with: who claims, under which tokens and epoch, until when, and for how many seats."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol

from fencepost import breaker, ids
from fencepost.deliveries import Attempt, Delivery
from fencepost.messages import Renderer
from fencepost.planning import Limits
from fencepost.schedules import Rule


class Router(Protocol):
    """Says where the next attempt of a mail goes."""

    def provider(self, row: Delivery, definition: Mapping[str, Any]) -> str | timedelta:
        """The provider that it is to be claimed for, which counts as claimed from now on; or how long it waits."""
        ...


@dataclass(frozen=True, slots=True)
class Terms:
    """The terms of one pass. `tokens` are those of the shards that are held and not draining."""

    now: datetime
    sender: str
    tokens: Mapping[int, int]
    epoch: str
    router: Router
    claim_id: str
    deadline: datetime
    deadline_steady: float
    """The same deadline on the steady clock, taken before the claim was written."""
    room: int
    """How many deliveries may be claimed."""
    shards: int
    limits: Limits
    retention: timedelta
    breaker_window: timedelta | None = None
    """For how long the breaker remembers a content; None: it is off."""

    def copy_slot(self, row: Delivery, rule: Rule) -> timedelta | None:
        """`Claimed.copy_slot` of a row whose instant this rule named. Raises what the arithmetic raises."""
        if self.breaker_window is None or not breaker.watches(row):
            return None
        return breaker.slot_width(rule, row["due_at"], self.breaker_window)

    def attempt(self, row: Delivery, provider: str) -> Attempt:
        """The next attempt for a row, by this provider."""
        return Attempt(
            id=ids.new_id(ids.ATTEMPT),
            no=row["attempt_no"] + 1,
            provider=provider,
            sender=self.sender,
            token=self.tokens[row["shard"]],
            claimed_at=self.now,
        )


@dataclass(frozen=True, slots=True)
class Claimed:
    """A delivery that one attempt of ours has claimed, and what is needed to send it."""

    row: Delivery
    renderer: Renderer
    deadline_steady: float
    copy_slot: timedelta | None = None
    """In slots of time so wide the breaker looks for copies of it; None: it is none of the breaker's business."""
    without: frozenset[str] = frozenset()
    """Addresses that are left out of it."""

    @property
    def attempt(self) -> Attempt:
        return self.row["attempts"][-1]
