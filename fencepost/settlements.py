"""What becomes of an attempt: the settlement that W7 writes, who makes it, and from which states it may come. Pure."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from fencepost.deliveries import SETTLES, Attempt, Delivery, State, Verdict


class Author(StrEnum):
    """Who settles a delivery, which decides from where it may come."""

    OWNER = "owner"
    """The sender that made the attempt."""
    RESCUER = "rescuer"
    RECONCILER = "reconciler"
    PROVIDER = "provider"
    """The provider told of it by itself."""
    PERSON = "person"


@dataclass(frozen=True, slots=True)
class Settlement:
    """What W7 writes for one attempt: the state, from where it may come, and what the attempt's record gains."""

    delivery_id: str
    attempt_id: str
    state: State
    attempt: Attempt
    reason: str | None = None
    receipt: str | None = None
    not_before: datetime | None = None
    """For `pending`: when it may be tried again; None leaves it as it is."""
    adopt: tuple[int, str] | None = None
    """For `unknown` after TAKEN: the number and the id of the attempt that the fence holds."""
    author: Author = Author.OWNER
    verdict: Verdict | None = None
    """What the attempt's `settlements` gain."""

    @property
    def allowed_from(self) -> tuple[State, ...]:
        match self.author:
            case Author.RESCUER:
                return (State.SENDING,)
            case Author.RECONCILER:
                found_out = self.state in (State.ACCEPTED, State.CANCELLED)
                return (State.UNKNOWN, State.HELD) if found_out else (State.UNKNOWN,)
            case Author.PROVIDER:
                # What is `sending` is its owner's, who knows more; what is pending was taken for not sent, and was not.
                return (State.PENDING, State.UNKNOWN, State.HELD)
            case Author.PERSON:
                return (State.HELD,)
        return (State.SENDING,) if self.state is State.UNKNOWN else SETTLES


def released(row: Delivery, detail: str, now: datetime, *, not_before: datetime | None = None) -> Settlement:
    """Give a claimed delivery back, of which nothing was called; it may be claimed again at once, or not before then."""
    gained = Attempt(ended_at=now, outcome="released", detail=detail)
    return Settlement(row["_id"], row["attempt_id"] or "", State.PENDING, gained, not_before=not_before)
