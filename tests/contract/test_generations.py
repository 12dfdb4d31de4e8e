"""The record of generations, in MongoDB and in the double that tests use."""

from collections.abc import Iterator

import pytest

from fencepost.coordination.generations import Generations
from fencepost.generations import Generation
from fencepost.settings import Settings
from fencepost.store import Store
from tests.support.members import MemoryGenerations


@pytest.fixture(params=["mongodb", "memory"])
def record(request: pytest.FixtureRequest) -> Iterator[Generations]:
    if request.param == "memory":
        yield MemoryGenerations()
        return
    settings: Settings = request.getfixturevalue("settings")
    store = Store.open(settings.mongodb)
    yield store.cluster
    store.close()


def test_before_the_first_generation_there_is_one_of_value_0(record: Generations) -> None:
    assert record.current() == Generation(0, "", 0)


def test_a_generation_is_begun_once(record: Generations) -> None:
    seen = record.current()
    assert record.raise_from(seen, "mine") == Generation(1, "mine", 0)
    assert record.raise_from(seen, "theirs") == Generation(1, "mine", 0), "they come too late and get what is current"
    assert record.current() == Generation(1, "mine", 0)


def test_a_generation_follows_only_the_one_that_was_seen(record: Generations) -> None:
    first = record.raise_from(record.current(), "first")
    second = record.raise_from(first, "second")
    assert second == Generation(2, "second", 0)
    assert record.raise_from(first, "again") == second
    assert record.raise_from(Generation(2, "another nonce", 0), "third") == second


def test_the_highest_revision_is_kept_until_the_next_generation(record: Generations) -> None:
    first = record.raise_from(record.current(), "first")
    record.record(1, 10)
    record.record(1, 7)
    assert record.current() == Generation(1, "first", 10)
    # What was recorded since does not make it another generation.
    second = record.raise_from(first, "second")
    assert second == Generation(2, "second", 0)


def test_a_revision_of_another_generation_is_not_recorded(record: Generations) -> None:
    record.record(0, 5)
    assert record.current() == Generation(0, "", 0)
    first = record.raise_from(record.current(), "first")
    record.raise_from(first, "second")
    record.record(1, 99)
    assert record.current() == Generation(2, "second", 0)
