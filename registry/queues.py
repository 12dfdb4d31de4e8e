"""How much of each owner's mail waits, so that a flood of one lets others pass."""

from dataclasses import dataclass, field
from threading import Lock

from fencepost.store.emails import Emails

_MOST_COUNTED = 10_000
_COUNTED_AGAIN_SECONDS = 1.0
_MOST_OWNERS = 10_000


@dataclass(slots=True)
class Queues:
    """As far as this process knows: counted in the database once a second while they send, and what they sent since. It orders the
    queue and decides nothing, so that about right is right. May be used from several threads."""

    _known: dict[str, tuple[float, int]] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)

    def join(self, emails: Emails, owner_id: str, count: int, now: float) -> int:
        """How many of this owner's mails wait before the `count` that join now; `now` in steady seconds."""
        with self._lock:
            counted_at, waiting = self._known.get(owner_id, (now - _COUNTED_AGAIN_SECONDS, 0))
        if now - counted_at >= _COUNTED_AGAIN_SECONDS:
            counted_at, waiting = now, emails.waiting(owner_id, _MOST_COUNTED)
        with self._lock:
            if len(self._known) >= _MOST_OWNERS:
                self._known.clear()
            self._known[owner_id] = counted_at, waiting + count
        return waiting
