"""Nudges on a real Redis that comes and goes."""

import time
from collections.abc import Iterator
from threading import Event

import pytest
from pydantic import SecretStr

from devstack.processes import Process
from fencepost.coordination.nudges import NudgeListener, Nudger
from fencepost.settings import Redis as RedisSettings
from tests.conftest import StartsServer
from tests.support.eventually import eventually


@pytest.fixture
def server(private_redis: StartsServer) -> Process:
    return private_redis()


def at(server: Process, number: int = 0) -> RedisSettings:
    return RedisSettings(url=SecretStr(server.url.removesuffix("/0") + f"/{number}"), timeout_seconds=0.5)


@pytest.fixture
def nudger(server: Process) -> Iterator[Nudger]:
    nudger = Nudger(at(server))
    yield nudger
    nudger.close()


@pytest.fixture
def listener(server: Process) -> Iterator[NudgeListener]:
    listener = NudgeListener(at(server))
    # The first subscription counts as a nudge.
    assert listener.wait(10)
    yield listener
    listener.stop()


def test_a_nudge_ends_the_sleep_early(nudger: Nudger, listener: NudgeListener) -> None:
    assert not listener.wait(0)
    started = time.monotonic()
    nudger.publish()
    assert listener.wait(10)
    assert time.monotonic() - started < 1
    assert not listener.wait(0)


def test_a_nudge_calls_whoever_asked_for_it(server: Process, nudger: Nudger) -> None:
    called = Event()
    listener = NudgeListener(at(server), on_nudge=called.set)
    assert called.wait(10)
    called.clear()
    nudger.publish()
    assert called.wait(10)
    listener.stop()


def test_without_a_nudge_the_sleep_is_slept(listener: NudgeListener) -> None:
    started = time.monotonic()
    assert not listener.wait(0.2)
    assert time.monotonic() - started >= 0.2


def test_a_nudge_of_another_database_is_not_heard(server: Process, listener: NudgeListener) -> None:
    foreign = Nudger(at(server, 1))
    foreign.publish()
    assert not listener.wait(0.3)
    foreign.close()


def test_publishing_never_raises(server: Process, nudger: Nudger) -> None:
    server.kill()
    nudger.publish()
    server.start().wait_ready()
    server.pause()
    started = time.monotonic()
    nudger.publish()
    assert time.monotonic() - started < 2
    server.resume()


def test_the_listener_survives_redis_and_wakes_when_it_is_back(
    server: Process, nudger: Nudger, listener: NudgeListener
) -> None:
    server.kill()
    listener.wait(0.5)
    server.start().wait_ready()
    assert listener.wait(10), "coming back counts as a nudge"

    def nudged() -> bool:
        nudger.publish()
        return listener.wait(0.2)

    eventually(nudged)


def test_a_listener_starts_without_redis_and_stops_without_it(server: Process, nudger: Nudger) -> None:
    server.kill()
    listener = NudgeListener(at(server))
    assert not listener.wait(0.2)
    server.start().wait_ready()
    assert listener.wait(10)
    server.kill()
    listener.stop()
