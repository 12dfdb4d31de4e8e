"""How Fencepost talks to Redis: explicit time-outs, no hidden retries."""

from collections.abc import Iterator
from contextlib import contextmanager

from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from fencepost import settings
from fencepost.errors import Misconfigured, Unreachable


def connect(config: settings.Redis) -> Redis:
    """A client that reports every failure at once. Connects at the first command. Raises Misconfigured for an address
    that can't be read.

    By default the library repeats each command ten times, so that a lost reply to a claim would look like somebody
    else's claim; and with RESP3 it lets the server announce longer time-outs.
    """
    try:
        return Redis.from_url(
            config.url.get_secret_value(),
            protocol=2,
            decode_responses=True,
            socket_timeout=config.timeout_seconds,
            socket_connect_timeout=config.timeout_seconds,
            retry=Retry(NoBackoff(), 0),
        )
    except ValueError as error:
        raise Misconfigured(f"FENCEPOST_REDIS__URL is not an address of a Redis: {error}") from None


@contextmanager
def unreachable_if_it_fails() -> Iterator[None]:
    """Every failure that the client knows becomes Unreachable: an error that the server answers too, since a script may
    have stopped half-way."""
    try:
        yield
    except (RedisError, OSError) as error:
        raise Unreachable("redis", str(error) or type(error).__name__) from error
