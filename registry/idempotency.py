"""POST with an Idempotency-Key: done once, answered alike as often as it comes (draft-ietf-httpapi-idempotency-key-header)."""

import hashlib
from collections.abc import Callable
from contextlib import suppress

from flask import Response, json, request
from werkzeug.exceptions import HTTPException

from fencepost.errors import FencepostError, Unreachable
from registry.caller import caller, owner
from registry.incoming import document
from registry.parts import Parts
from registry.replies import Reply

_MOST_BYTES = 15_728_640
"""Of an answer that is kept. Written as JSON a text may be thrice as long as the request that brought it, and one document of
MongoDB takes 16 MB."""


def answer_once(parts: Parts, key: str | None, new_id: Callable[[], str], act: Callable[[str], Reply]) -> Response:
    """Call `act` with the id of what it shall create, or repeat what was answered before.

    Whoever repeats a request that broke off half-way creates under the same id, so that nothing exists twice. Raises
    KeyReused for another body, Conflict while the first request is under way, and what `act` raises.
    """
    if key is None:
        return act(new_id()).response()
    # What a key for tests was answered is about mail that nobody gets: no answer to a live key.
    scope = f"{owner()} {'test ' if caller().test else ''}{request.method} {request.path} {key}"
    keys = parts.store.idempotency
    begun = keys.begin(scope, _body_hash(), new_id(), parts.clock.now())
    if begun.answer is not None:
        stored = begun.answer
        headers = {**stored["headers"], "Idempotent-Replayed": "true"}
        return Reply(json.loads(stored["body"]), stored["status"], headers).response()
    try:
        reply = act(begun.resource_id)
        body = json.dumps(reply.body)
        if len(body) > _MOST_BYTES:
            # What is there under the id answers a repetition as well.
            keys.release(scope)
        else:
            keys.complete(scope, {"status": reply.status, "headers": dict(reply.headers), "body": body})
    except Unreachable:
        # Something may have been done: the next request goes on with the same id.
        with suppress(Unreachable):
            keys.release(scope)
        raise
    except (FencepostError, HTTPException):
        keys.forget(scope)
        raise
    return reply.response()


def _body_hash() -> str:
    return hashlib.sha256(json.dumps(document(optional=True), sort_keys=True).encode()).hexdigest()
