"""Limits for those who come when they like: so many in any stretch of time, all at once if need be, across all processes.

`limits` spaces permits evenly, which is what whoever fills a pipe wants; a caller whose twenty requests come together would be refused
nineteen of them.
"""

from dataclasses import dataclass
from typing import NamedTuple

from fencepost import settings
from fencepost.coordination.redis_client import connect, unreachable_if_it_fails
from fencepost.coordination.scripts import Script


@dataclass(frozen=True, slots=True)
class Window:
    """No more than `most` in any `seconds` whatsoever. Redis keeps an instant of each."""

    most: int
    seconds: float = 1.0


class Taken(NamedTuple):
    """Whether there was one, how many are left, and in how many seconds there is one more."""

    is_so: bool
    left: int
    wait_seconds: float


class Windows:
    """The windows in one Redis database. May be used from several threads."""

    def __init__(self, config: settings.Redis) -> None:
        self._redis = connect(config)
        self._script = Script("windows.lua")

    def take(self, name: str, window: Window) -> Taken:
        """One, if there is any. Raises Unreachable; then it may have been taken."""
        with unreachable_if_it_fails():
            taken, left, wait = self._script.run(
                self._redis, [f"w:{name}"], [window.most, round(window.seconds * 1_000_000)]
            )
        return Taken(bool(taken), int(left), int(wait) / 1_000_000)

    def close(self) -> None:
        self._redis.close()
