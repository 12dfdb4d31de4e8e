"""Who takes which shard, and who gives one back."""

from collections import Counter
from collections.abc import Mapping

from hypothesis import given
from hypothesis import strategies as st

from fencepost.coordination.assignment import PATIENCE, Holdings, score, takers, to_give

SHARDS = 64


def taken(now: Holdings, waited: Mapping[int, int] | None = None) -> Holdings:
    """After every member did what the decision told it."""
    return Holdings(now.shard_count, {**now.holders, **takers(now, waited or {})}, now.members)


def cycle(now: Holdings) -> tuple[Holdings, int]:
    """One cycle in which everybody reads the same, gives and takes; and how many shards were given back."""
    given_back = [shard for name in now.members if (shard := to_give(now, name)) is not None]
    left = {shard: holder for shard, holder in now.holders.items() if shard not in given_back}
    return taken(Holdings(now.shard_count, left, now.members)), len(given_back)


def spread(now: Holdings) -> int:
    counts = now.counts().values()
    return max(counts) - min(counts)


def test_one_member_takes_all() -> None:
    assert set(takers(Holdings(SHARDS, {}, ["a"]), {}).values()) == {"a"}


def test_nobody_takes_where_nobody_is() -> None:
    assert takers(Holdings(SHARDS, {}, []), {}) == {}


def test_a_free_shard_goes_to_its_rendezvous_owner_who_has_room() -> None:
    members = ["a", "b", "c"]
    owner = max(members, key=lambda name: score(5, name))
    holders = {shard: members[shard % 3] for shard in range(SHARDS) if not 5 <= shard < 17}
    assert all(count < SHARDS // 3 for count in Counter(holders.values()).values())
    assert takers(Holdings(SHARDS, holders, members), {})[5] == owner


def test_a_free_shard_is_never_left_because_its_owner_is_full() -> None:
    holders = dict.fromkeys(range(32), "a") | dict.fromkeys(range(32, 60), "b")
    chosen = takers(Holdings(SHARDS, holders, ["a", "b"]), {})
    assert chosen == dict.fromkeys(range(60, 64), "b")


def test_a_shard_that_stays_free_goes_to_the_next_in_its_order_and_round() -> None:
    now = Holdings(1, {}, ["a", "b", "c"])
    order = sorted(now.members, key=lambda name: -score(0, name))
    assert [takers(now, {0: PATIENCE * step})[0] for step in range(4)] == [*order, order[0]]


def test_a_member_that_is_stopping_takes_nothing_and_does_not_count() -> None:
    holders = dict.fromkeys(range(40), "stopping")
    now = Holdings(SHARDS, holders, ["a", "b"])
    assert "stopping" not in takers(now, {}).values()
    assert to_give(now, "stopping") is None


def test_a_third_member_gets_its_share_one_shard_a_giver_a_cycle() -> None:
    now = taken(Holdings(SHARDS, {}, ["a", "b"]))
    assert now.counts() == {"a": 32, "b": 32}
    now = Holdings(SHARDS, now.holders, ["a", "b", "c"])
    for _ in range(11):
        before = now.counts()
        now, _ = cycle(now)
        assert all(before[name] - now.counts()[name] <= 1 for name in ("a", "b"))
    assert sorted(now.counts().values()) == [21, 21, 22]


def test_the_shard_that_is_given_is_one_that_prefers_a_member_with_room() -> None:
    now = Holdings(SHARDS, dict.fromkeys(range(SHARDS), "a"), ["a", "b"])
    shard = to_give(now, "a")
    assert shard == max(range(SHARDS), key=lambda each: score(each, "b"))


def test_no_more_is_given_than_is_missing_beyond_what_is_free() -> None:
    # c is four short. With one free, three have to give; with three free, one of them does.
    holders = dict(enumerate("a" * 17 + "b" * 17 + "d" * 17 + "c" * 12))
    now = Holdings(64, holders, ["a", "b", "c", "d"])
    assert (now.least, now.most, len(now.free)) == (16, 16, 1)
    assert [to_give(now, name) is not None for name in "abd"] == [True, True, True]
    now = Holdings(66, holders, ["a", "b", "c", "d"])
    assert (now.least, now.most, len(now.free)) == (16, 17, 3)
    assert [to_give(now, name) is not None for name in "abd"] == [True, False, False]


def test_nobody_gives_where_all_have_their_share() -> None:
    holders = {shard: "abc"[shard % 3] for shard in range(SHARDS)}
    now = Holdings(SHARDS, holders, ["a", "b", "c"])
    assert [to_give(now, name) for name in now.members] == [None, None, None]


@given(
    shard_count=st.integers(1, 80),
    members=st.sets(st.sampled_from("abcdefgh"), min_size=1).map(sorted),
    holders=st.dictionaries(st.integers(0, 79), st.sampled_from("abcdefgh")),
)
def test_from_anywhere_all_end_within_one_shard_of_each_other_and_then_rest(
    shard_count: int, members: list[str], holders: dict[int, str]
) -> None:
    # Shards of those who are gone are free; all others stand as they may.
    held = {shard: holder for shard, holder in holders.items() if shard < shard_count and holder in members}
    now = taken(Holdings(shard_count, held, members))
    assert not now.free
    for _ in range(shard_count):
        now, given_back = cycle(now)
        assert not now.free
        if not given_back:
            break
    assert spread(now) <= 1
    assert cycle(now) == (now, 0)


@given(st.sets(st.sampled_from("abcdefgh"), min_size=2).map(sorted))
def test_a_member_that_goes_moves_no_shard_of_the_others(members: list[str]) -> None:
    now = taken(Holdings(SHARDS, {}, members))
    gone, stayed = members[0], members[1:]
    left = {shard: holder for shard, holder in now.holders.items() if holder != gone}
    after = taken(Holdings(SHARDS, left, stayed))
    assert all(after.holders[shard] == holder for shard, holder in left.items())
