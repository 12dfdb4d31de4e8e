"""Servers that are away: one sentence when they go, one a minute while they are gone, one when they are back."""

from dataclasses import dataclass, field
from threading import Lock

from structlog.typing import FilteringBoundLogger

from fencepost.clock import Clock
from fencepost.errors import Unreachable
from fencepost.logs import get_logger

_REPEAT_SECONDS = 60.0
_QUIET_SECONDS = 2.0
"""Several threads use a server, and a slow one answers some of them: it is back once none was left waiting for so long."""


@dataclass(slots=True)
class _Outage:
    since: float
    said_at: float
    failed_at: float
    detail: str
    answers: bool = False


@dataclass(slots=True)
class Outages:
    """Which servers this sender waits for, by name, and since when (steady seconds)."""

    clock: Clock
    log: FilteringBoundLogger = field(default_factory=lambda: get_logger(__name__))
    _away: dict[str, _Outage] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)

    def note(self, error: Unreachable) -> None:
        """This server did not answer."""
        now = self.clock.steady()
        with self._lock:
            outage = self._away.setdefault(error.server, _Outage(now, now - _REPEAT_SECONDS, now, ""))
            outage.failed_at, outage.detail, outage.answers = now, str(error), False
            if now - outage.said_at < _REPEAT_SECONDS:
                return
            outage.said_at = now
        self.log.warning(
            "A server is away, or can't be used; work waits for it, and nothing is sent without it.",
            action="server.away",
            server=error.server,
            seconds=round(now - outage.since, 1),
            detail=str(error),
        )

    def over(self, server: str) -> None:
        """This server answers."""
        if server not in self._away:
            return
        now = self.clock.steady()
        with self._lock:
            outage = self._away.get(server)
            if outage is None:
                return
            outage.answers = True
            if now - outage.failed_at < _QUIET_SECONDS:
                return
            del self._away[server]
        seconds = round(outage.failed_at - outage.since, 1)
        self.log.info("The server answers again; work goes on.", action="server.back", server=server, seconds=seconds)

    def current(self) -> dict[str, str]:
        """What is away now, with what was said of it; not what has just answered."""
        with self._lock:
            return {server: outage.detail for server, outage in self._away.items() if not outage.answers}
