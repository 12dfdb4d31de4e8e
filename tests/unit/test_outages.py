"""What is said of a server that goes and comes back, and of a round that breaks again and again."""

import io
import json
import logging
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
import structlog

from fencepost import logs
from fencepost.errors import Unreachable
from fencepost.logs import Unforeseen, get_logger
from fencepost.outages import Outages
from fencepost.settings import Logging


class HandClock:
    """A clock that goes when it is told to."""

    seconds = 1000.0

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.seconds, UTC)

    def steady(self) -> float:
        return self.seconds


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    stream, handlers = io.StringIO(), logging.root.handlers[:]
    logs.configure(Logging(format="json"), process="test", stream=stream)
    yield stream
    # As it was: what other tests of this process log goes where they look for it.
    structlog.reset_defaults()
    logging.captureWarnings(False)
    logging.root.handlers[:] = handlers


def said(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_an_outage_is_said_once_repeated_once_a_minute_and_ended_once(stream: io.StringIO) -> None:
    clock = HandClock()
    outages = Outages(clock)
    for _ in range(700):
        outages.note(Unreachable("redis", "no answer"))
        clock.seconds += 0.1
    assert outages.current() == {"redis": "redis: no answer"}
    clock.seconds += 5
    for _ in range(10):
        outages.over("redis")
    assert outages.current() == {}
    assert [line["action"] for line in said(stream)] == ["server.away", "server.away", "server.back"]
    assert [round(line["seconds"]) for line in said(stream)] == [0, 60, 70]


def test_a_server_that_answers_one_thread_and_not_another_is_still_away(stream: io.StringIO) -> None:
    clock = HandClock()
    outages = Outages(clock)
    for _ in range(20):
        outages.note(Unreachable("mongodb", "no answer"))
        clock.seconds += 0.5
        outages.over("mongodb")
        assert outages.current() == {}, "what has just answered is not waited for"
        clock.seconds += 0.5
    clock.seconds += 2
    outages.over("mongodb")
    assert [line["action"] for line in said(stream)] == ["server.away", "server.back"]


def test_a_round_that_breaks_again_and_again_says_so_once_a_minute_for_each_kind(stream: io.StringIO) -> None:
    clock = HandClock()
    unforeseen = Unforeseen(get_logger("test"), clock.steady)

    def stumble(error: Exception) -> None:
        try:
            raise error
        except type(error):
            unforeseen.say("A round broke.", action="round.failed")

    for _ in range(100):
        stumble(ValueError("one"))
        stumble(KeyError("other"))
        clock.seconds += 1
    assert len(said(stream)) == 4
    assert ["unsaid" in line for line in said(stream)] == [False, False, True, True]
    assert said(stream)[2]["unsaid"] == 59
    assert all("Traceback" in line["exception"] for line in said(stream))
