"""The registry's application in this process, on a real store, with a clock that the test moves."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from fencepost.clock import SystemClock
from fencepost.schedules import milliseconds

MESSAGE = {
    "from": "Fence Post <post@example.com>",
    "to": ["ann@example.com"],
    "subject": "Weekly figures",
    "text": "Here they are.",
}
DAILY = {"type": "cron", "expression": "0 9 * * *", "timezone": "UTC"}


def text(**changes: Any) -> dict[str, Any]:
    """What a client writes for a schedule; `message` is merged in, None leaves a field out."""
    message = {**MESSAGE, **changes.pop("message", {})}
    body = {"name": "Figures", "recurrence": DAILY, "message": message, **changes}
    return {name: value for name, value in body.items() if value is not None}


@dataclass
class MovableClock:
    """Stands still until it is moved."""

    instant: datetime
    _steady: SystemClock = field(default_factory=SystemClock)

    def now(self) -> datetime:
        return self.instant

    def steady(self) -> float:
        return self._steady.steady()

    def move(self, **by: float) -> datetime:
        """`clock.move(minutes=5)`; the new instant."""
        self.instant = milliseconds(self.instant + timedelta(**by))
        return self.instant


@dataclass
class Api:
    """Calls the application, and holds every answer to what an answer must look like."""

    client: FlaskClient

    def call(
        self, method: str, path: str, body: object = None, *, headers: Mapping[str, str] | None = None
    ) -> TestResponse:
        data, kind = (None, None) if body is None else (json.dumps(body), "application/json")
        answer = self.client.open(path, method=method, headers=dict(headers or {}), data=data, content_type=kind)
        assert answer.headers["X-Request-Id"]
        assert answer.status_code < 500 or answer.status_code == 503, answer.text
        if answer.status_code >= 400 and path != "/readyz":
            assert answer.mimetype == "application/problem+json", answer.text
        answer.close()
        return answer

    def get(self, path: str, *, status: int = 200) -> Any:
        return self._body("GET", path, None, status, {})

    def post(self, path: str, body: object = None, *, status: int = 200, **headers: str) -> Any:
        return self._body("POST", path, body, status, headers)

    def patch(self, path: str, body: object, *, status: int = 200, **headers: str) -> Any:
        return self._body("PATCH", path, body, status, headers)

    def delete(self, path: str, *, status: int = 200, **headers: str) -> Any:
        return self._body("DELETE", path, None, status, headers)

    def create(self, **changes: Any) -> Any:
        """A new schedule."""
        return self.post("/schedules", text(**changes), status=201)

    def _body(self, method: str, path: str, body: object, status: int, headers: Mapping[str, str]) -> Any:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        answer = self.call(method, path, body, headers=sent)
        assert answer.status_code == status, answer.text
        return answer.get_json(force=True)
