"""What was claimed and is not settled yet: it waits for a seat, and keeps its shard busy until its outcome is on record."""

from collections import Counter
from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from heapq import heapify, heappop, heappush
from itertools import count
from threading import Lock

from sender.passes import Claimed
from sender.routes import Lane


class Queue:
    """Filled by the loop, emptied by the courier, asked by the housekeeper: any thread may call it."""

    def __init__(self, lane_of: Callable[[Claimed], Lane]) -> None:
        self._lane_of = lane_of
        self._waiting: dict[Lane, list[tuple[datetime, int, Claimed]]] = {}
        """For each lane a heap in the order of the queue, so that who comes later and is due earlier does not wait behind a
        long list. An empty one is not kept."""
        self._arrivals = count()
        self._count = 0
        self._of_shard: Counter[int] = Counter()
        self._unwanted: set[int] = set()
        self._lock = Lock()

    def __len__(self) -> int:
        """How many wait."""
        return self._count

    def put(self, items: Sequence[Claimed]) -> None:
        with self._lock:
            for item in items:
                self._of_shard[item.row["shard"]] += 1
                entry = (item.row["queue_at"], next(self._arrivals), item)
                heappush(self._waiting.setdefault(self._lane_of(item), []), entry)
            self._count += len(items)

    def lanes(self) -> Counter[Lane]:
        """How many wait in which lane."""
        with self._lock:
            return Counter({lane: len(heap) for lane, heap in self._waiting.items()})

    def take(self, lanes: Collection[Lane]) -> tuple[Lane, Claimed] | None:
        """The first of those that wait in these lanes, and in which it did; None if none does."""
        with self._lock:
            heads = [(self._waiting[lane][0], lane) for lane in lanes if lane in self._waiting]
            if not heads:
                return None
            (_, _, item), lane = min(heads)
            heappop(self._waiting[lane])
            if not self._waiting[lane]:
                del self._waiting[lane]
            self._count -= 1
        return lane, item

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
            return self._remove(lambda item: item.row["shard"] in shards)

    def late(self, ends: float) -> list[Claimed]:
        """Takes out what waits and has its deadline before then (steady seconds)."""
        with self._lock:
            return self._remove(lambda item: item.deadline_steady <= ends)

    def _remove(self, goes: Callable[[Claimed], bool]) -> list[Claimed]:
        items: list[Claimed] = []
        for lane, heap in list(self._waiting.items()):
            gone = [item for _, _, item in heap if goes(item)]
            if not gone:
                continue
            items += gone
            stays = [entry for entry in heap if not goes(entry[2])]
            heapify(stays)
            if stays:
                self._waiting[lane] = stays
            else:
                del self._waiting[lane]
        self._count -= len(items)
        return items
