"""The etcd client on real servers, through losses."""

import time
from collections.abc import Iterator

import pytest

from devstack.processes import Process
from fencepost.coordination.etcd import Etcd, absent, created_at, delete, put, unchanged
from fencepost.errors import LeaseLost, Misconfigured, Unreachable
from fencepost.settings import Etcd as EtcdSettings
from tests.conftest import StartsCluster, StartsServer
from tests.support.eventually import eventually
from tests.support.proxy import Proxy

TIMEOUT_SECONDS = 0.5
NO_LEASE = 1234567


def at(*urls: str, prefix: str = "/test/") -> EtcdSettings:
    return EtcdSettings(endpoints=urls, prefix=prefix, timeout_seconds=TIMEOUT_SECONDS)


@pytest.fixture
def server(private_etcd: StartsServer) -> Process:
    return private_etcd()


@pytest.fixture
def etcd(server: Process) -> Iterator[Etcd]:
    etcd = Etcd(at(server.url))
    yield etcd
    etcd.close()


@pytest.fixture
def cluster(private_etcd_cluster: StartsCluster) -> list[Process]:
    return private_etcd_cluster(members=3)


def test_a_reading_holds_all_keys_below_the_prefix_and_no_other(etcd: Etcd, server: Process) -> None:
    assert etcd.read().keys == {}
    first = etcd.transaction([], [put("/test/a", "Grüße"), put("/test/b", ""), put("/tesu/c", "x"), put("/test", "y")])
    second = etcd.transaction([], [put("/test/a", "again")])
    reading = etcd.read()
    assert second is not None
    assert reading.revision == second
    assert reading.keys.keys() == {"/test/a", "/test/b"}
    found = reading.keys["/test/a"]
    assert (found.value, found.create_revision, found.mod_revision, found.lease) == ("again", first, second, 0)


def test_a_transaction_does_all_or_nothing(etcd: Etcd) -> None:
    created = etcd.transaction([absent("/test/a"), absent("/test/b")], [put("/test/a", "1"), put("/test/b", "1")])
    assert created is not None
    assert etcd.transaction([absent("/test/c"), absent("/test/a")], [put("/test/c", "1")]) is None
    assert etcd.transaction([created_at("/test/a", created + 1)], [delete("/test/a")]) is None
    assert etcd.transaction([unchanged("/test/a", 0)], [delete("/test/a")]) is None
    assert etcd.read().keys.keys() == {"/test/a", "/test/b"}
    assert etcd.transaction([created_at("/test/a", created), unchanged("/test/b", created)], [delete("/test/a")])
    assert etcd.read().keys.keys() == {"/test/b"}


def test_a_transaction_that_is_repeated_after_a_lost_answer_leaves_its_mark_for_the_next_reading(
    etcd: Etcd, server: Process
) -> None:
    # The answer of the first is lost, so it is done again by way of the second endpoint: its guard does not hold, and
    # the reading shows that the value is ours.
    with Proxy.before(server.url) as proxy:
        double = Etcd(at(proxy.url(server.url), server.url))
        proxy.lose_replies(1)
        assert double.transaction([absent("/test/a")], [put("/test/a", "mine")]) is None
        assert double.read().keys["/test/a"].value == "mine"
        double.close()


def test_a_lease_takes_its_keys_with_it(etcd: Etcd) -> None:
    lease = etcd.grant(60)
    etcd.transaction([], [put("/test/a", "1", lease)])
    assert etcd.read().keys["/test/a"].lease == lease
    assert etcd.keep_alive(lease)
    etcd.revoke(lease)
    assert etcd.read().keys == {}


def test_a_lease_that_is_gone_is_told_from_an_etcd_that_is_away(etcd: Etcd) -> None:
    assert not etcd.keep_alive(NO_LEASE)
    etcd.revoke(NO_LEASE)
    with pytest.raises(LeaseLost):
        etcd.transaction([], [put("/test/a", "1", NO_LEASE)])
    assert etcd.read().keys == {}


def test_a_lease_that_is_not_kept_alive_ends(etcd: Etcd) -> None:
    lease = etcd.grant(2)
    etcd.transaction([], [put("/test/a", "1", lease)])
    eventually(lambda: etcd.read().keys == {})
    assert not etcd.keep_alive(lease)


@pytest.mark.parametrize("frozen", [0, 1, 2])
def test_one_frozen_endpoint_costs_one_timeout_and_then_nothing(cluster: list[Process], frozen: int) -> None:
    etcd = Etcd(at(*(server.url for server in cluster)))
    etcd.read()
    cluster[frozen].pause()
    # If it was the leader, the others need to elect one first.
    eventually(lambda: answers(etcd), seconds=20)
    started = time.monotonic()
    for _ in range(5):
        etcd.read()
        assert etcd.transaction([], [put("/test/a", "1")])
    assert time.monotonic() - started < 5 * TIMEOUT_SECONDS
    cluster[frozen].resume()
    etcd.close()


def test_without_a_majority_nothing_is_read_or_written(cluster: list[Process]) -> None:
    etcd = Etcd(at(*(server.url for server in cluster)))
    etcd.read()
    for server in cluster[1:]:
        server.kill()
    with pytest.raises(Unreachable) as caught:
        etcd.read()
    assert caught.value.server == "etcd"
    assert all(server.url in str(caught.value) for server in cluster)
    with pytest.raises(Unreachable):
        etcd.transaction([], [put("/test/a", "1")])
    etcd.close()


def test_an_answer_that_never_comes_is_given_up(server: Process) -> None:
    with Proxy.before(server.url) as proxy:
        etcd = Etcd(at(proxy.url(server.url)))
        etcd.read()
        proxy.swallow_replies()
        for call in (etcd.read, lambda: etcd.grant(5), lambda: etcd.keep_alive(NO_LEASE)):
            started = time.monotonic()
            with pytest.raises(Unreachable, match="no answer in time"):
                call()
            assert time.monotonic() - started < 3 * TIMEOUT_SECONDS
        proxy.heal()
        etcd.read()
        etcd.close()


def test_an_answer_that_is_not_etcds_is_no_answer(private_redis: StartsServer) -> None:
    etcd = Etcd(at(private_redis().url.replace("redis", "http").removesuffix("/0")))
    with pytest.raises(Unreachable):
        etcd.read()
    etcd.close()


def test_a_full_etcd_says_so_and_still_keeps_leases(
    private_etcd: StartsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ETCD_QUOTA_BACKEND_BYTES", str(4_000_000))
    etcd = Etcd(EtcdSettings(endpoints=(private_etcd().url,), timeout_seconds=10))
    lease = etcd.grant(60)

    def fill() -> None:
        for number in range(20):
            etcd.transaction([], [put(f"/test/{number}", "x" * 900_000)])

    with pytest.raises(Unreachable, match="database space exceeded"):
        fill()
    assert etcd.keep_alive(lease)
    etcd.close()


@pytest.mark.parametrize("endpoint", ["127.0.0.1:2379", "ftp://127.0.0.1", "http://", "http://host:port", ""])
def test_an_address_that_is_none_is_named(endpoint: str) -> None:
    with pytest.raises(Misconfigured, match="FENCEPOST_ETCD__ENDPOINTS"):
        Etcd(at(endpoint))


def test_no_address_at_all_is_refused() -> None:
    with pytest.raises(Misconfigured, match="names no etcd"):
        Etcd(at())


def answers(etcd: Etcd) -> bool:
    try:
        etcd.read()
    except Unreachable:
        return False
    return True
