"""A member that is a process of its own and is killed, or frozen and woken again, with MongoDB as the record."""

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from devstack.processes import Process
from fencepost.clock import SystemClock
from fencepost.coordination.cluster import Origin
from fencepost.coordination.leases import ShardLeases
from fencepost.settings import Settings
from fencepost.store import Store
from tests.support.eventually import eventually
from tests.support.members import MARGIN_SECONDS, SHARDS, TTL_SECONDS, make_leases
from tests.support.territory import Territory

ROOT = Path(__file__).parents[3]
SLACK_SECONDS = 1.0
"""What a busy machine may take longer."""


@pytest.fixture
def holder(territory: Territory, tmp_path: Path) -> Iterator[Process]:
    """The first member, alone and so with all shards."""
    log = tmp_path / "holder.log"
    process = Process(
        "holder",
        [sys.executable, "-m", "tests.support.lease_holder", "a", str(TTL_SECONDS), str(MARGIN_SECONDS)],
        url="",
        log=log,
        ready=lambda: any(line["may_call"] for line in said(log)),
        environment={**os.environ, **territory.variables, "PYTHONPATH": str(ROOT)},
    )
    yield process.start().wait_ready()
    process.kill()


@pytest.fixture
def other(settings: Settings, holder: Process) -> Iterator[ShardLeases]:
    """A second member, in this process."""
    store = Store.open(settings.mongodb)
    leases = make_leases("b", settings.etcd, store.cluster)
    leases.start()
    yield leases
    leases.stop()
    store.close()


def said(log: Path) -> list[dict[str, Any]]:
    lines = log.read_text().splitlines() if log.exists() else []
    return [json.loads(line) for line in lines if line.startswith("{") and line.endswith("}")]


def test_shards_of_a_member_that_is_killed_are_taken_over_within_the_lease(holder: Process, other: ShardLeases) -> None:
    clock = SystemClock()
    token = said(holder.log)[-1]["token"]
    eventually(lambda: other.status().ready)
    holder.kill()
    killed_at = clock.steady()
    eventually(lambda: len(other.held()) == SHARDS, seconds=TTL_SECONDS + 1 + SLACK_SECONDS)
    assert clock.steady() - killed_at < TTL_SECONDS + 1 + SLACK_SECONDS
    assert all(held.token > token and held.origin is Origin.EXPIRED for held in other.held().values())


def test_a_member_that_was_frozen_past_its_lease_never_again_calls_under_its_old_token(
    holder: Process, other: ShardLeases
) -> None:
    clock = SystemClock()
    last = said(holder.log)[-1]
    eventually(lambda: other.status().ready)
    holder.pause()
    eventually(lambda: len(other.held()) == SHARDS, seconds=TTL_SECONDS + 1 + SLACK_SECONDS)
    taken_over_at = clock.steady()
    assert other.held()[last["shard"]].token > last["token"]
    holder.resume()
    later = eventually(lambda: [line for line in said(holder.log) if line["at"] > taken_over_at][50:])
    assert not any(line["may_call"] for line in later if line["at"] > taken_over_at)
    assert any(line["may_call"] for line in said(holder.log) if line["at"] < taken_over_at)
