"""How requests are read: one strict JSON object as the body, known parameters only, an id that logs and answers carry."""

import re
from collections.abc import Callable
from functools import cache, cached_property
from inspect import unwrap
from typing import Any, TypeVar, cast, get_type_hints

from flask import Flask, Request, Response, current_app, g, request
from pydantic import BaseModel, ValidationError
from pydantic_core import from_json
from structlog.contextvars import bind_contextvars, clear_contextvars
from werkzeug.exceptions import BadRequest, RequestEntityTooLarge, UnsupportedMediaType

from fencepost import ids
from fencepost.errors import Invalid, Problem
from fencepost.sentences import problems

Model = TypeVar("Model", bound=BaseModel)
View = TypeVar("View", bound=Callable[..., Response])

_REQUEST_ID = re.compile(r"[A-Za-z0-9._:-]{8,128}")
_CHUNK_BYTES = 65_536
_DISCARDED_BYTES = 16 * 1024 * 1024


class JsonRequest(Request):
    """A request whose body is one JSON object."""

    @cached_property
    def document(self) -> dict[str, Any] | None:
        """The body; None where there is none. Raises Invalid, and what Flask answers with 413, 415 and 400."""
        data = self.body
        if not data:
            return None
        if self.mimetype != "application/json" and (self.method, self.mimetype) != ("PATCH", MERGE_PATCH):
            raise UnsupportedMediaType("The body must be JSON, with Content-Type: application/json.")
        try:
            # Stricter than the standard library: no NaN, no lone surrogates, a bounded depth.
            found = from_json(data, allow_inf_nan=False)
        except ValueError as error:
            raise BadRequest(f"The body is not JSON: {error}.") from None
        if not isinstance(found, dict):
            raise Invalid(Problem("", "must be a JSON object, in braces"))
        return found

    @cached_property
    def body(self) -> bytes:
        """Its bytes as they came. Raises what Flask answers with 413."""
        most = self.max_content_length or 0
        stream = self.environ["wsgi.input"]
        try:
            data = self.get_data(cache=False)
            # What comes in chunks is cut off at the limit without a word.
            if len(data) < most or not stream.read(1):
                return data
        except RequestEntityTooLarge:
            pass
        # Whoever closes a connection with unread bytes in it takes the answer away with them.
        left = max(_DISCARDED_BYTES, 2 * most)
        while left > 0 and (chunk := stream.read(min(left, _CHUNK_BYTES))):
            left -= len(chunk)
        raise RequestEntityTooLarge(f"The body is larger than {most} bytes, which is the most.")


MERGE_PATCH = "application/merge-patch+json"


def document(*, optional: bool = False) -> dict[str, Any]:
    """The body of this request, a JSON object; `optional`: nothing at all stands for an empty one."""
    found = cast(JsonRequest, request).document
    if found is None and not optional:
        raise BadRequest("A JSON object is needed as the body.")
    return found or {}


def raw_body() -> bytes:
    """The bytes of this request's body, whatever they are."""
    return cast(JsonRequest, request).body


def read(model: type[Model], *, optional: bool = False) -> Model:
    """The body of this request as a model. Raises Invalid."""
    try:
        return model.model_validate(document(optional=optional))
    except ValidationError as error:
        raise Invalid(*problems(error)) from None


def carries_messages(view: View) -> View:
    """Marks a view whose requests carry messages: with attachments they may be larger than others."""
    view.carries_messages = True  # type: ignore[attr-defined]
    return view


def install(app: Flask) -> None:
    """Read bodies strictly, and give each request an id."""
    app.request_class = JsonRequest

    @app.before_request
    def identify() -> None:
        given = request.headers.get("X-Request-Id", "")
        g.request_id = given if _REQUEST_ID.fullmatch(given) else ids.new_id("req")
        # Cleared here and not at the end, so that the server's own access line carries the id as well.
        clear_contextvars()
        bind_contextvars(request_id=g.request_id)

    @app.after_request
    def return_id(response: Response) -> Response:
        response.headers["X-Request-Id"] = g.get("request_id", "")
        return response


def check(app: Flask, max_message_bytes: int) -> None:
    """Refuse parameters that the view of a request does not know. A request that carries messages may have so many bytes, once it is
    known who sends it."""

    @app.before_request
    def make_room_for_messages() -> None:
        if getattr(app.view_functions.get(request.endpoint or ""), "carries_messages", False):
            request.max_content_length = max_message_bytes

    @app.before_request
    def refuse_unknown_parameters() -> None:
        if request.endpoint is None or request.blueprint is None:
            return
        known = _parameters(current_app.view_functions[request.endpoint])
        wrong = [
            Problem(f"/{name}", "is not a parameter here; check the spelling")
            for name in request.args
            if name not in known
        ]
        wrong += [
            Problem(f"/{name}", "is given twice; give it once")
            for name in request.args
            if len(request.args.getlist(name)) > 1
        ]
        if wrong:
            raise Invalid(*wrong)


@cache
def _parameters(view: Any) -> frozenset[str]:
    model = get_type_hints(unwrap(view)).get("query")
    if model is None:
        return frozenset()
    return frozenset(field.alias or name for name, field in model.model_fields.items())
