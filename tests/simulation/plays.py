"""The stage of the traces: two senders, one delivery, and somebody who says what happens next, step by step."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from itertools import count
from random import Random
from typing import Any

from fencepost.deliveries import Delivery
from fencepost.errors import Unreachable
from fencepost.schedules import Schedule, Version, edited
from fencepost.store.revisions import Revision
from tests.simulation.clocks import BEGINNING, SimulatedClock, Time
from tests.simulation.deliveries import Deliveries
from tests.simulation.engine import Engine, Process
from tests.simulation.etcd import Etcd
from tests.simulation.leases import Held, Leases, Timing
from tests.simulation.people import Edited, Registry
from tests.simulation.performing import Options, Surroundings
from tests.simulation.provider import Accepted, Fate, Provider
from tests.simulation.redis import Redis, Server
from tests.simulation.sender import Sender
from tests.simulation.steps import Command, Sleep, Steps, at_once
from tests.simulation.store import Schedules, SimulatedStore
from tests.simulation.texts import DEFINITIONS, TEXTS
from tests.simulation.verdict import judge_run
from tests.simulation.watch import Violation, Watch

SHARD, SCHEDULE = 0, "schedule-1"


class Given(Leases):
    """Leases that are as they are said to be."""

    def give(self, token: int) -> None:
        self._held = {SHARD: Held(token, token)}

    def take_away(self) -> None:
        self._held = {}

    def held(self) -> dict[int, Held]:
        return self._held

    def may_call(self, shard: int, token: int, until: float) -> bool:
        held = self._held.get(shard)
        return held is not None and held.token == token and not held.draining


class Thread:
    """One thread of the play: it stops wherever it is told to."""

    def __init__(self, steps: Steps[Any]) -> None:
        self._steps, self.ended = steps, False
        self._next: Command | Sleep | None = None
        self._take(None)

    def until(self, name: str) -> "Thread":
        """Go on to just before the step whose name begins so, or to the end."""
        while not self.ended and not self.name().startswith(name):
            self.step()
        return self

    def go(self) -> None:
        """To the end."""
        while not self.ended:
            self.step()

    def step(self) -> object:
        """One step; what it was answered."""
        result = self._next.run() if isinstance(self._next, Command) else None
        self._take(result)
        return result

    def step_and_lose_the_reply(self) -> object:
        assert isinstance(self._next, Command)
        self._next.run()
        self._take(Unreachable(self._next.server, "no answer"))
        return "no answer"

    def name(self) -> str:
        """Of the step that comes next."""
        return self._next.name if self._next else ""

    def is_command(self) -> bool:
        """Whether the step that comes next asks a server."""
        return isinstance(self._next, Command)

    def _take(self, result: Any) -> None:
        try:
            self._next = self._steps.throw(result) if isinstance(result, Unreachable) else self._steps.send(result)
        except StopIteration:
            self.ended = True


class _Prompter(Engine):
    """Starts nothing by itself: seats wait in `seats`, what the provider decides in `happenings`."""

    def __init__(self, random: Random, time: Time) -> None:
        super().__init__(random, time)
        self.seats: list[tuple[Process, Steps[Any]]] = []
        self.happenings: list[Callable[[], None]] = []

    def spawn(self, process: Process, name: str, steps: Steps[Any], after_seconds: float = 0) -> None:
        self.seats.append((process, steps))

    def later(self, seconds: float, happens: Callable[[], None], name: str = "world") -> None:
        self.happenings.append(happens)


@dataclass(frozen=True, slots=True)
class Cast:
    """Who plays; one part at a time may be broken."""

    server: type[Server] = Server
    deliveries: type[Deliveries] = Deliveries
    schedules: type[Schedules] = Schedules
    sender: type[Sender] = Sender
    leases: type[Leases] = Given
    edit: Edited = edited
    options: Options = field(default_factory=Options)


class Stage:
    """Both senders hold the shard under token 1 at first, as two do whose lock failed them."""

    def __init__(self, cast: Cast, text: str = "even") -> None:
        self.time, self.cast = Time(), cast
        self.prompter = _Prompter(Random(1), self.time)
        self.watch = Watch(self.time, lambda _text: None)
        self.store = SimulatedStore(
            self.time,
            deliveries=cast.deliveries,
            schedules=cast.schedules,
            on_delivery=self.watch.delivery,
            on_schedule=self.watch.schedule,
        )
        self.redis, self.etcd = Redis(cast.server(), self.watch.fence), Etcd(self.time, (SHARD,))
        self.fate = Fate.ACCEPTED
        self.provider = Provider(
            self.time, Random(1), self.prompter.later, lambda: self.fate, self._accepted, self.store.records.told
        )
        self.provider.tells = 0
        self.watch.store, self.watch.provider = self.store, self.provider
        self._around = Surroundings(
            self.prompter, self.store, self.redis, self.provider, self.watch, count(1), cast.options
        )
        self.registry_clock = SimulatedClock(self.time)
        self.registry = Registry(self.store, self.registry_clock, self.watch, count(1), cast.edit)
        self._senders = 0
        self._write_schedule(text)
        self.s1, self.s2 = self.sender("S1"), self.sender("S2")

    def sender(self, name: str) -> Sender:
        clock = SimulatedClock(self.time)
        self._senders += 1
        around = replace(self._around, numbers=count(100 * self._senders))
        leases = self.cast.leases(name, self.etcd, self.store.records, clock, Timing(9, 1.5, 2))
        if isinstance(leases, Given):
            leases.give(1)
        return self.cast.sender(name, around, clock, leases)

    def give(self, sender: Sender, token: int) -> None:
        """The sender learns that it holds the shard under this token; 0: no more."""
        assert isinstance(sender.leases, Given)
        if token:
            sender.leases.give(token)
        else:
            sender.leases.take_away()

    def wait(self, seconds: float) -> None:
        self.time.milliseconds += round(seconds * 1000)

    def at(self, seconds: float) -> None:
        self.time.milliseconds = round(seconds * 1000)

    def run_pass(self, sender: Sender) -> Thread | None:
        """A whole pass of its loop; the seat of what it claimed, if it claimed anything."""
        at_once(sender.one_pass())
        return self.seat()

    def seat(self) -> Thread | None:
        return Thread(self.prompter.seats.pop(0)[1]) if self.prompter.seats else None

    def send(self, sender: Sender) -> None:
        """A pass, and all that it claims, to the end."""
        thread = self.run_pass(sender)
        while thread:
            thread.until("answer")
            self.decide()
            thread.go()
            thread = self.seat()

    def decide(self) -> None:
        """The provider decides on all calls that it has."""
        while self.prompter.happenings:
            self.prompter.happenings.pop(0)()

    def edit(self, verb: str, text: str = "") -> None:
        assert at_once(self.registry.change(SCHEDULE, verb, text))

    @property
    def row(self) -> Delivery:
        """The first delivery."""
        return next(iter(self.store.deliveries.rows.values()))

    def accepted(self) -> int:
        return len(self.provider.ledger[self.row["_id"]])

    def settle_all(self, seconds: float, senders: Iterable[Sender]) -> None:
        """Time passes, and the senders do all that there is to do. Raises Violation if a mail that is due by then is not
        settled at the end."""
        until = self.time.milliseconds + round(seconds * 1000)
        while self.time.milliseconds < until:
            self.wait(1)
            for sender in senders:
                self.send(sender)
                at_once(sender.rescue_abandoned())
                at_once(sender.reconcile())
        settled_by = self.time.instant - timedelta(seconds=30)
        for row in self.store.deliveries.rows.values():
            if row["due_at"] <= settled_by and row["state"] in ("pending", "sending", "unknown"):
                raise Violation(f"NO PROGRESS: a mail is {row['state']}")
        judge_run(self.store, self.watch, settled_by)

    def _accepted(self, entry: Accepted) -> None:
        self.watch.accepts(entry)

    def _write_schedule(self, text: str) -> None:
        revision = Revision(f"{SCHEDULE}/r0", SCHEDULE, DEFINITIONS[text], BEGINNING)
        self.store.records.revisions[revision.id] = revision
        schedule = Schedule(
            id=SCHEDULE,
            owner_id="local",
            shard=SHARD,
            definition=revision.definition,
            versions=(Version(1, BEGINNING, revision.id),),
            created_at=BEGINNING,
            updated_at=BEGINNING,
            next_run_at=next(TEXTS[text].instants()),
        )
        at_once(self.store.schedules.create(schedule))
