"""Faults, done to the processes and connections of one run, each with the time in which it lasted."""

import heapq
import itertools
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from devstack.processes import Process
from tests.chaos.ground import Ground
from tests.chaos.providers import LATENCY, Providers
from tests.chaos.scenario import BAD, Fault
from tests.support.proxy import Proxy

Undo = Callable[[], None]
SLOW: Mapping[str, float] = {"latency_ms": 400, "jitter_ms": 800}
_DELAY_SECONDS = 0.3
_LOSSES = 6


class Victim(Protocol):
    """A sender's process."""

    @property
    def pid(self) -> int: ...

    @property
    def alive(self) -> bool: ...

    def kill(self) -> object: ...
    def terminate(self) -> None: ...
    def pause(self) -> None: ...
    def resume(self) -> None: ...


class Troublemaker:
    """Does what a scenario wants done. `done` lists each fault as {"kind", "from", "to"}, in seconds since 1970, and for a lost
    sender its process id."""

    def __init__(
        self,
        ground: Ground,
        providers: Providers,
        fork: Callable[[], Victim],
        dial: Callable[..., None],
        restart: Callable[[str], None],
    ) -> None:
        """`fork` begins another sender, `dial` sets a provider's shares of faults and its latency, `restart` kills the registry or the
        notifier and starts another."""
        self.done: list[dict[str, Any]] = []
        self.senders: list[Victim] = []
        self.spared = 0
        """So many of the first are never ended, only frozen."""
        self._ground, self._fork, self._dial, self._restart = ground, fork, dial, restart
        self._providers = providers

    def start(self, count: int) -> None:
        """Begin so many senders."""
        self.senders = [self._fork() for _ in range(count)]

    def work(self, faults: Sequence[Fault], begins: float) -> None:
        """Do each at its time after `begins`, and undo it; returns when all are undone."""
        order = itertools.count()
        agenda: list[tuple[float, int, Callable[[], list[tuple[float, Undo]]]]] = []
        for fault in faults:
            heapq.heappush(agenda, (begins + fault.at, next(order), lambda fault=fault: self._begin(fault)))  # type: ignore[misc]
        while agenda:
            at, _, act = heapq.heappop(agenda)
            time.sleep(max(0.0, at - time.time()))
            for later, undo in act():
                heapq.heappush(agenda, (later, next(order), lambda undo=undo: undo() or []))  # type: ignore[misc]

    def _begin(self, fault: Fault) -> list[tuple[float, Undo]]:
        target, _, what = fault.kind.partition(".")
        record: dict[str, Any] = {"kind": fault.kind, "from": time.time(), "to": time.time()}
        self.done.append(record)
        if what in ("cut", "delay", "lose_replies", "swallow_replies", "swallow_requests"):
            undo = self._trouble_network(self._proxy(target, fault.choice), what)
        else:
            undo = getattr(self, f"_{target}_{what}")(fault, record)

        def end() -> None:
            undo()
            record["to"] = time.time()

        return [(time.time() + fault.seconds, end)]

    # -- senders -----------------------------------------------------------------------------------------------------

    def _sender_kill(self, fault: Fault, record: dict[str, Any]) -> Undo:
        return self._replace(fault, record, lambda victim: victim.kill())

    def _sender_term(self, fault: Fault, record: dict[str, Any]) -> Undo:
        return self._replace(fault, record, lambda victim: victim.terminate())

    def _replace(self, fault: Fault, record: dict[str, Any], end: Callable[[Victim], object]) -> Undo:
        victim = self._victim(fault, self.spared)
        record["pid"] = victim.pid
        victim.resume()  # one that is frozen hears of it only when it goes on
        end(victim)
        self.senders[self.senders.index(victim)] = self._fork()
        return lambda: None

    def _sender_stop(self, fault: Fault, record: dict[str, Any]) -> Undo:
        victim = self._victim(fault)
        record["pid"] = victim.pid
        victim.pause()
        return victim.resume

    def _victim(self, fault: Fault, spared: int = 0) -> Victim:
        return self.senders[spared + fault.choice % (len(self.senders) - spared)]

    # -- servers -----------------------------------------------------------------------------------------------------

    def _mongodb_kill(self, fault: Fault, record: dict[str, Any]) -> Undo:
        member = self._member(fault)
        member.kill()
        return lambda: _revive(member)

    def _mongodb_stop(self, fault: Fault, record: dict[str, Any]) -> Undo:
        member = self._member(fault)
        member.pause()
        return lambda: member.resume() if member.alive else None

    def _member(self, fault: Fault) -> Process:
        """One that runs, every other time the primary."""
        running = [member for member in self._ground.mongodb if member.alive]
        primary = self._ground.primary() if fault.choice % 2 else None
        return primary or running[fault.choice % len(running)]

    def _mongodb_lost_primary(self, fault: Fault, record: dict[str, Any]) -> Undo:
        """What the primary takes now, the others never hear of: they are dead, and it is killed before they come back. (Frozen
        ones would find it in their sockets.)"""
        primary = self._ground.primary() or self._ground.mongodb[0]
        others = [member for member in self._ground.mongodb if member is not primary]
        for member in others:
            member.kill()

        def end() -> None:
            primary.kill()
            for member in others:
                _revive(member)
            self._ground.primary(seconds=10)
            _revive(primary)

        return end

    def _etcd_kill(self, fault: Fault, record: dict[str, Any]) -> Undo:
        self._ground.etcd.kill()
        return lambda: _revive(self._ground.etcd)

    def _etcd_stop(self, fault: Fault, record: dict[str, Any]) -> Undo:
        self._ground.etcd.pause()
        return self._ground.etcd.resume

    def _redis_kill(self, fault: Fault, record: dict[str, Any]) -> Undo:
        self._ground.redis.kill()
        return lambda: _revive(self._ground.redis)

    def _redis_stop(self, fault: Fault, record: dict[str, Any]) -> Undo:
        self._ground.redis.pause()
        return self._ground.redis.resume

    def _redis_flushall(self, fault: Fault, record: dict[str, Any]) -> Undo:
        self._ground.flush()
        return lambda: None

    def _registry_kill(self, fault: Fault, record: dict[str, Any]) -> Undo:
        self._restart("registry")
        return lambda: None

    def _notifier_kill(self, fault: Fault, record: dict[str, Any]) -> Undo:
        self._restart("notifier")
        return lambda: None

    # -- network and provider ----------------------------------------------------------------------------------------

    def _proxy(self, target: str, choice: int) -> Proxy:
        if target == "provider":
            return self._providers.proxy(self._providers.picked(choice))
        return self._ground.proxy(target, choice)

    def _trouble_network(self, proxy: Proxy, what: str) -> Undo:
        match what:
            case "delay":
                proxy.delay_replies(_DELAY_SECONDS)
            case "lose_replies":
                proxy.lose_replies(_LOSSES)
            case _:
                getattr(proxy, what)()
        return proxy.heal

    def _provider_bad(self, fault: Fault, record: dict[str, Any]) -> Undo:
        return self._trouble_provider(fault, BAD, **SLOW)

    def _provider_down(self, fault: Fault, record: dict[str, Any]) -> Undo:
        return self._trouble_provider(fault, {"503": 1}, **LATENCY)

    def _provider_refuses(self, fault: Fault, record: dict[str, Any]) -> Undo:
        return self._trouble_provider(fault, {"401": 1}, **LATENCY)

    def _trouble_provider(self, fault: Fault, faults: Mapping[str, float], **latency: float) -> Undo:
        name = self._providers.picked(fault.choice)
        self._dial(faults, name=name, **latency)
        return lambda: self._dial(name=name)


def _revive(process: Process) -> None:
    """Start it, if nobody has: when one fault took longer to end than it was meant to, the next has met it."""
    if not process.alive:
        process.start()
