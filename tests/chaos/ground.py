"""The servers under a chaos run, each a process that may be killed and frozen, behind a proxy that cuts, delays and swallows:
three members of a MongoDB replica set, which know one another by their proxies, etcd and Redis."""

import re
import subprocess
import time
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from functools import partial
from pathlib import Path
from typing import Any

from pymongo import MongoClient
from pymongo.errors import OperationFailure, PyMongoError
from redis import Redis
from redis.exceptions import RedisError

from devstack import binaries
from devstack.binaries import NotInstalled
from devstack.processes import Process, free_port
from devstack.servers import REPLICA_SET, Servers, start_etcd, start_redis
from tests.support.proxy import Proxy

_MEMBERS = 3
_ELECTION_MS, _HEARTBEAT_MS = 2000, 500
"""MongoDB's own ten seconds would leave no time for other faults in a run of twenty."""
_SERVES, _REMOVED = {1, 2}, 10
"""States of a member: primary and secondary; and one that does not know that it belongs to the set.
https://www.mongodb.com/docs/manual/reference/replica-states/"""
_UNSAFE_ETCD = {"3.5.0", "3.5.1", "3.5.2"}


def versions() -> Mapping[str, str]:
    """The servers' versions. Raises NotInstalled for a missing one, and for an etcd whose members may lose what they wrote when
    they are killed (etcd's issue 13766): it would be found out, and teach nothing about us."""
    found = {
        "MongoDB": _version(binaries.mongod(), "--version"),
        "etcd": _version(binaries.etcd(), "--version"),
        "Redis": _version(binaries.redis_server(), "--version"),
    }
    if found["etcd"] in _UNSAFE_ETCD:
        raise NotInstalled(f"etcd {found['etcd']} may lose writes when it is killed; apt-get install etcd-server")
    return found


def _version(program: Path, option: str) -> str:
    said = subprocess.run([program, option], check=True, capture_output=True, text=True).stdout
    match = re.search(r"\d+\.\d+\.\d+", said)
    return match[0] if match else "unknown"


class Ground:
    """All servers of one run, started; `close` ends them."""

    def __init__(self, folder: Path) -> None:
        versions()
        self._stack = ExitStack()
        self.mongodb = [_mongod(folder / f"mongodb{number}") for number in range(1, _MEMBERS + 1)]
        for member in self.mongodb:
            self._keep(member.start())
        self.etcd = self._keep(start_etcd(folder, wait=False))
        self.redis = self._keep(start_redis(folder, wait=False))
        for process in (*self.mongodb, self.etcd, self.redis):
            process.wait_ready()
        self._proxies = {
            process.name: self._stack.enter_context(Proxy.before(process.url)) for process in self.processes
        }
        self.mongodb_url = _initiate(self.mongodb, [self._proxies[member.name].address for member in self.mongodb])
        self.primary(seconds=60)

    @property
    def processes(self) -> list[Process]:
        return [*self.mongodb, self.etcd, self.redis]

    @property
    def servers(self) -> Servers:
        """As processes of ours are to reach them: through the proxies."""
        etcd, redis = (self._proxies[process.name].url(process.url) for process in (self.etcd, self.redis))
        return Servers(self.mongodb_url, (etcd,), redis, tuple(self.processes))

    def proxy(self, server: str, choice: int) -> Proxy:
        """The one before this server; for MongoDB that of a member that answers, the primary every other time."""
        if server != "mongodb":
            return self._proxies[getattr(self, server).name]
        member = self.mongodb[choice // 2 % len(self.mongodb)]
        if choice % 2 or _state(member) not in _SERVES:
            member = self.primary() or member
        return self._proxies[member.name]

    def primary(self, seconds: float = 0) -> Process | None:
        """The member that takes writes, waited for that long; None if there is none."""
        ends = time.monotonic() + seconds
        while True:
            for member in self.mongodb:
                with suppress(PyMongoError):
                    if member.alive and _hello(member).get("isWritablePrimary"):
                        return member
            if time.monotonic() >= ends:
                return None
            time.sleep(0.1)

    def flush(self) -> None:
        """FLUSHALL, if Redis answers."""
        with suppress(RedisError), Redis.from_url(self.redis.url, socket_timeout=2) as client:
            client.flushall()

    def heal(self) -> None:
        """Every server runs and answers, and the proxies pass everything."""
        for proxy in self._proxies.values():
            proxy.heal()
        for process in self.processes:
            if process.alive:
                process.resume()
            else:
                process.start()
        for process in self.processes:
            process.wait_ready()
        assert self.primary(seconds=60), "MongoDB has no primary"
        for member in self.mongodb:
            self._heal_member(member)

    def _heal_member(self, member: Process) -> None:
        """Wait until it serves. One that started while its proxy passed nothing did not find itself in the set, and one that was cut
        off in the middle of a rollback may stay in it: they start again."""
        begun = restarted = time.monotonic()
        while (state := _state(member)) not in _SERVES:
            now = time.monotonic()
            assert now < begun + 120, f"{member.name} is in state {state}"
            if state == _REMOVED or now > restarted + 20:
                member.kill()
                member.start().wait_ready()
                restarted = now
            time.sleep(0.2)

    def close(self) -> None:
        self._stack.close()

    def _keep(self, process: Process) -> Process:
        self._stack.callback(process.kill)
        return process


def _mongod(folder: Path) -> Process:
    port, data = free_port(), folder / "data"
    data.mkdir(parents=True)
    command: list[str | Path] = [binaries.mongod(), "--replSet", REPLICA_SET, "--bind_ip", "127.0.0.1"]
    command += ["--port", str(port), "--dbpath", data, "--nounixsocket", "--oplogSize", "64"]
    command += ["--networkMessageCompressors", "snappy,zstd", "--wiredTigerCacheSizeGB", "0.25"]
    command += ["--setParameter", "diagnosticDataCollectionEnabled=false"]
    return Process(
        folder.name,
        command,
        url=f"mongodb://127.0.0.1:{port}",
        log=folder / "mongod.log",
        ready=partial(_listens, port),
    )


def _listens(port: int) -> bool:
    with MongoClient[dict[str, object]]("127.0.0.1", port, directConnection=True, timeoutMS=1000) as client:
        try:
            client.admin.command("ping")
        except PyMongoError as error:
            raise ConnectionError(str(error)) from error
        return True


def _initiate(members: list[Process], hosts: list[str]) -> str:
    """Make them one replica set whose members are known by these hosts; its address."""
    # The first is preferred, so that it is known from the start who becomes primary.
    config = {
        "_id": REPLICA_SET,
        "members": [{"_id": number, "host": host} for number, host in enumerate(hosts)],
        "settings": {"electionTimeoutMillis": _ELECTION_MS, "heartbeatIntervalMillis": _HEARTBEAT_MS},
    }
    with MongoClient[dict[str, object]](members[0].url, directConnection=True, timeoutMS=10_000) as client:
        client.admin.command("replSetInitiate", config)
    return f"mongodb://{','.join(hosts)}/?replicaSet={REPLICA_SET}"


def _state(member: Process) -> int | None:
    """Its state in the set, by number; None if it does not answer."""
    with MongoClient[dict[str, Any]](member.url, directConnection=True, timeoutMS=500) as client:
        try:
            return int(client.admin.command("replSetGetStatus")["myState"])
        except OperationFailure:
            return _REMOVED
        except PyMongoError:
            return None


def _hello(member: Process) -> dict[str, Any]:
    with MongoClient[dict[str, Any]](member.url, directConnection=True, timeoutMS=500) as client:
        return client.admin.command("hello")
