"""When a sender goes by its own clock, and when it steps aside."""

from datetime import UTC, datetime, timedelta

import pytest

from fencepost.errors import Unreachable
from sender.timekeeper import ClockIsOff, Timekeeper

BEGAN = datetime(2026, 3, 1, tzinfo=UTC)


class Machine:
    """A machine whose wall clock is off by so much, and a MongoDB that is asked and takes its time."""

    def __init__(self, off_seconds: float = 0.0) -> None:
        self.seconds, self.off_seconds = 0.0, off_seconds
        self.round_trip_seconds, self.away, self.asked = 0.0, False, 0
        self.told: list[str] = []
        self.keeper = Timekeeper(self, self.server_now, 5, self.told.append)

    def now(self) -> datetime:
        return BEGAN + timedelta(seconds=self.seconds + self.off_seconds)

    def steady(self) -> float:
        return self.seconds

    def server_now(self) -> datetime:
        if self.away:
            raise Unreachable("mongodb", "no answer")
        self.asked += 1
        now = BEGAN + timedelta(seconds=self.seconds)
        self.seconds += self.round_trip_seconds
        return now


@pytest.mark.parametrize("off", [-4.9, -3, 0, 3, 4.9])
def test_a_clock_that_is_off_by_seconds_is_gone_by(off: float) -> None:
    machine = Machine(off)
    assert machine.keeper.now() == machine.now()
    assert set(machine.told) == {""}


@pytest.mark.parametrize(("off", "words"), [(-6, "6.0 s behind"), (6, "6.0 s ahead"), (3600, "3600.0 s ahead")])
def test_a_clock_that_is_further_off_is_refused_with_a_sentence_until_it_is_right(off: float, words: str) -> None:
    machine = Machine(off)
    with pytest.raises(ClockIsOff, match=words):
        machine.keeper.now()
    assert words in machine.told[-1]
    machine.off_seconds = 0
    assert machine.keeper.now() == machine.now()
    assert machine.told[-1] == ""


def test_it_is_compared_once_a_minute() -> None:
    machine = Machine()
    for _ in range(180):
        machine.keeper.now()
        machine.seconds += 1
    assert machine.asked == 3


@pytest.mark.parametrize("step", [-3600, 3600])
def test_a_step_is_noticed_at_the_next_look(step: float) -> None:
    machine = Machine()
    machine.keeper.now()
    machine.off_seconds = step
    with pytest.raises(ClockIsOff):
        machine.keeper.now()


def test_after_a_step_nothing_goes_by_the_clock_while_mongodb_is_away() -> None:
    machine = Machine()
    machine.keeper.now()
    machine.away = True
    machine.keeper.now()
    machine.off_seconds = 2
    with pytest.raises(Unreachable):
        machine.keeper.now()


def test_a_slow_answer_makes_no_clock_fast() -> None:
    machine = Machine()
    machine.round_trip_seconds = 8
    assert machine.keeper.now() == machine.now()
