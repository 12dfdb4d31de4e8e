"""Whether this machine's clock can be gone by.

A sender whose clock is fast would send before the instant, and one whose clock is slow late. MongoDB's clock is the judge, since
all senders share it: ours is compared with it at the start, once a minute, and as soon as it has stepped, which the steady clock
shows. While it is off by more than a limit nothing is planned, claimed, rescued or archived by it.
"""

from collections.abc import Callable
from datetime import datetime
from threading import Lock
from typing import NamedTuple

from fencepost.clock import Clock
from fencepost.errors import FencepostError
from fencepost.logs import get_logger

log = get_logger(__name__)
_COMPARE_SECONDS, _WHILE_OFF_SECONDS = 60.0, 1.0
_STEP_SECONDS = 0.5
"""A clock that is merely steered moves much less than this in a minute."""


class ClockIsOff(FencepostError):
    """This machine's clock can't be gone by: step aside until it is right."""


class _Comparison(NamedTuple):
    at: float
    """When it was made, by the steady clock."""
    wall_minus_steady: float
    skew_seconds: float
    """Ours minus MongoDB's, as far as that is certain."""


class Timekeeper:
    """The wall clock, as long as it is right. May be used from several threads."""

    def __init__(
        self, clock: Clock, server_now: Callable[[], datetime], limit_seconds: float, on_change: Callable[[str], None]
    ) -> None:
        """`server_now` reads MongoDB's clock, or raises Unreachable. `on_change` is told what is wrong, again and again while it is,
        and gets an empty sentence at the first comparison that finds the clock right and at each that does so after that."""
        self._clock, self._server_now = clock, server_now
        self._limit_seconds, self._on_change = limit_seconds, on_change
        self._last: _Comparison | None = None
        self._lock = Lock()
        self.problem = ""
        """What is wrong with the clock, as a sentence; empty if it is right."""

    def now(self) -> datetime:
        """What the clock says. Raises ClockIsOff, and Unreachable if it has to be compared and MongoDB does not answer."""
        while True:
            # What is handed out is the very reading that was looked at: the clock may step at any time.
            now, steady = self._clock.now(), self._clock.steady()
            if self._stands(now.timestamp() - steady, steady):
                break
            with self._lock:
                self._compare()
        if self.problem:
            raise ClockIsOff(self.problem)
        return now

    def _stands(self, wall_minus_steady: float, steady: float) -> bool:
        last = self._last
        return (
            last is not None
            and steady - last.at < (_WHILE_OFF_SECONDS if self.problem else _COMPARE_SECONDS)
            and abs(wall_minus_steady - last.wall_minus_steady) < _STEP_SECONDS
        )

    def _compare(self) -> None:
        asked = self._clock.steady()
        theirs = self._server_now()
        ours, steady = self._clock.now(), self._clock.steady()
        difference = (ours - theirs).total_seconds()
        # They read theirs somewhere between our question and their answer.
        skew = max(0.0, difference - (steady - asked)) if difference > 0 else difference
        self._last = _Comparison(steady, ours.timestamp() - steady, skew)
        before, self.problem = self.problem, self._sentence(skew)
        if self.problem and not before:
            log.error(
                "This machine's clock is off; this sender steps aside until it is right.",
                action="clock.off",
                skew_seconds=round(skew, 1),
                detail=self.problem,
            )
        elif before and not self.problem:
            log.info("This machine's clock is right again; this sender takes part.", action="clock.right")
        self._on_change(self.problem)

    def _sentence(self, skew: float) -> str:
        if abs(skew) <= self._limit_seconds:
            return ""
        return (
            f"this machine's clock is {abs(skew):.1f} s {'ahead of' if skew > 0 else 'behind'} MongoDB's, and"
            f" {self._limit_seconds:g} s are borne: let both follow the same time server (NTP)"
        )
