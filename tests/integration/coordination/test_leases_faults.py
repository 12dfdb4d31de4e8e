"""Members whose etcd, network or neighbours fail."""

import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from etcd3gw.client import Etcd3Client

from devstack.processes import Process
from fencepost.clock import SystemClock
from fencepost.coordination.cluster import Member, Origin, written_member
from fencepost.coordination.etcd import Etcd, put
from fencepost.coordination.leases import ShardLeases
from fencepost.coordination.tokens import Token
from fencepost.generations import Generation
from fencepost.settings import Etcd as EtcdSettings
from tests.conftest import StartsCluster, StartsServer
from tests.support.eventually import eventually
from tests.support.members import (
    CYCLE_SECONDS,
    MARGIN_SECONDS,
    SHARDS,
    TTL_SECONDS,
    MemoryGenerations,
    PoliteMember,
    counts,
    make_leases,
    only,
    running,
    tokens,
)
from tests.support.proxy import Proxy

TIMEOUT_SECONDS = 0.5
SLACK_SECONDS = 1.0
"""What a busy machine may take longer."""


@pytest.fixture
def generations() -> MemoryGenerations:
    return MemoryGenerations()


@pytest.fixture
def etcd(private_etcd: StartsServer) -> Process:
    return private_etcd()


@pytest.fixture
def proxy(etcd: Process) -> Iterator[Proxy]:
    with Proxy.before(etcd.url) as proxy:
        yield proxy


def at(*urls: str) -> EtcdSettings:
    return EtcdSettings(endpoints=urls, prefix="/test/", timeout_seconds=TIMEOUT_SECONDS)


def data_folder(etcd: Process) -> Path:
    return etcd.log.parent / "etcd"


# Members that are cut off


def watch_take_over(a: ShardLeases, b: ShardLeases) -> float:
    """Look closely while b takes a shard that a holds; when it did. Raises AssertionError if for a moment both may act."""
    clock = SystemClock()
    shard, token = next((shard, held.token) for shard, held in a.held().items() if not held.draining)
    late = a.trusted_until() + TTL_SECONDS + SLACK_SECONDS

    def taken_over() -> bool:
        mine = a.may_call(shard, token, clock.steady())
        theirs = shard in b.held()
        assert not (mine and theirs), "two at once"
        return theirs

    while not taken_over():
        assert clock.steady() < late, "nobody took over"
    return clock.steady()


@pytest.mark.parametrize("fault", ["pulled cable", "closed connections"])
def test_a_member_that_is_cut_off_stops_to_call_before_another_takes_its_shards(
    etcd: Process, proxy: Proxy, generations: MemoryGenerations, fault: str
) -> None:
    with running(make_leases("a", at(proxy.url(etcd.url)), generations)) as a:
        eventually(lambda: counts(a) == [SHARDS])
        with running(make_leases("b", at(etcd.url), generations)) as b:
            eventually(lambda: b.status().ready)
            before, cut_at = tokens(a), SystemClock().steady()
            if fault == "pulled cable":
                proxy.swallow_requests()
            else:
                proxy.cut()
            taken_over_at = watch_take_over(a, b)
            assert taken_over_at - cut_at < TTL_SECONDS + 1 + SLACK_SECONDS
            assert counts(a) == [0]
            ready, detail = a.status()
            assert not ready
            assert "no lease is trusted" in detail
            eventually(lambda: counts(b) == [SHARDS])
            assert all(b.held()[lost].token > old for lost, old in before.items())
            assert {b.held()[lost].origin for lost in before} == {Origin.EXPIRED}
            # b releases nothing here, but it is asked to: a takes part again.
            proxy.heal()
            eventually(lambda: a.status().ready)
            eventually(lambda: any(held.draining for held in b.held().values()))


def test_a_member_that_trusts_its_lease_for_too_long_is_caught(
    etcd: Process, proxy: Proxy, generations: MemoryGenerations
) -> None:
    # The control of the test above: a margin that adds time to the lease.
    with running(make_leases("a", at(proxy.url(etcd.url)), generations, margin_seconds=-2 * TTL_SECONDS)) as a:
        eventually(lambda: counts(a) == [SHARDS])
        with running(make_leases("b", at(etcd.url), generations)) as b:
            eventually(lambda: b.status().ready)
            proxy.cut()
            with pytest.raises(AssertionError, match="two at once"):
                watch_take_over(a, b)


def test_a_member_that_is_cut_off_for_less_than_its_lease_keeps_its_tokens(
    etcd: Process, proxy: Proxy, generations: MemoryGenerations
) -> None:
    with running(make_leases("a", at(proxy.url(etcd.url)), generations)) as a:
        eventually(lambda: counts(a) == [SHARDS])
        before = tokens(a)
        proxy.cut()
        eventually(lambda: not a.status().ready)
        proxy.heal()
        eventually(lambda: a.status().ready)
        assert tokens(a) == before


def test_shards_of_a_member_that_does_not_take_them_go_to_another_and_stay(
    etcd: Process, generations: MemoryGenerations
) -> None:
    other = Etcd(at(etcd.url))
    ghost = Member("ghost", "host", 1, datetime(2026, 3, 1, tzinfo=UTC), 1, "127.0.0.1:9000")
    other.transaction([], [put("/test/members/ghost", written_member(ghost, draining=False), other.grant(600))])
    clock = SystemClock()
    with running(make_leases("a", at(etcd.url), generations)) as a:
        eventually(lambda: 20 < counts(a)[0] < 45)
        eventually(lambda: counts(a) == [SHARDS])
        whole = clock.steady()

        def kept() -> bool:
            assert not any(held.draining for held in a.held().values())
            return clock.steady() > whole + 5 * CYCLE_SECONDS

        eventually(kept)
    other.close()


# Leases that are lost


def test_a_lease_that_is_lost_is_replaced_and_all_shards_are_taken_anew(
    etcd: Process, generations: MemoryGenerations
) -> None:
    with running(make_leases("a", at(etcd.url), generations)) as a:
        eventually(lambda: counts(a) == [SHARDS])
        before = tokens(a)
        other = Etcd(at(etcd.url))
        other.revoke(other.read().keys["/test/members/a"].lease)
        eventually(lambda: counts(a) == [SHARDS] and min(tokens(a).values()) > max(before.values()))
        assert not any(a.may_call(shard, token, 0) for shard, token in before.items())
        eventually(lambda: a.status().ready)
        other.close()


def test_an_etcd_that_lost_its_data_begins_a_new_generation_while_members_run(
    etcd: Process, generations: MemoryGenerations
) -> None:
    a, b = (PoliteMember(name, at(etcd.url), generations) for name in "ab")
    with running(a.leases), running(b.leases):
        eventually(lambda: counts(a.leases, b.leases) == [32, 32], seconds=30)
        before = {**tokens(a.leases), **tokens(b.leases)}
        first = generations.current().value
        etcd.kill()
        shutil.rmtree(data_folder(etcd))
        data_folder(etcd).mkdir()
        etcd.start().wait_ready()

        def all_taken_anew() -> bool:
            after = {**tokens(a.leases), **tokens(b.leases)}
            return after.keys() == before.keys() and all(after[shard] > before[shard] for shard in before)

        eventually(all_taken_anew, seconds=30)
        eventually(lambda: counts(a.leases, b.leases) == [32, 32], seconds=30)
        after = {**tokens(a.leases), **tokens(b.leases)}
        assert {Token.from_number(token).generation for token in after.values()} == {generations.current().value}
        assert generations.current().value > first
        eventually(lambda: a.leases.status().ready and b.leases.status().ready)


def test_an_etcd_put_back_to_an_older_state_begins_a_new_generation(
    etcd: Process, generations: MemoryGenerations, tmp_path: Path
) -> None:
    with running(make_leases("a", at(etcd.url), generations)) as a:
        eventually(lambda: counts(a) == [SHARDS])
        etcd.stop()
        shutil.copytree(data_folder(etcd), tmp_path / "backup")
        etcd.start().wait_ready()
        eventually(lambda: a.status().ready)
        shard, held = only(a)
        a.drop(shard, held.token)
        eventually(lambda: a.held().get(shard, held) != held)
        before = tokens(a)
        assert max(before.values()) == before[shard] > held.token
        first = generations.current().value

        etcd.kill()
        shutil.rmtree(data_folder(etcd))
        shutil.copytree(tmp_path / "backup", data_folder(etcd))
        etcd.start().wait_ready()
        eventually(lambda: counts(a) == [SHARDS] and min(tokens(a).values()) > max(before.values()))
        assert generations.current().value == first + 1


def test_a_member_that_starts_on_an_older_etcd_begins_a_new_generation(
    etcd: Process, generations: MemoryGenerations
) -> None:
    with running(make_leases("a", at(etcd.url), generations)) as a:
        eventually(lambda: counts(a) == [SHARDS])
    known = generations.current()
    generations.record(known.value, known.highest_revision + 1_000_000)
    with running(make_leases("b", at(etcd.url), generations)) as b:
        eventually(lambda: counts(b) == [SHARDS])
        assert generations.current().value == known.value + 1
        assert min(tokens(b).values()) > Token(known.value, known.highest_revision + 1_000_000).number


def test_members_that_begin_a_generation_at_once_share_one(etcd: Process, generations: MemoryGenerations) -> None:
    with ExitStack() as stack:
        members = [make_leases(name, at(etcd.url), generations) for name in "abcdefgh"]
        for leases in members:
            stack.enter_context(running(leases))
        eventually(lambda: sum(counts(*members)) == SHARDS)
        assert generations.current().value == 1
        assert {Token.from_number(token).generation for leases in members for token in tokens(leases).values()} == {1}


# Lost and late answers


@pytest.mark.parametrize("losses", [1, 3, 10])
def test_answers_that_are_lost_leave_every_shard_with_one_holder(
    etcd: Process, proxy: Proxy, generations: MemoryGenerations, losses: int
) -> None:
    proxy.lose_replies(losses)
    with running(make_leases("a", at(proxy.url(etcd.url)), generations)) as a:
        eventually(lambda: counts(a) == [SHARDS], seconds=20)
        other = Etcd(at(etcd.url))
        keys = other.read().keys
        assert all(
            Token.from_number(token).revision == keys[f"/test/shards/{shard}"].create_revision
            for shard, token in tokens(a).items()
        )
        other.close()


def test_slow_answers_make_nothing_wrong(etcd: Process, proxy: Proxy, generations: MemoryGenerations) -> None:
    proxy.delay_replies(TIMEOUT_SECONDS / 4)
    with running(make_leases("a", at(proxy.url(etcd.url)), generations)) as a:
        eventually(lambda: counts(a) == [SHARDS], seconds=20)
        # The time an answer takes is not trusted: it counts from before the request.
        assert a.trusted_until() <= SystemClock().steady() + TTL_SECONDS - MARGIN_SECONDS - TIMEOUT_SECONDS / 4


# Servers that are away


def test_a_member_may_start_before_etcd(etcd: Process, generations: MemoryGenerations) -> None:
    etcd.kill()
    with running(make_leases("a", at(etcd.url), generations)) as a:
        eventually(lambda: "etcd: " in a.status().detail)
        assert not a.status().ready
        etcd.start().wait_ready()
        eventually(lambda: counts(a) == [SHARDS])


def test_without_the_record_of_generations_nothing_is_held(etcd: Process, generations: MemoryGenerations) -> None:
    generations.away = True
    with running(make_leases("a", at(etcd.url), generations)) as a:
        eventually(lambda: "mongodb" in a.status().detail)
        assert counts(a) == [0]
        generations.away = False
        eventually(lambda: counts(a) == [SHARDS])


def test_what_is_held_stays_while_the_record_of_generations_is_away(
    etcd: Process, generations: MemoryGenerations
) -> None:
    with running(make_leases("a", at(etcd.url), generations)) as a:
        eventually(lambda: counts(a) == [SHARDS])
        before, trusted = tokens(a), a.trusted_until()
        generations.away = True
        eventually(lambda: a.trusted_until() > trusted + TTL_SECONDS)
        assert tokens(a) == before
        eventually(lambda: a.status().ready)


def test_one_frozen_endpoint_of_three_stops_nothing(
    private_etcd_cluster: StartsCluster, generations: MemoryGenerations
) -> None:
    servers = private_etcd_cluster(members=3)
    config = at(*(server.url for server in servers))
    clock = SystemClock()
    with running(make_leases("a", config, generations, ttl_seconds=6)) as a:
        eventually(lambda: counts(a) == [SHARDS])
        before = tokens(a)
        frozen = next(server for server in servers if is_leader(server))
        frozen.pause()
        started = clock.steady()

        def longer_than_the_lease_would_last_by_itself() -> bool:
            shard, token = next(iter(before.items()))
            assert a.may_call(shard, token, clock.steady()), a.status().detail
            return clock.steady() > started + 6.5

        eventually(longer_than_the_lease_would_last_by_itself)
        assert tokens(a) == before
        with running(make_leases("b", config, generations, ttl_seconds=6)) as b:
            eventually(lambda: b.status().ready, seconds=20)
            eventually(lambda: any(held.draining for held in a.held().values()))
        frozen.resume()


def is_leader(server: Process) -> bool:
    address = urlsplit(server.url)
    client = Etcd3Client(host=address.hostname or "", port=address.port or 0, timeout=5)
    status = client.status()
    client.session.close()
    return bool(status["leader"] == status["header"]["member_id"])


# Threads that die


class Deadly(MemoryGenerations):
    """Ends the thread that asks, without a word."""

    def current(self) -> Generation:
        raise SystemExit


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_thread_that_died_is_noticed(etcd: Process) -> None:
    with running(make_leases("a", at(etcd.url), Deadly())) as a:
        eventually(lambda: "thread does not run" in a.status().detail)
        assert not a.status().ready


class Faulty(MemoryGenerations):
    """Has a bug, until it is mended."""

    mended = False

    def current(self) -> Generation:
        if not self.mended:
            raise ZeroDivisionError
        return super().current()


def test_a_bug_in_a_cycle_is_reported_and_does_not_end_the_thread(etcd: Process) -> None:
    faulty = Faulty()
    with running(make_leases("a", at(etcd.url), faulty)) as a:
        eventually(lambda: "ZeroDivisionError" in a.status().detail)
        faulty.mended = True
        eventually(lambda: counts(a) == [SHARDS])
