"""Where the next attempt of a mail goes: the senders' own decisions, over providers that are well one moment and not the next."""

from collections.abc import Mapping
from datetime import timedelta
from random import Random
from typing import Any, Protocol

from fencepost.deliveries import Delivery
from fencepost.failover import Standing, choose, moves_on
from sender.passes import Router
from tests.support.routes import Always

PROVIDERS = ("mailgun", "ses")
_WAIT = timedelta(seconds=1)
_SHARES = (0, 0.4, 1, 1, 1)


class Routing(Router, Protocol):
    """What the loop asks before it claims, and the courier when a mail was not accepted."""

    def moves_on(self, row: Delivery) -> bool:
        """Whether another provider can take it at once."""
        ...


class Single(Always):
    """There is one provider, and it is always well."""

    def moves_on(self, row: Delivery) -> bool:
        return False


class Failover:
    """Two, of which the second takes what the first can't; how they stand is another matter each time it is asked, as it is for
    senders that hear of it at different times."""

    def __init__(self, random: Random) -> None:
        self._random = random

    def provider(self, row: Delivery, definition: Mapping[str, Any]) -> str | timedelta:
        return choose(row, self._standings()) or _WAIT

    def moves_on(self, row: Delivery) -> bool:
        return moves_on(row, self._standings())

    def _standings(self) -> dict[str, Standing]:
        return {name: Standing(float(name == PROVIDERS[0]), self._random.choice(_SHARES)) for name in PROVIDERS}
