"""Bad weather: each server away at the start, and lost under load. Nothing is lost, nothing is sent twice, nothing is sent
without a fence, every sender says in a sentence what it waits for, and work goes on by itself.

`OUTAGE_SECONDS=60 make long-tests` makes the outages last a minute, and has each server killed and frozen.
"""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any, Protocol

import pytest

from devstack.processes import Process
from devstack.servers import start_etcd, start_mongodb, start_redis
from tests.support.eventually import eventually
from tests.support.nursery import Sender
from tests.support.world import World
from tests.support.worlds import MakesWorld

OUTAGE_SECONDS = int(os.environ.get("OUTAGE_SECONDS", "10"))
SEATS = 20
PER_SECOND = 20


class Server(Protocol):
    """What a test does to a server."""

    def kill(self) -> Any: ...
    def pause(self) -> None: ...
    def resume(self) -> None: ...
    def start(self) -> Process: ...


@dataclass(frozen=True)
class Servers:
    """Servers of these tests' own."""

    mongodb: Process
    etcd: Process
    redis: Process
    _numbers: Iterator[int]

    def variables(self) -> Mapping[str, str]:
        """Settings that lead to them, with a number of Redis that nobody used before."""
        return {
            "FENCEPOST_MONGODB__URL": self.mongodb.url,
            "FENCEPOST_ETCD__ENDPOINTS": self.etcd.url,
            "FENCEPOST_REDIS__URL": f"{self.redis.url.rsplit('/', 1)[0]}/{next(self._numbers)}",
        }

    def named(self, name: str, world: World) -> Process:
        return world.provider.process if name == "mailgun" else getattr(self, name)


@pytest.fixture(scope="module")
def _own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    folder = tmp_path_factory.mktemp("own-servers")
    servers = Servers(start_mongodb(folder), start_etcd(folder), start_redis(folder), count(1))
    yield servers
    for process in (servers.mongodb, servers.etcd, servers.redis):
        process.kill()


@pytest.fixture
def own(_own: Servers) -> Servers:
    """Servers that are all there, whatever the last test left them in."""
    for process in (_own.mongodb, _own.etcd, _own.redis):
        if process.alive:
            process.resume()
        else:
            process.start()
        process.wait_ready()
    return _own


NAMES = ["mongodb", "etcd", "redis", "mailgun"]


def test_each_server_away_at_the_start(own: Servers, make_world: MakesWorld) -> None:
    world = make_world(own.variables())
    for name in NAMES:
        world.once(5, world.soon(0))
        server = own.named(name, world)
        server.kill()
        sender = world.fork(SEATS=str(SEATS))
        eventually(lambda: says_that_it_waits_for(name, world, sender), seconds=30)  # noqa: B023
        server.start().wait_ready()
        sender.wait_ready()
        world.settled()
        sender.terminate()
        assert sender.wait(30) == 0
        spoke_in_sentences(sender)
    world.judge()


@pytest.mark.parametrize(
    ("name", "how"),
    [
        ("mongodb", "kill"),
        pytest.param("mongodb", "freeze", marks=pytest.mark.chaos),
        ("etcd", "freeze"),
        pytest.param("etcd", "kill", marks=pytest.mark.chaos),
        ("redis", "freeze"),
        pytest.param("redis", "kill", marks=pytest.mark.chaos),
        ("mailgun", "kill"),
        pytest.param("mailgun", "freeze", marks=pytest.mark.chaos),
    ],
)
@pytest.mark.timeout(OUTAGE_SECONDS * 3 + 120)
def test_a_server_lost_under_load(own: Servers, make_world: MakesWorld, name: str, how: str) -> None:
    world = make_world(own.variables())
    senders = world.start(2, SEATS=str(SEATS))
    world.balanced(*senders)
    world.provider.dials(latency_ms=50)
    server = own.named(name, world)
    begins = world.soon(0)
    for second in range(OUTAGE_SECONDS + 5):
        world.once(PER_SECOND, begins + timedelta(seconds=second))
    eventually(lambda: world.provider.accepted() > PER_SECOND)
    away(server, how)
    for sender in senders:
        eventually(lambda: says_that_it_waits_for(name, world, sender), seconds=OUTAGE_SECONDS)  # noqa: B023
    hold_for(world, begins + timedelta(seconds=OUTAGE_SECONDS + 2))
    back(server, how)
    for sender in senders:
        sender.wait_ready(30)
    world.settled(seconds=45)
    # Only a provider that went away with calls in flight leaves anybody in doubt: each sender about its seats, those that it fills
    # again before ten doubts in a row make it wait, and some calls that find out.
    world.judge(unknown_at_most=2 * (SEATS + 10 + 3) if name == "mailgun" else 0)
    assert not world.not_fenced() & {entry["delivery_id"] for entry in world.ledger()}
    for sender in senders:
        spoke_in_sentences(sender)


def away(server: Server, how: str) -> None:
    if how == "kill":
        server.kill()
    else:
        server.pause()


def back(server: Process, how: str) -> None:
    if how == "kill":
        server.start()
    else:
        server.resume()
    server.wait_ready()


def hold_for(world: World, end: datetime) -> None:
    """Let the weather be bad until then."""
    eventually(lambda: datetime.now(UTC) >= end, seconds=OUTAGE_SECONDS + 10)


def says_that_it_waits_for(name: str, world: World, sender: Sender) -> bool:
    """Whether /readyz and the log of a sender both name the server that is away."""
    check = world.readiness(sender)["checks"].get(name, {"ok": True})
    # A sender may hear from the others that a provider is away, without a call of its own.
    away = {("server.away", name), ("provider.open", name)}
    said = [line for line in sender.lines() if (line["action"], line.get("server", line.get("provider"))) in away]
    return not check["ok"] and bool(check["detail"]) and bool(said)


def spoke_in_sentences(sender: Sender) -> None:
    """What it logged is for people: nothing of a stack, nothing that runs over a line."""
    assert "Traceback" not in sender.text()
    for line in sender.lines():
        assert "exception" not in line, line
        assert line["message"].endswith("."), line
        assert len(str(line.get("detail", ""))) < 300, line
