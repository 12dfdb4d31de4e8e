"""A simulator of one's own, as a process, and a client of its control API."""

import os
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import pytest
import requests

from devstack import probes
from devstack.processes import Process, free_port
from fencepost.clock import SystemClock
from fencepost.messages import Address, Mail
from fencepost.providers import NAMES, Provider, create
from fencepost.providers.http import Reply, Request
from fencepost.providers.mailgun import Mailgun
from fencepost.providers.transport import Transport
from fencepost.settings import Mailgun as MailgunSettings
from fencepost.settings import Providers

ROOT = Path(__file__).resolve().parents[3]
DOMAIN = "sandbox.example.com"


class Simulator:
    """A running one, and Mailgun's adapter pointed at it."""

    def __init__(self, process: Process, smtp_port: int) -> None:
        self.process = process
        self.url = process.url
        self.smtp_url = f"smtp://127.0.0.1:{smtp_port}"
        self.mailgun = Mailgun(MailgunSettings(base_url=process.url), SystemClock())
        self.http = requests.Session()
        self.http.trust_env = False

    def adapter(self, name: str, **changes: Any) -> Provider:
        """That provider's adapter pointed here; `changes` are settings of it."""
        sections = {each: {"base_url": self.url} for each in NAMES}
        sections["smtp"] = {"base_url": self.smtp_url, "starttls": "none"}
        sections[name] |= changes
        return create(name, Providers.model_validate(sections), SystemClock())

    def get(self, path: str, **query: Any) -> Any:
        answer = self.http.get(f"{self.url}/_simulator/{path}", params=query, timeout=10)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def dial(self, **dials: Any) -> None:
        answer = self.http.put(f"{self.url}/_simulator/dials", json=dials, timeout=10)
        assert answer.status_code == 200, answer.text

    def ledger(self) -> list[dict[str, Any]]:
        data: list[dict[str, Any]] = self.get("ledger")["data"]
        return data

    def post(self, fields: Any, *, key: str = "key-simulator", domain: str = DOMAIN) -> requests.Response:
        """Post a form as urlencoded, with a client that is not ours."""
        return self.http.post(f"{self.url}/v3/{domain}/messages", data=fields, auth=("api", key), timeout=10)

    def events(self, path: str = "", **query: Any) -> requests.Response:
        url = path or f"{self.url}/v3/{DOMAIN}/events"
        return self.http.get(url, params=query, auth=("api", "key-simulator"), timeout=10)


class StartsSimulator(Protocol):
    def __call__(self, **variables: str) -> Simulator: ...


def _start(folder: Path, variables: dict[str, str]) -> Simulator:
    port, smtp_port = free_port(), free_port()
    own = {"PORT": str(port), "SMTP_PORT": str(smtp_port), **variables}
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("FENCEPOST_")}
    settings = {f"FENCEPOST_SIMULATOR__{name}": value for name, value in own.items()}
    url = f"http://127.0.0.1:{own['PORT']}"
    process = Process(
        "simulator",
        [sys.executable, "-m", "simulator"],
        url=url,
        log=folder / f"simulator-{port}.log",
        ready=partial(probes.http_is_ready, f"{url}/healthz"),
        environment={**inherited, "PYTHONPATH": str(ROOT), **settings},
    )
    return Simulator(process.start().wait_ready(), smtp_port)


@pytest.fixture
def start_simulator(tmp_path: Path) -> Iterator[StartsSimulator]:
    """A factory: `start_simulator(FOLDER=…)`; the names are those of FENCEPOST_SIMULATOR__…"""
    started: list[Simulator] = []

    def start(**variables: str) -> Simulator:
        started.append(_start(tmp_path, variables))
        return started[-1]

    yield start
    for simulator in started:
        simulator.http.close()
        simulator.process.kill()


@pytest.fixture(scope="session")
def shared_simulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulator]:
    simulator = _start(tmp_path_factory.mktemp("simulator"), {})
    yield simulator
    simulator.http.close()
    simulator.process.kill()


@pytest.fixture
def simulator(shared_simulator: Simulator) -> Simulator:
    """One that many tests share; its ledger is empty, and its dials do no harm."""
    shared_simulator.dial()
    shared_simulator.http.delete(f"{shared_simulator.url}/_simulator/ledger", timeout=10)
    return shared_simulator


@pytest.fixture
def transport() -> Iterator[Transport]:
    transport = Transport()
    yield transport
    transport.close()


def mail(number: int, attempt: int = 1) -> Mail:
    return Mail(
        delivery_id=f"eml_{number:026d}",
        attempt_no=attempt,
        message_id=f"mail-{number}@sandbox.example.com",
        sender=Address("reports@example.com", "Berichte, täglich"),
        to=(Address("ada@example.org", "Ada"),),
        subject=f"Figures of day {number} – ✓",
        text="Hello Ada\n",
        html="<p>Hello <b>Ada</b></p>",
        tags=("daily",),
        metadata={"customer": "42"},
        headers={"X-Priority": "1"},
    )


def call(transport: Transport, *requests: Request, timeout_seconds: float = 5) -> list[Reply]:
    """The replies to these calls, made at once, in their order."""
    replies: dict[int, Reply] = {}
    for number, each in enumerate(requests):
        transport.start(number, each, timeout_seconds)
    while transport.in_flight:
        for key, reply in transport.poll(1):
            assert isinstance(key, int)
            replies[key] = reply
    return [replies[number] for number in range(len(requests))]
