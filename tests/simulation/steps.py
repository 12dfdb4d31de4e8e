"""What simulated code asks of the world: a command to a server, or time. Everything that runs is a generator of these, so that
whoever drives it decides what happens between any two of them."""

from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any, TypeVar


@dataclass(frozen=True, slots=True)
class Command:
    """One operation of one server: it happens at once and alone, or not at all. The result is what `run` gives; Unreachable
    is raised instead if the client did not learn it, whether it was run, is still to be run, or never will be."""

    server: str
    run: Callable[[], Any]
    name: str


@dataclass(frozen=True, slots=True)
class Sleep:
    """Go on so many seconds later. `name` says before what, if anything of note follows."""

    seconds: float
    name: str = ""


T = TypeVar("T")
Steps = Generator[Command | Sleep, Any, T]
"""A generator of steps that returns T."""


def ask(server: str, run: Callable[[], T], name: str) -> Steps[T]:
    """One command and its answer."""
    result: T = yield Command(server, run, name)
    return result


def at_once(steps: Steps[T]) -> T:
    """Run them without anything in between."""
    result: Any = None
    while True:
        try:
            step = steps.send(result)
        except StopIteration as stop:
            value: T = stop.value
            return value
        result = step.run() if isinstance(step, Command) else None
