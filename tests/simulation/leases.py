"""One sender's leases: what fencepost.coordination.leases does in two threads, as two generators."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import count

from fencepost.coordination.tokens import Token
from fencepost.errors import Unreachable
from fencepost.generations import Generation
from tests.simulation.clocks import SimulatedClock
from tests.simulation.etcd import Etcd, Key, Reading
from tests.simulation.steps import Sleep, Steps
from tests.simulation.store import Records


@dataclass(frozen=True, slots=True)
class Held:
    """A shard that this sender holds."""

    token: int
    revision: int
    draining: bool = False


@dataclass(frozen=True, slots=True)
class Timing:
    """How long leases live, and how often they are seen to."""

    ttl_seconds: float
    margin_seconds: float
    cycle_seconds: float


class Leases:
    """The lease, the shards that were read under it, and the generation."""

    def __init__(
        self,
        member: str,
        etcd: Etcd,
        records: Records,
        clock: SimulatedClock,
        timing: Timing,
        wants: Callable[[], bool] = lambda: True,
    ) -> None:
        """`wants` says each time whether to take a shard that is free."""
        self._member, self._etcd, self._records, self._clock, self._timing = member, etcd, records, clock, timing
        self._wants = wants
        self._lease: tuple[int, float] | None = None
        """Its id, and until when it is trusted on the steady clock."""
        self._held: dict[int, Held] = {}
        self._held_under = 0
        self._given_back: dict[int, int] = {}
        """Shard -> revision of the grant that is ours no more, while its key still says so."""
        self._generation: Generation | None = None
        self._outranked_by = 0
        self._nonces = count(1)

    # -- what the sender asks ----------------------------------------------------------------------------------------

    def held(self) -> dict[int, Held]:
        lease = self._lease
        if lease is None or lease[0] != self._held_under or self._clock.steady() >= lease[1]:
            return {}
        return self._held

    def may_call(self, shard: int, token: int, until: float) -> bool:
        lease = self._lease
        if lease is None or lease[0] != self._held_under or until >= lease[1]:
            return False
        held = self._held.get(shard)
        return held is not None and held.token == token and not held.draining

    def release(self, shard: int, token: int) -> None:
        held = self._held.get(shard)
        if held is not None and held.token == token:
            self._given_back[shard] = held.revision
            self._held = {other: value for other, value in self._held.items() if other != shard}

    def drop(self, shard: int, token: int, outranked_by: int) -> None:
        self._outranked_by = max(self._outranked_by, outranked_by)
        self.release(shard, token)

    def drain(self, shard: int) -> None:
        if shard in self._held:
            self._held = {**self._held, shard: replace(self._held[shard], draining=True)}

    # -- the two threads ---------------------------------------------------------------------------------------------

    def keep_alive(self) -> Steps[None]:
        while True:
            try:
                yield from self._beat()
                wait = self._timing.ttl_seconds / 5
            except Unreachable:
                wait = self._timing.ttl_seconds / 15
            yield Sleep(wait)

    def _beat(self) -> Steps[None]:
        ttl, lease = self._timing.ttl_seconds, self._lease
        started = self._clock.steady()
        trusted = started + ttl - self._timing.margin_seconds
        if lease is not None:
            if (yield from self._etcd.keep_alive(lease[0], ttl)):
                if self._lease and self._lease[0] == lease[0]:
                    self._lease = lease[0], trusted
                return
            self._lease = None
            started = self._clock.steady()
            trusted = started + ttl - self._timing.margin_seconds
        granted = yield from self._etcd.grant(ttl)
        self._lease = granted, trusted

    def cycle(self) -> Steps[None]:
        while True:
            with suppress(Unreachable):
                while self._lease is not None and (yield from self.look()):
                    pass
            yield Sleep(self._timing.cycle_seconds)

    def look(self) -> Steps[bool]:
        """Read etcd once and do the next thing; whether there was one."""
        if self._lease is None:
            return False
        lease = self._lease[0]
        reading = yield from self._etcd.read()
        ours = {
            shard: key for shard, key in reading.shards.items() if key.member == self._member and key.lease == lease
        }
        known = self._held if self._held_under == lease else {}
        self._held = {shard: held for shard, held in known.items() if _stands(ours, shard, held.revision)}
        self._held_under = lease
        if not self._covers(reading):
            yield from self._learn()
            return True
        yield from self._record(max((key.revision for key in ours.values()), default=0))
        if self._generation is None or not self._is_under(lease):
            return True
        self._given_back = {shard: at for shard, at in self._given_back.items() if _stands(ours, shard, at)}
        value, known = self._generation.value, self._held
        self._held = {
            shard: Held(
                self.token(value, key.revision),
                key.revision,
                shard in known and known[shard].revision == key.revision and known[shard].draining,
            )
            for shard, key in ours.items()
            if shard not in self._given_back
        }
        for shard, revision in self._given_back.items():
            yield from self._etcd.delete(shard, revision)
            return True
        free = [shard for shard in self._etcd.shard_ids if shard not in reading.shards]
        if free and self._wants():
            yield from self._etcd.take(free[0], self._member, lease, reading.mark)
            return True
        return False

    def token(self, generation: int, revision: int) -> int:
        return Token(generation, revision).number

    def _is_under(self, lease: int) -> bool:
        """The other thread may have lost it meanwhile."""
        return self._lease is not None and self._lease[0] == lease

    def _covers(self, reading: Reading) -> bool:
        known = self._generation
        return known is not None and self._fits(known, reading)

    def _fits(self, generation: Generation, reading: Reading) -> bool:
        return (
            reading.mark == (generation.value, generation.nonce)
            and reading.revision >= generation.highest_revision
            and Token(generation.value, reading.revision).number >= self._outranked_by
        )

    def _learn(self) -> Steps[None]:
        on_record = yield from self._records.current_generation()
        reading = yield from self._etcd.read()
        if self._fits(on_record, reading):
            self._generation = on_record
            return
        begun = on_record
        if reading.mark is not None or on_record.highest_revision > 0:
            begun = yield from self._records.raise_generation(on_record, f"{self._member}/{next(self._nonces)}")
        yield from self._etcd.write_mark(reading.mark, (begun.value, begun.nonce))

    def _record(self, revision: int) -> Steps[None]:
        known = self._generation
        if known is None or revision <= known.highest_revision:
            return
        yield from self._records.record_revision(known.value, revision)
        self._generation = replace(known, highest_revision=revision)


def _stands(keys: dict[int, Key], shard: int, revision: int) -> bool:
    return shard in keys and keys[shard].revision == revision
