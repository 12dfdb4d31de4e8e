"""Two registries behind one client: one is killed under load, and no mail that was answered is lost, none made twice."""

import sys
import threading
import time
from collections import Counter
from functools import partial
from pathlib import Path
from typing import Any

import requests

from devstack import probes
from devstack.processes import Process, free_port
from devstack.stack import ROOT
from fencepost.settings import load
from fencepost.store import Store
from tests.conftest import StartsStack
from tests.support.api import MESSAGE

_CLIENTS, _MAILS = 6, 40


class Client:
    """Posts mail with a key of its own each, to one registry and then to the other, until it is told that it is on record."""

    def __init__(self, name: int, urls: list[str], ready_to_kill: threading.Event) -> None:
        self.answers: dict[str, str] = {}
        self._name, self._urls, self._ready = name, urls, ready_to_kill
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self) -> None:
        for number in range(_MAILS):
            self._post(f"{self._name}-{number}", number)
            if number == _MAILS // 4:
                self._ready.set()

    def _post(self, key: str, turn: int) -> None:
        deadline = time.monotonic() + 90
        while time.monotonic() < deadline:
            turn += 1
            try:
                answer = requests.post(
                    f"{self._urls[turn % 2]}/emails",
                    json={**MESSAGE, "to": [f"r{key}@example.com"]},
                    headers={"Idempotency-Key": key},
                    timeout=20,
                )
            except requests.ConnectionError:
                continue
            if answer.status_code == 202:
                made: Any = answer.json()
                self.answers[key] = made["emails"][0]["id"]
                return
            # The request that was cut off has its key until it is taken for dead.
            assert answer.status_code in (409, 503), answer.text
            time.sleep(0.2)


def test_no_answered_mail_is_lost_and_none_made_twice(stack: StartsStack, tmp_path: Path) -> None:
    running = stack(senders=0, frontend=False)
    port = free_port()
    second = Process(
        "registry",
        [sys.executable, "-m", "registry"],
        url=f"http://127.0.0.1:{port}",
        log=tmp_path / "second.log",
        ready=partial(probes.http_is_ready, f"http://127.0.0.1:{port}/readyz"),
        environment={**running.variables, "FENCEPOST_REGISTRY__PORT": str(port), "PYTHONPATH": str(ROOT)},
    )
    try:
        second.start().wait_ready()
        ready = threading.Event()
        clients = [Client(name, [running.registry_url, second.url], ready) for name in range(_CLIENTS)]
        assert ready.wait(60)
        second.kill()
        for client in clients:
            client.thread.join(120)
        answers = {key: name for client in clients for key, name in client.answers.items()}
        assert len(answers) == _CLIENTS * _MAILS
        store = Store.open(load(running.variables).mongodb)
        rows = list(store.database.deliveries.find({}, {"recipient": 1}))
        store.close()
        assert {row["_id"] for row in rows} == set(answers.values())
        assert set(Counter(row["recipient"] for row in rows).values()) == {1}
    finally:
        second.kill()
