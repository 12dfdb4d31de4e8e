"""A long run with faults: whether what a sender holds stays as it is, hour after hour.

    python -m tests.chaos.soak --minutes 60 [--seed 1] [--report docs/fault-report.md] [--folder DIR]

Two of the three senders are killed and replaced like in every run; the first is only frozen, and measured. Exit status 1 if the
history checker finds anything, or if the first sender's memory, file descriptors or threads, or etcd's leases grow.
"""

import argparse
import json
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import requests
from pymongo import MongoClient
from pymongo.errors import PyMongoError
from redis import Redis
from redis.exceptions import RedisError

from devstack.processes import Process
from tests.chaos.checker import check
from tests.chaos.logs import complaints
from tests.chaos.report import SOAK, soak_section, with_sections
from tests.chaos.run import Run, Site
from tests.chaos.scenario import long_scenario
from tests.chaos.summary import summary

_EVERY_SECONDS = 15.0
GROWTH = {"memory_mb": 1.15, "descriptors": 1.25, "threads": 1.25, "leases": 1.5, "keys": 1.25, "connections": 1.5}
"""How much more the last quarter may hold than the second, which is past all warming up."""


@dataclass(frozen=True)
class Sample:
    """What was held at one moment; None where the server did not answer. Memory is the first sender's, in MiB, like its file
    descriptors and threads; `leases` and `keys` are etcd's, `remembered` the fence's keys in Redis, `connections` MongoDB's."""

    at: float
    memory_mb: float | None
    descriptors: int | None
    threads: int | None
    leases: int | None
    keys: int | None
    remembered: int | None
    connections: int | None


class Gauge(threading.Thread):
    """Takes samples until it is stopped."""

    def __init__(self, run: Run) -> None:
        super().__init__(name="gauge", daemon=True)
        self.samples: list[Sample] = []
        self._run, self._stopped, self._begun = run, threading.Event(), time.time()

    def run(self) -> None:
        while not self._stopped.wait(_EVERY_SECONDS):
            self.samples.append(self._sample())

    def stop(self) -> None:
        self._stopped.set()
        self.join()

    def _sample(self) -> Sample:
        ground, pid = self._run.site.ground, self._run.trouble.senders[0].pid
        status = _status(pid)
        return Sample(
            at=round(time.time() - self._begun, 1),
            memory_mb=round(status["VmRSS"] / 1024, 1) if status else None,
            descriptors=_descriptors(pid),
            threads=status.get("Threads"),
            leases=_etcd(ground.etcd.url, "lease/leases", {}, lambda answer: len(answer.get("leases", []))),
            keys=_etcd(
                ground.etcd.url,
                "kv/range",
                {"key": "AA==", "range_end": "AA==", "count_only": True},
                lambda answer: int(answer.get("count", 0)),
            ),
            remembered=_redis_keys(self._run.world.settings.redis.url.get_secret_value(), ground.redis.url),
            connections=_connections(ground.primary()),
        )


def _status(pid: int) -> dict[str, int]:
    with suppress(FileNotFoundError):
        lines = (line.split(":\t", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
        fields = {name: text.split()[0] for name, text in lines if text.strip()}
        return {name: int(fields[name]) for name in ("VmRSS", "Threads")}
    return {}


def _descriptors(pid: int) -> int | None:
    with suppress(FileNotFoundError):
        return len(list(Path(f"/proc/{pid}/fd").iterdir()))
    return None


def _etcd(url: str, path: str, body: dict[str, Any], count: Callable[[dict[str, Any]], int]) -> int | None:
    with suppress(requests.RequestException, ValueError):
        return count(requests.post(f"{url}/v3/{path}", json=body, timeout=1).json())
    return None


def _redis_keys(proxied: str, direct: str) -> int | None:
    number = proxied.rsplit("/", 1)[1]
    with suppress(RedisError), Redis.from_url(f"{direct.rstrip('/')}/{number}", socket_timeout=1) as client:
        size: Any = client.dbsize()
        return int(size)
    return None


def _connections(primary: Process | None) -> int | None:
    if primary is None:
        return None
    with (
        suppress(PyMongoError),
        MongoClient[dict[str, Any]](primary.url, directConnection=True, timeoutMS=1000) as client,
    ):
        return int(client.admin.command("serverStatus")["connections"]["current"])
    return None


def quarters(samples: Sequence[Sample], name: str) -> tuple[float, float]:
    """The median of the second quarter of the time and that of the last."""
    ends = samples[-1].at
    second = [value for sample in samples if ends / 4 < sample.at <= ends / 2 and (value := getattr(sample, name))]
    last = [value for sample in samples if sample.at > ends * 3 / 4 and (value := getattr(sample, name))]
    return statistics.median(second), statistics.median(last)


def grown(samples: Sequence[Sample]) -> list[str]:
    """What grew more than it may, in words."""
    found = []
    for name, most in GROWTH.items():
        early, late = quarters(samples, name)
        if late > early * most:
            found.append(f"{name} grew from {early:g} to {late:g}")
    return found


def soak(folder: Path, seed: int, minutes: float, report: Path | None) -> int:
    """The exit status."""
    site = Site(folder / "site")
    try:
        run = Run(site, folder / "run")
        gauge = Gauge(run)
        try:
            run.trouble.spared = 1
            run.start()
            gauge.start()
            run.play(seed, partial(long_scenario, seconds=round(minutes * 60)))
            gauge.stop()
            history = run.finish()
        finally:
            run.close()
    finally:
        site.close()
    (folder / "samples.json").write_text(json.dumps([asdict(sample) for sample in gauge.samples]))
    problems = check(history) + grown(gauge.samples) + complaints(folder / "run")
    if history["progress"]:
        problems.insert(0, history["progress"])
    found = summary(seed, history, problems)
    (folder / "summary.json").write_text(json.dumps(found.as_json()))
    held = {name: quarters(gauge.samples, name) for name in GROWTH}
    text = soak_section(found.as_json(), minutes, held, gauge.samples[-1].remembered or 0)
    print(text)
    for problem in problems[:20]:
        print(f"  {problem}")
    if report:
        report.write_text(with_sections(report.read_text() if report.exists() else "# Fault report\n", {SOAK: text}))
    return 1 if problems else 0


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.soak")
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--report", type=Path)
    parser.add_argument("--folder", type=Path)
    options = parser.parse_args()
    folder: Path = options.folder or Path(tempfile.mkdtemp(prefix="fencepost-soak-"))
    return soak(folder, options.seed, options.minutes, options.report)


if __name__ == "__main__":
    sys.exit(main())
