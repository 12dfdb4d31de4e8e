"""Lua scripts that Redis runs as one step."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from redis import Redis
from redis.exceptions import NoScriptError


class Script:
    """A script of this folder. Redis forgets scripts with everything else; it is told again then."""

    def __init__(self, file: str) -> None:
        self._text = Path(__file__).with_name(file).read_text()
        self._digest = hashlib.sha1(self._text.encode(), usedforsecurity=False).hexdigest()

    def run(self, redis: Redis, keys: Sequence[str], arguments: Sequence[str | int]) -> Any:
        """What it answers. Raises what the client raises."""
        try:
            return redis.evalsha(self._digest, len(keys), *keys, *arguments)
        except NoScriptError:
            return redis.eval(self._text, len(keys), *keys, *arguments)
