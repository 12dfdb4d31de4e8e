"""What is held: replaced as a whole, forgotten with its lease, safe against what the sender does meanwhile."""

from collections.abc import Iterable

import pytest

from fencepost.coordination.cluster import Grant, Origin
from fencepost.coordination.held import Held, HeldShards
from fencepost.coordination.tokens import Token

LEASE = 77


class Counted:
    """HeldShards, and how often it said that something changed."""

    def __init__(self) -> None:
        self.changes = 0
        self.held = HeldShards(self._changed)

    def _changed(self) -> None:
        self.changes += 1


def grants(*revisions: tuple[int, int]) -> dict[int, Grant]:
    return {shard: Grant("a", Origin.EXPIRED, revision, LEASE) for shard, revision in revisions}


def hold(held: HeldShards, granted: dict[int, Grant], generation: int = 1, lease: int = LEASE) -> None:
    held.update(lease, granted, {shard: Token(generation, grant.revision) for shard, grant in granted.items()})


def number(revision: int, generation: int = 1) -> int:
    return Token(generation, revision).number


def shards(held: HeldShards) -> Iterable[int]:
    return sorted(held.current.shards)


def test_what_was_read_is_held_under_its_token() -> None:
    held = Counted().held
    hold(held, grants((3, 10), (4, 11)))
    assert held.current.lease == LEASE
    assert held.current.shards == {
        3: Held(number(10), False, Origin.EXPIRED),
        4: Held(number(11), False, Origin.EXPIRED),
    }


def test_a_snapshot_that_was_handed_out_never_changes() -> None:
    held = Counted().held
    hold(held, grants((3, 10)))
    before = held.current.shards
    held.give_back(3, number(10), clean=True)
    assert list(before) == [3]
    with pytest.raises(TypeError):
        before[9] = before[3]  # type: ignore[index]


def test_what_etcd_shows_no_more_is_forgotten() -> None:
    held = Counted().held
    hold(held, grants((3, 10), (4, 11), (5, 12)))
    held.keep(LEASE, grants((3, 10), (4, 99)))
    assert shards(held) == [3], "4 was taken anew since, under another token"


def test_another_lease_starts_with_nothing() -> None:
    held = Counted().held
    hold(held, grants((3, 10)))
    held.keep(LEASE + 1, grants((3, 10)))
    assert held.current.lease == LEASE + 1
    assert shards(held) == []


def test_a_new_generation_gives_new_tokens() -> None:
    held = Counted().held
    hold(held, grants((3, 10)))
    hold(held, grants((3, 10)), generation=2)
    assert held.current.shards[3].token == number(10, generation=2)


def test_what_was_given_back_stays_away_until_it_is_granted_anew() -> None:
    held = Counted().held
    hold(held, grants((3, 10)))
    held.give_back(3, number(10), clean=True)
    # A reading from before the key was deleted.
    hold(held, grants((3, 10)))
    assert shards(held) == []
    assert held.given_back() == {3: (10, True)}
    assert held.leaving() == {3}
    hold(held, grants((3, 20)))
    assert shards(held) == [3]
    assert held.given_back() == {}
    assert held.leaving() == set()


def test_only_what_is_held_under_that_token_can_be_given_back() -> None:
    held = Counted().held
    hold(held, grants((3, 10)))
    held.give_back(3, number(9), clean=True)
    held.give_back(4, number(10), clean=True)
    assert shards(held) == [3]
    assert held.given_back() == {}


def test_draining_lasts_as_long_as_the_grant() -> None:
    held = Counted().held
    hold(held, grants((3, 10), (4, 10)))
    held.drain([3, 9])
    hold(held, grants((3, 10), (4, 10)))
    assert [held.current.shards[shard].draining for shard in (3, 4)] == [True, False]
    assert held.leaving() == {3}
    hold(held, grants((3, 20), (4, 10)))
    assert not held.current.shards[3].draining


def test_all_can_be_drained_at_once() -> None:
    held = Counted().held
    hold(held, grants((3, 10), (4, 10)))
    held.drain()
    assert all(each.draining for each in held.current.shards.values())


def test_only_changes_are_told() -> None:
    counted = Counted()
    hold(counted.held, grants((3, 10)))
    hold(counted.held, grants((3, 10)))
    counted.held.keep(LEASE, grants((3, 10)))
    counted.held.drain([])
    assert counted.changes == 1
    counted.held.drain()
    counted.held.clear()
    assert counted.changes == 3
