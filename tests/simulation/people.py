"""People who edit, pause, resume, delete, cancel and decide while mail is under way: what registry/editing.py does, as a generator."""

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from random import Random
from typing import Any

from fencepost.deliveries import Delivery
from fencepost.errors import Conflict, Unreachable
from fencepost.reconciliation import Decision, decide
from fencepost.schedules import Schedule, SkipReason, Status, Stop, edited
from fencepost.store.revisions import Revision
from tests.simulation.clocks import SimulatedClock
from tests.simulation.decisions import PERSON
from tests.simulation.sender import RULES
from tests.simulation.steps import Steps
from tests.simulation.store import SimulatedStore
from tests.simulation.texts import DEFINITIONS
from tests.simulation.watch import Watch

Edited = Callable[..., Schedule]


class Registry:
    """Carries out what people ask for. `edited` is the pure function that makes the edit."""

    def __init__(
        self,
        store: SimulatedStore,
        clock: SimulatedClock,
        watch: Watch,
        numbers: Iterator[int],
        edit: Edited = edited,
    ) -> None:
        self._store, self._clock, self._watch, self._numbers, self._edited = store, clock, watch, numbers, edit

    def change(self, schedule_id: str, verb: str, text: str = "") -> Steps[bool]:
        """An edit to another text, a pause, a resume or a delete; whether it is acknowledged. False: its state does not allow
        it, or nobody knows."""
        try:
            for _ in range(25):
                before: Schedule = (yield from self._store.schedules.find([schedule_id]))[schedule_id]
                stops = self._stops(before, verb)
                if stops is None:
                    return False
                try:
                    since = yield from self._write(before, stops, text)
                    break
                except Conflict:
                    continue
            if verb in ("pause", "delete"):
                reason = SkipReason.PAUSED if verb == "pause" else SkipReason.DELETED
                yield from self._store.deliveries.cancel_of_schedule(schedule_id, since, reason)
        except Unreachable:
            return False
        return True

    def _stops(self, schedule: Schedule, verb: str) -> dict[str, Any] | None:
        if schedule.status is Status.ARCHIVED or schedule.finished_at:
            return None
        match verb:
            case "pause":
                return None if schedule.paused else {"paused": Stop(self._clock.now(), "")}
            case "resume":
                return {"paused": None} if schedule.paused else None
            case "delete":
                return {"deleted": Stop(self._clock.now(), "")}
        return {}

    def _write(self, before: Schedule, stops: dict[str, Any], text: str) -> Steps[datetime]:
        now, revision_id = self._clock.now(), before.versions[-1].revision_id
        definition = DEFINITIONS[text] if text else None
        if definition is not None:
            revision_id = f"{before.id}/r{next(self._numbers)}"
            yield from self._store.records.append(Revision(revision_id, before.id, definition, before.created_at))
        rules = RULES.rules(before, self._store.records.revisions)
        after = self._edited(before, rules, now=now, revision_id=revision_id, definition=definition, **stops)
        yield from self._store.schedules.write_edit(before, after)
        return after.versions[-1].since

    def cancel(self, delivery_id: str) -> Steps[bool]:
        """A person cancels one mail; whether it is acknowledged."""
        row = self._store.deliveries.rows.get(delivery_id)
        if row is None or row["state"] != "pending":
            return False
        self._watch.people.cancelled.add(delivery_id)
        try:
            return (yield from self._store.deliveries.cancel({delivery_id: row["attempt_no"]}, "cancelled")) == 1
        except Unreachable:
            return False

    def decide(self, delivery_id: str, decision: Decision) -> Steps[bool]:
        """A person decides about one mail that is held; whether it is acknowledged."""
        try:
            row: Delivery | None = yield from self._store.deliveries.find(delivery_id)
            if row is None or row["state"] != "held":
                return False
            self._watch.people.asked(delivery_id, decision)
            settlement = decide(row, decision, f"{PERSON}{next(self._numbers)}", "", self._clock.now())
            missed = yield from self._store.deliveries.settle([settlement])
        except Unreachable:
            return False
        if not missed:
            self._watch.people.acknowledged(settlement)
        return not missed


def wish(random: Random, schedules: Sequence[str], texts: Sequence[str]) -> tuple[str, str, str]:
    """What somebody asks for next: (schedule, verb, text)."""
    verb = random.choices(["edit", "pause", "resume", "delete"], [6, 3, 4, 1])[0]
    return random.choice(schedules), verb, random.choice(texts) if verb == "edit" else ""
