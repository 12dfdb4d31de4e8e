"""A Redis that comes back with less than it knew: an old file that was put back, a replica that had fallen behind. What it was told
since is gone, and no mail goes twice for that. (Flushed, restarted, emptied and set to evict: tests/integration/sender.)"""

import shutil
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from redis import Redis

from devstack.processes import Process
from devstack.servers import start_redis
from tests.conftest import StartsServer
from tests.support.eventually import eventually
from tests.support.proxy import Proxy
from tests.support.weather import SEATS, all_is_well, mail_flows, wait_until
from tests.support.world import World
from tests.support.worlds import MakesWorld

pytestmark = pytest.mark.timeout(120)


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[Process]:
    """A Redis of this test's own, with its data in tmp_path / "redis"."""
    process = start_redis(tmp_path)
    yield process
    process.kill()


def records(client: Redis) -> int:
    """Of how many deliveries it knows."""
    return len(list(client.scan_iter("f:d:*", count=1000)))


def judge_after_lost_memory(world: World, known_before: int, known_after: int) -> None:
    assert known_after < known_before, "it had lost nothing: this test shows nothing"
    all_is_well(world)


def test_an_old_file_that_was_put_back(redis: Process, make_world: MakesWorld, tmp_path: Path) -> None:
    world = make_world({"FENCEPOST_REDIS__URL": redis.url})
    world.start(2, SEATS=str(SEATS))
    world.provider.dials(latency_ms=100)
    data, old = tmp_path / "redis", tmp_path / "old"
    with mail_flows(world, seconds=5) as begins, Redis.from_url(redis.url) as client:
        shutil.copytree(data, old)
        wait_until(world, begins + timedelta(seconds=2))
        before = records(client)
        redis.kill()
        shutil.rmtree(data)
        shutil.copytree(old, data)
        redis.start().wait_ready()
        after = records(client)
    judge_after_lost_memory(world, before, after)


def test_a_fail_over_to_a_replica_that_had_fallen_behind(
    redis: Process, private_redis: StartsServer, make_world: MakesWorld
) -> None:
    replica = private_redis()
    with Proxy.before(redis.url) as name, Proxy.before(redis.url) as link, Redis.from_url(replica.url) as client:
        world = make_world({"FENCEPOST_REDIS__URL": name.url(redis.url)})
        world.start(2, SEATS=str(SEATS))
        world.provider.dials(latency_ms=100)
        with Redis.from_url(redis.url) as primary, mail_flows(world, seconds=6) as begins:
            primary.config_set("repl-diskless-sync-delay", "0")
            client.replicaof("127.0.0.1", str(link.port))
            eventually(lambda: client.info("replication")["master_link_status"] == "up", seconds=20)
            link.cut()
            wait_until(world, begins + timedelta(seconds=3))
            before = records(primary)
            redis.pause()  # it is not even known to be dead
            client.replicaof("NO", "ONE")
            after = records(client)
            name.lead_to(replica.url)
        judge_after_lost_memory(world, before, after)
        # The old one wakes; nobody asks it any more.
        redis.resume()
        with mail_flows(world, seconds=1):
            pass
        all_is_well(world)
        for sender in world.senders:
            sender.kill()
