"""Senders on real servers that break in every way that is known, one after the other."""

import pytest

from devstack.processes import Process
from tests.support.clusters import come_back
from tests.support.worlds import _provider, make_world, nursery, provider, world

__all__ = ["_provider", "make_world", "members", "nursery", "provider", "world"]


@pytest.fixture
def members(_members: list[Process]) -> list[Process]:
    """All of the module's own `_members` well, whatever the last test left them in."""
    come_back(_members)
    return _members
