"""One test's own corner of servers that all tests share."""

import random
import secrets
from dataclasses import dataclass, replace
from urllib.parse import urlsplit, urlunsplit

import redis
from etcd3gw.client import Etcd3Client
from pymongo import MongoClient
from redis.backoff import NoBackoff
from redis.retry import Retry

from devstack.servers import Servers


@dataclass(frozen=True)
class Territory:
    """A database, an etcd prefix and a Redis number on these servers that nobody else uses."""

    servers: Servers
    name: str

    @classmethod
    def fresh(cls, servers: Servers) -> "Territory":
        """A corner that nobody used before."""
        own_number = replace(servers, redis_url=_empty_redis(servers.redis_url))
        return cls(own_number, f"test_{secrets.token_hex(6)}")

    @property
    def variables(self) -> dict[str, str]:
        """The environment variables that point a process of ours here."""
        return {
            **self.servers.variables,
            "FENCEPOST_ENVIRONMENT": "test",
            "FENCEPOST_MONGODB__DATABASE": self.name,
            "FENCEPOST_ETCD__PREFIX": f"/{self.name}/",
        }

    def clear(self) -> None:
        """Leave the servers as they were found."""
        with MongoClient[dict[str, object]](self.servers.mongodb_url, timeoutMS=10_000) as mongodb:
            mongodb.drop_database(self.name)
        parts = urlsplit(self.servers.etcd_endpoints[0])
        etcd = Etcd3Client(host=parts.hostname or "127.0.0.1", port=parts.port or 2379, timeout=10)
        etcd.delete_prefix(f"/{self.name}/")
        etcd.session.close()
        with _redis(self.servers.redis_url) as client:
            client.flushdb()


def _empty_redis(url: str) -> str:
    """The address of some number that holds nothing, so that what is flushed afterwards was never somebody else's."""
    with _redis(url) as client:
        numbers = range(1, int(client.config_get("databases")["databases"]))
    for number in random.sample(numbers, k=len(numbers)):
        candidate = urlunsplit(urlsplit(url)._replace(path=f"/{number}"))
        with _redis(candidate) as client:
            if client.dbsize() == 0:
                return candidate
    raise RuntimeError(f"no empty number in {url}")


def _redis(url: str) -> redis.Redis:
    return redis.Redis.from_url(url, socket_timeout=10, retry=Retry(NoBackoff(), 0))
