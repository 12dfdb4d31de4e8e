"""How often a key may call, and how often an address may try keys that are none: across all workers, as Redis counts.

While Redis is away everybody is served. To answer without it is what keeps the API up; mail is sent by nobody then, since the fence
refuses what it can't decide.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import ceil
from typing import Final, cast

from flask import Flask, Response, current_app, g

from fencepost.clock import Clock
from fencepost.coordination.windows import Taken, Window
from fencepost.errors import FencepostError, Unreachable
from fencepost.logs import get_logger
from fencepost.metrics import Metrics
from fencepost.settings import Registry

log = get_logger(__name__)
Take = Callable[[str, Window], Taken]
"""Take one of a window, by the name of whom it limits. Raises Unreachable."""

AWAY_SECONDS: Final = 2.0
"""How long Redis is not asked again after it did not answer: nobody is to wait for it with every request."""
_LIMITS: Final = "limits"


class TooMany(FencepostError):
    """The caller has to wait for so long."""

    def __init__(self, sentence: str, wait_seconds: float) -> None:
        self.wait_seconds = wait_seconds
        super().__init__(sentence)


@dataclass(frozen=True, slots=True)
class Standing:
    """How a caller stands after this request, for the headers of the answer."""

    policy: str
    window: Window
    taken: Taken

    def headers(self) -> dict[str, str]:
        """As the IETF's draft of RateLimit fields has them."""
        wait = ceil(self.taken.wait_seconds)
        return {
            "RateLimit-Policy": f'"{self.policy}";q={self.window.most};w={ceil(self.window.seconds)}',
            "RateLimit": f'"{self.policy}";r={self.taken.left};t={wait}',
        }


class Limits:
    """The limits as one process sees them. Threads may share it."""

    def __init__(self, options: Registry, take: Take | None, clock: Clock, metrics: Metrics) -> None:
        """`take` None: nothing is limited."""
        self._take, self._clock = take, clock
        self._of_keys = Window(options.requests_per_second) if options.requests_per_second else None
        wrong = options.wrong_keys_per_minute
        self._of_addresses = Window(wrong, seconds=60) if wrong else None
        self._refused = metrics.counter("requests_limited_total", "Requests answered 429, by whose limit.", ["limit"])
        self._asks_again_at, self._is_away = 0.0, False

    def use(self, key_id: str) -> None:
        """A key calls. Raises TooMany."""
        self._count("key", key_id, self._of_keys, "this key has called too often")

    def miss(self, address: str) -> None:
        """An address has sent what is no key. Raises TooMany if it has done so too often: it is told no more than that."""
        self._count("address", address, self._of_addresses, "too many wrong keys came from this address")

    def _count(self, policy: str, name: str, window: Window | None, sentence: str) -> None:
        taken = self._ask(f"{policy}:{name}", window) if window else None
        if window is None or taken is None:
            return
        g.standing = Standing(policy, window, taken)
        if not taken.is_so:
            self._refused.labels(policy).inc()
            raise TooMany(f"{sentence}; there is room in {max(1, ceil(taken.wait_seconds))} s", taken.wait_seconds)

    def _ask(self, name: str, window: Window) -> Taken | None:
        """None: nobody can tell, or nobody is to be asked."""
        if self._take is None or self._clock.steady() < self._asks_again_at:
            return None
        try:
            taken = self._take(name, window)
        except Unreachable as error:
            self._asks_again_at = self._clock.steady() + AWAY_SECONDS
            if not self._is_away:
                log.warning("Nobody is limited while Redis is away.", action="limits.away", detail=str(error))
            self._is_away = True
            return None
        if self._is_away:
            log.info("Callers are limited again.", action="limits.back")
        self._is_away = False
        return taken


def install(app: Flask, limits: Limits) -> None:
    """Keep these limits, and tell in each answer how the caller stands."""
    app.extensions[_LIMITS] = limits

    @app.after_request
    def tell(response: Response) -> Response:
        standing: Standing | None = g.get("standing")
        if standing:
            response.headers.update(standing.headers())
        return response


def limits() -> Limits:
    """Those of the application that answers this request."""
    return cast(Limits, current_app.extensions[_LIMITS])
