"""A16: webhooks in a process of their own. What floods or stops it is no trouble of the API, and what was told meanwhile is told again."""

import json
import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from threading import Event
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests

from devstack.processes import Process
from devstack.stack import Stack
from fencepost.settings import load
from fencepost.store import Store
from registry.app import create_app
from registry.parts import Parts
from tests.conftest import StartsStack
from tests.integration.registry.test_hooks import call, item
from tests.integration.registry.test_mail_reports import mail
from tests.integration.registry.test_process import StartsRegistry, start
from tests.support.eventually import eventually
from tests.support.territory import Territory

__all__ = ["start"]

KEY = "key-signing"
SIGNED = {"FENCEPOST_PROVIDERS__MAILGUN__WEBHOOK_SIGNING_KEY": KEY}
LOCKED_UP = 20
"""More than a worker has threads."""


@pytest.fixture
def records(territory: Territory) -> Iterator[Store]:
    """What the processes write."""
    store = Store.open(load(territory.variables).mongodb)
    yield store
    store.close()


def test_each_part_serves_its_own_and_no_more(parts: Parts) -> None:
    def served(by: str) -> set[str]:
        own = parts.settings.model_copy(update={"registry": parts.settings.registry.model_copy(update={"serves": by})})
        return {rule.rule for rule in create_app(replace(parts, settings=own)).url_map.iter_rules()}

    hooks = {"/hooks/<string:provider>"}
    both = {"/healthz", "/readyz", "/metrics", "/problems", "/unsubscribe/<token>"}
    assert served("hooks") == hooks | both
    assert served("api") == served("all") - hooks
    assert hooks | both < served("all")


def test_the_api_answers_while_every_thread_of_the_hooks_is_kept_waiting(start: StartsRegistry) -> None:
    hooks, api = start(FENCEPOST_REGISTRY__SERVES="hooks", **SIGNED), start(FENCEPOST_REGISTRY__SERVES="api")
    with kept_waiting(hooks):
        with pytest.raises(requests.Timeout):
            requests.get(f"{hooks.url}/healthz", timeout=1.5)
        assert requests.get(f"{api.url}/emails", timeout=10).status_code == 200
    eventually(lambda: requests.get(f"{hooks.url}/healthz", timeout=10).ok, seconds=30)
    together = start(**SIGNED)
    with kept_waiting(together), pytest.raises(requests.Timeout):  # the negative control
        requests.get(f"{together.url}/emails", timeout=1.5)


@contextmanager
def kept_waiting(process: Process) -> Iterator[None]:
    """Callers that begin webhooks and never end them."""
    address = urlsplit(process.url)
    head = f"POST /hooks/mailgun HTTP/1.1\r\nHost: {address.netloc}\r\nContent-Length: 1000\r\n\r\n{{"
    with ExitStack() as stack:
        for _ in range(LOCKED_UP):
            caller = stack.enter_context(socket.create_connection((address.hostname or "", address.port or 0), 5))
            caller.sendall(head.encode())
        yield


def test_a_flood_of_events_does_not_slow_the_api(start: StartsRegistry, records: Store) -> None:
    hooks, api = start(FENCEPOST_REGISTRY__SERVES="hooks", **SIGNED), start(FENCEPOST_REGISTRY__SERVES="api")
    eventually(lambda: requests.get(f"{api.url}/readyz", timeout=10).ok, seconds=60)
    rows = [mail(datetime.now(UTC) - timedelta(seconds=number)) for number in range(100)]
    records.deliveries.insert(rows)
    alone = p95(api)
    over = Event()
    with ThreadPoolExecutor(4) as callers:
        floods = [callers.submit(flood, hooks, [row["_id"] for row in rows], over.is_set) for _ in range(4)]
        try:
            flooded = p95(api)
        finally:
            over.set()
    told = sum(each.result() for each in floods)
    assert told > 50, "that was no flood"
    assert flooded < 10 * alone + 0.5, f"{alone * 1000:.0f} ms without, {flooded * 1000:.0f} ms with"
    assert records.database.events.count_documents({}) == told


def p95(api: Process) -> float:
    """Of sixty readings, in seconds. Every one is answered."""
    times = []
    with requests.Session() as session:
        for _ in range(60):
            began = time.monotonic()
            session.get(f"{api.url}/emails?limit=25", timeout=30).raise_for_status()
            times.append(time.monotonic() - began)
    return sorted(times)[56]


def flood(hooks: Process, delivery_ids: list[str], is_over: Callable[[], bool]) -> int:
    """Events, one after the other, until it is over; how many. Every one is taken."""
    told = 0
    with requests.Session() as session:
        while not is_over():
            body = json.dumps(call(item(delivery_ids[told % len(delivery_ids)], "opened"), key=KEY))
            answer = session.post(
                f"{hooks.url}/hooks/mailgun", data=body, headers={"Content-Type": "application/json"}, timeout=30
            )
            assert answer.status_code == 200, answer.text
            told += 1
    return told


@pytest.mark.timeout(180)
def test_what_is_told_while_the_hooks_are_stopped_is_told_again_and_nothing_is_lost(
    stack: StartsStack, records: Store
) -> None:
    """The providers call again six hundred times as soon as they would: five minutes are half a second."""
    whole = stack(frontend=False, hooks=True, variables={"FENCEPOST_PROVIDERS__ORDER": "mailgun,sendgrid"})
    assert whole.hooks
    requests.put(f"{whole.simulator_url}/_simulator/dials", json={"opens": 1}, timeout=10).raise_for_status()
    assert requests.post(f"{whole.registry_url}/hooks/mailgun", json={}, timeout=10).status_code == 404

    assert whole.hooks.stop(30) == 0
    stopped_at = time.monotonic()
    batches = [posted(whole, provider) for provider in ("mailgun", "sendgrid")]
    eventually(lambda: states(whole, batches) == {"accepted"}, seconds=60)
    eventually(lambda: time.monotonic() - stopped_at > 1, seconds=30)
    events = records.database.events
    assert events.count_documents({}) == 0, "nobody was there to be told"

    whole.hooks.start().wait_ready()
    eventually(lambda: states(whole, batches) == {"delivered"}, seconds=90)
    eventually(lambda: all(each["tracking"]["opens"] == 1 for each in mails(whole, batches)), seconds=90)
    repeated = {"mailgun": ["accepted", "opened"], "sendgrid": ["accepted", "delivered", "opened"]}
    for provider, kinds in repeated.items():
        for kind in kinds:
            told = events.distinct("delivery_id", {"provider": provider, "kind": kind})
            assert len(told) == 10, f"{provider} never repeats `delivered`" if kind == "delivered" else (provider, kind)


def posted(whole: Stack, provider: str) -> str:
    """Ten mails by this provider; the batch."""
    body = {
        "from": "shop@sandbox.example.com",
        "to": [f"reader{number}@example.com" for number in range(10)],
        "subject": "Told again",
        "text": "Hello.",
        "providers": [provider],
    }
    answer = requests.post(f"{whole.registry_url}/emails", json=body, timeout=20)
    answer.raise_for_status()
    return str(answer.json()["id"])


def mails(whole: Stack, batches: list[str]) -> list[dict[str, Any]]:
    return [
        each
        for batch in batches
        for each in requests.get(f"{whole.registry_url}/emails?batch_id={batch}", timeout=20).json()["data"]
    ]


def states(whole: Stack, batches: list[str]) -> set[str]:
    return {each["state"] for each in mails(whole, batches)}
