"""Servers without room: they take no more, nothing is sent that can't be put on record, and mail flows again by itself once there is
room. (An etcd that is full: test_etcd.py.)"""

import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import pytest
from pymongo import MongoClient
from pymongo.errors import PyMongoError
from redis import Redis

from devstack.processes import Process
from devstack.servers import start_mongodb, start_redis
from tests.support.eventually import eventually
from tests.support.missing import missing
from tests.support.weather import SEATS, all_is_well, mail_flows, wait_until
from tests.support.world import World
from tests.support.worlds import MakesWorld

pytestmark = pytest.mark.timeout(120)


class Disk:
    """A small file system, to be filled and emptied."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def fill(self) -> None:
        with suppress(OSError), (self.folder / "ballast").open("ab", buffering=0) as ballast:
            while True:
                ballast.write(b"x" * 4096)

    def make_room(self) -> None:
        (self.folder / "ballast").unlink(missing_ok=True)


MakesDisk = Callable[[int], Disk]


@pytest.fixture
def make_disk(tmp_path: Path) -> Iterator[MakesDisk]:
    """A factory of file systems of so many megabytes; where nobody lets us mount one that is a failure in CI, a skip elsewhere."""
    mounted: list[Path] = []

    def make(megabytes: int) -> Disk:
        folder = tmp_path / f"disk-{len(mounted)}"
        folder.mkdir()
        tried = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m,uid={os.getuid()}", "tmpfs", str(folder)],
            capture_output=True,
            text=True,
        )
        if tried.returncode != 0:
            missing(f"no file system can be mounted here: {tried.stderr.strip()}")
        mounted.append(folder)
        return Disk(folder)

    yield make
    for folder in mounted:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def says(world: World, server: str) -> str:
    """What every sender that is not content says of that server; empty if one is content."""
    checks = [world.readiness(sender)["checks"].get(server, {"ok": True}) for sender in world.senders]
    return "" if any(check["ok"] for check in checks) else str(checks[0]["detail"])


def stands_still(world: World) -> None:
    """What falls due now is not sent."""
    due = world.once(5, world.soon(0))
    wait_until(world, world.expected[-1][1] + timedelta(seconds=1))
    recipients = {to["email"] for schedule in due for to in schedule.definition["message"]["to"]}
    assert not recipients & {entry["recipients"][0] for entry in world.ledger()}


def test_a_redis_without_memory(world: World, private_redis: Callable[[], Process]) -> None:
    redis = private_redis()
    world.variables = {**world.variables, "FENCEPOST_REDIS__URL": redis.url}
    world.start(2, SEATS=str(SEATS))
    with mail_flows(world, seconds=4), Redis.from_url(redis.url) as client:
        client.config_set("maxmemory", "1")
        eventually(lambda: "maxmemory" in says(world, "redis"), seconds=20)
        stands_still(world)
        client.config_set("maxmemory", "0")
    all_is_well(world)


def test_a_redis_whose_disk_is_full(make_disk: MakesDisk, make_world: MakesWorld) -> None:
    disk = make_disk(4)
    redis = start_redis(disk.folder)
    try:
        world = make_world({"FENCEPOST_REDIS__URL": redis.url})
        world.start(2, SEATS=str(SEATS))
        with mail_flows(world, seconds=4):
            disk.fill()
            eventually(lambda: "No space left" in says(world, "redis"), seconds=20)
            stands_still(world)
            disk.make_room()
        all_is_well(world)
        for sender in world.senders:
            sender.kill()
    finally:
        redis.kill()


def test_a_mongodb_whose_disk_is_full(make_disk: MakesDisk, make_world: MakesWorld) -> None:
    """It ends itself rather than acknowledge what it can't keep."""
    disk = make_disk(400)
    mongodb = start_mongodb(disk.folder)
    try:
        world = make_world({"FENCEPOST_MONGODB__URL": mongodb.url, "FENCEPOST_MONGODB__TIMEOUT_SECONDS": "2"})
        world.start(2, SEATS=str(SEATS))
        with mail_flows(world, seconds=4):
            disk.fill()
            with suppress(PyMongoError), MongoClient[dict[str, object]](mongodb.url, timeoutMS=5000) as client:
                client.admin.command("fsync")
            eventually(lambda: not mongodb.alive, seconds=20)
            eventually(lambda: says(world, "mongodb"), seconds=20)
            disk.make_room()
            mongodb.start().wait_ready()
        all_is_well(world)
        for sender in world.senders:
            sender.kill()
    finally:
        mongodb.kill()
