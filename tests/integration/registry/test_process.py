"""`python -m registry` as a process: servers that come late or go away, several workers, large bodies, its end."""

import json
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import requests

from devstack.probes import http_is_ready
from devstack.processes import Process, free_port
from devstack.stack import ROOT
from fencepost.coordination.nudges import NudgeListener
from fencepost.settings import load
from tests.conftest import StartsServer
from tests.support.api import text
from tests.support.eventually import eventually
from tests.support.territory import Territory

StartsRegistry = Callable[..., Process]


@pytest.fixture
def start(territory: Territory, tmp_path: Path) -> Iterator[StartsRegistry]:
    """A factory of registries that are alive, not necessarily ready: `start(FENCEPOST_…="…")`."""
    started: list[Process] = []

    def registry(**variables: str) -> Process:
        port = free_port()
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("FENCEPOST_")}
        own = {
            "FENCEPOST_REGISTRY__PORT": str(port),
            "FENCEPOST_MONGODB__TIMEOUT_SECONDS": "1",
            "PYTHONPATH": str(ROOT),
        }
        url = f"http://127.0.0.1:{port}"
        process = Process(
            "registry",
            [sys.executable, "-m", "registry"],
            url=url,
            log=tmp_path / "registry.log",
            ready=lambda: http_is_ready(f"{url}/healthz"),
            environment={**inherited, **territory.variables, **own, **variables},
        )
        started.append(process)
        return process.start().wait_ready()

    yield registry
    for process in started:
        process.kill()


def get(process: Process, path: str) -> requests.Response:
    return requests.get(f"{process.url}{path}", timeout=10)


def create(process: Process, headers: Mapping[str, str] | None = None) -> requests.Response:
    return requests.post(f"{process.url}/schedules", json=text(), headers=headers, timeout=10)


def log_lines(process: Process) -> list[dict[str, Any]]:
    return [json.loads(line) for line in process.log.read_text().splitlines() if line.startswith("{")]


def has_logged(process: Process, action: str) -> bool:
    return any(line["action"] == action for line in log_lines(process))


def logged_of(process: Process, request_id: str) -> list[str]:
    return [line["action"] for line in log_lines(process) if line.get("request_id") == request_id]


def test_it_waits_for_a_mongodb_that_comes_late(start: StartsRegistry, private_mongodb: StartsServer) -> None:
    mongodb = private_mongodb()
    mongodb.stop()
    registry = start(FENCEPOST_MONGODB__URL=mongodb.url)
    assert get(registry, "/healthz").json() == {"status": "ok"}
    unready = get(registry, "/readyz")
    assert unready.status_code == 503
    assert {name: check["ok"] for name, check in unready.json()["checks"].items()} == {
        "mongodb": False,
        "etcd": True,
        "redis": True,
    }
    refused = create(registry)
    assert (refused.status_code, refused.headers["Retry-After"]) == (503, "5")
    eventually(lambda: has_logged(registry, "startup.waits"))
    mongodb.restart()
    eventually(lambda: get(registry, "/readyz").status_code == 200, seconds=30)
    assert create(registry).status_code == 201


def test_it_survives_a_mongodb_that_is_away_for_a_while(start: StartsRegistry, private_mongodb: StartsServer) -> None:
    mongodb = private_mongodb()
    registry = start(FENCEPOST_MONGODB__URL=mongodb.url)
    eventually(lambda: get(registry, "/readyz").status_code == 200, seconds=30)
    mongodb.pause()
    lost = create(registry, {"Idempotency-Key": "once"})
    assert lost.status_code == 503
    assert get(registry, "/cluster").json()["notes"][0]["server"] == "mongodb"
    mongodb.resume()
    eventually(lambda: create(registry, {"Idempotency-Key": "once"}).status_code == 201, seconds=30)
    assert len(get(registry, "/schedules").json()["data"]) == 1
    assert has_logged(registry, "request.unreachable")


def test_it_serves_without_etcd_and_redis(start: StartsRegistry) -> None:
    nowhere = f"127.0.0.1:{free_port()}"
    registry = start(FENCEPOST_ETCD__ENDPOINTS=f"http://{nowhere}", FENCEPOST_REDIS__URL=f"redis://{nowhere}/0")
    eventually(lambda: get(registry, "/readyz").json()["status"] == "degraded", seconds=30)
    made = create(registry)
    assert made.status_code == 201
    assert made.elapsed.total_seconds() < 1
    assert [note["server"] for note in get(registry, "/cluster").json()["notes"]] == ["etcd", "redis"]


def test_a_new_schedule_wakes_the_senders(start: StartsRegistry, territory: Territory) -> None:
    registry = start()
    listener = NudgeListener(load(territory.variables).redis)
    try:
        assert listener.wait(10)  # it listens
        eventually(lambda: get(registry, "/readyz").status_code == 200, seconds=30)
        assert create(registry).status_code == 201
        assert listener.wait(10)
    finally:
        listener.stop()


def test_several_workers_share_everything_and_count_together(start: StartsRegistry) -> None:
    registry = start(WEB_CONCURRENCY="2")
    eventually(lambda: get(registry, "/readyz").status_code == 200, seconds=30)
    made = create(registry).json()
    for _ in range(20):
        assert get(registry, f"/schedules/{made['id']}").json()["id"] == made["id"]
    metrics = get(registry, "/metrics").text
    assert 'route="/schedules/<schedule:schedule_id>",status="200"} 20.0' in metrics


@pytest.mark.parametrize(
    ("path", "size", "most"),
    [("/schedules/preview", 2_000_000, 1_048_576), ("/schedules", 20_000_000, 16_777_216)],
    ids=["any", "one that carries a message"],
)
def test_a_body_that_is_too_large_is_refused_in_words(start: StartsRegistry, path: str, size: int, most: int) -> None:
    registry = start()
    body = b'{"name": "' + b"x" * size + b'"}'
    for data in (body, iter([body])):  # the second goes in chunks, its length untold
        refused = requests.post(
            f"{registry.url}{path}", data=data, headers={"Content-Type": "application/json"}, timeout=30
        )
        assert (refused.status_code, refused.headers["Content-Type"]) == (413, "application/problem+json")
        assert f"{most} bytes" in refused.json()["detail"]


def test_a_revoked_key_is_refused_by_every_worker_within_a_second(start: StartsRegistry) -> None:
    registry = start(WEB_CONCURRENCY="2")
    eventually(lambda: get(registry, "/readyz").status_code == 200, seconds=30)
    body = {"name": "Shop", "scopes": ["emails:read"]}
    made = requests.post(f"{registry.url}/api-keys", json=body, timeout=10).json()

    def statuses() -> set[int]:
        """Of connections of their own, so that both workers are asked."""
        headers = {"Authorization": f"Bearer {made['secret']}", "Connection": "close"}
        return {requests.get(f"{registry.url}/emails", headers=headers, timeout=10).status_code for _ in range(20)}

    assert statuses() == {200}
    assert requests.delete(f"{registry.url}/api-keys/{made['id']}", timeout=10).ok
    revoked = time.monotonic()
    eventually(lambda: time.monotonic() - revoked >= 1, seconds=10)
    assert statuses() == {401}


def test_a_request_can_be_followed_through_the_log(start: StartsRegistry) -> None:
    registry = start()
    eventually(lambda: get(registry, "/readyz").status_code == 200, seconds=30)
    create(registry, {"X-Request-Id": "trace-0123456789"})
    eventually(lambda: logged_of(registry, "trace-0123456789") == ["schedule.created", "http.request"])


def test_it_ends_when_asked_and_takes_nothing_with_it(start: StartsRegistry) -> None:
    registry = start()
    assert registry.stop() == 0
    assert not [line for line in log_lines(registry) if line["level"] in ("warning", "error")]


def test_settings_that_are_wrong_are_all_named(tmp_path: Path) -> None:
    wrong = Process(
        "registry",
        [sys.executable, "-m", "registry"],
        url="http://127.0.0.1:1",
        log=tmp_path / "wrong.log",
        ready=lambda: False,
        environment={**os.environ, "PYTHONPATH": str(ROOT), "FENCEPOST_REGISTRY__PORT": "x", "FENCEPOST_NONSENSE": "1"},
    ).start()
    assert wrong.wait(60) != 0
    assert "FENCEPOST_REGISTRY__PORT" in wrong.tail()
    assert "FENCEPOST_NONSENSE" in wrong.tail()
