"""Fixtures for tests of senders: `world` for one test, the nursery and the provider behind it for all of them.

A conftest.py takes them over by importing them.
"""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Protocol

import pytest

from devstack.stack import ROOT
from tests.support.nursery import Nursery
from tests.support.provider import Provider
from tests.support.territory import Territory
from tests.support.world import World

__all__ = ["fallback", "make_world", "nursery", "provider", "world"]


@pytest.fixture(scope="session")
def nursery() -> Iterator[Nursery]:
    """A process that has imported the sender and forks as many as are wanted."""
    own = Nursery()
    yield own
    own.close()


def _started(folder: Path) -> Iterator[Provider]:
    variables = {name: value for name, value in os.environ.items() if not name.startswith("FENCEPOST_")}
    own = Provider(folder, {**variables, "PYTHONPATH": str(ROOT)})
    own.process.start().wait_ready()
    yield own
    own.close()


@pytest.fixture(scope="session")
def _provider(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Provider]:
    yield from _started(tmp_path_factory.mktemp("provider"))


@pytest.fixture(scope="session")
def _fallback(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Provider]:
    yield from _started(tmp_path_factory.mktemp("fallback"))


@pytest.fixture
def provider(_provider: Provider) -> Provider:
    """The provider, which answers at once and has accepted nothing yet."""
    return _fresh(_provider)


@pytest.fixture
def fallback(_fallback: Provider) -> Provider:
    """A second provider, which knows nothing of the first."""
    return _fresh(_fallback)


def _fresh(provider: Provider) -> Provider:
    if not provider.process.alive:
        provider.process.start().wait_ready()
    provider.forget()
    return provider


class MakesWorld(Protocol):
    """Makes a world in this test's territory; the variables win over everything, so a private server may be among them."""

    def __call__(self, variables: Mapping[str, str] = ...) -> World: ...


@pytest.fixture
def make_world(nursery: Nursery, provider: Provider, territory: Territory, tmp_path: Path) -> Iterator[MakesWorld]:
    """A factory of worlds that live on this test's territory."""
    worlds: list[World] = []

    def make(variables: Mapping[str, str] = {}) -> World:
        folder = tmp_path / f"world-{len(worlds)}"
        worlds.append(World(nursery, provider, folder, {**territory.variables, **variables}))
        return worlds[-1]

    yield make
    for each in worlds:
        each.close()


@pytest.fixture
def world(make_world: MakesWorld) -> World:
    """A world without senders: no mail is due in it yet."""
    return make_world()
