"""Errors as problem documents (RFC 9457): one table from exception to status, kind and title."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from math import ceil

from flask import Blueprint, Flask, Response, g, json, request
from gunicorn.http.errors import NoMoreData, ParseException
from pydantic import ValidationError
from werkzeug.exceptions import HTTPException

from fencepost import sentences
from fencepost.errors import Conflict, FencepostError, Invalid, Misconfigured, NotFound, Problem, TooLarge, Unreachable
from fencepost.logs import get_logger
from fencepost.providers.hooks import Unacceptable, Unsigned
from fencepost.store.idempotency import KeyReused
from registry.access import Forbidden, public
from registry.keyring import Unauthenticated
from registry.limiting import TooMany

log = get_logger(__name__)
bp = Blueprint("problems", __name__)

MIMETYPE = "application/problem+json"
RETRY_SECONDS = 5


class Stale(FencepostError):
    """The thing has another version than the If-Match of the request names."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of problem: its status, the anchor on /problems that its `type` points to, and what it means."""

    status: int
    anchor: str
    title: str
    meaning: str
    challenge: str = ""
    """The WWW-Authenticate of a 401."""


KINDS: Mapping[type[Exception], Kind] = {
    Invalid: Kind(
        422,
        "invalid",
        "The input can't be taken as it is",
        "Each of `errors` names a field by JSON Pointer, or a parameter, and says what would be right.",
    ),
    TooLarge: Kind(
        413,
        "too-large",
        "The input is more than is taken",
        "Each of `errors` names what is too large, and says how much is taken.",
    ),
    KeyReused: Kind(
        422,
        "key-reused",
        "The Idempotency-Key came before with another body",
        "Take a new key for a new request; repeat the old body to get the old answer.",
    ),
    NotFound: Kind(
        404, "not-found", "There is no such thing", "Nothing with this id is on record, or it is another's."
    ),
    Stale: Kind(
        412,
        "stale",
        "It has changed since it was read",
        "If-Match names another version than the current one: read again, then decide again.",
    ),
    Conflict: Kind(
        409,
        "conflict",
        "Its state does not allow that",
        "The thing is in a state in which the request means nothing, or a request of the same Idempotency-Key is under way.",
    ),
    Unsigned: Kind(
        401,
        "unsigned",
        "Nothing shows that the provider sent this",
        "What comes to /hooks must be signed with the key that the provider and FENCEPOST_PROVIDERS__… share, by clocks that agree.",
        challenge="Signature",
    ),
    Unauthenticated: Kind(
        401,
        "no-key",
        "A valid key is needed",
        "Send a key that is neither revoked nor expired as `Authorization: Bearer fp_live_…`.",
        challenge='Bearer realm="fencepost"',
    ),
    Forbidden: Kind(
        403,
        "forbidden",
        "The key may not do that",
        "`detail` names the scope that the key lacks; or the key is one for tests, and this may reach a provider.",
    ),
    TooMany: Kind(
        429,
        "too-many",
        "Too many requests",
        "Wait as long as Retry-After says. RateLimit-Policy tells how many there are, RateLimit how many are left.",
    ),
    Unacceptable: Kind(
        406,
        "unacceptable",
        "This is not taken, however often it comes",
        "It was signed too long ago, or what signs it has come before with something else.",
    ),
    Unreachable: Kind(
        503,
        "unreachable",
        "A server behind the API does not answer",
        "`detail` names it. Whether a write was done is not known: repeat it with the same Idempotency-Key or If-Match.",
    ),
    Misconfigured: Kind(
        503, "misconfigured", "The API is not set up right", "Only its operator can mend it; the log says what to set."
    ),
}
_FAILED = Kind(500, "failed", "The API failed", "A fault of ours. The log has it under the `request_id`.")


def install(app: Flask) -> None:
    """Answer every error with a problem document, and explain their kinds on /problems."""
    app.register_error_handler(FencepostError, _expected)
    app.register_error_handler(HTTPException, _http)
    app.register_error_handler(ParseException, _unreadable)
    app.register_error_handler(NoMoreData, _unreadable)
    app.register_error_handler(Exception, _unexpected)
    app.register_blueprint(bp)


def refuse(error: ValidationError) -> Response:
    """What flask-openapi calls when parameters are wrong."""
    raise Invalid(*sentences.problems(error))


def problem(kind: Kind, detail: str, errors: Sequence[Problem] = ()) -> Response:
    """The answer for one problem of this kind."""
    return _answer(f"/problems#{kind.anchor}", kind.status, kind.title, detail, errors)


def _expected(error: FencepostError) -> Response:
    kind = next((KINDS[base] for base in type(error).__mro__ if base in KINDS), _FAILED)
    if kind is _FAILED:
        return _unexpected(error)
    if isinstance(error, Invalid):
        return problem(kind, _summary(error.problems), error.problems)
    if isinstance(error, Unreachable):
        # Which address, and what the driver says, is for the log.
        log.warning("A request met a server that does not answer.", action="request.unreachable", detail=str(error))
        answer = problem(kind, f"{error.server} does not answer; try again in a moment")
        answer.headers["Retry-After"] = str(RETRY_SECONDS)
        return answer
    answer = problem(kind, str(error))
    if isinstance(error, TooMany):
        answer.headers["Retry-After"] = str(max(1, ceil(error.wait_seconds)))
    if kind.challenge:
        answer.headers["WWW-Authenticate"] = kind.challenge
    return answer


def _http(error: HTTPException) -> Response:
    answer = _answer("about:blank", error.code or 500, error.name, error.description or "")
    for name, value in error.get_headers():
        if name.lower() not in ("content-type", "content-length"):
            answer.headers[name] = value
    return answer


def _unreadable(_error: Exception) -> Response:
    """What the server finds only while the body is read."""
    detail = "The body can't be read to its end: its chunks are not as HTTP has them, or it breaks off."
    return _answer("about:blank", 400, "Bad Request", detail)


def _unexpected(error: Exception) -> Response:
    log.error("A request failed.", action="request.failed", path=request.path, exc_info=error)
    return problem(_FAILED, "The fault is on our side; the log has it under this request_id.")


def _summary(problems: Sequence[Problem]) -> str:
    first = f"{problems[0].pointer or 'the body'}: {problems[0].detail}"
    return first if len(problems) == 1 else f"{first} (and {len(problems) - 1} more)"


def _answer(kind: str, status: int, title: str, detail: str, errors: Sequence[Problem] = ()) -> Response:
    body = {
        "type": kind,
        "title": title,
        "status": status,
        "detail": detail,
        "instance": request.path,
        "request_id": g.get("request_id", ""),
        "errors": [{"pointer": item.pointer, "detail": item.detail} for item in errors],
    }
    return Response(json.dumps(body), status, mimetype=MIMETYPE)


@bp.get("/problems")
@public("what the API's errors mean is no secret")
def explain() -> str:
    """What each kind of problem means, for people who follow a `type`."""
    kinds = [*KINDS.values(), _FAILED]
    rows = "".join(
        f'<dt id="{kind.anchor}">{kind.status} {escape(kind.title)}</dt><dd>{escape(kind.meaning)}</dd>'
        for kind in kinds
    )
    return (
        f'<!doctype html><html lang="en"><title>Problems of the Fencepost API</title><h1>Problems</h1><dl>{rows}</dl>'
    )
