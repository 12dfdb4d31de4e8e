"""A MongoDB that nobody has used yet, made ready by what the compose file's service set_up calls."""

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from pymongo import MongoClient

from devstack import binaries
from devstack.processes import Process, free_port
from fencepost.errors import Misconfigured, Unreachable
from fencepost.settings import MongoDB
from fencepost.store import Store, replica_set
from fencepost.store.migrations import MIGRATIONS
from tests.support.eventually import eventually
from tests.support.missing import missing


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[Process]:
    """A mongod that was started for a replica set and is in none; not running yet."""
    yield from _mongod(tmp_path, "--replSet", "rs0")


@pytest.fixture
def more(tmp_path: Path) -> Iterator[list[Process]]:
    """Two more like that."""
    another = contextmanager(_mongod)
    with another(tmp_path / "two", "--replSet", "rs0") as two, another(tmp_path / "three", "--replSet", "rs0") as three:
        yield [two, three]


@pytest.fixture
def alone(tmp_path: Path) -> Iterator[Process]:
    """A mongod that was started without a replica set."""
    yield from _mongod(tmp_path)


def _mongod(folder: Path, *options: str) -> Iterator[Process]:
    port = free_port()
    folder.mkdir(exist_ok=True)

    def listens() -> bool:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
        return True

    try:
        program = binaries.mongod()
    except binaries.NotInstalled as reason:
        missing(reason)
    command: list[str | Path] = [program, "--port", str(port), "--bind_ip", "127.0.0.1", "--nounixsocket"]
    command += ["--dbpath", folder, "--wiredTigerCacheSizeGB", "0.25", *options]
    url = f"mongodb://127.0.0.1:{port}/?replicaSet=rs0"
    process = Process("mongod", command, url=url, log=folder / "mongod.log", ready=listens)
    yield process
    process.kill()


def test_a_fresh_server_becomes_a_replica_set_and_a_second_time_changes_nothing(fresh: Process) -> None:
    options = MongoDB(url=fresh.start().wait_ready().url, database="fresh")
    assert eventually(lambda: replica_set.initiate(options), seconds=30)
    assert replica_set.initiate(options)
    store = Store.open(options)
    assert store.migrate() == [name for name, _ in MIGRATIONS]
    assert store.migrate() == []
    store.close()


def test_a_set_of_one_gets_those_that_the_address_names_and_needs_none_of_them_in_particular(
    fresh: Process, more: list[Process]
) -> None:
    alone = MongoDB(url=fresh.start().wait_ready().url, database="fresh")
    eventually(lambda: replica_set.initiate(alone), seconds=30)
    store = Store.open(alone)
    store.database.kept.insert_one({"_id": 1})
    store.close()
    hosts = ",".join(urlsplit(process.start().wait_ready().url).netloc for process in more)
    three = MongoDB(url=f"mongodb://{urlsplit(fresh.url).netloc},{hosts}/?replicaSet=rs0", database="fresh")
    eventually(lambda: tried(lambda: replica_set.initiate(three)), seconds=60)
    with MongoClient[dict[str, Any]](three.url, timeoutMS=10_000) as client:
        members = client.admin.command("replSetGetConfig")["config"]["members"]
        assert len(members) == 3
        eventually(lambda: states(client) == ["PRIMARY", "SECONDARY", "SECONDARY"], seconds=60)
        assert client.fresh.kept.count_documents({}) == 1
    fresh.kill()
    eventually(lambda: tried(lambda: replica_set.initiate(three)), seconds=60)


def states(client: MongoClient[dict[str, Any]]) -> list[str]:
    return sorted(member["stateStr"] for member in client.admin.command("replSetGetStatus")["members"])


def tried(ask: Callable[[], bool]) -> bool:
    """As the service set_up does it: who does not answer yet is asked again."""
    with suppress(Unreachable):
        return ask()
    return False


def test_a_server_that_is_down_is_unreachable(fresh: Process) -> None:
    with pytest.raises(Unreachable):
        replica_set.initiate(MongoDB(url=fresh.url, timeout_seconds=0.3))


def test_a_server_without_a_replica_set_is_refused_with_what_to_do(alone: Process) -> None:
    with pytest.raises(Misconfigured, match="start mongod with --replSet rs0"):
        replica_set.initiate(MongoDB(url=alone.start().wait_ready().url))


def test_an_address_without_the_sets_name_is_refused() -> None:
    with pytest.raises(Misconfigured, match="replicaSet="):
        replica_set.initiate(MongoDB(url="mongodb://127.0.0.1:27017/"))
