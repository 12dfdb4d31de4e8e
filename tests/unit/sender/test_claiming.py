"""W3's decisions: what a provider has told of is not claimed once more."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from fencepost.deliveries import Author, Delivery, State
from fencepost.events import Event, EventKind
from fencepost.occurrences import Origin
from fencepost.planning import Limits
from fencepost.store.revisions import Revision
from sender.claiming import claim_pending
from sender.effects import ClaimRows, Effect, ReadEvents, ReadRevisions, SettleAll
from sender.passes import Claimed, Terms
from sender.rules import RuleCache
from tests.support.rows import now, planned, sending
from tests.support.schedules import definition, schedule

AT = datetime(2026, 3, 2, 9, tzinfo=UTC)
SCHEDULE = schedule(AT - timedelta(hours=1), definition(to=3))


def rows(attempts: int) -> list[Delivery]:
    """Mails that a person triggered, pending after so many attempts."""
    found = planned(SCHEDULE, AT, origin=Origin.TRIGGER)[1]
    for _ in range(attempts):
        found = [{**sending(row), "state": State.PENDING.value} for row in found]
    return found


def terms() -> Terms:
    return Terms(
        now=now(),
        sender="sender-1",
        tokens={SCHEDULE.shard: 7},
        epoch="run:1",
        provider="mailgun",
        claim_id="clm_1",
        deadline=now() + timedelta(seconds=30),
        deadline_steady=30,
        room=10,
        shards=64,
        limits=Limits(),
        retention=timedelta(days=90),
    )


def run(found: Sequence[Delivery], events: dict[str, list[Event]]) -> tuple[list[Claimed], list[Effect]]:
    revision_id = SCHEDULE.versions[0].revision_id
    revision = Revision(revision_id, SCHEDULE.id, SCHEDULE.definition, SCHEDULE.created_at)
    decisions = claim_pending(found, terms(), RuleCache())
    asked: list[Effect] = []
    answer: Any = None
    while True:
        try:
            effect = decisions.send(answer)
        except StopIteration as stop:
            claimed: list[Claimed] = stop.value
            return claimed, asked
        asked.append(effect)
        answer = _answer(effect, events, {revision_id: revision})


def _answer(effect: Effect, events: dict[str, list[Event]], texts: dict[str, Revision]) -> Any:
    match effect:
        case ReadEvents(delivery_ids):
            return {delivery_id: events[delivery_id] for delivery_id in delivery_ids if delivery_id in events}
        case ReadRevisions():
            return texts
        case ClaimRows(claims):
            return {claim.attempt["id"] for claim in claims}
    return []


def event(row: Delivery, kind: EventKind) -> Event:
    return Event("ev", "mailgun", kind, AT, row["_id"], 1, "m1@mg")


def test_a_mail_that_was_taken_after_all_is_settled_instead_of_claimed() -> None:
    taken, refused, silent = rows(2)
    told = {taken["_id"]: [event(taken, EventKind.DELIVERED)], refused["_id"]: [event(refused, EventKind.REJECTED)]}
    claimed, asked = run([taken, refused, silent], told)
    assert [item.row["_id"] for item in claimed] == [refused["_id"], silent["_id"]]
    [settlement] = next(effect.settlements for effect in asked if isinstance(effect, SettleAll))
    assert (settlement.delivery_id, settlement.attempt_id) == (taken["_id"], taken["attempt_id"])
    assert (settlement.state, settlement.author) == (State.ACCEPTED, Author.PROVIDER)
    assert State.PENDING in settlement.allowed_from


@pytest.mark.parametrize("attempts", [0, 1])
def test_a_first_attempt_asks_for_nobodys_word(attempts: int) -> None:
    claimed, asked = run(rows(attempts), {})
    assert len(claimed) == 3
    assert any(isinstance(effect, ReadEvents) for effect in asked) is bool(attempts)
    assert not any(isinstance(effect, SettleAll) for effect in asked)
