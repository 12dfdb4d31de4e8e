"""Three ways that random runs found in which a mail and a skip, or a mail and a pause, did not agree; each with its rule taken out.
With it all is well, without it a mail is held, sent or cancelled whose instant was decided otherwise."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from fencepost.deliveries import Delivery
from fencepost.schedules import Schedule
from fencepost.settlements import Settlement
from sender import effects
from sender.effects import Decisions
from sender.passes import Claimed
from tests.simulation.broken import answered
from tests.simulation.deliveries import Deliveries
from tests.simulation.plays import SCHEDULE, Cast, Stage, Thread
from tests.simulation.sender import Sender, Terms
from tests.simulation.steps import Steps, at_once
from tests.simulation.watch import Violation

DEADLINE_SECONDS = 14
"""By then the first mail's attempt has been given up, and its instant is late."""


def both(trace: Callable[[Stage], None], broken: Cast, wrong: str, text: str = "even") -> None:
    """The same steps with the rule, and without: then this is wrong."""
    trace(Stage(Cast(), text))
    with pytest.raises(Violation, match=wrong):
        trace(Stage(broken, text))


def end(stage: Stage) -> None:
    """S1 is lost; S2 does all that is due."""
    stage.settle_all(60 - stage.time.milliseconds / 1000, [stage.s2])


class DoesNotAskForSkips(Sender):
    """Takes what is in doubt for called, whatever became of its instant."""

    def reconciling(self, rows: list[Delivery], now: datetime) -> Decisions[list[Settlement]]:
        return answered(
            super().reconciling(rows, now),
            lambda effect, answer: set() if isinstance(effect, effects.ReadSkips) else answer,
        )


def test_what_was_skipped_after_its_plan_broke_off_is_not_held_though_the_fence_forgot() -> None:
    def trace(stage: Stage) -> None:
        stage.at(2)
        Thread(stage.s1.one_pass()).until("W2")  # and S1 is killed: claimed, and the schedule has not moved on
        stage.redis.master.forget()
        stage.at(DEADLINE_SECONDS)
        at_once(stage.s2.rescue_abandoned())
        assert stage.row["state"] == "unknown"
        end(stage)
        assert stage.row["state"] == "cancelled"

    both(trace, Cast(sender=DoesNotAskForSkips), "is held, and its instant was skipped", text="skip")


def fixed_is_planned(schedule: Schedule) -> Schedule:
    """As if an edit had decided about all instants before it."""
    since = schedule.versions[-1].since
    return replace(schedule, last_run_at=max(since, schedule.last_run_at or since))


class TakesFixedForPlanned(Sender):
    """Sends what an edit has fixed, though no plan has decided that it runs."""

    def claiming(self, rows: list[Delivery], terms: Terms) -> Decisions[list[Claimed]]:
        def answer(effect: effects.Effect, answer: Any) -> Any:
            if isinstance(effect, effects.ReadSchedules):
                return {name: fixed_is_planned(schedule) for name, schedule in answer.items()}
            return answer

        return answered(super().claiming(rows, terms), answer)


def test_what_an_edit_has_fixed_waits_for_the_plan_that_may_skip_it() -> None:
    def trace(stage: Stage) -> None:
        stage.at(2)
        stage.s1.fill()
        Thread(stage.s1.one_pass()).until("W2")  # and S1 is killed: pending, and the schedule has not moved on
        stage.at(3)
        stage.edit("edit", "skip")
        stage.at(DEADLINE_SECONDS)
        stage.send(stage.s2)  # looks for what is pending before it plans
        end(stage)
        assert stage.row["state"] == "cancelled"

    both(trace, Cast(sender=TakesFixedForPlanned), "is accepted, and its instant was skipped")


class CancelsWhateverIsPlanned(Deliveries):
    """A pause cancels all that is pending by the time it is written."""

    def cancel_of_schedule(self, schedule_id: str, until: datetime, reason: str) -> Steps[list[str]]:
        return super().cancel_of_schedule(schedule_id, datetime.max.replace(tzinfo=UTC), reason)


def test_a_pause_that_is_written_after_a_resume_takes_nothing_that_was_planned_since() -> None:
    def trace(stage: Stage) -> None:
        stage.at(3)
        pause = Thread(stage.registry.change(SCHEDULE, "pause")).until("cancel those")
        stage.at(4)
        stage.edit("resume")
        stage.at(6)
        stage.s1.fill()
        at_once(stage.s1.one_pass())
        pause.go()
        end(stage)

    both(trace, Cast(deliveries=CancelsWhateverIsPlanned), "LOST: .* is cancelled")
