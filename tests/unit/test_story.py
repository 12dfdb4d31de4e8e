"""The reader of logs sees what it is for."""

from typing import Any

import pytest

from tests.support.story import problems


def line(second: int, action: str, **fields: Any) -> dict[str, Any]:
    at = f"2026-03-01T00:{second // 60:02}:{second % 60:02}Z"
    return {"at": at, "level": "info", "action": action, "message": "It happened.", **fields}


GOOD = [
    line(0, "sender.starting"),
    line(1, "server.away", server="redis"),
    line(61, "server.away", server="redis"),
    line(70, "server.back", server="redis"),
    line(75, "server.away", server="redis"),
    line(76, "server.back", server="redis"),
    line(80, "clock.off", level="error"),
]


def test_a_log_as_it_should_be_has_no_problems() -> None:
    assert problems(GOOD) == []


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (line(90, "loop.failed", level="error"), "nobody foresaw"),
        (line(90, "server.back", server="etcd"), "without having been away"),
        (line(90, "server.away", server="etcd"), "never came back"),
        (line(90, "x", message="half a sent"), "no sentence"),
        (line(90, "x", exception="Traceback (most recent call last):"), "a traceback"),
        (line(90, "x", detail="x" * 400), "runs over"),
        (line(90, "library.log"), "a library"),
    ],
)
def test_what_is_wrong_is_named(wrong: dict[str, Any], words: str) -> None:
    assert any(words in problem for problem in problems([*GOOD, wrong]))


def test_an_outage_that_is_told_again_and_again_is_named() -> None:
    again = [line(second, "server.away", server="etcd") for second in (90, 91, 92)]
    ends = line(95, "server.back", server="etcd")
    assert len(problems([*GOOD, *again, ends])) == 2
