"""Waiting for what other processes do, without guessing how long it takes."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def eventually(check: Callable[[], T], *, seconds: float = 10, every: float = 0.05) -> T:
    """Repeat `check` until its value is true and hand that value back. An AssertionError counts as "not yet".

    After the deadline the last AssertionError is raised, or one that shows the last value.
    """
    deadline = time.monotonic() + seconds
    while True:
        value, failure = _attempt(check)
        if value:
            return value
        if time.monotonic() > deadline:
            raise failure or AssertionError(f"still {value!r} after {seconds:g} s")
        time.sleep(every)


def _attempt(check: Callable[[], T]) -> tuple[T | None, AssertionError | None]:
    try:
        return check(), None
    except AssertionError as error:
        return None, error
