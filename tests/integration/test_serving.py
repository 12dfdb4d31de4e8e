"""config/gunicorn.py, as registry, frontend and simulator are served by it, with an application of its own."""

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from devstack.probes import http_is_ready
from devstack.processes import Process, free_port
from devstack.stack import ROOT
from tests.support.eventually import eventually

APPLICATION = """
import os
from fencepost.metrics import Metrics

def create_app():
    metrics = Metrics()
    requests = metrics.counter("requests_total", "Requests.")

    def application(environ, start_response):
        if environ["PATH_INFO"] == "/metrics":
            start_response("200 OK", [("Content-Type", metrics.content_type)])
            return [metrics.exposition()]
        requests.inc()
        start_response("200 OK", [("Content-Type", "text/plain"), ("Connection", "close")])
        return [str(os.getpid()).encode()]

    return application
"""


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Process]:
    (tmp_path / "served.py").write_text(APPLICATION)
    (tmp_path / "temporary").mkdir()
    url = f"http://127.0.0.1:{free_port()}"
    config, address = str(ROOT / "config" / "gunicorn.py"), url.removeprefix("http://")
    process = Process(
        "served",
        [sys.executable, "-m", "gunicorn", "-c", config, "-b", address, "-w", "2", "served:create_app()"],
        url=url,
        log=tmp_path / "served.log",
        ready=lambda: http_is_ready(f"{url}/healthz"),
        environment={
            **os.environ,
            "PYTHONPATH": f"{ROOT}:{tmp_path}",
            "TMPDIR": str(tmp_path / "temporary"),
            "HOME": str(tmp_path),
        },
    )
    yield process.start().wait_ready()
    process.kill()


def get(url: str) -> str:
    answer = requests.get(url, timeout=5)
    answer.raise_for_status()
    return answer.text


def test_the_numbers_of_all_workers_are_added_up(served: Process) -> None:
    before, workers = served_requests(served), list[str]()

    def both_answered() -> bool:
        workers.append(get(f"{served.url}/"))
        return len(set(workers)) == 2

    eventually(both_answered)
    assert served_requests(served) == before + len(workers)


def served_requests(served: Process) -> float:
    lines = get(f"{served.url}/metrics").splitlines()
    return float(next(line for line in lines if line.startswith("fencepost_requests_total")).split()[1])


def test_the_access_log_is_structured_and_without_the_query(served: Process) -> None:
    get(f"{served.url}/emails?to=ada@example.com")

    def logged() -> list[dict[str, object]]:
        lines = [json.loads(line) for line in served.log.read_text().splitlines()]
        return [line for line in lines if line.get("path") == "/emails"]

    (line,) = eventually(logged)
    assert (line["process"], line["action"], line["method"], line["status"]) == ("served", "http.request", "GET", 200)
    assert isinstance(line["seconds"], float)
    assert "ada@" not in served.log.read_text()


def test_probes_are_not_logged(served: Process) -> None:
    get(f"{served.url}/metrics")
    get(f"{served.url}/healthz")
    assert "/healthz" not in served.log.read_text()
    assert "/metrics" not in served.log.read_text()


def test_nothing_is_left_in_the_home_or_temporary_folder(served: Process, tmp_path: Path) -> None:
    get(f"{served.url}/")
    assert served.stop() == 0
    assert list((tmp_path / "temporary").iterdir()) == []
    assert sorted(path.name for path in tmp_path.iterdir() if path.name.startswith(".")) == []
