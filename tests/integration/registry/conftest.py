"""The registry in this process, on a store that is emptied after each test."""

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from devstack.servers import Servers
from fencepost.coordination.breakers import Breaker
from fencepost.coordination.cluster import ClusterView
from fencepost.settings import Settings, load
from fencepost.store import Store
from registry.app import create_app
from registry.parts import Parts
from registry.startup import Startup
from tests.support.api import Api, MovableClock
from tests.support.territory import Territory


@pytest.fixture(scope="session")
def registry_settings(servers: Servers) -> Iterator[Settings]:
    territory = Territory.fresh(servers)
    yield load(territory.variables)
    territory.clear()


@pytest.fixture(scope="session")
def migrated(registry_settings: Settings) -> Iterator[Store]:
    store = Store.open(registry_settings.mongodb)
    store.migrate()
    yield store
    store.close()


@pytest.fixture
def store(migrated: Store) -> Iterator[Store]:
    yield migrated
    for name in migrated.database.list_collection_names():
        if name != "migrations":
            migrated.database[name].delete_many({})


@pytest.fixture
def clock() -> MovableClock:
    return MovableClock(datetime(2026, 3, 2, 8, 0, 0, 250_000, tzinfo=UTC))


@pytest.fixture
def nudges() -> list[None]:
    """One entry for each time the senders were woken."""
    return []


@pytest.fixture
def parts(registry_settings: Settings, store: Store, clock: MovableClock, nudges: list[None]) -> Parts:
    return Parts(
        settings=registry_settings,
        store=store,
        startup=Startup(store, registry_settings.sender.shards),
        clock=clock,
        nudge=lambda: nudges.append(None),
        read_cluster=lambda: ClusterView((), ()),
        ping_redis=lambda: None,
        read_breakers=lambda: {"mailgun": Breaker()},
        read_caps=lambda _now: {},
    )


@pytest.fixture
def api(parts: Parts) -> Api:
    return Api(create_app(parts).test_client())
