"""People who use the API while everything breaks, and the record of what they asked for and were told."""

import secrets
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import requests

from tests.chaos.scenario import PEOPLE, Action

_PATIENCE_SECONDS = 8
_PATHS = {
    "edit": ("PATCH", ""),
    "pause": ("POST", "/pause"),
    "resume": ("POST", "/resume"),
    "delete": ("DELETE", ""),
    "trigger": ("POST", "/trigger"),
    "cancel": ("POST", "/cancel"),
}
_CREATES = {"create": "/schedules", "post": "/emails"}
_KEYED = ("create", "trigger", "post")
"""Only what is sent with a key may be sent again: then both are one."""


class Office:
    """Several people; each does one thing after the other, and all that is done to a schedule is done by one of them."""

    def __init__(self, url: Callable[[], str]) -> None:
        """`url` is where the registry is at the moment."""
        self.calls: list[dict[str, Any]] = []
        self._url = url
        self._ids: dict[str, str] = {}
        self._lock = threading.Lock()
        self._threads: list[threading.Thread] = []

    def work(self, actions: Sequence[Action], begins: float) -> None:
        """Begin to do these, each at its time after `begins` or as soon after as its person is free."""
        for person in range(PEOPLE):
            own = [action for action in actions if action.person == person]
            thread = threading.Thread(target=self._work, args=(own, begins), name=f"person-{person}", daemon=True)
            thread.start()
            self._threads.append(thread)

    def wait(self) -> None:
        """Return when everything is done."""
        for thread in self._threads:
            thread.join()
        self._threads.clear()

    def _work(self, actions: Sequence[Action], begins: float) -> None:
        with requests.Session() as session:
            for action in actions:
                time.sleep(max(0.0, begins + action.at - time.time()))
                self._do(session, action)

    def _do(self, session: requests.Session, action: Action) -> None:
        if action.verb in _CREATES:
            method, path, body = "POST", _CREATES[action.verb], _body(action)
        elif action.schedule in self._ids:
            method, suffix = _PATHS[action.verb]
            things = "/emails" if action.verb == "cancel" else "/schedules"
            path, body = f"{things}/{self._ids[action.schedule]}{suffix}", _body(action)
        else:
            return  # whether it was written nobody knows
        sent = time.time()
        headers = {"Idempotency-Key": secrets.token_hex(8)} if action.verb in _KEYED else {}
        status, answer = self._ask(session, method, path, body, headers)
        doubt = status in (None, 503)
        while headers and (status in (None, 503) or _in_flight(status, answer)) and time.time() < sent + 24:
            time.sleep(0.3)
            status, answer = self._ask(session, method, path, body, headers)
        if doubt and status is not None and status >= 400:
            status = None  # this try was refused; an earlier one may have happened
        with self._lock:
            if action.verb == "create" and status == 201:
                self._ids[action.schedule] = answer["id"]
            if action.verb == "post" and status == 202:
                self._ids[action.schedule] = next(
                    email["id"] for email in answer["emails"] if email["to"] == action.sets["to"][0]
                )
            self.calls.append(
                {
                    "schedule": action.schedule,
                    "verb": action.verb,
                    "sent": sent,
                    "answered": time.time() if status is not None else None,
                    "status": status,
                    "sets": dict(action.sets),
                    "answer": {
                        name: answer[name] for name in ("id", "version", "in_flight", "detail") if name in answer
                    },
                }
            )

    def _ask(
        self, session: requests.Session, method: str, path: str, body: object, headers: Mapping[str, str]
    ) -> tuple[int | None, dict[str, Any]]:
        """The answer's status and body; None if there was none."""
        try:
            reply = session.request(
                method, f"{self._url()}{path}", json=body, headers=dict(headers), timeout=_PATIENCE_SECONDS
            )
            return reply.status_code, reply.json()
        except (requests.RequestException, ValueError):
            return None, {}


def _in_flight(status: int | None, answer: Mapping[str, Any]) -> bool:
    return status == 409 and "Idempotency-Key" in str(answer)


def _body(action: Action) -> dict[str, Any] | None:
    match action.verb:
        case "create":
            return {
                "name": action.schedule,
                **_timing(action.sets["rule"]),
                "on_unknown": action.sets["on_unknown"],
                "misfire": {"policy": "all", "window_seconds": 86_400},
                "message": {
                    "from": "Fence Post <post@example.com>",
                    "to": list(action.sets["to"]),
                    "subject": action.schedule,
                    "text": action.sets["text"],
                },
            }
        case "post":
            later = {"scheduled_at": action.sets["at"]} if action.sets["at"] else {}
            return {
                "from": "Fence Post <post@example.com>",
                "to": list(action.sets["to"]),
                "subject": action.schedule,
                "text": action.sets["text"],
                "on_unknown": action.sets["on_unknown"],
                "priority": action.sets["priority"],
                **later,
            }
        case "edit":
            changes = _timing(action.sets["rule"]) if "rule" in action.sets else {}
            return {**changes, "message": {"text": action.sets["text"]}}
    return None


def _timing(rule: Mapping[str, Any]) -> dict[str, Any]:
    bounds = {name: rule[name] for name in ("starts_at", "ends_at") if name in rule}
    recurrence = {name: value for name, value in rule.items() if name not in bounds}
    return {"recurrence": recurrence, **bounds}
