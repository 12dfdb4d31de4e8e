"""From the secret in a request to the key on record, read anew so often that a revoked one is refused within a second."""

from collections.abc import Callable
from typing import Any, Final

from fencepost import ids
from fencepost.api_keys import ApiKey, id_in, is_secret_of
from fencepost.clock import Clock
from fencepost.errors import FencepostError
from fencepost.store.api_keys import USED_EVERY

KEPT_SECONDS: Final = 0.5
"""How old what is known of a key may be: half of what is promised, the rest is for slow machines."""
_MOST: Final = 10_000


class Unauthenticated(FencepostError):
    """The request names no key, or none that opens anything."""


class Keyring:
    """The keys that this process has seen lately. Threads may share it."""

    def __init__(self, find: Callable[[str], ApiKey | None], clock: Clock, pepper: str | None) -> None:
        """`find` gives the key of an id, None if there is none, and may raise Unreachable."""
        self._find = find
        self._clock = clock
        self._pepper = pepper
        self._read: dict[str, tuple[float, ApiKey]] = {}
        self._used: dict[str, float] = {}

    def key_of(self, secret: str) -> ApiKey:
        """The valid key with this secret. Raises Unauthenticated, and Unreachable where that can't be told."""
        key_id = id_in(secret, ids.API_KEY)
        key = self._get(key_id) if key_id else None
        if key is None or not is_secret_of(secret, key.digest, self._pepper):
            raise Unauthenticated("this is not the secret of any key")
        if why := key.why_refused(self._clock.now()):
            raise Unauthenticated(why)
        return key

    def forget(self, key_id: str) -> None:
        """It has changed: read it anew."""
        self._read.pop(key_id, None)

    def notes_use(self, key_id: str) -> bool:
        """Whether a use of now is to be written, since the last that this process wrote is long ago."""
        now = self._clock.steady()
        last = self._used.get(key_id)
        if last is not None and now - last < USED_EVERY.total_seconds():
            return False
        _make_room(self._used)
        self._used[key_id] = now
        return True

    def _get(self, key_id: str) -> ApiKey | None:
        before = self._clock.steady()  # counted from before the question: the answer may be as old as that
        known = self._read.get(key_id)
        if known and before - known[0] < KEPT_SECONDS:
            return known[1]
        key = self._find(key_id)
        if key is None:
            self.forget(key_id)
            return None
        _make_room(self._read)
        self._read[key_id] = (before, key)
        return key


def _make_room(found: dict[str, Any]) -> None:
    if len(found) >= _MOST:
        found.clear()
