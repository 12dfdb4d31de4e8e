"""What gunicorn serves: in each worker process, parts of its own, opened after the fork."""

from collections.abc import Callable

from flask_openapi import OpenAPI

from fencepost import settings
from fencepost.coordination.breakers import Breaker, Breakers
from fencepost.coordination.caps import Caps
from fencepost.coordination.cluster import read_cluster
from fencepost.coordination.etcd import Etcd
from fencepost.coordination.nudges import Nudger
from fencepost.coordination.redis_client import connect, unreachable_if_it_fails
from fencepost.coordination.reports import Report
from fencepost.coordination.windows import Windows
from fencepost.store import Store
from fencepost.store.clock import DatabaseClock
from registry.app import create_app
from registry.parts import Parts
from registry.startup import Startup


def application() -> OpenAPI:
    """The application by the environment's settings. Raises Misconfigured; servers may be down."""
    effective = settings.load()
    store = Store.open(effective.mongodb)
    startup = Startup(store, effective.sender.shards)
    etcd = Etcd(effective.etcd)
    parts = Parts(
        settings=effective,
        store=store,
        startup=startup,
        clock=DatabaseClock(store.database),
        nudge=Nudger(effective.redis).publish,
        read_cluster=lambda: read_cluster(etcd),
        ping_redis=redis_ping(effective.redis),
        read_breakers=breaker_reading(effective),
        read_caps=Caps(effective.redis, effective.providers).read,
        take=Windows(effective.redis).take,
    )
    startup.start()
    return create_app(parts)


def redis_ping(config: settings.Redis) -> Callable[[], None]:
    """A call that raises Unreachable if Redis does not answer."""
    client = connect(config)

    def ping() -> None:
        with unreachable_if_it_fails():
            client.ping()

    return ping


def breaker_reading(effective: settings.Settings) -> Callable[[], dict[str, Breaker]]:
    """A call that tells how the providers stand, and changes nothing. It raises Unreachable if Redis does not answer."""
    breakers = Breakers(effective.redis, effective.failover, "registry", effective.sender.attempt_seconds)
    return lambda: breakers.sync(dict.fromkeys(effective.providers.order, Report()))
