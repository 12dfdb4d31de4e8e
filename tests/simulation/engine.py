"""The driver of random runs: events in the order of their instants, which a seed's latencies decide.

Each command travels to its server and its answer back; both may take long, or be lost, and a command may be run long after its
client gave it up. A task may stall anywhere, a process be killed or frozen at any instant. All of it follows from one Random.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from heapq import heappop, heappush
from itertools import count
from random import Random
from typing import Any

from fencepost.errors import Unreachable
from tests.simulation.clocks import Time
from tests.simulation.steps import Command, Sleep, Steps

Tell = Callable[[str], None]


@dataclass(slots=True)
class Process:
    """What is killed and frozen as a whole."""

    name: str
    alive: bool = True
    frozen_until: int = 0
    """In milliseconds of true time."""
    in_peril: Callable[[], int] | None = None
    """Something happens to it right now: it is killed, or frozen for so many milliseconds."""


@dataclass(slots=True)
class _Task:
    process: Process
    steps: Steps[Any]
    name: str


@dataclass(slots=True)
class Weather:
    """How bad a run is: probabilities for each command, and the spread of latencies."""

    lost_request: float = 0
    lost_reply: float = 0
    late: float = 0
    stall: float = 0
    peril: float = 0
    """That a process is killed or frozen just before or just after a step of the protocol."""
    spread_milliseconds: int = 30
    down: dict[str, int] = field(default_factory=dict)
    """Until when a server does not answer."""


class Engine:
    """Runs tasks. `story` collects what happened, if there is one."""

    def __init__(self, random: Random, time: Time, story: list[str] | None = None) -> None:
        self.random, self.time, self.weather = random, time, Weather()
        self._story = story
        self._events: list[tuple[int, int, Callable[[Any, Any], None], Any, Any]] = []
        self._order = count()
        self.actor = "world"
        self.steps = 0

    def tell(self, text: str) -> None:
        if self._story is not None:
            self._story.append(f"{self.time.milliseconds / 1000:8.3f}  {self.actor:<14} {text}")

    @property
    def telling(self) -> bool:
        return self._story is not None

    def spawn(self, process: Process, name: str, steps: Steps[Any], after_seconds: float = 0) -> None:
        self._push(round(after_seconds * 1000) + self._latency(), self._resume, _Task(process, steps, name), None)

    def later(self, seconds: float, happens: Callable[[], None], name: str = "world") -> None:
        """Something that happens by itself, whatever becomes of whom."""
        self._push(round(seconds * 1000), self._happen, happens, name)

    def run(self, until_milliseconds: int) -> None:
        events, time = self._events, self.time
        while events and events[0][0] <= until_milliseconds:
            time.milliseconds, _, event, first, second = heappop(events)
            self.steps += 1
            event(first, second)
        time.milliseconds = max(time.milliseconds, until_milliseconds)

    def _push(self, after: int, event: Callable[[Any, Any], None], first: Any, second: Any) -> None:
        heappush(self._events, (self.time.milliseconds + after, next(self._order), event, first, second))

    def _happen(self, happens: Callable[[], None], name: str) -> None:
        self.actor = name
        happens()

    def _resume(self, task: _Task, result: Any) -> None:
        process = task.process
        if not process.alive:
            return
        if process.frozen_until > self.time.milliseconds:
            self._push(process.frozen_until - self.time.milliseconds + self._latency(), self._resume, task, result)
            return
        self.actor = task.name
        try:
            step = task.steps.throw(result) if isinstance(result, Unreachable) else task.steps.send(result)
        except StopIteration:
            return
        if self.weather.peril and process.in_peril and _matters(step) and self.random.random() < self.weather.peril:
            milliseconds = process.in_peril()
            if self.random.random() < 0.5:
                self._push(milliseconds, self._thawed, task, step)
                return
        self._go_on(task, step)

    def _thawed(self, task: _Task, step: Command | Sleep) -> None:
        if task.process.alive:
            self.actor = task.name
            self._go_on(task, step)

    def _go_on(self, task: _Task, step: Command | Sleep) -> None:
        if isinstance(step, Command):
            self._send(task, step)
        else:
            self._push(round(step.seconds * 1000) + self._latency() + self._stall(), self._resume, task, None)

    def _send(self, task: _Task, command: Command) -> None:
        weather, luck = self.weather, self.random.random()
        lost, silent, late = weather.lost_request, weather.lost_reply, weather.late
        if luck >= lost + silent + late:
            self._push(self._latency(), self._execute, task, command)
            return
        gives_up = self._latency() + 200 + round(self.random.random() * 800)
        if luck < lost:
            self._tell_lost(command, "is lost on its way")
        elif luck < lost + silent:
            self._push(self._latency(), self._run, task.name, command)
            self._tell_lost(command, "will be run, but its answer is lost")
        else:
            self._push(gives_up + round(self.random.random() ** 2 * 20_000), self._run, f"{task.name} late", command)
            self._tell_lost(command, "is given up, and will be run later")
        self._push(gives_up, self._resume, task, Unreachable(command.server, "no answer"))

    def _tell_lost(self, command: Command, what: str) -> None:
        if self.telling:
            self.tell(f"{command.server}: `{command.name}` {what}")

    def _execute(self, task: _Task, command: Command) -> None:
        if self.weather.down.get(command.server, 0) > self.time.milliseconds:
            self._push(500, self._resume, task, Unreachable(command.server, "down"))
            return
        self.actor = task.name
        result = command.run()
        self._push(self._latency() + self._stall(), self._resume, task, result)

    def _run(self, actor: str, command: Command) -> None:
        if self.weather.down.get(command.server, 0) <= self.time.milliseconds:
            self.actor = actor
            command.run()

    def _latency(self) -> int:
        return 1 + int(self.random.random() ** 3 * self.weather.spread_milliseconds)

    def _stall(self) -> int:
        stall = self.weather.stall
        return int(self.random.random() ** 2 * 15_000) if stall and self.random.random() < stall else 0


def _matters(step: Command | Sleep) -> bool:
    """A step of the protocol, not one of those that only look whether there is something to do."""
    return step.name[:1] in ("W", "K")
