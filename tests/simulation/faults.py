"""What goes wrong in a run, and when: drawn from the seed, so that each run has a few kinds of trouble and not all of them."""

from collections.abc import Callable
from random import Random

from tests.simulation.engine import Engine, Process, Weather
from tests.simulation.etcd import Etcd
from tests.simulation.provider import Fate, Provider
from tests.simulation.redis import Redis, Server
from tests.simulation.sender import Sender
from tests.simulation.steps import Sleep, Steps

_FATES = {
    "well": [30, 1, 1, 1, 0, 0, 0, 0],
    "moody": [12, 2, 3, 2, 2, 2, 2, 2],
    "ill": [4, 1, 2, 2, 4, 5, 3, 5],
}


def weather(random: Random) -> Weather:
    """How a run's network and threads behave."""
    bad = random.choice([0, 1, 1, 2, 3])
    return Weather(
        lost_request=0.015 * bad * random.random(),
        lost_reply=0.03 * bad * random.random(),
        late=0.02 * bad * random.random(),
        stall=random.choice([0, 0.01, 0.04]) * random.random(),
        peril=random.choice([0, 0.02, 0.04, 0.08]),
        spread_milliseconds=random.choice([10, 60, 400, 1500]),
    )


def fates(random: Random) -> Callable[[], Fate]:
    """What the provider does with each call; towards the end of a run it is well."""
    weights = _FATES[random.choice(list(_FATES))]
    return lambda: random.choices(list(Fate), weights)[0]


class Troublemaker:
    """Brings the faults of a run upon it until they end."""

    def __init__(self, engine: Engine, redis: Redis, etcd: Etcd, hire: Callable[[], Sender]) -> None:
        """`hire` starts one more sender."""
        self._engine, self._random, self._redis, self._etcd, self._hire = engine, engine.random, redis, etcd, hire
        self._process = Process("trouble")
        self.senders: list[Sender] = []
        self._faults: dict[str, Callable[[], None]] = {
            "crash": self._crash,
            "freeze": self._stop_one,
            "flush Redis": self._flush,
            "restart Redis": self._restart,
            "promote a replica": self._promote,
            "split Redis": self._split,
            "lose etcd's data": self._lose_etcd,
            "hand over": self._hand_over,
            "rebalance": self._rebalance,
            "outage": self._outage,
        }
        self.kinds = self._random.sample(list(self._faults), self._random.randint(1, 4))
        self.redis_lost_memory = False
        self._replica: Server = redis.master.copy()

    def start(self, ends_seconds: float) -> None:
        for kind in self.kinds:
            self._engine.spawn(self._process, "trouble", self._trouble(kind, ends_seconds))
        if {"promote a replica", "split Redis"} & set(self.kinds):
            self._engine.spawn(self._process, "replica", self._replicate())

    def stop(self) -> None:
        """All is well from here on; whoever was frozen goes on."""
        self._process.alive = False
        self._redis.heal()
        spread = self._engine.weather.spread_milliseconds
        self._engine.weather = Weather(spread_milliseconds=min(spread, 60))
        for sender in self.senders:
            sender.process.frozen_until = 0
        if not any(sender.process.alive for sender in self.senders):
            self.senders.append(self._hire())

    def _trouble(self, kind: str, ends_seconds: float) -> Steps[None]:
        for _ in range(self._random.randint(1, 3)):
            yield Sleep(self._random.random() * ends_seconds)
            self._engine.tell(f"FAULT {kind}")
            self._faults[kind]()

    def _replicate(self) -> Steps[None]:
        while True:
            self._replica = self._redis.master.copy()
            yield Sleep(self._random.random() * 10)

    def _one(self) -> Sender | None:
        living = [sender for sender in self.senders if sender.process.alive]
        return self._random.choice(living) if living else None

    def imperil(self, process: Process) -> int:
        """Kill it, or freeze it for as many milliseconds as are returned."""
        if self._random.random() < 0.3:
            self._kill(process)
            return 0
        return self._freeze(process)

    def _kill(self, process: Process) -> None:
        self._engine.tell(f"{process.name} is killed")
        process.alive = False
        self._engine.later(self._random.random() * 10, lambda: self.senders.append(self._hire()), "start")

    def _freeze(self, process: Process) -> int:
        milliseconds = round(self._random.random() ** 2 * 25_000)
        self._engine.tell(f"{process.name} is frozen for {milliseconds / 1000:.1f} s")
        process.frozen_until = self._engine.time.milliseconds + milliseconds
        return milliseconds

    def _crash(self) -> None:
        if sender := self._one():
            self._kill(sender.process)

    def _stop_one(self) -> None:
        if sender := self._one():
            self._freeze(sender.process)

    def _flush(self) -> None:
        self.redis_lost_memory = True
        self._redis.master.forget()

    def _restart(self) -> None:
        self.redis_lost_memory = True
        share = self._random.choice([0, 0.5, 1])
        self._redis.master.restart_without(lambda: self._random.random() < share, epoch=self._random.random() < 0.5)

    def _promote(self) -> None:
        self.redis_lost_memory = True
        self._redis.heal()
        self._redis.master = self._replica

    def _split(self) -> None:
        self.redis_lost_memory = True
        names = [sender.process.name for sender in self.senders]
        self._redis.split(self._replica, set(self._random.sample(names, len(names) // 2)))
        self._engine.later(self._random.random() * 15, self._redis.heal)

    def _lose_etcd(self) -> None:
        self._etcd.lose_data()

    def _hand_over(self) -> None:
        self._etcd.hand_over(self._random.choice(self._etcd.shard_ids))

    def _rebalance(self) -> None:
        if sender := self._one():
            for shard in sender.leases.held():
                sender.leases.drain(shard)

    def _outage(self) -> None:
        server = self._random.choice(["mongodb", "redis", "etcd"])
        self._engine.weather.down[server] = self._engine.time.milliseconds + round(self._random.random() * 8000)


def calm(provider: Provider) -> None:
    """The provider answers for all that it takes, and its records can be read."""
    provider.unreadable = 0
    provider._fates = lambda: Fate.ACCEPTED
