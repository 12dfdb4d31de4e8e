"""The terms of a pass, while the process is frozen in the middle of setting them."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from threading import Event
from types import SimpleNamespace
from typing import Any

from fencepost.settings import load
from sender.loop import Loop

AT = datetime(2026, 3, 2, 12, tzinfo=UTC)


class Freezing:
    """A clock and a timekeeper in one: after each reading of either kind the process is frozen for ten seconds."""

    def __init__(self) -> None:
        self._passed = 0.0

    def now(self) -> datetime:
        return AT + timedelta(seconds=self._frozen())

    def steady(self) -> float:
        return self._frozen()

    def _frozen(self) -> float:
        passed, self._passed = self._passed, self._passed + 10
        return passed


def test_an_attempts_owner_never_gives_it_more_time_than_its_rescuer_does() -> None:
    clock: Any = Freezing()
    settings = load({})
    nothing: Any = None
    routes: Any = SimpleNamespace(begin=lambda: None, room=lambda room: room)
    courier: Any = SimpleNamespace(room=lambda: 1)
    epochs: Any = SimpleNamespace(current=lambda: "run:1")
    outages: Any = SimpleNamespace(over=lambda _: None)
    loop = Loop(
        settings, "s", nothing, nothing, nothing, epochs, courier, routes, outages, clock, clock, Event(), shards=64
    )
    terms_of: Callable[[dict[int, int]], Any] = loop._terms
    terms = terms_of({1: 7})
    assert terms.deadline_steady <= (terms.deadline - AT).total_seconds()
