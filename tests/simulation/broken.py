"""Senders and servers in which one thing is wrong: a run that can't tell them from right ones proves nothing."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, TypeVar

from fencepost.coordination.fences import FenceAnswer, FenceRequest, Verdict
from fencepost.deliveries import Delivery, Outcome, OutcomeKind, State, occurrence_of, schedule_of
from fencepost.events import Event, EventKind
from fencepost.messages import Mail
from fencepost.reconciliation import Reference, Trace
from fencepost.schedules import Schedule
from fencepost.settlements import Author, Settlement
from sender.effects import Decisions, Effect, ReadOpen
from sender.passes import Claimed
from tests.simulation.deliveries import Deliveries
from tests.simulation.hooks import Hooks
from tests.simulation.provider import Fate, Provider
from tests.simulation.redis import Server
from tests.simulation.routing import PROVIDERS
from tests.simulation.runs import Variant
from tests.simulation.sender import Sender, Terms
from tests.simulation.steps import Steps

T = TypeVar("T")


def answered(decisions: Decisions[T], answer: Callable[[Effect, Any], Any]) -> Decisions[T]:
    """The same decisions, which are told something else than what is so."""
    result: Any = None
    while True:
        try:
            effect = decisions.send(result)
        except StopIteration as stop:
            value: T = stop.value
            return value
        result = answer(effect, (yield effect))


class FenceOff(Server):
    """Everybody may call, and everybody may be taken for dead."""

    def claim(self, requests: Sequence[FenceRequest]) -> list[FenceAnswer]:
        return [FenceAnswer(Verdict.OK, request.no, request.attempt) for request in requests]

    def kill(self, requests: Sequence[FenceRequest]) -> list[FenceAnswer]:
        return [FenceAnswer(Verdict.OK, request.no, "killed") for request in requests]


class LockOnly(Server):
    """A fence that looks at tokens and at nothing else, as a lock with fencing tokens does."""

    def _claim(self, request: FenceRequest) -> FenceAnswer:
        return FenceAnswer(Verdict.OK, request.no, request.attempt)

    def _kill(self, request: FenceRequest) -> FenceAnswer:
        return FenceAnswer(Verdict.OK, request.no, "killed")


class ErrorsAreFailures(Provider):
    """An answer of 5xx is taken for a mail that was not accepted."""

    def outcome(self, fate: Fate, mail: Mail) -> Outcome:
        outcome = super().outcome(fate, mail)
        if outcome.kind is OutcomeKind.UNKNOWN:
            return Outcome(OutcomeKind.UNAVAILABLE, "The provider answered 500.", status=500)
        return outcome


class AsksAnother(Provider):
    """The records that are read are those of another provider than the one that was called."""

    def _trace(self, reference: Reference) -> Trace:
        return super()._trace(
            replace(reference, provider=next(name for name in PROVIDERS if name != reference.provider))
        )


class SettlesByState(Deliveries):
    """W7 looks at the state alone: whoever comes last says how it ended."""

    def may_settle(self, row: Delivery, attempts: Collection[str], allowed: Collection[State]) -> bool:
        return row["state"] in allowed


class SettlesByAttempt(Deliveries):
    """W7 looks at the attempt alone, whatever has become of the mail since."""

    def may_settle(self, row: Delivery, attempts: Collection[str], allowed: Collection[State]) -> bool:
        return row["attempt_id"] in attempts


class FlushIsNotSeen(Server):
    """The epoch is the server's process alone."""

    def epoch(self) -> str:
        self._epoch = self._run_id
        return self._epoch

    def forget(self) -> None:
        self._floors, self._records = {}, {}


class TellsEverybody(Deliveries):
    """Whoever decides about a mail that is held is told that it was his word that counted."""

    def settle(self, settlements: Sequence[Settlement]) -> Steps[list[Settlement]]:
        missed = yield from super().settle(settlements)
        return [settlement for settlement in missed if settlement.author is not Author.PERSON]


class ForgetsOrders(Deliveries):
    """What a person has sent again is like any other mail."""

    def _settled(self, row: Delivery, settlement: Settlement, ordered: bool) -> Delivery:
        return super()._settled(row, settlement, ordered=False)


class BelievesTheProvider(Deliveries):
    """What the provider tells by itself counts, whatever state the mail is in."""

    def may_settle_by_event(self, row: Delivery, allowed: Collection[State]) -> bool:
        return True


class AnyWordIsYes(Hooks):
    """Whatever the provider tells of a mail, it took it."""

    def read(self, event: Event) -> Event:
        return replace(event, kind=EventKind.DELIVERED)


class Overlooks(Sender):
    """Does not see what is open."""

    def planning(self, due: list[Schedule], terms: Terms) -> Decisions[list[Claimed]]:
        return blindly(super().planning(due, terms))

    def claiming(self, rows: list[Delivery], terms: Terms) -> Decisions[list[Claimed]]:
        return blindly(super().claiming(rows, terms))


def blindly(decisions: Decisions[list[Claimed]]) -> Decisions[list[Claimed]]:
    return answered(decisions, lambda effect, answer: {} if isinstance(effect, ReadOpen) else answer)


class NeverEnds(Deliveries):
    """Whatever becomes of its mail, an occurrence stays open."""

    def open_occurrences(self, schedule_ids: Collection[str]) -> Steps[dict[str, dict[str, int]]]:
        yield from super().open_occurrences(schedule_ids)
        return {
            name: {occurrence_of(row): 1 for row in self.rows.values() if schedule_of(row) == name}
            for name in schedule_ids
        }


class Impatient(Deliveries):
    """Finds what is pending before its time."""

    def pending(self, shards: Collection[int], now: datetime, limit: int) -> Steps[list[Delivery]]:
        return super().pending(shards, now + timedelta(seconds=3), limit)


BROKEN = {
    "the fence is off": Variant(server=FenceOff),
    "a lock with tokens, and no records": Variant(server=LockOnly),
    "a 5xx is a failure": Variant(provider=ErrorsAreFailures),
    "the records of another provider": Variant(provider=AsksAnother),
    "settled without the attempt's id": Variant(deliveries=SettlesByState),
    "settled without the state": Variant(deliveries=SettlesByAttempt),
    "two people decide about one mail": Variant(deliveries=TellsEverybody),
    "an order is forgotten": Variant(deliveries=ForgetsOrders),
    "the provider's word counts always": Variant(deliveries=BelievesTheProvider),
    "any word of the provider's is a yes": Variant(hooks=AnyWordIsYes),
    "nobody waits for what is open": Variant(sender=Overlooks),
    "an occurrence never ends": Variant(deliveries=NeverEnds),
    "jitter does not count": Variant(deliveries=Impatient),
    "a flushed fence goes on": Variant(server=FlushIsNotSeen),
}
