"""What the scan does with rows that wait for the occurrence before theirs."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from fencepost import ids
from fencepost.deliveries import Delivery, occurrence_of
from fencepost.planning import Limits
from fencepost.rules import RuleCache
from fencepost.schedules import Schedule, Stop, edited
from fencepost.store.revisions import Revision
from sender.claiming import claim_pending
from sender.effects import (
    Cancel,
    ClaimRows,
    Defer,
    DeferOccurrences,
    Effect,
    ReadEvents,
    ReadOpen,
    ReadRevisions,
    ReadSchedules,
    ReadSkips,
)
from sender.passes import Router, Terms
from tests.support.routes import Always
from tests.support.rows import planned
from tests.support.schedules import Texts, at, definition, schedule

NOON = at("2026-03-02 12:00")
EARLIER = NOON - timedelta(minutes=5)
ALWAYS = Always()


class Spaced:
    """Each mail waits a tenth of a second longer than the one before."""

    def __init__(self) -> None:
        self.waits: dict[str, timedelta] = {}

    def provider(self, row: Delivery, definition: Mapping[str, Any]) -> str | timedelta:
        self.waits[row["_id"]] = (len(self.waits) + 1) * timedelta(seconds=0.1)
        return self.waits[row["_id"]]


def queueing() -> Schedule:
    """Noon is planned and frozen."""
    text = definition(overlap="queue_one")
    return schedule(NOON - timedelta(hours=1), text, last_run_at=NOON, next_run_at=NOON + timedelta(minutes=5))


def row_after(made: Schedule, **fields: Any) -> Delivery:
    [row] = planned(made, NOON)[1]
    changed: Any = {**row, "after_occurrence": ids.occurrence_id(made.id, EARLIER), **fields}
    found: Delivery = changed
    return found


def done_with(
    made: Schedule, rows: list[Delivery], opened: Mapping[str, Mapping[str, int]], router: Router = ALWAYS
) -> list[Effect]:
    """The writes that the scan asks for."""
    terms = Terms(
        now=NOON,
        sender="sender-1",
        tokens={row["shard"]: 7 for row in rows},
        epoch="run:1",
        router=router,
        claim_id="clm_1",
        deadline=NOON + timedelta(seconds=30),
        deadline_steady=30.0,
        room=1000,
        shards=64,
        limits=Limits(),
        retention=timedelta(days=90),
    )
    revision_id = made.versions[0].revision_id
    texts = {revision_id: Revision(revision_id, made.id, made.definition, made.created_at)}
    decisions, writes = claim_pending(rows, terms, RuleCache()), list[Effect]()
    answer: Any = None
    try:
        while True:
            effect = decisions.send(answer)
            answer = None
            match effect:
                case ReadSchedules():
                    answer = {made.id: made}
                case ReadRevisions():
                    answer = texts
                case ReadSkips() | ReadEvents():
                    answer = {}
                case ReadOpen():
                    answer = opened
                case ClaimRows():
                    answer = set()
                    writes.append(effect)
                case _:
                    writes.append(effect)
    except StopIteration:
        return writes


def test_what_waits_is_put_off_with_all_of_its_occurrence() -> None:
    made = queueing()
    row = row_after(made)
    opened = {made.id: {ids.occurrence_id(made.id, EARLIER): 1, occurrence_of(row): 1}}
    [put_off] = done_with(made, [row], opened)
    assert put_off == DeferOccurrences([occurrence_of(row)], NOON, NOON + timedelta(seconds=1))


def test_a_long_list_is_left_alone_for_longer() -> None:
    made = queueing()
    row = row_after(made)
    opened = {made.id: {ids.occurrence_id(made.id, EARLIER): 1, occurrence_of(row): 5000}}
    [put_off] = done_with(made, [row], opened)
    assert isinstance(put_off, DeferOccurrences)
    assert put_off.until == NOON + timedelta(seconds=6)


def test_it_is_claimed_once_nothing_of_the_one_before_is_open() -> None:
    made = queueing()
    row = row_after(made)
    [claims] = done_with(made, [row], {made.id: {occurrence_of(row): 1}})
    assert isinstance(claims, ClaimRows)
    assert [claim.row["_id"] for claim in claims.claims] == [row["_id"]]


def test_what_a_person_had_sent_again_waits_for_nobody() -> None:
    made = queueing()
    [claims] = done_with(made, [row_after(made, ordered=True)], {made.id: {ids.occurrence_id(made.id, EARLIER): 1}})
    assert isinstance(claims, ClaimRows)


def test_a_pause_calls_off_what_waits() -> None:
    made = queueing()
    row = row_after(made)
    paused = edited(
        made,
        Texts(made).rules,
        now=NOON,
        revision_id=made.versions[0].revision_id,
        paused=Stop(NOON, "holidays"),
    )
    [called_off] = done_with(paused, [row], {made.id: {ids.occurrence_id(made.id, EARLIER): 1}})
    assert isinstance(called_off, Cancel)
    assert called_off.rows == {row["_id"]: 0}


def test_what_waits_for_a_limit_is_put_off_in_few_commands_none_too_soon_and_none_much_too_late() -> None:
    made = schedule(NOON - timedelta(hours=1), definition(to=300), last_run_at=NOON)
    rows, spaced = planned(made, NOON)[1], Spaced()
    put_off = done_with(made, rows, {}, spaced)
    until = {name: effect.until for effect in put_off if isinstance(effect, Defer) for name in effect.ids}
    late = [until[name] - NOON - wait for name, wait in spaced.waits.items()]
    assert (len(late), min(late) >= timedelta(0), max(late) <= timedelta(seconds=1)) == (300, True, True)
    assert len(put_off) < 50
