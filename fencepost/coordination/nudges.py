"""Nudges: "look now", from who wrote something that may be due at once to the senders that sleep.

A nudge may be lost and may come for nothing: a sender sleeps for a few seconds at most, so it costs lateness, never a mail.
"""

from collections.abc import Callable
from threading import Event, Thread

from redis import Redis
from redis.client import PubSub

from fencepost import settings
from fencepost.coordination.redis_client import connect, unreachable_if_it_fails
from fencepost.errors import Unreachable
from fencepost.logs import get_logger

_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 0.1, 5.0
_LISTEN_SECONDS = 0.5
"""How long one look for a nudge takes; stop() waits that long at most."""

log = get_logger(__name__)


class Nudger:
    """Wakes the senders. May be used from several threads."""

    def __init__(self, config: settings.Redis) -> None:
        self._redis = connect(config)

    def publish(self) -> None:
        """Nudge all senders, if Redis is there; takes no longer than its time-out and never raises."""
        try:
            with unreachable_if_it_fails():
                self._redis.publish(_channel(self._redis), "")
        except Unreachable as error:
            log.debug("A nudge was lost; senders look by themselves.", action="nudge.lost", reason=str(error))

    def close(self) -> None:
        self._redis.close()


class NudgeListener:
    """Hears nudges, on a thread of its own, from its making to stop(). While Redis is away it tries again and again; once it is
    back that counts as a nudge, since some may have been missed."""

    def __init__(self, config: settings.Redis, on_nudge: Callable[[], None] = lambda: None) -> None:
        """`on_nudge` is called from the thread and must not wait."""
        self._redis = connect(config)
        self._on_nudge = on_nudge
        self._nudged, self._stopping = Event(), Event()
        self._thread = Thread(target=self._run, name="nudges", daemon=True)
        self._thread.start()

    def wait(self, seconds: float) -> bool:
        """Sleep for so long, or until a nudge comes; whether one has come since the last call."""
        nudged = self._nudged.wait(seconds)
        self._nudged.clear()
        return nudged

    def stop(self) -> None:
        self._stopping.set()
        self._thread.join()
        self._redis.close()

    def _run(self) -> None:
        pause = _FIRST_PAUSE_SECONDS
        while not self._stopping.is_set():
            try:
                with (
                    unreachable_if_it_fails(),
                    PubSub(self._redis.connection_pool, ignore_subscribe_messages=True) as subscription,
                ):
                    subscription.subscribe(_channel(self._redis))
                    pause = _FIRST_PAUSE_SECONDS
                    self._nudge()
                    self._listen(subscription)
            except Unreachable as error:
                log.debug("Nudges can't be heard.", action="nudge.deaf", reason=str(error), again_in_seconds=pause)
                self._stopping.wait(pause)
                pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)

    def _listen(self, subscription: PubSub) -> None:
        while not self._stopping.is_set():
            if subscription.get_message(timeout=_LISTEN_SECONDS) is not None:
                self._nudge()

    def _nudge(self) -> None:
        self._nudged.set()
        self._on_nudge()


def _channel(client: Redis) -> str:
    """Channels are common to all databases of a server, unlike keys."""
    return f"f:nudge:{client.connection_pool.connection_kwargs.get('db', 0)}"
