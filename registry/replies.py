"""Answers on their way out."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from flask import Response, after_this_request, json, request

from fencepost.schedules import Schedule
from fencepost.store.pages import Cursor
from registry.parts import Parts


@dataclass(frozen=True, slots=True)
class Reply:
    """What a view decided to answer."""

    body: Mapping[str, Any]
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)

    def response(self) -> Response:
        return Response(json.dumps(self.body), self.status, dict(self.headers), mimetype="application/json")


def etag(schedule: Schedule) -> dict[str, str]:
    return {"ETag": f'"{schedule.version}"'}


def list_reply(data: list[Any], next_cursor: Cursor | None) -> Reply:
    """One page of a list, with a Link to the next."""
    cursor = str(next_cursor) if next_cursor else None
    headers = {}
    if cursor:
        query = urlencode({**request.args, "cursor": cursor})
        headers["Link"] = f'<{request.path}?{query}>; rel="next"'
    return Reply({"data": data, "next_cursor": cursor}, headers=headers)


def nudge_afterwards(parts: Parts) -> None:
    """Wake the senders once the answer is out: a Redis that is down must not make the client wait."""

    @after_this_request
    def hang_on(response: Response) -> Response:
        response.call_on_close(parts.nudge)
        return response
