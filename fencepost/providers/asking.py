"""The few calls to a provider's API that are not about a mail: made one after the other, within a time for all of them."""

import time
from collections.abc import Callable

import requests

from fencepost.errors import Unreachable
from fencepost.providers.http import HttpReply
from fencepost.providers.registering.steps import Call, Registered, Steps

_MOST_BYTES = 1_048_576
_CALL_SECONDS = 5.0

Ask = Callable[[str, Call, float], HttpReply]


def ask(provider: str, call: Call, seconds: float) -> HttpReply:
    """The answer, whatever its status; redirects are not followed, since a key goes to the address that it was given for. Raises
    Unreachable if none came: to connect, and again between two pieces of the answer, it waits for so many seconds."""
    try:
        with requests.Session() as session:
            session.trust_env = False
            with session.request(
                call.method,
                call.url,
                data=call.body,
                headers=dict(call.headers),
                timeout=seconds,
                allow_redirects=False,
                stream=True,
            ) as answer:
                body = answer.raw.read(_MOST_BYTES, decode_content=True)
    except (requests.RequestException, OSError, ValueError) as error:
        raise Unreachable(provider, f"{type(error).__name__} from {call.url.partition('?')[0]}") from error
    return HttpReply(answer.status_code, {name.lower(): value for name, value in answer.headers.items()}, bytes(body))


def perform(provider: str, steps: Steps, ask: Ask = ask, seconds: float = 8.0) -> Registered:
    """Make these calls; how it ended. Raises Conflict, and Unreachable when the time is over too: what is done by then is done."""
    ends = time.monotonic() + seconds
    call = next(steps)
    while True:
        left = ends - time.monotonic()
        if left <= 0:
            raise Unreachable(provider, f"its answers took longer than {seconds:g} s together")
        try:
            call = steps.send(ask(provider, call, min(left, _CALL_SECONDS)))
        except StopIteration as stop:
            registered: Registered = stop.value
            return registered
