"""Members that share shards over a real etcd, in good weather."""

from collections.abc import Callable, Iterator

import pytest

from fencepost.clock import SystemClock
from fencepost.coordination.cluster import Origin, read_cluster
from fencepost.coordination.etcd import Etcd
from fencepost.coordination.leases import ShardLeases
from fencepost.coordination.tokens import Token
from fencepost.errors import Misconfigured
from fencepost.settings import Etcd as EtcdSettings
from fencepost.settings import Settings
from tests.support.eventually import eventually
from tests.support.members import (
    CYCLE_SECONDS,
    SHARDS,
    TTL_SECONDS,
    MemoryGenerations,
    PoliteMember,
    counts,
    make_leases,
    only,
    tokens,
)

Starts = Callable[[str], ShardLeases]


@pytest.fixture
def config(settings: Settings) -> EtcdSettings:
    return settings.etcd


@pytest.fixture
def generations() -> MemoryGenerations:
    return MemoryGenerations()


@pytest.fixture
def polite(config: EtcdSettings, generations: MemoryGenerations) -> Iterator[Callable[[str], PoliteMember]]:
    """Starts a member that releases at once what it is to give back."""
    started: list[PoliteMember] = []

    def start(name: str) -> PoliteMember:
        started.append(PoliteMember(name, config, generations))
        started[-1].leases.start()
        return started[-1]

    yield start
    for member in started:
        member.leases.stop()


@pytest.fixture
def member(config: EtcdSettings, generations: MemoryGenerations) -> Iterator[Starts]:
    """Starts a member that releases nothing unless the test does."""
    started: list[ShardLeases] = []

    def start(name: str) -> ShardLeases:
        started.append(make_leases(name, config, generations))
        started[-1].start()
        return started[-1]

    yield start
    for leases in started:
        leases.stop()


def test_one_member_takes_all_shards_in_one_go(member: Starts) -> None:
    a = member("a")
    eventually(lambda: counts(a) == [SHARDS])
    assert len(set(tokens(a).values())) <= 2, "one transaction takes at most 60"
    eventually(lambda: a.status().ready)
    assert a.status().detail.startswith("64 of 64 shards")


def test_a_token_is_the_generation_and_the_revision_at_which_the_shard_was_taken(
    member: Starts, config: EtcdSettings, generations: MemoryGenerations
) -> None:
    a = member("a")
    eventually(lambda: counts(a) == [SHARDS])
    etcd = Etcd(config)
    for shard, token in tokens(a).items():
        key = etcd.read().keys[f"{config.prefix}shards/{shard}"]
        assert Token.from_number(token) == Token(1, key.create_revision)
    assert generations.current().highest_revision == max(Token.from_number(t).revision for t in tokens(a).values())
    etcd.close()


def test_two_members_share_evenly_and_a_third_gets_its_share_by_one_shard_a_giver_a_cycle(
    polite: Callable[[str], PoliteMember],
) -> None:
    a, b = polite("a"), polite("b")
    eventually(lambda: counts(a.leases, b.leases) == [32, 32], seconds=30)
    a.drained_at, b.drained_at = [], []
    c = polite("c")
    eventually(lambda: sorted(counts(a.leases, b.leases, c.leases)) == [21, 21, 22], seconds=30)
    assert len(a.drained_at) + len(b.drained_at) == len(c.leases.held())
    for giver in (a, b):
        gaps = [late - early for early, late in zip(giver.drained_at, giver.drained_at[1:], strict=False)]
        assert min(gaps) > CYCLE_SECONDS / 2, "one a cycle"
    held = [shard for each in (a, b, c) for shard in each.leases.held()]
    assert sorted(held) == list(range(SHARDS))


def test_a_shard_that_is_handed_over_has_a_higher_token_and_says_so(polite: Callable[[str], PoliteMember]) -> None:
    a = polite("a")
    eventually(lambda: counts(a.leases) == [SHARDS])
    before = tokens(a.leases)
    assert {held.origin for held in a.leases.held().values()} == {Origin.EXPIRED}
    b = polite("b")
    eventually(lambda: len(b.leases.held()) > 2)
    for shard, held in b.leases.held().items():
        assert held.token > before[shard]
        assert held.origin is Origin.HANDED_OVER
        assert not a.leases.may_call(shard, before[shard], 0)


def test_a_draining_shard_stays_until_it_is_released(member: Starts) -> None:
    a = member("a")
    eventually(lambda: counts(a) == [SHARDS])
    b = member("b")
    draining = eventually(lambda: [shard for shard, held in a.held().items() if held.draining])[0]
    token = a.held()[draining].token
    assert not a.may_call(draining, token, SystemClock().steady())
    # b waits for as long as it takes.
    eventually(lambda: len([shard for shard, held in a.held().items() if held.draining]) >= 5)
    assert draining in a.held()
    assert counts(b) == [0]
    a.release(draining, token)
    assert draining not in a.held()
    eventually(lambda: draining in b.held())
    assert b.held()[draining].token > token


def test_a_call_may_start_only_under_the_token_held_and_while_the_lease_is_trusted(member: Starts) -> None:
    a = member("a")
    eventually(lambda: counts(a) == [SHARDS])
    shard, held = only(a)
    now = SystemClock().steady()
    assert a.may_call(shard, held.token, now)
    assert not a.may_call(shard, held.token - 1, now)
    assert not a.may_call(shard, held.token + 1, now)
    assert not a.may_call(SHARDS, held.token, now)
    assert not a.may_call(shard, held.token, a.trusted_until() + TTL_SECONDS)
    assert a.trusted_until() <= SystemClock().steady() + TTL_SECONDS


def test_the_lease_is_kept_alive(member: Starts) -> None:
    a = member("a")
    eventually(lambda: counts(a) == [SHARDS])
    before, trusted = tokens(a), a.trusted_until()
    eventually(lambda: a.trusted_until() > trusted + TTL_SECONDS + 1)
    assert tokens(a) == before


def test_a_member_that_leaves_hands_back_what_was_released_and_revokes_the_rest(
    member: Starts, config: EtcdSettings, generations: MemoryGenerations
) -> None:
    a = make_leases("a", config, generations)
    a.start()
    eventually(lambda: counts(a) == [SHARDS])
    b = member("b")
    before = tokens(a)
    a.drain()
    assert all(held.draining for held in a.held().values())
    assert not any(a.may_call(shard, token, 0) for shard, token in before.items())
    etcd = Etcd(config)
    eventually(lambda: read_cluster(etcd).members[0].draining)
    assert counts(b) == [0], "nothing was released yet"
    released = list(before)[:40]
    for shard in released:
        a.release(shard, before[shard])
    eventually(lambda: counts(b) == [40])
    a.stop()
    assert counts(a) == [0]
    assert not a.status().ready
    eventually(lambda: counts(b) == [SHARDS])
    assert [found.member.id for found in read_cluster(etcd).members] == ["b"]
    assert all((held.origin is Origin.HANDED_OVER) == (shard in released) for shard, held in b.held().items())
    assert all(token > before[shard] for shard, token in tokens(b).items())
    etcd.close()


def test_a_member_that_is_stopped_at_once_hands_back_what_it_released_last(
    member: Starts, config: EtcdSettings, generations: MemoryGenerations
) -> None:
    a = make_leases("a", config, generations)
    a.start()
    eventually(lambda: counts(a) == [SHARDS])
    a.drain()
    for shard, token in tokens(a).items():
        a.release(shard, token)
    a.stop()
    b = member("b")
    eventually(lambda: counts(b) == [SHARDS], seconds=2)
    assert {held.origin for held in b.held().values()} == {Origin.HANDED_OVER}


def test_a_handed_over_shard_whose_next_holder_dies_counts_as_expired(
    member: Starts, config: EtcdSettings, generations: MemoryGenerations
) -> None:
    a, b = make_leases("a", config, generations), make_leases("b", config, generations)
    a.start()
    eventually(lambda: counts(a) == [SHARDS])
    a.drain()
    for shard, token in tokens(a).items():
        a.release(shard, token)
    a.stop()
    b.start()
    eventually(lambda: counts(b) == [SHARDS])
    b.stop()
    c = member("c")
    eventually(lambda: counts(c) == [SHARDS])
    assert {held.origin for held in c.held().values()} == {Origin.EXPIRED}


def test_a_shard_that_the_fence_called_stale_is_taken_anew_under_a_higher_token(member: Starts) -> None:
    a = member("a")
    eventually(lambda: counts(a) == [SHARDS])
    shard, held = only(a)
    a.drop(shard, held.token, held.token + 1)
    assert not a.may_call(shard, held.token, 0)
    eventually(lambda: shard in a.held())
    assert a.held()[shard].token > held.token + 1
    assert a.held()[shard].origin is Origin.EXPIRED


def test_a_fence_that_has_seen_a_later_generation_is_overtaken(member: Starts) -> None:
    # MongoDB and etcd were both lost, Redis was not: its tokens outrank all that they would give out for years.
    a = member("a")
    eventually(lambda: counts(a) == [SHARDS])
    shard, held = only(a)
    seen = Token(7, 1_000_000).number
    a.drop(shard, held.token, seen)
    eventually(lambda: counts(a) == [SHARDS] and all(token > seen for token in tokens(a).values()))


def test_dropping_what_is_no_longer_held_changes_nothing(member: Starts) -> None:
    a = member("a")
    eventually(lambda: counts(a) == [SHARDS])
    before = tokens(a)
    shard, held = only(a)
    a.drop(shard, held.token - 1)
    a.release(shard, held.token - 1)
    assert tokens(a) == before


def test_the_number_of_shards_is_fixed_at_the_first_start(
    member: Starts, config: EtcdSettings, generations: MemoryGenerations
) -> None:
    a = member("a")
    eventually(lambda: counts(a) == [SHARDS])
    other = make_leases("b", config, generations, shards=32)
    with pytest.raises(Misconfigured, match=r"64 shards.*FENCEPOST_SENDER__SHARDS"):
        other.start()
    other.stop()


def test_a_margin_that_leaves_no_time_to_send_is_refused(config: EtcdSettings, generations: MemoryGenerations) -> None:
    with pytest.raises(Misconfigured, match="LEASE_MARGIN_SECONDS"):
        make_leases("a", config, generations, ttl_seconds=2, margin_seconds=2)


def test_more_shards_than_one_transaction_takes(config: EtcdSettings, generations: MemoryGenerations) -> None:
    a = make_leases("a", config, generations, shards=500)
    a.start()
    eventually(lambda: counts(a) == [500])
    a.stop()


def test_the_cluster_can_be_looked_at(member: Starts, config: EtcdSettings) -> None:
    etcd = Etcd(config)
    empty = read_cluster(etcd)
    assert (empty.members, empty.shards, empty.shard_count) == ((), (), 0)
    a = member("a")
    eventually(lambda: counts(a) == [SHARDS])
    view = read_cluster(etcd)
    assert view.shard_count == SHARDS
    assert [(found.member.id, found.member.seats, found.draining) for found in view.members] == [("a", 128, False)]
    assert {each.shard: each.token.number for each in view.shards if each.token} == tokens(a)
    assert {each.holder for each in view.shards} == {"a"}
    a.stop()
    assert {(each.holder, each.token) for each in read_cluster(etcd).shards} == {(None, None)}
    etcd.close()
