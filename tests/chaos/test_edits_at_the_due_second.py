"""An edit, a pause and a delete while a sender stands still at any of its steps, with the mail that is due in its hands."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from time import time
from typing import Any

import pytest

from fencepost.failpoints import STEPS
from fencepost.schedules import Schedule
from tests.support.eventually import eventually
from tests.support.nursery import Sender
from tests.support.rows import planned
from tests.support.world import World
from tests.support.worlds import MakesWorld

FIRST, SECOND = "The first text.", "The second text."
DAY, DAILY = timedelta(days=1), {"type": "interval", "every": "1d"}
SHARDS = {"FENCEPOST_SENDER__SHARDS": str(len(STEPS))}
"""One for each sender."""
PATIENT = {
    "FENCEPOST_SENDER__LEASE_TTL_SECONDS": "60",
    "FENCEPOST_SENDER__CALL_TIMEOUT_SECONDS": "30",
    "FENCEPOST_SENDER__ATTEMPT_SECONDS": "60",
}
"""Nobody loses a lease, a call or an attempt while edits are made."""


@dataclass(frozen=True)
class Hands:
    """What one sender has in its hands when it stops: four schedules that were due in the same second."""

    sender: Sender
    due: datetime
    kept: Schedule
    changed: Schedule
    paused: Schedule
    deleted: Schedule


@dataclass(frozen=True)
class Stopped:
    """The answer to a pause or a delete: which mails it named as in flight, and when it came."""

    in_flight: list[str]
    at: float


@pytest.mark.parametrize("side", ["before", "after"])
def test_the_sender_goes_on_after_the_edits(make_world: MakesWorld, side: str) -> None:
    world = make_world({**SHARDS, **PATIENT})
    hands = freeze_at_each_step(world, side)
    answers = {place: edit_all(world, these) for place, these in hands.items()}
    go_on(hands)
    settle_and_check(world, hands, answers, unknown_at_most=0)


@pytest.mark.parametrize("side", ["before", "after"])
def test_another_sender_takes_over_after_the_edits_and_the_first_wakes_late(make_world: MakesWorld, side: str) -> None:
    world = make_world(SHARDS)
    hands = freeze_at_each_step(world, side)
    answers = {place: edit_all(world, these) for place, these in hands.items()}
    world.start()
    eventually(lambda: not world.shards_of(*(these.sender for these in hands.values())), seconds=20)
    eventually(lambda: not world.counts()["sending"], seconds=20)
    go_on(hands)
    settle_and_check(world, hands, answers, unknown_at_most=len(hands) * 4)


def freeze_at_each_step(world: World, side: str) -> dict[str, Hands]:
    """Seven senders, each at its own step; each stands still with four schedules that have just become due."""
    world.start_registry()
    senders = {place: world.fork(f"{place}:stop") for place in [f"{step}.{side}" for step in STEPS]}
    for sender in senders.values():
        sender.wait_ready()
    world.balanced(*senders.values())
    hands = {
        place: _planned_before(world, sender) if "W3" in place else _due(world, sender)
        for place, sender in senders.items()
    }
    eventually(lambda: all(sender.frozen for sender in senders.values()), seconds=30)
    return hands


def _due(world: World, sender: Sender) -> Hands:
    due = world.soon()
    made = world.write(4, due - DAY, shards=world.shards_of(sender), recurrence=DAILY, message={"text": FIRST})
    world.expect(made, due)
    return Hands(sender, due, *made)


def _planned_before(world: World, sender: Sender) -> Hands:
    """What another sender had planned before it was lost: mails that wait to be claimed, which is step W3."""
    due = world.soon(-1)
    made = world.make(
        4,
        due - DAY,
        shards=world.shards_of(sender),
        fields={"last_run_at": due, "next_run_at": due + DAY, "occurrence_count": 1},
        recurrence=DAILY,
        message={"text": FIRST},
    )
    world.put(made)
    for one in made:
        occurrence, rows = planned(one, due)
        world.store.occurrences.insert([occurrence])
        world.store.deliveries.insert(rows)
    world.expect(made, due)
    world.nudge()
    return Hands(sender, due, *made)


def edit_all(world: World, hands: Hands) -> dict[str, Stopped]:
    """Give one of the four another text and another instant, pause one, delete one; the answers by schedule."""
    later = world.soon(3)
    patch = {"message": {"text": SECOND}, "recurrence": {"type": "once", "at": later.isoformat(), "timezone": "UTC"}}
    world.call("PATCH", f"/schedules/{hands.changed.id}", patch)
    world.expect([hands.changed], later)
    paused = world.call("POST", f"/schedules/{hands.paused.id}/pause", {"reason": "a test"})
    answers = {hands.paused.id: Stopped(paused["in_flight"], time())}
    deleted = world.call("DELETE", f"/schedules/{hands.deleted.id}")
    return answers | {hands.deleted.id: Stopped(deleted["in_flight"], time())}


def go_on(hands: Mapping[str, Hands]) -> None:
    """Wake them; who is ready has handed back what it may not call any more."""
    for these in hands.values():
        these.sender.resume()
    for these in hands.values():
        these.sender.wait_ready()


def settle_and_check(
    world: World, hands: Mapping[str, Hands], answers: Mapping[str, Mapping[str, Stopped]], unknown_at_most: int
) -> None:
    stopped = {schedule_id: answer for these in answers.values() for schedule_id, answer in these.items()}
    # What was stopped before it was planned has no mail on record; everything else has.
    stopped_mails = {(_recipient(one), these.due) for these in hands.values() for one in (these.paused, these.deleted)}

    def on_record() -> set[tuple[str, datetime]]:
        return {(row["to"][0]["email"], row["due_at"]) for row in world.rows()}

    eventually(lambda: on_record() >= set(world.expected) - stopped_mails, seconds=60)
    eventually(lambda: not world.counts()["pending"] + world.counts()["sending"], seconds=60)
    world.expected = [mail for mail in world.expected if mail not in stopped_mails or mail in on_record()]
    # Who wakes late knows that it did not call, and makes a mail pending again that a rescuer had to call unknown.
    judged = eventually(lambda: world.judge(unknown_at_most=unknown_at_most), seconds=60)
    rows = {row["_id"]: row for row in judged}
    for entry in world.ledger():
        row = rows[entry["delivery_id"]]
        if answer := stopped.get(row["schedule_id"]):
            assert entry["delivery_id"] in answer.in_flight or entry["at"] < answer.at, entry
    texts = {(entry["recipients"][0], rows[entry["delivery_id"]]["due_at"]): entry["text"] for entry in world.ledger()}
    for place, these in hands.items():
        _check_texts(place, these, texts)
        for one in (these.paused, these.deleted):
            _check_what_was_stopped(world, place, one)


def _check_texts(place: str, hands: Hands, texts: Mapping[tuple[str, datetime], str]) -> None:
    for (recipient, due), text in texts.items():
        if recipient == _recipient(hands.changed):
            assert text == (FIRST if due == hands.due else SECOND), f"{place}: {text} for {due}"
    later = [due for recipient, due in texts if recipient == _recipient(hands.changed) and due != hands.due]
    assert len(later) == 1, f"{place}: the second version was sent for {later}"


def _check_what_was_stopped(world: World, place: str, schedule: Schedule) -> None:
    """It is on record what became of its instant: a mail in a final state, or a skip with its reason."""
    found: list[Any] = [row["state"] for row in world.rows(schedule_id=schedule.id)]
    skips = world.store.database.occurrences.find({"schedule_id": schedule.id, "state": "skipped"})
    found += [skip["reason"] for skip in skips]
    assert found, f"{place}: nothing says what became of {schedule.id}"


def _recipient(schedule: Schedule) -> str:
    email: str = schedule.definition["message"]["to"][0]["email"]
    return email
