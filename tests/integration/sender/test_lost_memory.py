"""Servers that forget: etcd without its data, Redis without its records. Tokens begin a new generation, attempts a new epoch;
mail flows on, and none goes twice."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from redis import Redis

from devstack.processes import Process
from devstack.servers import start_etcd, start_redis
from tests.support.eventually import eventually
from tests.support.world import World
from tests.support.worlds import MakesWorld

SEATS = 20


@pytest.fixture
def etcd(tmp_path: Path) -> Iterator[Process]:
    """An etcd of this test's own, with its data in tmp_path / "etcd"."""
    process = start_etcd(tmp_path)
    yield process
    process.kill()


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[Process]:
    """A Redis of this test's own, with its data in tmp_path / "redis"."""
    process = start_redis(tmp_path)
    yield process
    process.kill()


def test_an_etcd_that_lost_its_data_begins_a_new_generation(
    etcd: Process, make_world: MakesWorld, tmp_path: Path
) -> None:
    world = make_world({"FENCEPOST_ETCD__ENDPOINTS": etcd.url})
    senders = world.start(2, SEATS=str(SEATS))
    world.balanced(*senders)
    before = world.store.cluster.current().value
    with load(world, seconds=6):
        restart_without(tmp_path / "etcd", etcd)
    world.settled()
    assert world.store.cluster.current().value > before
    in_no_doubt(world)
    world.balanced(*senders)


def flush(_redis: Process, client: Redis, _data: Path) -> None:
    client.flushall()


def kill(redis: Process, _client: Redis, _data: Path) -> None:
    redis.kill()
    redis.start().wait_ready()


def wipe(redis: Process, _client: Redis, data: Path) -> None:
    restart_without(data, redis)


@pytest.mark.parametrize("lose", [flush, kill, wipe])
def test_a_redis_that_forgets_under_load(
    redis: Process, make_world: MakesWorld, tmp_path: Path, lose: Callable[[Process, Redis, Path], None]
) -> None:
    world = make_world({"FENCEPOST_REDIS__URL": redis.url})
    world.start(2, SEATS=str(SEATS))
    with load(world, seconds=4), Redis.from_url(redis.url) as client:
        lose(redis, client, tmp_path / "redis")
    world.settled()
    in_no_doubt(world)


def test_what_a_lost_sender_had_in_hand_is_unknown_once_redis_has_forgotten_it(
    redis: Process, make_world: MakesWorld
) -> None:
    world = make_world({"FENCEPOST_REDIS__URL": redis.url})
    lost, other = world.start(2, SEATS=str(SEATS))
    world.balanced(lost, other)
    world.provider.dials(latency_ms=1000)
    world.once(100, world.soon(0))

    def in_its_hand() -> set[str]:
        return {row["_id"] for row in world.rows(state="sending") if f"-{lost.pid}-" in row["sender"]}

    eventually(lambda: world.provider.accepted() >= SEATS and len(in_its_hand()) > SEATS, every=0.01)
    lost.kill()
    in_hand = in_its_hand()
    with Redis.from_url(redis.url) as client:
        client.flushall()
    assert len(in_hand) > SEATS
    world.settled()
    rows = world.judge(unknown_at_most=len(in_hand))
    # Nobody can tell any more which of these had passed the fence.
    assert {row["_id"] for row in rows if row["state"] == "unknown"} == in_hand


def test_a_redis_that_may_evict_is_refused_with_a_sentence(redis: Process, make_world: MakesWorld) -> None:
    world = make_world({"FENCEPOST_REDIS__URL": redis.url})
    with Redis.from_url(redis.url) as client:
        client.config_set("maxmemory-policy", "allkeys-lru")
        sender = world.fork()
        world.once(10, world.soon(0))

        def refused() -> str:
            check = world.readiness(sender)["checks"].get("redis", {"ok": True})
            return "" if check["ok"] else str(check["detail"])

        sentence = eventually(refused, seconds=20)
        assert "noeviction" in sentence
        assert any(sentence == line.get("detail") for line in sender.lines())
        assert world.provider.accepted() == 0
        assert not world.rows(state="sending")
        client.config_set("maxmemory-policy", "noeviction")
        sender.wait_ready()
        world.settled()
        # It may be set at any time.
        client.config_set("maxmemory-policy", "volatile-ttl")
        eventually(refused)
        client.config_set("maxmemory-policy", "noeviction")
        sender.wait_ready()
        world.once(10, world.soon(0))
        world.settled()
        world.judge()


def restart_without(data: Path, server: Process) -> None:
    """Kill the server, take its data away, and start it again at the same address."""
    server.kill()
    shutil.rmtree(data)
    data.mkdir()
    server.start().wait_ready()


@contextmanager
def load(world: World, seconds: int) -> Iterator[None]:
    """Twenty mails a second; what stands in the block happens when they have begun to flow."""
    world.provider.dials(latency_ms=100)
    begins = world.soon(0)
    for second in range(seconds):
        world.once(20, begins + timedelta(seconds=second))
    eventually(lambda: world.provider.accepted() > 10, seconds=20)
    yield


def in_no_doubt(world: World) -> None:
    """All is sent. A mail that its own sender takes over from an older token is unknown until its call has ended."""
    eventually(lambda: not world.counts()["unknown"])
    world.judge()
