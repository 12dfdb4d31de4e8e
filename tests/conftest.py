"""Fixtures that every tier may use: real servers, and settings that belong to one test alone."""

import os
from collections.abc import Callable, Generator, Iterator, Mapping
from pathlib import Path
from typing import Protocol, TypeVar

import pytest

from devstack.binaries import NotInstalled
from devstack.processes import Process
from devstack.servers import Servers, start_etcd, start_etcd_cluster, start_mongodb, start_redis, start_servers
from devstack.stack import Ports, Stack
from fencepost.settings import Settings, load
from fencepost.store import Store
from tests.support.dev import Run
from tests.support.missing import missing
from tests.support.territory import Territory


@pytest.fixture(scope="session")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    """MongoDB, etcd and Redis, started once and shared by all tests; those whose address is in the environment are
    taken as they are."""
    started: list[Process] = []
    try:
        yield start_servers(tmp_path_factory.mktemp("servers"), os.environ, started)
    except NotInstalled as reason:
        missing(reason)
    finally:
        for process in started:
            process.kill()  # the data is thrown away with its folder


@pytest.fixture
def territory(servers: Servers) -> Iterator[Territory]:
    """A database, an etcd prefix and a Redis number that no other test uses; emptied afterwards."""
    own = Territory.fresh(servers)
    yield own
    own.clear()


@pytest.fixture
def settings(territory: Territory) -> Settings:
    """Settings that point at this test's territory. To change some:
    `load({**territory.variables, "FENCEPOST_SENDER__SEATS": "4"})`."""
    return load(territory.variables)


@pytest.fixture
def store(settings: Settings) -> Iterator[Store]:
    """The store of this test's territory, migrated."""
    opened = Store.open(settings.mongodb)
    opened.migrate()
    yield opened
    opened.close()


class StartsServer(Protocol):
    """Starts a server for this test alone, ready. It can be killed, paused, resumed and restarted at will."""

    def __call__(self) -> Process: ...


class StartsCluster(Protocol):
    """Starts a cluster of that many members for this test alone, each a process, all healthy."""

    def __call__(self, members: int = 1) -> list[Process]: ...


@pytest.fixture
def private_mongodb(tmp_path: Path) -> Iterator[StartsServer]:
    """A factory: `server = private_mongodb()`; server.url, .kill(), .pause(), .resume(), .restart()."""
    yield from _factory(tmp_path, start_mongodb)


@pytest.fixture
def private_etcd(tmp_path: Path) -> Iterator[StartsServer]:
    """A factory: `server = private_etcd()`; server.url, .kill(), .pause(), .resume(), .restart()."""
    yield from _factory(tmp_path, start_etcd)


@pytest.fixture
def private_redis(tmp_path: Path) -> Iterator[StartsServer]:
    """A factory: `server = private_redis()`; server.url, .kill(), .pause(), .resume(), .restart()."""
    yield from _factory(tmp_path, start_redis)


@pytest.fixture
def private_etcd_cluster(tmp_path: Path) -> Iterator[StartsCluster]:
    """A factory: `members = private_etcd_cluster(members=3)`, each with .url, .kill(), .pause(), .resume(), .restart()."""
    started: list[Process] = []

    def start(members: int = 1) -> list[Process]:
        cluster = _or_missing(lambda: start_etcd_cluster(tmp_path / f"cluster-{len(started)}", members=members))
        started.extend(cluster)
        return cluster

    yield start
    for process in started:
        process.kill()


class StartsStack(Protocol):
    """Starts a whole Fencepost, ready. Each of `.senders` (and .registry, .frontend, .simulator, .hooks) is a Process: .url, .pid,
    .kill(), .pause(), .resume(), .terminate(), .start(); `failpoint` arms all senders that are started here, while
    `stack.start_sender({"FENCEPOST_FAILPOINT": "W4.after:kill"})` adds one that is armed alone."""

    def __call__(
        self,
        *,
        senders: int = 1,
        frontend: bool = True,
        variables: Mapping[str, str] | None = None,
        failpoint: str | None = None,
        hooks: bool = False,
    ) -> Stack: ...


@pytest.fixture
def stack(territory: Territory, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[StartsStack]:
    """A factory of stacks in this test's territory: `stack(senders=3).registry_url`. `variables` are settings of all
    processes and win over everything, so a private server's address may be among them. Logs stay in tmp_path; their ends
    are shown when the test fails."""
    stacks: list[Stack] = []

    def start(
        *,
        senders: int = 1,
        frontend: bool = True,
        variables: Mapping[str, str] | None = None,
        failpoint: str | None = None,
        hooks: bool = False,
    ) -> Stack:
        armed = {"FENCEPOST_FAILPOINT": failpoint} if failpoint else {}
        folder = tmp_path / f"stack-{len(stacks)}"
        settings = {**territory.variables, **armed, **(variables or {})}
        stacks.append(Stack(folder, settings, ports=Ports.free(), senders=senders, frontend=frontend, hooks=hooks))
        return stacks[-1].start()

    yield start
    for each in stacks:
        each.kill()
        if request.node.stash.get(FAILED, False):
            print(each.logs)


class StartsDev(Protocol):
    """Starts `fencepost dev` with these arguments in this test's folder; .ready() waits until all of it answers."""

    def __call__(self, *arguments: str, variables: Mapping[str, str] | None = None) -> Run: ...


@pytest.fixture
def dev(tmp_path: Path) -> Iterator[StartsDev]:
    """A factory of runs of `fencepost dev`; what a failed test leaves running is ended, and its screen shown."""
    runs: list[Run] = []

    def start(*arguments: str, variables: Mapping[str, str] | None = None) -> Run:
        runs.append(Run(tmp_path, *arguments, variables=variables))
        return runs[-1]

    yield start
    for run in runs:
        if run.process.poll() is None:
            print(run.screen)
            run.process.kill()
            run.process.wait()


FAILED = pytest.StashKey[bool]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Remember in the test that it failed, for fixtures that then have something to show."""
    report = yield
    item.stash[FAILED] = item.stash.get(FAILED, False) or report.failed
    return report


T = TypeVar("T")


def _factory(folder: Path, launch: Callable[[Path], Process]) -> Iterator[StartsServer]:
    started: list[Process] = []

    def start() -> Process:
        started.append(_or_missing(lambda: launch(folder / f"private-{launch.__name__}-{len(started)}")))
        return started[-1]

    yield start
    for process in started:
        process.kill()


def _or_missing(start: Callable[[], T]) -> T:
    try:
        return start()
    except NotInstalled as reason:
        missing(reason)
