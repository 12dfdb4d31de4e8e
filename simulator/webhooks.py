"""Webhooks: what happened to a mail is told to whoever is set to hear it, late, twice, in disorder or never as the dials say; signed,
gathered and repeated as each provider does it."""

import heapq
import itertools
import threading
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import urlsplit, urlunsplit

import requests

from fencepost.logs import get_logger
from fencepost.settings import Simulator
from simulator.dials import Dials
from simulator.fates import Happening
from simulator.mailgun_hooks import MailgunHooks
from simulator.mailjet_hooks import MailjetHooks
from simulator.sendgrid_hooks import SendGridHooks
from simulator.sns_hooks import PREFIX, SnsHooks

log = get_logger(__name__)

SHORTEST_WAIT_SECONDS = 0.5
"""Between two tries, however much faster than the provider it is."""
_CALL_SECONDS = 3


class Telling(Protocol):
    """How one provider tells."""

    provider: str
    waits_seconds: Sequence[float]
    """Before each repetition of a call that was not taken."""
    gather_seconds: float
    most: int
    """What happens within that time goes in one call, so many at most."""

    def tells(self, happening: Happening) -> bool:
        """Whether it has a word for this."""
        ...

    def body(self, happenings: Sequence[Happening], now: float) -> bytes:
        """One call, the same whenever it is repeated."""
        ...

    def headers(self, body: bytes, now: float) -> dict[str, str]: ...

    def is_over(self, status: int | None, happenings: Sequence[Happening]) -> bool:
        """Whether a call that was answered so is not repeated; None: it was not answered."""
        ...


@dataclass(frozen=True, slots=True, order=True)
class _Due:
    """What is to be told at `due`, in seconds since 1970."""

    due: float
    number: int
    happenings: tuple[Happening, ...]
    tries: int = 0
    body: bytes = b""
    """What an earlier try said: a repetition says the same."""


class Webhooks:
    """All providers that have by what their calls are known, each with a thread of its own."""

    def __init__(self, settings: Simulator, dials: Dials) -> None:
        """Raises ValueError for keys that are none."""
        self.sns: SnsHooks | None = None
        self._dials = dials
        self._speedup = settings.webhook_speedup
        self._tellings = {each.provider: each for each in self._known(settings)}
        self._tellers = {name: Teller(each, self._speedup) for name, each in self._tellings.items()}
        self._registered: dict[str, dict[str, Teller]] = {name: {} for name in self._tellings}
        self.point(settings.hooks_url)

    def point(self, url: str | None) -> None:
        """From now on `<url>/<provider>` is called; None: nobody. What was still to be told is forgotten."""
        for name, teller in self._tellers.items():
            teller.point(f"{url.rstrip('/')}/{name}" if url else None)

    def register(self, provider: str, urls: Sequence[str]) -> None:
        """From now on a provider calls exactly these as well. SNS, which has one subscription here, does so where it calls nowhere
        else."""
        teller = self._tellers.get(provider)
        if teller is None:
            return
        if provider == "ses":
            if urls and teller.url is None:
                teller.point(urls[0])
            return
        known = self._registered[provider]
        wanted = [url for url in urls if without_credentials(url) != teller.url]
        for url in known.keys() - wanted:
            known[url].point(None)
        tellers = {url: known.get(url) or Teller(self._tellings[provider], self._speedup) for url in wanted}
        for url in wanted:
            if url not in known:
                tellers[url].point(url)
        self._registered[provider] = tellers

    @property
    def public_key(self) -> str:
        """What verifies calls in SendGrid's dialect; empty where there is none."""
        found = self._tellings.get("sendgrid")
        return found.public_key if isinstance(found, SendGridHooks) else ""

    def put(self, happening: Happening) -> None:
        """Tell of this; returns at once."""
        provider = happening.entry.mail.provider
        if provider in self._tellers:
            for teller in (self._tellers[provider], *self._registered[provider].values()):
                teller.put(happening, self._dials.webhook_delays_seconds())

    def _known(self, settings: Simulator) -> Iterable[Telling]:
        if settings.webhook_signing_key:
            yield MailgunHooks(settings.webhook_signing_key.get_secret_value())
        if settings.sendgrid_webhook_key:
            yield SendGridHooks(settings.sendgrid_webhook_key.get_secret_value())
        if settings.mailjet_webhook_credentials:
            yield MailjetHooks(settings.mailjet_webhook_credentials.get_secret_value())
        if settings.topic_arn:
            self.sns = SnsHooks(
                settings.topic_arn, settings.sns_base_url or f"http://127.0.0.1:{settings.port}{PREFIX}"
            )
            yield self.sns


class Teller:
    """A thread that makes one provider's calls, one after the other. Whoever answers a request for mail waits for none of it."""

    def __init__(self, telling: Telling, speedup: float) -> None:
        """It repeats calls `speedup` times as fast as the provider does."""
        self._telling, self._speedup = telling, speedup
        self._url: str | None = None
        self._queue: list[_Due] = []
        self._numbers = itertools.count()
        self._more = threading.Condition()
        self._http = requests.Session()
        self._http.trust_env = False
        threading.Thread(target=self._run, name=f"webhooks-{telling.provider}", daemon=True).start()

    @property
    def url(self) -> str | None:
        """Whom it calls."""
        return self._url

    def point(self, url: str | None) -> None:
        with self._more:
            self._url, self._queue = url, []
            if isinstance(self._telling, SnsHooks):
                self._telling.subscribe()
            self._more.notify()

    def put(self, happening: Happening, delays_seconds: Sequence[float]) -> None:
        with self._more:
            if self._url and self._telling.tells(happening):
                for delay in delays_seconds:
                    due = happening.at + delay + self._telling.gather_seconds
                    heapq.heappush(self._queue, _Due(due, next(self._numbers), (happening,)))
                self._more.notify()

    def _run(self) -> None:
        while True:
            url, due = self._next()
            try:
                if due is None:
                    self._invite(url)
                else:
                    self._tell(url, due)
            except Exception:
                log.exception("A webhook broke; the next one follows.", action="webhook.failed")

    def _next(self) -> tuple[str, _Due | None]:
        """What is due, and where it goes; None where first a subscription is to be confirmed."""
        with self._more:
            while True:
                if self._url and isinstance(self._telling, SnsHooks) and not self._telling.is_open:
                    return self._url, None
                now = time.time()
                if self._url and self._queue and self._queue[0].due <= now:
                    return self._url, self._gathered(heapq.heappop(self._queue), now)
                self._more.wait(self._queue[0].due - now if self._queue else None)

    def _gathered(self, first: _Due, now: float) -> _Due:
        """It, with what has happened until now as well; a call that is repeated stays what it was."""
        found = [*first.happenings]
        soon = now + self._telling.gather_seconds
        while (
            not first.body
            and len(found) < self._telling.most
            and self._queue
            and not self._queue[0].body
            and self._queue[0].due <= soon
        ):
            found += heapq.heappop(self._queue).happenings
        return _Due(first.due, first.number, tuple(found), first.tries, first.body)

    def _tell(self, url: str, due: _Due) -> None:
        body = due.body or self._telling.body(due.happenings, time.time())
        if self._telling.is_over(self._post(url, body), due.happenings):
            return
        if due.tries == len(self._telling.waits_seconds):
            log.warning("Nobody takes a webhook; it is given up.", action="webhook.given_up", url=url)
            return
        again = time.time() + max(SHORTEST_WAIT_SECONDS, self._telling.waits_seconds[due.tries] / self._speedup)
        with self._more:
            if url == self._url:
                heapq.heappush(self._queue, _Due(again, next(self._numbers), due.happenings, due.tries + 1, body))

    def _invite(self, url: str) -> None:
        """Ask for the confirmation of a subscription, until it comes. (The true SNS would ask a few times only.)"""
        assert isinstance(self._telling, SnsHooks)
        self._post(url, self._telling.invitation(time.time()))
        with self._more:
            if not self._telling.is_open and url == self._url:
                self._more.wait(SHORTEST_WAIT_SECONDS)

    def _post(self, url: str, body: bytes) -> int | None:
        """The status of the answer; None: there was none."""
        headers = {**self._telling.headers(body, time.time()), "User-Agent": "simulator"}
        try:
            answer = self._http.post(url, data=body, headers=headers, timeout=_CALL_SECONDS, allow_redirects=False)
        except requests.RequestException:
            return None
        return answer.status_code


def without_credentials(url: str) -> str:
    """The address without a user and a password before its host."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
