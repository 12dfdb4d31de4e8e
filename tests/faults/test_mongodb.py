"""A replica set of three whose members die, freeze, step down and go away. What was acknowledged is kept, nothing goes twice."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import datetime, timedelta
from threading import Event, Thread

import pytest
from pymongo import MongoClient
from pymongo.errors import PyMongoError

from devstack.processes import Process
from devstack.servers import start_mongodb_cluster
from tests.support.clusters import lent
from tests.support.eventually import eventually
from tests.support.weather import SEATS, all_is_well, lateness, mail_flows, wait_until
from tests.support.world import World
from tests.support.worlds import MakesWorld

pytestmark = pytest.mark.timeout(180)
QUICKLY = {"FENCEPOST_MONGODB__TIMEOUT_SECONDS": "2"}


@pytest.fixture(scope="module")
def _members(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Process]]:
    yield from lent(start_mongodb_cluster(tmp_path_factory.mktemp("mongodb"), members=3))


class Writer:
    """Writes one small document after the other, as the registry does, and remembers which of them were acknowledged."""

    def __init__(self, world: World) -> None:
        self._notes, self._stopping = world.store.database.notes, Event()
        self.acknowledged: list[int] = []
        self._thread = Thread(target=self._run, daemon=True)

    def __enter__(self) -> "Writer":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._thread.join()

    def _run(self) -> None:
        number = 0
        while not self._stopping.wait(0.01):
            number += 1
            with suppress(PyMongoError):
                self._notes.insert_one({"_id": number})
                self.acknowledged.append(number)

    def lost(self) -> set[int]:
        kept = {row["_id"] for row in self._notes.find({}, {"_id": 1})}
        return set(self.acknowledged) - kept


def primary_of(members: list[Process]) -> Process:
    """Whichever member is primary now."""

    def port() -> int:
        with suppress(PyMongoError), MongoClient[dict[str, str]](members[0].url, timeoutMS=2000) as client:
            return int(client.admin.command("hello")["me"].rsplit(":", 1)[1])
        return 0

    found = eventually(port, seconds=30)
    return next(member for member in members if (member.log.parent / f"{member.name}.port").read_text() == str(found))


def killed(members: list[Process], until: datetime, world: World) -> None:
    primary = primary_of(members)
    primary.kill()
    wait_until(world, until)
    primary.start()


def frozen(members: list[Process], until: datetime, world: World) -> None:
    primary = primary_of(members)
    primary.pause()
    wait_until(world, until)
    primary.resume()


def stepped_down(members: list[Process], until: datetime, world: World) -> None:
    with MongoClient[dict[str, object]](members[0].url, timeoutMS=10_000) as client, suppress(PyMongoError):
        client.admin.command("replSetStepDown", 10, secondaryCatchUpPeriodSecs=5)
    wait_until(world, until)


def without_a_majority(members: list[Process], until: datetime, world: World) -> None:
    """The one that is left can be read and takes no writes."""
    for member in members[1:]:
        member.kill()
    wait_until(world, until)
    for member in members[1:]:
        member.start()


@pytest.mark.parametrize("happens", [killed, frozen, stepped_down, without_a_majority])
def test_a_set_of_three_under_load(
    members: list[Process],
    make_world: MakesWorld,
    happens: Callable[[list[Process], datetime, World], None],
) -> None:
    world = make_world({"FENCEPOST_MONGODB__URL": members[0].url, **QUICKLY})
    world.start(2, SEATS=str(SEATS))
    world.provider.dials(latency_ms=50)
    with Writer(world) as writer, mail_flows(world, seconds=6) as begins:
        happens(members, begins + timedelta(seconds=6), world)
        for member in members:
            member.wait_ready()
        rows = all_is_well(world)
    assert writer.acknowledged
    assert writer.lost() == set()
    print(f"{happens.__name__}: {len(rows)} mails, the latest {lateness(rows):.1f} s after its instant")
