"""Named places at which a test makes this very process die or freeze.

`FENCEPOST_FAILPOINT=W4.after:kill` kills the process (SIGKILL, nothing is flushed) right after the first step W4;
`:stop` freezes it (SIGSTOP) until somebody continues it; `W6.before:kill:25` does it the 25th time the place is passed.
Several are separated by commas. The steps are W0 to W7 of docs/architecture.md. Unset, a place costs one dictionary look-up.
"""

import os
import signal
import threading
from collections.abc import Mapping

from fencepost.errors import Misconfigured

VARIABLE = "FENCEPOST_FAILPOINT"
STEPS = ("W1", "W2", "W3", "W4", "W5", "W6", "W7")
"""What is done for each batch of mail."""
NOTIFIER = ("N1", "N2")
"""A notifier's: writing the messages of what it read; calling an endpoint, whose answer is recorded after that."""
START = "W0"
"""Reading the epoch, with a lease and shards in hand: once, and again when Redis lost its memory."""
_SIGNALS = {"kill": signal.SIGKILL, "stop": signal.SIGSTOP}


class Failpoints:
    """The places that were named, and how often each has still to be passed."""

    def __init__(self, spec: str = "") -> None:
        """`spec` is what the variable holds. Raises Misconfigured for a place or an action that does not exist."""
        self._armed: dict[str, tuple[int, int]] = {}
        for item in filter(None, (part.strip() for part in spec.split(","))):
            place, _, action = item.partition(":")
            action, _, nth = action.partition(":")
            step, _, side = place.partition(".")
            if (
                step not in (START, *STEPS, *NOTIFIER)
                or side not in ("before", "after")
                or action not in _SIGNALS
                or not (nth or "1").isdigit()
            ):
                raise Misconfigured(
                    f"{VARIABLE}: {item!r} is not a failpoint; write STEP.before or STEP.after with one of {', '.join((START, *STEPS, *NOTIFIER))},"
                    " then :kill or :stop, and if wanted :N for the Nth time, for example W4.after:kill:25"
                )
            self._armed[place] = (_SIGNALS[action], int(nth or "1"))

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> "Failpoints":
        return cls(environment.get(VARIABLE, ""))

    def hit(self, place: str) -> None:
        """Pass the place; dies or freezes here if that was asked for and it is the time for it."""
        armed = self._armed.get(place)
        if armed is None:
            return
        signal_number, remaining = armed
        if remaining > 1:
            self._armed[place] = (signal_number, remaining - 1)
            return
        del self._armed[place]
        # To this very thread: a signal to the process may be taken by another, and this one would run on until then.
        signal.pthread_kill(threading.get_ident(), signal_number)
