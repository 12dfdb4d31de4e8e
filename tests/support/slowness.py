"""How crowded this machine is, for bounds that are promised on one that is not."""

import time

_WORK_SECONDS = 0.1


def slowness() -> float:
    """How much longer than alone a computation takes here at present: 1 where nobody else wants the processors. Ask while
    what is under test is idle, or it would make its own excuse."""
    begun, worked = time.monotonic(), time.thread_time()
    while time.thread_time() - worked < _WORK_SECONDS:
        pass
    return max(1.0, (time.monotonic() - begun) / _WORK_SECONDS)
