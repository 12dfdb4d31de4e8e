"""The private servers of the local stack: alike in the tests, in `fencepost dev` and in the benchmarks."""

import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pymongo
import pytest
import redis
from etcd3gw.client import Etcd3Client
from etcd3gw.exceptions import ConnectionTimeoutError, Etcd3Exception
from pymongo import MongoClient

from fencepost.settings import Settings
from tests.conftest import StartsCluster, StartsServer
from tests.support.eventually import eventually


def etcd_client(url: str, seconds: float = 2) -> Etcd3Client:
    return Etcd3Client(host="127.0.0.1", port=int(url.rsplit(":", 1)[1]), timeout=seconds)


def test_each_test_has_servers_of_its_own_to_write_to(settings: Settings) -> None:
    with MongoClient[dict[str, object]](settings.mongodb.url, timeoutMS=5000) as mongodb:
        database = mongodb[settings.mongodb.database]
        assert database.list_collection_names() == []
        majority = pymongo.WriteConcern("majority", j=True)
        database.get_collection("things", write_concern=majority).insert_one({"a": 1})
    with redis.Redis.from_url(settings.redis.url.get_secret_value()) as fence:
        assert fence.dbsize() == 0
        assert fence.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}
        assert fence.config_get("appendonly") == {"appendonly": "yes"}
    etcd = etcd_client(settings.etcd.endpoints[0])
    assert etcd.get_prefix(settings.etcd.prefix) == []
    etcd.session.close()


def test_mongodb_that_was_killed_keeps_what_it_acknowledged(private_mongodb: StartsServer) -> None:
    server = private_mongodb()
    with MongoClient[dict[str, object]](server.url, timeoutMS=10_000) as client:
        things = client.test.get_collection("things", write_concern=pymongo.WriteConcern("majority", j=True))
        things.insert_one({"_id": 1})
        server.kill()
        assert not server.alive
        server.restart()
        assert things.find_one({"_id": 1}) == {"_id": 1}


def test_redis_that_was_killed_comes_back_on_its_port_with_another_run_id(private_redis: StartsServer) -> None:
    server = private_redis()
    with redis.Redis.from_url(server.url) as client:
        before = client.info("server")["run_id"]
        server.kill()
        server.restart()
        assert client.info("server")["run_id"] != before


def test_a_paused_server_is_silent_until_it_is_resumed(private_etcd: StartsServer) -> None:
    server = private_etcd()
    client = etcd_client(server.url, seconds=0.3)
    client.put("/a", "1")
    server.pause()
    with pytest.raises(ConnectionTimeoutError):
        client.put("/a", "2")
    server.resume()
    eventually(lambda: client.put("/a", "3"))
    client.session.close()


def test_three_members_of_etcd_outlive_one(private_etcd_cluster: StartsCluster) -> None:
    first, second, _ = private_etcd_cluster(members=3)
    client = etcd_client(second.url, seconds=5)
    client.put("/a", "1")
    first.kill()

    def writes() -> bool:
        try:
            return bool(client.put("/a", "2"))
        except Etcd3Exception as error:
            raise AssertionError from error

    eventually(writes, seconds=20)
    client.session.close()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child that its parent has died")
def test_servers_die_with_a_parent_that_was_killed(tmp_path: Path) -> None:
    parent = textwrap.dedent(f"""
        import time
        from pathlib import Path
        from devstack.servers import start_redis
        print(start_redis(Path({str(tmp_path)!r})).pid, flush=True)
        time.sleep(600)
    """)
    with subprocess.Popen([sys.executable, "-c", parent], stdout=subprocess.PIPE, text=True) as starter:
        assert starter.stdout is not None
        pid = int(starter.stdout.readline())
        os.kill(pid, 0)
        starter.send_signal(signal.SIGKILL)
    eventually(lambda: not Path(f"/proc/{pid}").exists())
