"""A migrated store in this test's own database."""

from collections.abc import Iterator

import pytest

from fencepost.settings import Settings
from fencepost.store import Store


@pytest.fixture
def store(settings: Settings) -> Iterator[Store]:
    opened = Store.open(settings.mongodb)
    opened.migrate()
    yield opened
    opened.close()
