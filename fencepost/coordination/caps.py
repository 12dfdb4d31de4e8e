"""Daily caps that hold across all processes: the calls of a day are counted in Redis (caps.lua)."""

from collections.abc import Mapping
from datetime import datetime
from itertools import chain

from fencepost import settings
from fencepost.caps import Cap, day_of, most_on
from fencepost.coordination.redis_client import connect, unreachable_if_it_fails
from fencepost.coordination.scripts import Script

_COUNTERS_LAST_SECONDS = 2 * 86_400


class Caps:
    """The caps of all providers of FENCEPOST_PROVIDERS__ORDER that have one. May be used from several threads.

    A call is taken before it is made, so that there are never more than the cap; what a lost sender had taken and not made is lost
    for the day. If Redis forgets everything, so are the calls made until then.
    """

    def __init__(self, config: settings.Redis, providers: settings.Providers) -> None:
        self._redis = connect(config)
        self._script = Script("caps.lua")
        accounts = {name: providers.account(name) for name in providers.order}
        self._accounts = {name: account for name, account in accounts.items() if account.is_capped}

    def limits(self, name: str) -> bool:
        """Whether this provider has a cap."""
        return name in self._accounts

    def read(self, now: datetime) -> dict[str, Cap]:
        """How those that have a cap stand. Raises Unreachable."""
        return {name: cap for name, (_, cap) in self.take(dict.fromkeys(self._accounts, 0), now).items()}

    def take(self, wanted: Mapping[str, int], now: datetime) -> dict[str, tuple[int, Cap]]:
        """So many calls of today for each of these, or as many as there are left; negative: they were taken and not made. How many
        of them, and how the provider stands by then; nothing for those without a cap. Raises Unreachable; then they may have been
        taken."""
        day = day_of(now)
        mosts = {name: most_on(self._accounts[name], day) or 0 for name in wanted if name in self._accounts}
        if not mosts:
            return {}
        arguments = chain(*((wanted[name], most) for name, most in mosts.items()), [_COUNTERS_LAST_SECONDS])
        with unreachable_if_it_fails():
            answers = self._script.run(self._redis, [f"c:{name}:{day}" for name in mosts], list(arguments))
        return {
            name: (int(granted), Cap(most, int(taken)))
            for (name, most), (granted, taken) in zip(mosts.items(), answers, strict=True)
        }

    def close(self) -> None:
        self._redis.close()
