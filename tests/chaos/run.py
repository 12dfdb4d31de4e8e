"""One run: a fresh territory, three senders, a registry and a provider, a scenario in them, and its history."""

import itertools
import json
import os
import sys
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from devstack import probes
from devstack.processes import Process, free_port
from tests.chaos.faults import LATENCY, Troublemaker
from tests.chaos.ground import Ground
from tests.chaos.people import Office
from tests.chaos.records import read_listed, read_records, read_requests
from tests.chaos.scenario import DIALS, SENDERS, Action, Scenario, scenario
from tests.support.eventually import eventually
from tests.support.nursery import Nursery, Sender
from tests.support.provider import Provider
from tests.support.proxy import Proxy
from tests.support.slowness import slowness
from tests.support.territory import Territory
from tests.support.world import World

WINDOW_SECONDS = 14
SETTINGS = {
    # A call must fit into the lease that is left just before it is renewed: 4 - 0.2 - 4/5 seconds.
    "FENCEPOST_SENDER__LEASE_TTL_SECONDS": "4",
    "FENCEPOST_SENDER__CALL_TIMEOUT_SECONDS": "2.8",
    "FENCEPOST_SENDER__RETRY_CAP_SECONDS": "3",
    "FENCEPOST_SENDER__SEATS": "30",
    "FENCEPOST_SENDER__SHARDS": "12",
    "FENCEPOST_SENDER__DRAIN_SECONDS": "5",
    "FENCEPOST_SETTLEMENT__WINDOW_SECONDS": str(WINDOW_SECONDS),
    "FENCEPOST_SETTLEMENT__LOOK_UP_SECONDS": "1,3,6,10",
    "FENCEPOST_SETTLEMENT__LOOK_UPS_PER_SECOND": "500",
    # What was due long ago must not be purged before anybody has looked at it.
    "FENCEPOST_RETENTION__DAYS": "36500",
}
LATE_SECONDS = 4.0
"""How late a mail may be that no fault explains, on a machine that is not crowded: a cycle, a claim and a call, with hundreds of
others due in the same seconds."""
RECOVERY_SECONDS = 45.0
"""For how long after its end a fault explains lateness: a lease's end, the settling window, and a provider that was left alone."""
_LEAD_SECONDS = 4
_PROGRESS_SECONDS = 120.0
"""So long after the last fault everything must have come to rest, on a machine that is not crowded."""


class Site:
    """What is started once and used by one run after the other."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.ground = Ground(folder)
        self.nursery = Nursery()
        environment = {name: value for name, value in os.environ.items() if not name.startswith("FENCEPOST_")}
        self.provider = Provider(folder, environment)
        self.provider.process.start().wait_ready()
        self.proxy = Proxy.before(self.provider.url).__enter__()
        self.ledger = folder / "ledger" / "ledger.jsonl"

    def close(self) -> None:
        self.nursery.close()
        self.proxy.__exit__(None, None, None)
        self.provider.close()
        self.ground.close()


class Run:
    """One world on a site. `history` is complete once `finish` returned."""

    def __init__(self, site: Site, folder: Path, variables: Mapping[str, str] | None = None, **modules: str) -> None:
        """`modules` are other programs than the usual: `registry` and `sender`, each a command line after `python -m`."""
        site.provider.forget()
        self.site, self.folder = site, folder
        self._territory = Territory.fresh(site.ground.servers)
        self._modules = modules
        settings = {**self._territory.variables, **SETTINGS, **(variables or {})}
        self.world = World(site.nursery, site.provider, folder, settings)
        self.world.variables |= {"FENCEPOST_PROVIDERS__MAILGUN__BASE_URL": site.proxy.url(site.provider.url)}
        self.world.variables |= dict(variables or {})
        self._registry_number = itertools.count(1)
        self.registry = self._start_registry()
        self.office = Office(lambda: self.registry.url)
        self._programs: list[Process] = []
        fork = self._start_program if "sender" in modules else self.world.fork
        self.trouble = Troublemaker(site.ground, site.proxy, fork, self.dial, self.restart_registry)
        self._dial_seeds = itertools.count(1)
        self.index_lag_ms, self.bad_dials = 0, True

    def dial(self, faults: Mapping[str, float] = DIALS, **latency: float) -> None:
        """The provider as it usually is, or with other shares of faults and latency."""
        self.site.provider.dials(
            seed=next(self._dial_seeds),
            faults=dict(faults) if self.bad_dials else {},
            hang_seconds=4,
            index_lag_ms=self.index_lag_ms,
            index_jitter_ms=500,
            **(latency or LATENCY),
        )

    def start(self, count: int = SENDERS) -> None:
        """Senders that are ready, and a registry that answers."""
        self.trouble.start(count)
        started: list[Sender | Process] = [*self.world.senders, *self._programs]
        for sender in started:
            sender.wait_ready()
        self.registry.wait_ready()

    def play(self, seed: int, write: Callable[[int, int], Scenario] = scenario) -> Scenario:
        """The scenario of that seed, to the end of its last fault and its last call. `write` is told the seed and the first
        instant."""
        self.begin()
        story = write(seed, int(time.time()) + _LEAD_SECONDS)
        self.index_lag_ms = story.index_lag_ms
        self.dial()
        self.office.work([*story.first, *story.actions], story.begins)
        self.trouble.work(story.faults, story.begins)
        time.sleep(max(0.0, story.ends - time.time()))
        self.office.wait()
        return story

    def begin(self) -> None:
        self.slowness = slowness()
        self.began = time.time()

    def do(self, *actions: Action) -> None:
        """Have people do these now, one after the other for each person."""
        self.office.work(actions, time.time())
        self.office.wait()

    def finish(self) -> dict[str, Any]:
        """Mend everything, wait until all has come to rest, and read what became of it."""
        for sender in self.trouble.senders:
            if sender.alive:
                sender.resume()
        self.site.proxy.heal()
        self.site.ground.heal()
        self.registry.wait_ready()
        self.bad_dials = False
        self.dial()
        healed = time.time()
        try:
            eventually(self._at_rest, seconds=_PROGRESS_SECONDS * self.slowness, every=0.25)
            rested = ""
        except AssertionError as error:
            rested = f"no progress: {error} {self.world.counts()}"
        return self._history(healed, rested)

    def _at_rest(self) -> bool:
        database = self.world.store.database
        open_states = {"$in": ["pending", "sending", "unknown"]}
        if database.schedules.find_one({"next_run_at": {"$ne": None}, "quarantined": None}):
            return False
        if database.deliveries.find_one({"state": open_states}):
            return False
        held = database.deliveries.find_one({"state": "held"})
        return not held or any(alarm["kind"] == "held" for alarm in self.world.store.cluster.alarms())

    def _history(self, healed: float, rested: str) -> dict[str, Any]:
        ended = time.time()
        history = {
            "calls": self.office.calls,
            "requests": read_requests(self.site.ledger),
            **read_records(self.world.store.database),
            **read_listed(self.registry.url),
            "faults": self.trouble.done,
            "began": self.began,
            "healed": healed,
            "ended": ended,
            "slowness": self.slowness,
            "progress": rested,
            "window_seconds": self.world.settings.settlement.window_seconds,
            "late_seconds": LATE_SECONDS * self.slowness,
            "recovery_seconds": RECOVERY_SECONDS * self.slowness,
        }
        (self.folder / "history.json").write_text(json.dumps(history, indent=1))
        return history

    # -- programs ------------------------------------------------------------------------------------------------

    def restart_registry(self) -> None:
        """Kill it and start another at once, at another address."""
        self.registry.kill()
        self.registry = self._start_registry()

    def _start_registry(self) -> Process:
        port = free_port()
        own = {"FENCEPOST_REGISTRY__PORT": str(port), "WEB_CONCURRENCY": "1"}
        return Process(
            "registry",
            [sys.executable, "-m", self._modules.get("registry", "registry")],
            url=f"http://127.0.0.1:{port}",
            log=self.folder / f"registry-{next(self._registry_number)}.log",
            ready=partial(probes.http_is_ready, f"http://127.0.0.1:{port}/readyz"),
            environment={**os.environ, **self.world.variables, **own},
        ).start()

    def _start_program(self) -> Process:
        """A sender that is no fork of the nursery's."""
        port = free_port()
        self._programs.append(
            Process(
                "sender",
                [sys.executable, "-m", *self._modules["sender"].split()],
                url=f"http://127.0.0.1:{port}",
                log=self.folder / f"program-{len(self._programs) + 1}.log",
                ready=partial(probes.http_is_ready, f"http://127.0.0.1:{port}/readyz"),
                environment={**os.environ, **self.world.variables, "FENCEPOST_SENDER__METRICS_PORT": str(port)},
            ).start()
        )
        return self._programs[-1]

    def close(self) -> None:
        for program in self._programs:
            program.kill()
        closers: list[Callable[[], object]] = [self.world.close, self.registry.kill, self._territory.clear]
        for close in closers:
            close()
