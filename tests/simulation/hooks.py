"""What the provider tells by itself, as registry/hooks.py takes it: it is on record first, and then settles what it can settle."""

from random import Random

from fencepost.deliveries import Delivery
from fencepost.errors import Unreachable
from fencepost.events import Event
from fencepost.reconciliation import taken
from tests.simulation.clocks import SimulatedClock
from tests.simulation.steps import Sleep, Steps
from tests.simulation.store import SimulatedStore

_AGAIN_SECONDS = (0, 1, 5, 20)
_TOLD_TWICE = 0.1


class Hooks:
    """Webhooks that arrive at the registry: none, once, or more than once."""

    def __init__(self, store: SimulatedStore, clock: SimulatedClock, random: Random) -> None:
        self._store, self._clock, self._random = store, clock, random

    def tell(self, event: Event) -> Steps[None]:
        """The provider calls until it is answered, or has had enough of it."""
        for seconds in _AGAIN_SECONDS:
            yield Sleep(seconds)
            try:
                yield from self.take(event)
            except Unreachable:
                continue
            if self._random.random() >= _TOLD_TWICE:
                return

    def take(self, event: Event) -> Steps[None]:
        """One call of its."""
        row: Delivery | None = yield from self._store.deliveries.find(event.delivery_id)
        if row is None:
            return
        yield from self._store.records.insert(event)
        settlement = taken(row, [self.read(event)], self._clock.now())
        if settlement:
            yield from self._store.deliveries.settle_by_event(settlement)

    def read(self, event: Event) -> Event:
        """What is made of it."""
        return event
