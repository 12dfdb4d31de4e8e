"""One call to an endpoint: where it may go, what is sent, how it ended."""

import time
from collections.abc import Callable
from datetime import datetime

from fencepost import egress, webhooks
from fencepost.providers.answers import printable
from fencepost.providers.http import HttpReply, HttpRequest, Reply
from fencepost.providers.transport import Transport
from fencepost.webhooks import Endpoint, Message, Result

MAX_ANSWER_BYTES = 65_536

Call = Callable[[HttpRequest], Reply]


def attempt(
    message: Message, endpoint: Endpoint, now: datetime, resolve: egress.Resolve, call: Call, *, loopback: bool
) -> Result:
    """Tell the endpoint of it, once."""
    began = time.monotonic()
    try:
        target = egress.target(endpoint.url, resolve, loopback=loopback)
    except egress.Forbidden as forbidden:
        return Result(None, time.monotonic() - began, f"Not called: {forbidden}")
    except OSError as error:
        return Result(
            None, time.monotonic() - began, f"Not called: its name could not be looked up ({error.strerror or error})"
        )
    headers = webhooks.headers(message.id, now, message.body, endpoint.signing(now))
    reply = call(HttpRequest("POST", target.url, headers, message.body.encode(), target.connect_to))
    seconds = time.monotonic() - began
    if isinstance(reply, HttpReply):
        return Result(reply.status, seconds, printable(reply.body[:1000].decode("utf-8", "replace")))
    return Result(None, seconds, printable(reply.detail))


def call_once(transport: Transport, request: HttpRequest, seconds: float) -> Reply:
    """The reply, after so long at the latest. The transport must have no other call under way."""
    transport.start("call", request, seconds)
    while True:
        for _, reply in transport.poll(seconds):
            return reply
