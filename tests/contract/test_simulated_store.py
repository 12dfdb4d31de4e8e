"""The simulation's store beside the real one: the same operations in the same order, the same answers and the same rows.

One random walk after the other, on a MongoDB of the test's own; what the server stamps with its own clock is compared by
whether it is there.
"""

from dataclasses import replace
from datetime import datetime, timedelta
from random import Random
from typing import Any

import pytest

from fencepost.deliveries import Attempt, Delivery, State, Verdict
from fencepost.errors import Conflict
from fencepost.events import Event, EventKind
from fencepost.planning import Limits, plan
from fencepost.reconciliation import Postponed, taken
from fencepost.schedules import Schedule, Stop, edited
from fencepost.settlements import Author, Settlement
from fencepost.store import Store
from fencepost.store.claims import Claim
from tests.simulation.clocks import Time
from tests.simulation.deliveries import Deliveries
from tests.simulation.steps import at_once
from tests.simulation.store import SimulatedStore
from tests.support.rows import RETENTION, now, planned
from tests.support.schedules import Texts, at, definition, schedule

CREATED = at("2026-03-02 11:58")
_STAMPED = ("updated_at", "unknown_since", "created_at")


def shown(row: Delivery) -> dict[str, Any]:
    """Without what each server stamps with a clock of its own."""
    attempts = [{**attempt, "claimed_at": None} for attempt in row["attempts"]]
    return {**row, "attempts": attempts} | {name: row.get(name) is not None for name in _STAMPED}


class Pair:
    """Both stores."""

    def __init__(self, real: Store, random: Random, deliveries: type[Deliveries] = Deliveries) -> None:
        self.real, self.random, self.simulated = real, random, SimulatedStore(Time(), deliveries=deliveries)
        self._made = schedule(CREATED, definition(to=3))
        self.rows = planned(self._made, at("2026-03-02 12:00"))[1]
        self.known: list[Attempt] = []
        self._number = 0

    def walk(self, steps: int) -> None:
        operations = [self.insert, self.claim, self.claim, self.settle, self.settle, self.settle, self.cancel]
        operations += [self.cancel_all, self.defer, self.look_again, self.scan, self.settle_by_event]
        for _ in range(steps):
            self.random.choice(operations)()
            self.compare()

    def compare(self) -> None:
        rows = {row["_id"]: row for row in self.real.deliveries.database.deliveries.find()}
        assert {name: shown(row) for name, row in self.simulated.deliveries.rows.items()} == {
            name: shown(row)  # type: ignore[arg-type]
            for name, row in rows.items()
        }

    def _some(self) -> list[Delivery]:
        return self.random.sample(self.rows, self.random.randint(1, len(self.rows)))

    def _stands(self) -> list[Delivery]:
        return [row for row in self.simulated.deliveries.rows.values() if self.random.random() < 0.7]

    def _attempt(self, row: Delivery, no: int) -> Attempt:
        self._number += 1
        token = self.random.choice([6, 7, 7, 8])
        made = Attempt(id=f"a{self._number}", no=no, provider="mailgun", sender="s", token=token, claimed_at=now())
        self.known.append(made)
        return made

    def insert(self) -> None:
        rows = self._some()
        assert self.real.deliveries.insert([{**row} for row in rows]) == at_once(self.simulated.deliveries.insert(rows))

    def claim(self) -> None:
        rows = self._stands()
        claims = []
        for row in rows:
            no = row["attempt_no"] + self.random.choice([0, 0, 0, -1])
            read_at = row["not_before"] - timedelta(seconds=self.random.choice([0, 0, 5]))
            read: Delivery = {**row, "attempt_no": no, "not_before": read_at}
            claims.append(Claim(read, self._attempt(row, no + 1), row["revision_id"], row["version"]))
        terms: Any = {"claim_id": f"c{self._number}", "epoch": "run:1", "deadline": now() + timedelta(seconds=30)}
        if claims:
            real = self.real.deliveries.claim(claims, **terms)
            assert real == at_once(self.simulated.deliveries.claim(claims, **terms))

    def settle(self) -> None:
        settlements = []
        for row in self._stands():
            state = self.random.choice([State.ACCEPTED, State.FAILED, State.PENDING, State.UNKNOWN, State.HELD])
            author = self.random.choice([Author.OWNER, Author.RESCUER, Author.RECONCILER, Author.PERSON])
            old = [attempt["id"] for attempt in row["attempts"]]
            attempt = self.random.choice([row["attempt_id"] or "none", *old])
            adopt = (9, f"b{self._number}") if state is State.UNKNOWN and self.random.random() < 0.1 else None
            later = now() if state is State.PENDING and self.random.random() < 0.5 else None
            verdict, gained = None, Attempt(ended_at=now(), outcome=state.value, status=None)
            if author in (Author.RECONCILER, Author.PERSON):
                verdict, gained = Verdict(at=now(), state=state.value, by=author.value, why="why"), Attempt()
            settlements.append(
                Settlement(row["_id"], attempt, state, gained, "why", "receipt", later, adopt, author, verdict)
            )
        missed = self.real.deliveries.settle(settlements)
        assert _ids(missed) == _ids(at_once(self.simulated.deliveries.settle(settlements)))

    def settle_by_event(self) -> None:
        for row in self._stands()[:1]:
            event = Event("e1", "mailgun", EventKind.DELIVERED, now(), row["_id"], None, "receipt")
            settlement = taken(row, [event], now())
            assert settlement
            real = self.real.deliveries.settle_by_event(settlement)
            assert real == at_once(self.simulated.deliveries.settle_by_event(settlement))

    def cancel(self) -> None:
        rows = {row["_id"]: row["attempt_no"] for row in self._stands()}
        if rows:
            assert self.real.deliveries.cancel(rows, "why") == at_once(self.simulated.deliveries.cancel(rows, "why"))

    def cancel_all(self) -> None:
        if self.random.random() < 0.2:
            until = now() + timedelta(seconds=self.random.uniform(-600, 60))
            real = self.real.deliveries.cancel_of_schedule(self._made.id, until, "paused")
            simulated = at_once(self.simulated.deliveries.cancel_of_schedule(self._made.id, until, "paused"))
            assert sorted(real) == sorted(simulated)

    def defer(self) -> None:
        names, until = [row["_id"] for row in self._stands()], now()
        self.real.deliveries.defer(names, until)
        at_once(self.simulated.deliveries.defer(names, until))

    def look_again(self) -> None:
        postponed = [Postponed(row["_id"], row["attempt_id"] or "", now()) for row in self._stands()]
        self.real.doubts.look_again(postponed)
        at_once(self.simulated.deliveries.look_again(postponed))

    def scan(self) -> None:
        real, simulated, shards = self.real.deliveries, self.simulated.deliveries, [self._made.shard]
        until, tokens = now() + timedelta(seconds=self.random.choice([-60, 20, 60])), {self._made.shard: 7}
        claims = [f"c{number}" for number in range(self._number)]
        assert real.next_queued_at(shards, until) == at_once(simulated.next_queued_at(shards, until))
        for found, beside in (
            (real.pending(shards, until, 9), simulated.pending(shards, until, 9)),
            (real.overdue(tokens, until, 9), simulated.overdue(tokens, until, 9)),
            (self.real.doubts.due(shards, until, 9), simulated.doubtful(shards, until, 9)),
            (real.claimed(shards, claims), simulated.claimed(shards, claims)),
        ):
            assert sorted(row["_id"] for row in found) == sorted(row["_id"] for row in at_once(beside))


def _ids(missed: list[Settlement]) -> list[tuple[str, str]]:
    return sorted((one.delivery_id, one.attempt_id) for one in missed)


@pytest.mark.parametrize("seed", range(10))
def test_deliveries_end_the_same_in_both(store: Store, seed: int) -> None:
    Pair(store, Random(seed)).walk(40)


class ClaimsWhatItFinds(Deliveries):
    """A fake in which W3 looks at the state alone."""

    def may_claim(self, row: Delivery, number: int, token: int) -> bool:
        return row["state"] == "pending"


def test_a_store_without_a_guard_is_told_apart(store: Store) -> None:
    with pytest.raises(AssertionError):
        Pair(store, Random(1), ClaimsWhatItFinds).walk(100)


@pytest.mark.parametrize("seed", range(4))
def test_schedules_advance_and_change_the_same_in_both(store: Store, seed: int) -> None:
    random, simulated, made = Random(seed), SimulatedStore(Time()), schedule(CREATED)
    texts = Texts(made)
    assert store.schedules.create(made)
    at_once(simulated.schedules.create(made))
    readings = [made]
    for _ in range(40):
        before, when = random.choice(readings[-3:]), CREATED + timedelta(minutes=random.randint(0, 60))
        _write(store, simulated, before, texts, when, random)
        [real] = store.schedules.find([made.id]).values()
        assert at_once(simulated.schedules.find([made.id])) == {made.id: real}
        shards = [made.shard]
        assert store.schedules.due(shards, when, 5) == at_once(simulated.schedules.due(shards, when, 5))
        assert store.schedules.finished(shards, when, 5) == at_once(simulated.schedules.finished(shards, when))
        readings.append(real)


def _write(
    store: Store, simulated: SimulatedStore, before: Schedule, texts: Texts, when: datetime, random: Random
) -> None:
    """One pass of a sender, or one edit of a person; from a reading that may be old."""
    if random.random() < 0.6:
        planned = plan(before, texts.rules, when, Limits())
        if planned:
            assert store.schedules.advance([planned]) == at_once(simulated.schedules.advance([planned]))
            for one in (before, planned.after):
                store.occurrences.record_skips([one], now(), RETENTION)
                at_once(simulated.occurrences.record_skips([one], now(), RETENTION))
            wanted = [(before.id, CREATED + timedelta(minutes=minutes)) for minutes in range(2, 62, 5)]
            assert store.occurrences.skipped(wanted) == at_once(simulated.occurrences.skipped(wanted))
        return
    stop = random.choice([None, Stop(when, "")])
    after = edited(before, texts.rules, now=when, revision_id=before.versions[0].revision_id, paused=stop)
    if random.random() < 0.2:
        after = replace(after, next_run_at=None)
    answers = []
    for write in (store.schedules.write_edit, lambda old, new: at_once(simulated.schedules.write_edit(old, new))):
        try:
            write(before, after)
            answers.append("written")
        except Conflict:
            answers.append("conflict")
    assert answers[0] == answers[1]
