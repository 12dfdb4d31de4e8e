"""The fence when Redis is slow, gone, full, restarted or set up wrongly."""

import time
from collections.abc import Iterator
from datetime import timedelta

import pytest
from pydantic import SecretStr
from redis import Redis

from devstack.processes import Process
from fencepost.coordination.fences import Fence, FenceAnswer, FenceRequest, Verdict
from fencepost.coordination.redis_client import connect
from fencepost.errors import Misconfigured, Unreachable
from fencepost.settings import Redis as RedisSettings
from tests.conftest import StartsServer
from tests.support.eventually import eventually
from tests.support.proxy import Proxy

TIMEOUT_SECONDS = 0.5
OK = Verdict.OK
DAY = 86_400


@pytest.fixture
def server(private_redis: StartsServer) -> Process:
    return private_redis()


@pytest.fixture
def redis(server: Process) -> Iterator[Redis]:
    with connect(at(server.url)) as client:
        yield client


@pytest.fixture
def fence(server: Process) -> Iterator[Fence]:
    fence = Fence(at(server.url))
    yield fence
    fence.close()


@pytest.fixture
def proxy(server: Process) -> Iterator[Proxy]:
    with Proxy.before(server.url) as proxy:
        yield proxy


@pytest.fixture
def far(proxy: Proxy, server: Process) -> Iterator[Fence]:
    """The fence, by way of the proxy."""
    fence = Fence(at(proxy.url(server.url)))
    yield fence
    fence.close()


def at(url: str) -> RedisSettings:
    return RedisSettings(url=SecretStr(url), timeout_seconds=TIMEOUT_SECONDS)


def first(epoch: str, count: int = 1) -> list[FenceRequest]:
    return [FenceRequest(0, f"eml_{at}", epoch, 7, 1, f"a{at}", (f"a{at}",)) for at in range(count)]


def calls(redis: Redis) -> int:
    """How often scripts were called."""
    found: int = redis.info("commandstats").get("cmdstat_evalsha", {}).get("calls", 0)
    return found


# Lost answers


def test_a_lost_answer_is_not_asked_for_again_unless_the_caller_does(far: Fence, proxy: Proxy, redis: Redis) -> None:
    epoch = far.epoch()
    far.claim(first(epoch))
    before = calls(redis)
    proxy.lose_replies(1)
    with pytest.raises(Unreachable, match=r"^redis: "):
        far.claim(first(epoch))
    assert calls(redis) == before + 1


def test_a_claim_whose_answer_was_lost_is_ok_when_asked_again(far: Fence, fence: Fence, proxy: Proxy) -> None:
    epoch = far.epoch()
    far.claim([])
    fence.claim([FenceRequest(1, "eml_loads_the_script", epoch, 7, 1, "x", ())])
    proxy.lose_replies(1)
    with pytest.raises(Unreachable):
        far.claim(first(epoch))
    # It was done: nobody else gets this number.
    assert fence.kill(first(epoch)) == [FenceAnswer(Verdict.TAKEN, 1, "a0")]
    assert far.claim(first(epoch)) == [FenceAnswer(OK, 1, "a0")]


def test_a_kill_whose_answer_was_lost_is_ok_when_asked_again(far: Fence, fence: Fence, proxy: Proxy) -> None:
    epoch = far.epoch()
    fence.kill([FenceRequest(1, "eml_loads_the_script", epoch, 7, 1, "", ())])
    proxy.lose_replies(1)
    with pytest.raises(Unreachable):
        far.kill(first(epoch))
    assert fence.claim(first(epoch)) == [FenceAnswer(Verdict.KILLED, 1, "killed")]
    assert far.kill(first(epoch)) == [FenceAnswer(OK, 1, "killed")]


def test_a_batch_whose_answer_was_lost_is_ok_when_asked_again(far: Fence, proxy: Proxy) -> None:
    epoch = far.epoch()
    far.claim(first(epoch, 1))
    proxy.lose_replies(1)
    with pytest.raises(Unreachable):
        far.claim(first(epoch, 250))
    assert {answer.verdict for answer in far.claim(first(epoch, 250))} == {OK}


def test_a_request_that_never_arrived_decided_nothing(far: Fence, fence: Fence, proxy: Proxy) -> None:
    epoch = far.epoch()
    far.claim(first(epoch, 1))
    proxy.swallow_requests()
    with pytest.raises(Unreachable):
        far.claim(first(epoch, 2)[1:])
    assert fence.kill(first(epoch, 2)[1:]) == [FenceAnswer(OK, 1, "killed")]


def test_an_epoch_whose_answer_was_lost_is_the_same_when_asked_again(far: Fence, fence: Fence, proxy: Proxy) -> None:
    fence.epoch()
    proxy.lose_replies(1)
    with pytest.raises(Unreachable):
        far.epoch()
    assert far.epoch() == fence.epoch()


# Slow and gone


def test_a_frozen_redis_is_given_up_after_the_timeout(fence: Fence, server: Process) -> None:
    epoch = fence.epoch()
    fence.claim(first(epoch))
    server.pause()
    started = time.monotonic()
    with pytest.raises(Unreachable):
        fence.claim(first(epoch))
    assert time.monotonic() - started < 3 * TIMEOUT_SECONDS
    server.resume()
    assert fence.claim(first(epoch)) == [FenceAnswer(OK, 1, "a0")]


def test_a_redis_that_is_not_there_is_unreachable(fence: Fence, server: Process) -> None:
    server.kill()
    for ask in (fence.epoch, fence.check_server, lambda: fence.claim(first("e")), lambda: fence.kill(first("e"))):
        with pytest.raises(Unreachable, match=r"^redis: "):
            ask()


# Lost memory


def test_a_restart_is_another_epoch_even_if_all_data_came_back(fence: Fence, server: Process, redis: Redis) -> None:
    epoch = fence.epoch()
    assert fence.claim(first(epoch)) == [FenceAnswer(OK, 1, "a0")]
    server.restart()
    # Old connections are found broken, one refusal each at most; then the fence answers by itself.
    eventually(lambda: verdict_of_kill(fence, epoch) is Verdict.EPOCH)
    assert redis.get("f:d:eml_0") == "1 a0", "the data did come back"
    assert fence.claim(first(epoch))[0].verdict is Verdict.EPOCH
    fresh = fence.epoch()
    assert fresh != epoch
    assert fence.kill(first(epoch))[0].verdict is Verdict.EPOCH
    assert fence.kill(first(fresh)) == [FenceAnswer(Verdict.TAKEN, 1, "a0")]


def test_flushall_is_another_epoch_and_scripts_load_themselves_again(fence: Fence, redis: Redis) -> None:
    epoch = fence.epoch()
    fence.claim(first(epoch))
    redis.flushall()
    redis.script_flush()
    assert fence.kill(first(epoch)) == [FenceAnswer(Verdict.EPOCH, 0, "")]
    redis.script_flush()
    fresh = fence.epoch()
    redis.script_flush()
    assert fence.claim(first(fresh, 250))[0].verdict is OK
    assert fresh != epoch


def test_a_stale_replica_that_is_promoted_is_another_epoch(
    fence: Fence, server: Process, redis: Redis, private_redis: StartsServer
) -> None:
    replica = private_redis()
    epoch = fence.epoch()
    with connect(at(replica.url)) as client:
        redis.config_set("repl-diskless-sync-delay", "0")
        client.replicaof(*redis_address(server))
        eventually(lambda: client.get("f:epoch") == epoch)
        promoted = Fence(at(replica.url))
        assert promoted.claim(first(epoch))[0].verdict is Verdict.EPOCH
        with pytest.raises(Unreachable, match=r"(?i)read.?only"):
            promoted.epoch()
        client.replicaof("NO", "ONE")
        assert fence.claim(first(epoch))[0].verdict is OK
        assert promoted.kill(first(epoch))[0].verdict is Verdict.EPOCH
        assert promoted.epoch() != epoch
        assert promoted.kill(first(epoch))[0].verdict is Verdict.EPOCH
        promoted.close()


# How long things live


def test_a_clock_that_jumps_far_enough_for_a_record_to_expire_takes_the_epoch_too(fence: Fence, redis: Redis) -> None:
    epoch = fence.epoch()
    fence.claim(first(epoch))
    records = redis.ttl("f:d:eml_0"), redis.ttl("f:tok:0")
    assert all(7 * DAY - 60 < seconds <= 7 * DAY for seconds in records)
    assert 3.5 * DAY - 60 < redis.ttl("f:epoch") <= 3.5 * DAY


@pytest.mark.parametrize("verb", ["claim", "kill"])
def test_every_decision_renews_the_epoch(fence: Fence, redis: Redis, verb: str) -> None:
    epoch = fence.epoch()
    redis.expire("f:epoch", 60)
    decide = fence.claim if verb == "claim" else fence.kill
    decide(first(epoch))
    assert redis.ttl("f:epoch") > 3 * DAY


def test_reading_the_epoch_renews_it(fence: Fence, redis: Redis) -> None:
    fence.epoch()
    redis.expire("f:epoch", 60)
    fence.epoch()
    assert redis.ttl("f:epoch") > 3 * DAY


# Full, or set up wrongly


def test_a_full_redis_refuses_and_says_so(fence: Fence, redis: Redis) -> None:
    epoch = fence.epoch()
    fence.claim(first(epoch))
    redis.config_set("maxmemory", "1")
    with pytest.raises(Unreachable, match="maxmemory"):
        fence.claim(first(epoch, 2)[1:])
    redis.config_set("maxmemory", "0")
    assert fence.claim(first(epoch, 2)[1:]) == [FenceAnswer(OK, 1, "a1")]


def test_a_redis_that_may_evict_is_refused(fence: Fence, redis: Redis) -> None:
    fence.check_server()
    redis.config_set("maxmemory-policy", "allkeys-lru")
    with pytest.raises(Misconfigured, match=r"allkeys-lru.*noeviction"):
        fence.check_server()


def test_a_redis_that_forbids_config_can_still_be_checked(server: Process, redis: Redis) -> None:
    redis.acl_setuser("fencepost", enabled=True, passwords=["+secret"], keys=["*"], commands=["+@all", "-config"])
    fence = Fence(at(server.url.replace("redis://", "redis://fencepost:secret@")))
    fence.check_server()
    redis.config_set("maxmemory-policy", "volatile-ttl")
    with pytest.raises(Misconfigured, match="volatile-ttl"):
        fence.check_server()
    fence.close()


def test_a_wrong_password_is_named_and_not_shown(server: Process) -> None:
    fence = Fence(at(server.url.replace("redis://", "redis://fencepost:wrong@")))
    with pytest.raises(Misconfigured, match="FENCEPOST_REDIS__URL") as caught:
        fence.check_server()
    assert "wrong@" not in str(caught.value)
    with pytest.raises(Unreachable):
        fence.epoch()
    fence.close()


def test_an_address_that_is_none_is_refused() -> None:
    with pytest.raises(Misconfigured, match="FENCEPOST_REDIS__URL"):
        Fence(at("http://127.0.0.1"))


def verdict_of_kill(fence: Fence, epoch: str) -> Verdict | None:
    try:
        return fence.kill(first(epoch))[0].verdict
    except Unreachable:
        return None


def redis_address(server: Process) -> tuple[str, int]:
    host, _, port = server.url.removeprefix("redis://").removesuffix("/0").partition(":")
    return host, int(port)


def test_the_breakers_memory_may_fail_and_the_fence_decides_all_the_same(fence: Fence, redis: Redis) -> None:
    epoch = fence.epoch()
    redis.rpush("f:c:spoilt", "not a mark")
    asked = [
        FenceRequest(1, f"eml_{content}", epoch, 5, 1, "a1", ("a1",), content, "m") for content in ("good", "spoilt")
    ]
    assert fence.claim(asked) == [FenceAnswer(OK, 1, "a1"), FenceAnswer(OK, 1, "a1")]
    assert {answer.verdict for answer in fence.kill(asked)} == {Verdict.TAKEN}


def test_a_content_is_remembered_for_as_long_as_it_is_set(server: Process, redis: Redis) -> None:
    fence = Fence(at(server.url), timedelta(seconds=90))
    fence.claim([FenceRequest(1, "eml_1", fence.epoch(), 5, 1, "a1", ("a1",), "one", "m")])
    assert 80_000 < redis.pttl("f:c:one") <= 90_000
    fence.close()
