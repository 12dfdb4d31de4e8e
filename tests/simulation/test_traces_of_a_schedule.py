"""The shortest traces that a model check found for one schedule that is edited while it is planned, each with one rule taken out:
with the rule all is well, without it a mail is lost, or sent that is not due, or with another version's text."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest

from fencepost.deliveries import Delivery
from fencepost.messages import Renderer
from fencepost.schedules import Rules, Schedule, edited
from sender import effects
from sender.effects import Decisions
from sender.passes import Claimed
from tests.simulation.plays import SCHEDULE, Cast, Stage, Thread
from tests.simulation.sender import Sender, Terms
from tests.simulation.steps import at_once
from tests.simulation.store import Schedules
from tests.simulation.texts import DEFINITIONS
from tests.simulation.watch import Violation


def both(trace: Callable[[Stage], None], broken: Cast, wrong: str) -> None:
    """The same steps with the rule, and without: then this is wrong."""
    trace(Stage(Cast()))
    with pytest.raises(Violation, match=wrong):
        trace(Stage(broken))


def hurried(stage: Stage, *, room: bool = True) -> Thread:
    """It is a second before the first instant, and S1's clock says that it has come: it has read the schedule, and is about
    to insert. Without room it claims nothing."""
    stage.at(1)
    stage.s1.clock.ahead_milliseconds = 1000
    if not room:
        stage.s1.fill()
    return Thread(stage.s1.one_pass()).until("W1")


def end(stage: Stage, mails: int) -> None:
    """All is done that is due by t=6; so many mails were sent by then."""
    for sender in (stage.s1, stage.s2):
        sender.clock.ahead_milliseconds = 0
    stage.settle_all(36 - stage.time.milliseconds / 1000, [stage.s2])
    early = [row for row in stage.store.deliveries.rows.values() if row["state"] == "accepted"]
    assert len([row for row in early if row["due_at"].second < 6]) == mails


class AdvancesAnyVersion(Schedules):
    """W2 compares the next run alone."""

    def may_advance(self, row: Schedule, instant: datetime | None, version: int) -> bool:
        return row.next_run_at == instant


def test_12_a_schedule_is_moved_on_only_from_the_version_that_was_planned() -> None:
    def trace(stage: Stage) -> None:
        stage.at(2.5)
        s1 = Thread(stage.s1.one_pass()).until("W1")
        stage.edit("edit", "odd")
        s1.go()
        end(stage, mails=2)  # t=2 of the first version, t=3 of the second

    both(trace, Cast(schedules=AdvancesAnyVersion), "LOST")


class DoesNotAsk(Sender):
    """Takes every pending row for one that may be sent."""

    def claiming(self, rows: list[Delivery], terms: Terms) -> Decisions[list[Claimed]]:
        return super().claiming([{**row, "ordered": True} for row in rows], terms)


def test_13_nothing_is_called_before_its_instant_is_frozen() -> None:
    def trace(stage: Stage) -> None:
        s1 = hurried(stage, room=False)
        stage.edit("edit", "odd")
        stage.at(2)
        s1.until("W2")
        stage.send(stage.s2)
        s1.go()
        end(stage, mails=1)

    both(trace, Cast(sender=DoesNotAsk), "before its instant is frozen")


class CallsBeforeItAdvances(Sender):
    """W3 is folded into W1, and the call does not wait for W2."""

    def planning(self, due: list[Schedule], terms: Terms) -> Decisions[list[Claimed]]:
        decisions = super().planning(due, terms)
        effect = next(decisions)
        while not isinstance(effect, effects.Insert):
            answer = yield effect
            effect = decisions.send(answer)
        yield effect
        renderer = Renderer(due[0].definition)
        return [Claimed(row, renderer, terms.deadline_steady) for row in effect.deliveries if row["state"] == "sending"]


def test_14_a_call_waits_for_the_schedule_to_be_moved_on() -> None:
    def trace(stage: Stage) -> None:
        s1 = hurried(stage)
        stage.edit("edit", "odd")
        stage.at(2)
        s1.go()
        seat = stage.seat()
        if seat:
            seat.go()
        end(stage, mails=1)

    both(trace, Cast(sender=CallsBeforeItAdvances), "before its instant is frozen")


def test_15_an_orphan_is_asked_for_after_its_rescue() -> None:
    def trace(stage: Stage) -> None:
        s1 = hurried(stage)
        stage.edit("edit", "odd")
        s1.until("W2")  # and S1 is killed
        stage.at(14)
        at_once(stage.s2.rescue_abandoned())
        assert stage.row["state"] == "pending"
        stage.send(stage.s2)
        end(stage, mails=1)

    both(trace, Cast(sender=DoesNotAsk), "not due under the edit history")


class DoesNotWait(Sender):
    """Rules on an instant before it is frozen."""

    def claiming(self, rows: list[Delivery], terms: Terms) -> Decisions[list[Claimed]]:
        decisions = super().claiming(rows, terms)
        answer: Any = None
        while True:
            try:
                effect = decisions.send(answer)
            except StopIteration as stop:
                claimed: list[Claimed] = stop.value
                return claimed
            answer = yield effect
            if isinstance(effect, effects.ReadSchedules):
                answer = {name: replace(read, last_run_at=terms.now) for name, read in answer.items()}


def test_16_the_ruling_waits_until_the_instant_is_frozen() -> None:
    def trace(stage: Stage) -> None:
        s1 = hurried(stage, room=False).until("W2")
        stage.s2.clock.ahead_milliseconds = 1000
        s2 = Thread(stage.s2.one_pass()).until("W")  # W3; with the rule it plans, and stops at W1
        stage.edit("edit", "odd")
        stage.at(2)
        s2.go()
        seat = stage.seat()
        if seat:
            seat.go()
        s1.go()
        end(stage, mails=1)

    both(trace, Cast(sender=DoesNotWait), "not due under the edit history")


def forgets_the_last_run(
    schedule: Schedule, rules: Rules, *, now: datetime, revision_id: str, definition: Mapping[str, Any] | None = None
) -> Schedule:
    """An edit that counts from now, whatever has been planned by then."""
    after = edited(replace(schedule, last_run_at=None), rules, now=now, revision_id=revision_id, definition=definition)
    return replace(after, last_run_at=schedule.last_run_at)


def test_17_an_edit_counts_from_no_earlier_than_the_last_run() -> None:
    def trace(stage: Stage) -> None:
        hurried(stage).go()
        stage.edit("edit", "odd")
        seat = stage.seat()
        assert seat
        seat.until("answer")
        stage.decide()
        seat.go()
        end(stage, mails=2)  # t=2 was frozen before the edit

    both(trace, Cast(edit=forgets_the_last_run), "counts from before the last run")


class SendsTheNewestText(Sender):
    """Writes each mail from the text that is newest when it is claimed."""

    def claiming(self, rows: list[Delivery], terms: Terms) -> Decisions[list[Claimed]]:
        claimed = yield from super().claiming(rows, terms)
        schedules: dict[str, Schedule] = yield effects.ReadSchedules([SCHEDULE])
        return [replace(item, renderer=Renderer(schedules[SCHEDULE].definition)) for item in claimed]


def test_18_the_text_is_that_of_the_version_that_owns_the_instant() -> None:
    def trace(stage: Stage) -> None:
        stage.at(2)
        stage.edit("edit", "odd")
        stage.s1.fill()
        at_once(stage.s1.one_pass())
        stage.send(stage.s2)
        assert stage.accepted() == 1
        end(stage, mails=2)

    both(trace, Cast(sender=SendsTheNewestText), "another version's text")


def test_both_texts_of_these_plays_differ() -> None:
    assert DEFINITIONS["even"]["message"]["subject"] != DEFINITIONS["odd"]["message"]["subject"]
