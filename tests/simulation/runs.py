"""One seed, one run: three to five senders, one or two schedules, people, a provider, and trouble; then calm, and the verdict."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import count
from random import Random
from typing import Any

from fencepost.events import Event
from fencepost.reconciliation import Decision
from fencepost.schedules import Schedule, Version
from fencepost.store.revisions import Revision
from tests.simulation.clocks import BEGINNING, SimulatedClock, Time
from tests.simulation.deliveries import Deliveries
from tests.simulation.engine import Engine, Process
from tests.simulation.etcd import Etcd
from tests.simulation.faults import Troublemaker, calm, fates, weather
from tests.simulation.hooks import Hooks
from tests.simulation.leases import Leases, Timing
from tests.simulation.people import Registry, wish
from tests.simulation.performing import Options, Surroundings
from tests.simulation.provider import Provider
from tests.simulation.redis import Redis, Server
from tests.simulation.routing import Failover
from tests.simulation.sender import Sender
from tests.simulation.steps import Sleep, Steps, at_once
from tests.simulation.store import Schedules, SimulatedStore
from tests.simulation.texts import CHOICES, DEFINITIONS, TEXTS
from tests.simulation.verdict import judge_run, unfinished
from tests.simulation.watch import SILENT, Violation, Watch

_TROUBLE_SECONDS = 50
_PATIENCE_SECONDS = 150
_DECISIONS = list(Decision)
_TIMING = Timing(ttl_seconds=9, margin_seconds=1.5, cycle_seconds=2)


@dataclass(frozen=True, slots=True)
class Variant:
    """What a run is made of; a broken part shows whether a run can see that it is broken."""

    server: type[Server] = Server
    deliveries: type[Deliveries] = Deliveries
    schedules: type[Schedules] = Schedules
    provider: type[Provider] = Provider
    sender: type[Sender] = Sender
    hooks: type[Hooks] = Hooks
    options: Options = field(default_factory=Options)


RIGHT = Variant()


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a run ended: what was wrong, if anything was, and how much happened."""

    seed: int
    violation: str | None
    steps: int
    mails: int
    calls: int
    seen: Mapping[str, int]
    """How often each answer of the fence was given, and each arrow between states taken."""
    story: list[str]


def run(seed: int, variant: Variant = RIGHT, *, tell: bool = False) -> Outcome:
    """Run one seed. The same seed is the same run; `tell` has it tell what happens."""
    story: list[str] | None = [] if tell else None
    world = _World(seed, variant, story)
    violation = None
    try:
        world.run()
    except Violation as found:
        violation = str(found)
    rows = world.store.deliveries.rows
    return Outcome(
        seed, violation, world.engine.steps, len(rows), world.watch.calls_made, world.watch.seen, story or []
    )


class _World:
    def __init__(self, seed: int, variant: Variant, story: list[str] | None) -> None:
        self._random = random = Random(seed)
        self._time = time = Time()
        self._variant = variant
        self.engine = engine = Engine(random, time, story)
        tell = engine.tell if story is not None else SILENT
        self.watch = watch = Watch(time, tell)
        self.store = SimulatedStore(
            time,
            deliveries=variant.deliveries,
            schedules=variant.schedules,
            on_delivery=watch.delivery,
            on_schedule=watch.schedule,
        )
        self._etcd = Etcd(time, (0, 1))
        self._redis = Redis(variant.server(), watch.fence)
        self._provider = variant.provider(time, random, engine.later, fates(random), watch.accepts, self._told)
        self._hooks = variant.hooks(self.store, self._clock(), random)
        watch.store, watch.provider = self.store, self._provider
        self._names = count(1)
        self._around = Surroundings(
            engine, self.store, self._redis, self._provider, watch, count(1), variant.options, Failover(random)
        )
        self._trouble = Troublemaker(engine, self._redis, self._etcd, self._hire)
        self._schedules = [self._schedule(index) for index in range(random.randint(1, 2))]

    def run(self) -> None:
        engine, random = self.engine, self._random
        self._trouble.senders = [self._hire() for _ in range(random.randint(3, 5))]
        engine.run(2000)
        engine.weather = weather(random)
        self._provider.unreadable = random.choice([0, 0, 0.3])
        self._trouble.start(_TROUBLE_SECONDS - 5)
        people = Process("people")
        for _ in range(random.choice([0, 0, 1, 2, 3, 5])):
            engine.spawn(people, "people", self._person(), random.random() * (_TROUBLE_SECONDS - 10))
        for _ in range(random.choice([0, 0, 1, 2])):
            engine.spawn(people, "decider", self._decider(people), 15 + random.random() * _TROUBLE_SECONDS)
        engine.run(_TROUBLE_SECONDS * 1000)
        self._trouble.stop()
        calm(self._provider)
        for seconds in range(_TROUBLE_SECONDS + 5, _TROUBLE_SECONDS + _PATIENCE_SECONDS, 5):
            engine.run(seconds * 1000)
            if not unfinished(self.store):
                break
        else:
            raise Violation(f"NO PROGRESS: {unfinished(self.store)}")
        judge_run(self.store, self.watch)

    def _hire(self) -> Sender:
        skew = round(self._around.options.skew_seconds * 500)
        random, name = self._random, f"S{next(self._names)}"
        clock = SimulatedClock(self._time, random.randint(-skew, skew), random.randint(0, 10**6))
        leases = Leases(name, self._etcd, self.store.records, clock, _TIMING, lambda: random.random() < 0.5)
        sender = self._variant.sender(name, self._around, clock, leases)
        sender.process.in_peril = lambda: self._trouble.imperil(sender.process)
        self.engine.tell(f"{name} starts")
        sender.start()
        return sender

    def _schedule(self, index: int) -> str:
        text = self._random.choice(CHOICES)
        created, name = BEGINNING, f"schedule-{index + 1}"
        revision = Revision(f"{name}/r0", name, DEFINITIONS[text], created)
        version = Version(1, created, revision.id)
        schedule = Schedule(
            id=name,
            owner_id="local",
            shard=index,
            definition=revision.definition,
            versions=(version,),
            created_at=created,
            updated_at=created,
            next_run_at=next(TEXTS[text].instants()),
        )
        at_once(self.store.records.append(revision))
        at_once(self.store.schedules.create(schedule))
        return name

    def _clock(self) -> SimulatedClock:
        return SimulatedClock(self._time, self._random.randint(-500, 500))

    def _registry(self) -> Registry:
        return Registry(self.store, self._clock(), self.watch, self._around.numbers)

    def _told(self, event: Event) -> None:
        self.engine.spawn(Process("hooks"), "hooks", self._hooks.tell(event))

    def _decider(self, people: Process) -> Steps[Any]:
        """Looks at what is held now and then, and decides about it, sometimes with somebody else at the same time."""
        for _ in range(4):
            held = [row["_id"] for row in self.store.deliveries.rows.values() if row["state"] == "held"]
            for name in self._random.sample(held, min(2, len(held))):
                for _ in range(self._random.choice([1, 2])):
                    self.engine.spawn(people, "decider", self._registry().decide(name, self._random.choice(_DECISIONS)))
            yield Sleep(self._random.random() * 15)

    def _person(self) -> Steps[Any]:
        random, registry = self._random, self._registry()
        rows = [row["_id"] for row in self.store.deliveries.rows.values() if row["state"] == "pending"]
        if rows and random.random() < 0.3:
            name = random.choice(rows)
            self.engine.tell(f"asks that {name[-5:]} be cancelled")
            done = yield from registry.cancel(name)
        else:
            schedule, verb, text = wish(random, self._schedules, CHOICES)
            self.engine.tell(f"asks to {verb} {schedule} {text}")
            done = yield from registry.change(schedule, verb, text)
        self.engine.tell("is told that it is done" if done else "is not told that it is done")
        yield Sleep(0)
