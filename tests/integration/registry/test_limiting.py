"""Limits of keys and addresses: exact across two workers, told in headers, and nobody is refused while Redis is away."""

import json
import os
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest
import requests

from devstack.probes import http_is_ready
from devstack.processes import Process, free_port
from devstack.servers import Servers
from devstack.stack import ROOT
from fencepost.api_keys import Scope
from fencepost.settings import load
from fencepost.store import Store
from tests.conftest import StartsServer
from tests.support.eventually import eventually
from tests.support.keys import make_key
from tests.support.territory import Territory

PER_SECOND, WRONG = 20, 10
WORKERS = 2


@pytest.fixture(scope="module")
def own(servers: Servers) -> Iterator[Territory]:
    """A territory for all tests here: a registry takes its time to start."""
    territory = Territory.fresh(servers)
    yield territory
    territory.clear()


def started(folder: Path, variables: Mapping[str, str]) -> Process:
    """A ready registry of two workers."""
    port = free_port()
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("FENCEPOST_")}
    settings = {
        "FENCEPOST_REGISTRY__PORT": str(port),
        "FENCEPOST_REGISTRY__REQUESTS_PER_SECOND": str(PER_SECOND),
        "FENCEPOST_REGISTRY__WRONG_KEYS_PER_MINUTE": str(WRONG),
        "WEB_CONCURRENCY": str(WORKERS),
        "PYTHONPATH": str(ROOT),
    }
    url = f"http://127.0.0.1:{port}"
    process = Process(
        "registry",
        [sys.executable, "-m", "registry"],
        url=url,
        log=folder / "registry.log",
        ready=lambda: http_is_ready(f"{url}/readyz"),
        environment={**inherited, **settings, **variables},
    )
    return process.start().wait_ready()


@pytest.fixture(scope="module")
def registry(own: Territory, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    process = started(tmp_path_factory.mktemp("registry"), own.variables)
    yield process
    process.kill()


@pytest.fixture(scope="module")
def store(own: Territory) -> Iterator[Store]:
    store = Store.open(load(own.variables).mongodb)
    store.migrate()
    yield store
    store.close()


def key(store: Store) -> dict[str, str]:
    """The header of a new key."""
    secret = make_key(store, datetime.now(UTC), Scope.SCHEDULES_READ)
    return {"Authorization": f"Bearer {secret}"}


def ask(process: Process, headers: dict[str, str]) -> requests.Response:
    return requests.get(f"{process.url}/schedules", headers=headers, timeout=30)


def test_a_keys_limit_holds_exactly_across_two_workers(registry: Process, store: Store) -> None:
    mine, anothers = key(store), key(store)
    served: list[tuple[float, float]] = []
    refused: list[requests.Response] = []
    ends = time.monotonic() + 2.5

    def hammer() -> None:
        while (before := time.monotonic()) < ends:
            answer = ask(registry, mine)
            if answer.status_code == 200:
                served.append((before, time.monotonic()))
            else:
                refused.append(answer)

    with ThreadPoolExecutor(12) as pool:
        for run in [pool.submit(hammer) for _ in range(12)]:
            run.result()
    within = [
        sum(1 for before, after in served if before >= end - 1 and after <= end)
        for end in (after for _, after in served)
    ]
    assert max(within) <= PER_SECOND
    assert len(served) >= 2 * PER_SECOND, "what is there is given"

    assert {answer.status_code for answer in refused} == {429}
    problem = refused[0].json()
    assert refused[0].headers["Content-Type"] == "application/problem+json"
    assert (problem["type"], problem["title"]) == ("/problems#too-many", "Too many requests")
    assert refused[0].headers["Retry-After"] == "1"
    assert refused[0].headers["RateLimit-Policy"] == f'"key";q={PER_SECOND};w=1'
    assert refused[0].headers["RateLimit"] == '"key";r=0;t=1'
    answer = ask(registry, anothers)
    assert (answer.status_code, answer.headers["RateLimit"]) == (200, f'"key";r={PER_SECOND - 1};t=1')
    metrics = requests.get(f"{registry.url}/metrics", timeout=10).text
    assert f'fencepost_requests_limited_total{{limit="key"}} {len(refused)}.0' in metrics


def test_an_address_that_tries_keys_is_refused_and_who_has_one_is_not(registry: Process, store: Store) -> None:
    mine = key(store)
    guesses = [{"Authorization": f"Bearer {mine['Authorization'][7:-4]}{number:04}"} for number in range(30)]
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda guess: ask(registry, guess), guesses))
    assert Counter(answer.status_code for answer in answers) == {401: WRONG, 429: 30 - WRONG}
    [policy] = {answer.headers["RateLimit-Policy"] for answer in answers}
    assert policy == f'"address";q={WRONG};w=60'
    assert all(40 < int(answer.headers["Retry-After"]) <= 60 for answer in answers if answer.status_code == 429)
    assert ask(registry, mine).status_code == 200


def test_everybody_is_served_while_redis_is_away_and_it_is_said_once(
    own: Territory, store: Store, private_redis: StartsServer, tmp_path: Path
) -> None:
    redis = private_redis()
    registry = started(tmp_path, {**own.variables, "FENCEPOST_REDIS__URL": redis.url})
    try:
        served_without(registry, redis, store)
    finally:
        registry.kill()


def served_without(registry: Process, redis: Process, store: Store) -> None:
    mine = key(store)
    assert ask(registry, mine).headers["RateLimit"]
    redis.kill()
    answers = [ask(registry, mine) for _ in range(3 * PER_SECOND)]
    assert {answer.status_code for answer in answers} == {200}
    assert "RateLimit" not in answers[-1].headers
    assert 1 <= logged(registry, "limits.away") <= WORKERS, "by each worker"
    redis.start().wait_ready()
    eventually(lambda: ask(registry, mine) and logged(registry, "limits.back"), seconds=30, every=0.2)


def logged(process: Process, action: str) -> int:
    lines = [json.loads(line) for line in process.log.read_text().splitlines() if line.startswith("{")]
    return sum(line["action"] == action for line in lines)
