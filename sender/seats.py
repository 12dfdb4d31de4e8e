"""Seats: room for calls in flight, each from before the fence until its outcome is on record."""

from fencepost.settlements import Settlement
from sender.effects import AskFence, Decisions
from sender.passes import Claimed


class Seat:
    """One delivery under way: its decisions, and the effect they wait for. None: it is being handed back."""

    __slots__ = ("asks", "called_at", "carries", "decisions", "item")

    def __init__(self, item: Claimed, decisions: Decisions[Settlement] | None) -> None:
        self.item, self.decisions = item, decisions
        self.asks: AskFence | None = None
        self.called_at: float | None = None
        """When its call began, in steady seconds; None before."""
        self.carries = sum(each.size for each in item.renderer.attachments) if decisions else 0
        """How many bytes its attachments hold."""


class Seats:
    """Who has a seat, by the attempt's id. Belongs to the courier's thread."""

    def __init__(self, most: int, most_bytes: int) -> None:
        """`most` may be taken, or until the attachments of those who have one hold `most_bytes` together."""
        self._most, self._most_bytes = most, most_bytes
        self._taken: dict[str, Seat] = {}
        self._carried = 0

    def __len__(self) -> int:
        """How many are taken."""
        return len(self._taken)

    def free(self) -> int:
        """How many more may be taken now. The attachments of the last one may go beyond the bytes, or a large one never went."""
        return max(0, self._most - len(self._taken)) if self._carried < self._most_bytes else 0

    def take(self, seat: Seat) -> None:
        self._taken[seat.item.attempt["id"]] = seat
        self._carried += seat.carries

    def leave(self, attempt_id: str) -> Seat:
        """Who had that seat. Raises KeyError if nobody had."""
        seat = self._taken.pop(attempt_id)
        self._carried -= seat.carries
        return seat
