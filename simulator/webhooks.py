"""Mailgun's webhooks: what happened to a mail is told to whoever is set to hear it, late, twice, in disorder or never as the
dials say."""

import hashlib
import heapq
import hmac
import itertools
import json
import secrets
import threading
import time
from dataclasses import dataclass

import requests

from fencepost.logs import get_logger
from simulator.dials import Dials
from simulator.events import Event

log = get_logger(__name__)

WAITS_SECONDS = (0.5, 1, 1.5, 3, 6, 12, 24)
"""Before each repetition: Mailgun's 5, 10, 15, 30 minutes, 1, 2 and 4 hours, six hundred times as fast."""
NEVER_REPEATED = ("delivered",)
GIVE_UP = 406
_CALL_SECONDS = 3


@dataclass(frozen=True, slots=True, order=True)
class _Telling:
    """One call that is to be made at `due`, in seconds since 1970."""

    due: float
    number: int
    event: Event
    tries: int = 0
    body: bytes = b""
    """What an earlier try said: a repetition says the same."""


class Webhooks:
    """A thread that makes the calls, one after the other. Whoever answers a request for mail waits for none of it."""

    def __init__(self, url: str, key: str, dials: Dials) -> None:
        self._url, self._key, self._dials = url, key, dials
        self._queue: list[_Telling] = []
        self._numbers = itertools.count()
        self._more = threading.Condition()
        self._http = requests.Session()
        self._http.trust_env = False
        self._thread = threading.Thread(target=self._run, name="webhooks", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def put(self, event: Event) -> None:
        """Tell of this; returns at once."""
        for delay in self._dials.webhook_delays_seconds():
            self._queue_up(event.at + delay, event)

    def _queue_up(self, due: float, event: Event, tries: int = 0, body: bytes = b"") -> None:
        with self._more:
            heapq.heappush(self._queue, _Telling(due, next(self._numbers), event, tries, body))
            self._more.notify()

    def _run(self) -> None:
        while True:
            telling = self._next()
            try:
                self._tell(telling)
            except Exception:
                log.exception("A webhook broke; the next one follows.", action="webhook.failed")

    def _next(self) -> _Telling:
        with self._more:
            while not self._queue or self._queue[0].due > time.time():
                self._more.wait(self._queue[0].due - time.time() if self._queue else None)
            return heapq.heappop(self._queue)

    def _tell(self, telling: _Telling) -> None:
        body = telling.body or signed(telling.event, self._key, time.time())
        answer = self._post(body)
        if answer in (200, GIVE_UP) or telling.event.kind in NEVER_REPEATED:
            return
        if telling.tries == len(WAITS_SECONDS):
            log.warning("Nobody takes a webhook; it is given up.", action="webhook.given_up", url=self._url)
            return
        wait = WAITS_SECONDS[telling.tries]
        self._queue_up(time.time() + wait, telling.event, telling.tries + 1, body)

    def _post(self, body: bytes) -> int | None:
        headers = {"Content-Type": "application/json", "User-Agent": "simulator"}
        try:
            answer = self._http.post(
                self._url, data=body, headers=headers, timeout=_CALL_SECONDS, allow_redirects=False
            )
        except requests.RequestException:
            return None
        return answer.status_code


def signed(event: Event, key: str, now: float) -> bytes:
    """The body of one call, with a signature of its own."""
    timestamp, token = str(int(now)), secrets.token_hex(25)
    signature = hmac.new(key.encode(), f"{timestamp}{token}".encode(), hashlib.sha256).hexdigest()
    name = {"timestamp": timestamp, "token": token, "signature": signature}
    return json.dumps({"signature": name, "event-data": event.as_json()}).encode()
