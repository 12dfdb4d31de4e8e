"""What was claimed and is not settled yet: it waits for a seat, and keeps its shard busy until its outcome is on record."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from heapq import heapify, heappop, heappush
from itertools import count
from threading import Lock

from sender.passes import Claimed


class Queue:
    """Filled by the loop, emptied by the courier, asked by the housekeeper: any thread may call it."""

    def __init__(self) -> None:
        self._waiting: list[tuple[datetime, int, Claimed]] = []
        """A heap in the order of the queue, so that who comes later and is due earlier does not wait behind a long list."""
        self._arrivals = count()
        self._of_shard: Counter[int] = Counter()
        self._unwanted: set[int] = set()
        self._lock = Lock()

    def __len__(self) -> int:
        """How many wait."""
        return len(self._waiting)

    def put(self, items: Sequence[Claimed]) -> None:
        with self._lock:
            for item in items:
                self._of_shard[item.row["shard"]] += 1
                heappush(self._waiting, (item.row["queue_at"], next(self._arrivals), item))

    def take(self) -> Claimed:
        """The first one. Raises IndexError if none waits."""
        with self._lock:
            _, _, item = heappop(self._waiting)
        return item

    def done(self, item: Claimed) -> None:
        """Its outcome is on record."""
        with self._lock:
            self._of_shard[item.row["shard"]] -= 1

    def busy_with(self, shard: int) -> bool:
        """Whether anything of this shard came and is not done."""
        with self._lock:
            return self._of_shard[shard] > 0

    def let_go_of(self, shard: int) -> None:
        """What waits of this shard is `unwanted` from now on."""
        with self._lock:
            self._unwanted.add(shard)

    def unwanted(self) -> list[Claimed]:
        """Takes out what waits of the shards that were let go of since the last time."""
        if not self._unwanted:
            return []
        with self._lock:
            shards, self._unwanted = self._unwanted, set()
            items = [item for _, _, item in self._waiting if item.row["shard"] in shards]
            self._waiting = [entry for entry in self._waiting if entry[2].row["shard"] not in shards]
            heapify(self._waiting)
        return items
