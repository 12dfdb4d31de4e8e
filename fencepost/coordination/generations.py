"""Which life of etcd this is, and when the next one has begun.

An etcd that lost its data, or was put back to an older state, gives out revisions that it gave out before. The generation
makes tokens rise all the same. It is kept in MongoDB, because it must outlive etcd; its nonce stands in both.
"""

import secrets
from collections.abc import Mapping
from dataclasses import replace
from typing import Protocol

from fencepost.coordination.cluster import Keys, Mark, Snapshot, read_snapshot, written_mark
from fencepost.coordination.etcd import Etcd, put, unchanged
from fencepost.coordination.tokens import Token
from fencepost.generations import Generation
from fencepost.logs import get_logger

log = get_logger(__name__)


class Generations(Protocol):
    """The record of generations. All methods raise Unreachable if it can't be asked."""

    def current(self) -> Generation:
        """The generation at present; before the first, one of value 0 with an empty nonce."""
        ...

    def raise_from(self, seen: Generation, nonce: str) -> Generation:
        """Begin the generation after `seen`, under this nonce and with highest revision 0, if `seen` (its value and nonce) is
        still current. Gives what is current afterwards, somebody else's if they were first."""
        ...

    def record(self, value: int, revision: int) -> None:
        """A token of this revision is about to be given out. Nothing changes if `value` is not current, or if a higher
        revision is on record."""
        ...


class CurrentGeneration:
    """The generation that this sender's tokens belong to. Used by one thread, but for `outranked`."""

    def __init__(self, etcd: Etcd, generations: Generations) -> None:
        self._etcd, self._generations, self._keys = etcd, generations, Keys(etcd.prefix)
        self._known: Generation | None = None
        self._highest_seen = 0
        """The highest revision at which etcd was read in the generation known."""
        self._outranked_by = Token(0, 0)

    def outranked(self, by: Token) -> None:
        """The fence has seen this token, higher than one of ours."""
        self._outranked_by = max(by, self._outranked_by)

    def covers(self, snapshot: Snapshot) -> bool:
        """Whether etcd is still in the generation known. If not, `learn`, and read etcd again."""
        known = self._known
        if known is None or not self._fits(known, snapshot):
            return False
        self._highest_seen = snapshot.revision
        return True

    def tokens(self, revisions: Mapping[int, int]) -> dict[int, Token]:
        """The tokens of shards granted at these revisions, after `covers` said yes. They are on record before they are
        handed out, so that no restored etcd gives one of them out again unnoticed. Raises Unreachable."""
        known = self._known
        if known is None or not revisions:
            return {}
        highest = max(revisions.values())
        if highest > known.highest_revision:
            self._generations.record(known.value, highest)
            self._known = replace(known, highest_revision=highest)
        return {shard: Token(known.value, revision) for shard, revision in revisions.items()}

    def learn(self) -> None:
        """Find out which generation this is; begin the next one if etcd is not in the one on record. Raises Unreachable."""
        on_record = self._generations.current()
        # Read after the record: whatever is on record had happened in etcd by then.
        snapshot = read_snapshot(self._etcd)
        if self._fits(on_record, snapshot):
            self._known, self._highest_seen = on_record, snapshot.revision
            return
        begun = on_record if self._has_just_begun(on_record, snapshot) else self._begin_after(on_record, snapshot)
        # Guarded by what was read: if others write theirs first, the next reading shows it.
        mark = written_mark(Mark(begun.value, begun.nonce))
        self._etcd.transaction(
            [unchanged(self._keys.generation, snapshot.mark_revision)], [put(self._keys.generation, mark)]
        )

    def _fits(self, generation: Generation, snapshot: Snapshot) -> bool:
        """Same nonce, and etcd is no further back than it is known to have been."""
        same_life = self._known is not None and self._known.nonce == generation.nonce
        reached = max(generation.highest_revision, self._highest_seen if same_life else 0)
        return (
            snapshot.mark == Mark(generation.value, generation.nonce)
            and snapshot.revision >= reached
            and Token(generation.value, snapshot.revision) >= self._outranked_by
        )

    def _has_just_begun(self, generation: Generation, snapshot: Snapshot) -> bool:
        """Whether another began it and is about to mark etcd: no token of it was given out yet. All who start at once share one."""
        return (
            snapshot.mark is None
            and generation.value > 0
            and generation.highest_revision == 0
            and Token(generation.value, snapshot.revision) >= self._outranked_by
        )

    def _begin_after(self, on_record: Generation, snapshot: Snapshot) -> Generation:
        """Higher than what MongoDB, etcd and the fence remember: any of them may have been restored or lost."""
        exceeded = on_record.value
        if snapshot.mark is not None and snapshot.mark.nonce != on_record.nonce:
            exceeded = max(exceeded, snapshot.mark.generation)
        if self._outranked_by > Token(on_record.value, snapshot.revision):
            exceeded = max(exceeded, self._outranked_by.generation)
        begun = on_record
        while begun.value <= exceeded:
            begun = self._generations.raise_from(begun, secrets.token_hex(8))
        if on_record.value == 0:
            log.info("The first generation of tokens begins.", action="generation.begun", generation=begun.value)
        else:
            log.warning(
                "etcd lost its data or went back in time; a new generation of tokens begins.",
                action="generation.raised",
                generation=begun.value,
            )
        return begun
