"""A member in a process of its own: `python lease_holder.py NAME TTL_SECONDS MARGIN_SECONDS`, settings from the environment.

It says, many times a second and as lines of JSON, at which steady second it looked and whether it might then have started a
call of the first shard that it ever held, under the token that it had.
"""

import json
import sys
import time
from datetime import UTC, datetime

from fencepost.clock import SystemClock
from fencepost.coordination.cluster import Member
from fencepost.coordination.leases import ShardLeases
from fencepost.settings import load
from fencepost.store import Store


def main(name: str, ttl_seconds: str, margin_seconds: str) -> None:
    settings, clock = load(), SystemClock()
    leases = ShardLeases(
        settings.etcd,
        Member(name, "host", 1, datetime.now(UTC), 1, "127.0.0.1:9000"),
        shards=settings.sender.shards,
        ttl_seconds=int(ttl_seconds),
        margin_seconds=float(margin_seconds),
        clock=clock,
        generations=Store.open(settings.mongodb).cluster,
        cycle_seconds=0.2,
    )
    leases.start()
    while not leases.held():
        time.sleep(0.01)
    shard, held = next(iter(leases.held().items()))
    while True:
        now = clock.steady()
        may_call = leases.may_call(shard, held.token, now)
        print(json.dumps({"at": now, "shard": shard, "token": held.token, "may_call": may_call}), flush=True)
        time.sleep(0.005)


if __name__ == "__main__":
    main(*sys.argv[1:])
