"""One run: a fresh territory, three senders, a registry, a notifier and five providers, a scenario in them, and its history."""

import json
import os
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from devstack.processes import Process
from tests.chaos import news, posts
from tests.chaos.faults import Troublemaker
from tests.chaos.ground import Ground
from tests.chaos.listener import Listener
from tests.chaos.people import Office
from tests.chaos.programs import Programs
from tests.chaos.providers import Providers
from tests.chaos.records import read_listed, read_records
from tests.chaos.scenario import DIALS, SENDERS, Action, Scenario, scenario
from tests.support.eventually import eventually
from tests.support.nursery import Nursery, Sender
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
    "FENCEPOST_NOTIFIER__ALLOW_LOOPBACK": "true",
    "FENCEPOST_NOTIFIER__HOLD_SECONDS": "6",
    "FENCEPOST_NOTIFIER__LEASE_SECONDS": "2",
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
        self.providers = Providers(folder, environment)
        self.provider = self.providers.first

    def close(self) -> None:
        self.nursery.close()
        self.providers.close()
        self.ground.close()


class Run:
    """One world on a site. `history` is complete once `finish` returned."""

    def __init__(self, site: Site, folder: Path, variables: Mapping[str, str] | None = None, **modules: str) -> None:
        """`modules` are other programs than the usual: `registry` and `sender`, each a command line after `python -m`."""
        site.providers.forget()
        self.site, self.folder = site, folder
        self._territory = Territory.fresh(site.ground.servers)
        settings = {**self._territory.variables, **SETTINGS, **site.providers.variables(), **(variables or {})}
        self.world = World(site.nursery, site.provider, folder, settings)
        self._programs = Programs(folder, self.world.variables, modules)
        self.notifier = self._programs.start("notifier")
        self.registry = self._start_registry()
        self.office = Office(lambda: self.registry.url)
        self.listener = Listener()
        self._others: list[Process] = []
        fork = self._start_other if "sender" in modules else self.world.fork
        self.trouble = Troublemaker(site.ground, site.providers, fork, self.dial, self.restart)
        self.index_lag_ms, self.bad_dials = 0, True

    def dial(self, faults: Mapping[str, float] = DIALS, *, name: str = "", **latency: float) -> None:
        """One provider, or all, as they usually are, or with other shares of faults and latency."""
        shares = faults if self.bad_dials else {}
        self.site.providers.dial(shares, name=name, index_lag_ms=self.index_lag_ms, **latency)

    def start(self, count: int = SENDERS) -> None:
        """Senders that are ready, a registry that answers, and a listener that is told of everything."""
        self.trouble.start(count)
        started: list[Sender | Process] = [*self.world.senders, *self._others, self.registry, self.notifier]
        for program in started:
            program.wait_ready()
        self.listener.subscribe(self.registry.url)

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
        self.site.providers.heal()
        self.site.ground.heal()
        self.registry.wait_ready()
        self.notifier.wait_ready()
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
        records, listed = self._records()
        history = {
            "calls": [call for call in self.office.calls if call["verb"] not in posts.VERBS],
            "posts": [call for call in self.office.calls if call["verb"] in posts.VERBS],
            "requests": self.site.providers.requests(),
            **records,
            **listed,
            "told": self._told(records["deliveries"]),
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

    def _records(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """What is on record and what the API lists, read while nothing moved: a webhook may still settle what is held."""
        while True:
            records, listed = read_records(self.world.store.database), read_listed(self.registry.url)
            if read_records(self.world.store.database) == records:
                return records, listed

    def _told(self, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """What the listener heard, once it has heard of all of these, or does not within reason."""
        with suppress(AssertionError):  # the checker says of which
            eventually(lambda: not news.unheard(rows, self.listener.told), seconds=_PROGRESS_SECONDS, every=0.5)
        return self.listener.told

    # -- programs ------------------------------------------------------------------------------------------------

    def restart(self, name: str) -> None:
        """Kill the registry, or the notifier, and start another at once, at another address."""
        if name == "notifier":
            self.notifier.kill()
            self.notifier = self._programs.start("notifier")
        else:
            self.registry.kill()
            self.registry = self._start_registry()

    def _start_registry(self) -> Process:
        registry = self._programs.start("registry")
        self.site.providers.registry.lead_to(registry.url)
        return registry

    def _start_other(self) -> Process:
        """A sender that is no fork of the nursery's."""
        self._others.append(self._programs.start("sender"))
        return self._others[-1]

    def close(self) -> None:
        closers: list[Callable[[], object]] = [self.world.close, self._programs.close, self.listener.close]
        for close in [*closers, self._territory.clear]:
            close()
