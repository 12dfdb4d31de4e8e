"""Servers that are away: one sentence when they go, one a minute while they are gone, one when they are back."""

from dataclasses import dataclass, field
from threading import Lock

from fencepost.clock import Clock
from fencepost.errors import Unreachable
from fencepost.logs import get_logger

log = get_logger(__name__)
_REPEAT_SECONDS = 60.0


@dataclass(slots=True)
class Outages:
    """Which servers this sender waits for, by name, and since when (steady seconds)."""

    clock: Clock
    _since: dict[str, float] = field(default_factory=dict)
    _said: dict[str, float] = field(default_factory=dict)
    _details: dict[str, str] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)

    def note(self, error: Unreachable) -> None:
        """This server did not answer."""
        now = self.clock.steady()
        with self._lock:
            since = self._since.setdefault(error.server, now)
            self._details[error.server] = str(error)
            if now - self._said.get(error.server, -_REPEAT_SECONDS) < _REPEAT_SECONDS:
                return
            self._said[error.server] = now
        log.warning(
            "A server does not answer; work waits for it, nothing is sent without it.",
            action="server.away",
            server=error.server,
            seconds=round(now - since, 1),
            detail=str(error),
        )

    def over(self, server: str) -> None:
        """This server answers."""
        if server not in self._since:
            return
        with self._lock:
            since = self._since.pop(server, None)
            self._said.pop(server, None)
            self._details.pop(server, None)
        if since is not None:
            seconds = round(self.clock.steady() - since, 1)
            log.info("The server answers again; work goes on.", action="server.back", server=server, seconds=seconds)

    def current(self) -> dict[str, str]:
        """What is away now, with what was said of it."""
        with self._lock:
            return dict(self._details)
