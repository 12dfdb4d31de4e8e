"""Where the mails of one pass go: each to a provider that is usable, and no more than its limits let through in time."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

from fencepost.coordination.limits import Rate
from fencepost.deliveries import Delivery
from fencepost.failover import BreakerState, Standing, choose, preferences
from fencepost.messages import sending_domain
from fencepost.settings import Settings
from sender.health import Health
from sender.passes import Claimed

_AHEAD_SECONDS = 2.0
"""So much mail is claimed ahead of its permits: less than an attempt may take, enough that no permit goes unused."""
_LOOK_AGAIN, _FOR_EACH_BEFORE = timedelta(seconds=1), timedelta(milliseconds=50)
"""When to look again at mail none of whose providers is usable: later by so much for each that was found before it in the pass, since
putting off a long backlog every second is all that a database would do."""
_LOOK_AGAIN_SPENT = timedelta(seconds=30)
"""The same where one has had all its calls of today: that lasts, if nobody changes what is set."""
_SHORTEST, _LONGEST = 0.25, 30.0

Lane = tuple[str, str]
"""The provider of a mail, and its sending domain where those have limits; else empty. What waits in one is stopped by nothing
that stops another."""


class Lanes:
    """The limits as they are set, and which of them a mail comes under."""

    def __init__(self, settings: Settings) -> None:
        most = settings.failover.max_per_second_per_domain
        self._domains = Rate(most) if most else None
        self._providers = {
            name: Rate(limit)
            for name in settings.providers.order
            if (limit := settings.providers.account(name).max_per_second)
        }

    def of(self, provider: str, domain: str) -> Lane:
        """The lane of a mail to this provider, from this domain."""
        return provider, domain if self._domains else ""

    def of_claimed(self, item: Claimed) -> Lane:
        return self.of(item.attempt["provider"], item.renderer.sending_domain)

    def rates(self, lane: Lane) -> tuple[tuple[str, Rate], ...]:
        """What a mail of this lane needs a permit of, each by its name; empty: of nothing."""
        provider, domain = lane
        found = []
        if provider in self._providers:
            found.append((f"provider:{provider}", self._providers[provider]))
        if domain and self._domains:
            found.append((f"domain:{domain}", self._domains))
        return tuple(found)


class Routes:
    """The router of the loop. `waiting` is what has been claimed and waits, by lane. Belongs to one thread."""

    def __init__(self, health: Health, lanes: Lanes, waiting: Callable[[], Counter[Lane]]) -> None:
        self._health, self._lanes, self._waiting = health, lanes, waiting
        self._standings: dict[str, Standing] = {}
        self._claimed: Counter[str] = Counter()
        self._left: dict[str, int] = {}
        self._stranded = 0
        self.begin()

    def begin(self) -> None:
        """Begin a pass: read how things stand now."""
        self._standings = self._health.standings()
        self._left = {name: each.left for name, each in self._standings.items() if each.left is not None}
        self._claimed = Counter()
        self._stranded = 0
        for lane, count in self._waiting().items():
            for name, _ in self._lanes.rates(lane):
                self._claimed[name] += count
            self._use(lane[0], count)

    def room(self, room: int) -> int:
        """How many may be claimed, where there is room for so many: none while no provider is usable, one to find out."""
        usable = [name for name, standing in self._standings.items() if standing.enabled and standing.share > 0]
        finding_out = sum(self._health.state(name) is BreakerState.HALF_OPEN for name in usable)
        return room if finding_out < len(usable) else min(room, finding_out)

    def seek(self, rows: Sequence[Delivery]) -> None:
        """These wait: if some would go to a provider that is left alone, ask whether one may find out. Without rows that are known
        yet, for those that usually come first."""
        if all(standing.share == 1 or not standing.enabled for standing in self._standings.values()):
            return
        wanted: set[str] = set()
        enabled = [name for name, standing in self._standings.items() if standing.enabled]
        for names in [preferences(row, self._standings) for row in rows] or [enabled]:
            first = next((at for at, name in enumerate(names) if self._standings[name].share == 1), len(names))
            wanted.update(names[:first])
        self._health.seek(wanted)
        self.begin()

    def provider(self, row: Delivery, definition: Mapping[str, Any]) -> str | timedelta:
        """The port Router."""
        name = choose(row, self._standings)
        if name is None:
            self._stranded += 1
            if any(self._standings[each].left == 0 for each in preferences(row, self._standings)):
                return _LOOK_AGAIN_SPENT
            return min(_LOOK_AGAIN + (self._stranded - 1) * _FOR_EACH_BEFORE, timedelta(seconds=_LONGEST))
        rates = self._lanes.rates(self._lanes.of(name, sending_domain(definition)))
        for limit, rate in rates:
            self._claimed[limit] += 1
            per_second = rate.most / rate.seconds
            ahead = self._claimed[limit] - max(1.0, per_second * _AHEAD_SECONDS)
            if ahead > 0:
                return timedelta(seconds=min(_LONGEST, max(_SHORTEST, ahead / per_second)))
        if self._health.reserve(name):
            self._standings = self._health.standings()
        self._use(name, 1)
        return name

    def _use(self, name: str, count: int) -> None:
        """So many calls of its day are spoken for; when all are, mail goes elsewhere."""
        if name in self._left:
            self._left[name] -= count
        for spent in (each for each, left in self._left.items() if left <= 0):
            self._standings[spent] = replace(self._standings[spent], share=0.0)
