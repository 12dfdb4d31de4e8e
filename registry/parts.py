"""What the views work with, built once for each process and handed to create_app."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeVar, cast

from flask import current_app

from fencepost.caps import Cap
from fencepost.clock import Clock
from fencepost.coordination.breakers import Breaker
from fencepost.coordination.cluster import ClusterView
from fencepost.egress import Resolve
from fencepost.errors import Unreachable
from fencepost.names import resolve
from fencepost.providers.asking import Ask, ask
from fencepost.providers.fetching import fetch
from fencepost.settings import Settings
from fencepost.store import Store
from registry.limiting import Take
from registry.queues import Queues
from registry.startup import Startup
from registry.texts import Texts

EXTENSION = "fencepost"
Read = TypeVar("Read")


@dataclass(frozen=True, slots=True)
class Parts:
    """The ports of the registry. `read_cluster`, `ping_redis`, `read_breakers` and `read_caps` raise Unreachable; `nudge`
    never raises."""

    settings: Settings
    store: Store
    startup: Startup
    clock: Clock
    nudge: Callable[[], None]
    read_cluster: Callable[[], ClusterView]
    ping_redis: Callable[[], None]
    read_breakers: Callable[[], dict[str, Breaker]]
    read_caps: Callable[[datetime], dict[str, Cap]]
    texts: Texts = field(default_factory=Texts)
    resolve: Resolve = resolve
    """Addresses of names; for where webhooks may go."""
    queues: Queues = field(default_factory=Queues)
    fetch: Callable[[str], bytes] = fetch
    """What stands at an address that a provider's call names; raises Unreachable."""
    take: Take | None = None
    """What callers are limited by; None: by nothing."""
    ask: Ask = ask
    """A call to a provider's API that is not about a mail; raises Unreachable."""


def parts() -> Parts:
    """The parts of the application that answers this request."""
    return cast(Parts, current_app.extensions[EXTENSION])


def if_it_answers(read: Callable[[], Read]) -> Read | None:
    """What it reads; None where the server behind it does not answer."""
    try:
        return read()
    except Unreachable:
        return None
