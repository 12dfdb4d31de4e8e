"""The registry as the pages use it: the only module that talks to it, one method for each thing that they ask."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar, cast

import requests

from fencepost.settings import Frontend
from frontend.mail_shapes import Email
from frontend.shapes import Audit, Backfill, Cluster, Key, MailReport, Minute, Occurrence, Preview, Schedule

Item = TypeVar("Item")


class RegistryDown(Exception):
    """No usable answer came: the registry is stopped, starting, cut off or too slow. What was asked may have happened."""


@dataclass(frozen=True, slots=True)
class FieldProblem:
    """One wrong field, as the registry names it: a JSON Pointer into the body that was sent, and a sentence."""

    pointer: str
    detail: str


@dataclass
class Refused(Exception):
    """The registry answered no (4xx), or that a server behind it fails (5xx), and did nothing."""

    status: int
    title: str
    detail: str
    problems: tuple[FieldProblem, ...] = ()
    request_id: str | None = None
    kind: str = ""
    """The anchor of the problem's type: `invalid`, `key-reused`, `stale`, ..."""

    def __str__(self) -> str:
        return self.detail or self.title


@dataclass(frozen=True, slots=True)
class Page(Generic[Item]):
    """One page of a list; `next_cursor` is None on the last."""

    items: Sequence[Item] = field(default_factory=tuple)
    next_cursor: str | None = None


class Registry:
    """Every method raises RegistryDown, and Refused with the registry's own words."""

    def __init__(self, settings: Frontend, key: Callable[[], str | None] = lambda: None) -> None:
        """`key` gives the API key to ask with, for whoever is asking now; None: without one."""
        self._key = key
        self._url = settings.registry_url.rstrip("/")
        self._timeout_seconds = settings.timeout_seconds
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.headers["Accept"] = "application/json"

    def schedules(self, **filters: str | int | None) -> Page[Schedule]:
        """`status`, `q`, `sort`, `limit`, `cursor`."""
        return self._page("/schedules", filters)

    def schedule(self, schedule_id: str) -> Schedule:
        return cast(Schedule, self._call("GET", f"/schedules/{schedule_id}"))

    def create_schedule(self, body: Mapping[str, Any], *, idempotency_key: str) -> Schedule:
        return cast(Schedule, self._call("POST", "/schedules", body, {"Idempotency-Key": idempotency_key}))

    def change_schedule(self, schedule_id: str, body: Mapping[str, Any], *, version: int) -> Schedule:
        """Raises Refused with status 412 where the schedule has another version by now."""
        return cast(Schedule, self._call("PATCH", f"/schedules/{schedule_id}", body, {"If-Match": f'"{version}"'}))

    def delete_schedule(self, schedule_id: str, *, version: int) -> Schedule:
        """Archive it. Raises Refused with status 412 where it has another version by now."""
        return cast(
            Schedule, self._call("DELETE", f"/schedules/{schedule_id}", headers={"If-Match": f'"{version}"'}) or {}
        )

    def pause(self, schedule_id: str, *, reason: str) -> Schedule:
        return cast(
            Schedule, self._call("POST", f"/schedules/{schedule_id}/pause", {"reason": reason} if reason else {})
        )

    def resume(self, schedule_id: str) -> Schedule:
        return cast(Schedule, self._call("POST", f"/schedules/{schedule_id}/resume", {}))

    def restore(self, schedule_id: str) -> Schedule:
        return cast(Schedule, self._call("POST", f"/schedules/{schedule_id}/restore", {}))

    def trigger(self, schedule_id: str, *, idempotency_key: str) -> dict[str, Any]:
        """The occurrence that was made; with the same key it is the same one."""
        headers = {"Idempotency-Key": idempotency_key}
        return cast(dict[str, Any], self._call("POST", f"/schedules/{schedule_id}/trigger", {}, headers))

    def backfill(
        self, schedule_id: str, begin: str, until: str, *, count: int | None = None, idempotency_key: str | None = None
    ) -> Backfill:
        """What there is to backfill from `begin` to `until`; with the `count` of it, it is made. Raises Refused with status 409
        where that is another number by now."""
        asked = {"from": begin, "until": until, "dry_run": count is None}
        if count is not None:
            asked["count"] = count
        headers = {"Idempotency-Key": idempotency_key} if idempotency_key else None
        return cast(Backfill, self._call("POST", f"/schedules/{schedule_id}/backfill", asked, headers))

    def preview(self, body: Mapping[str, Any]) -> Preview:
        return cast(Preview, self._call("POST", "/schedules/preview", body))

    def occurrences(self, schedule_id: str, **filters: str | int | None) -> Page[Occurrence]:
        """`state`, `limit`, `cursor`; the newest first."""
        return self._page(f"/schedules/{schedule_id}/occurrences", filters)

    def emails(self, **filters: str | int | None) -> Page[Email]:
        """`schedule_id`, `occurrence_id`, `batch_id`, `state`, `to`, `provider`, `tag`, `from`, `until`, `limit`, `cursor`; the
        newest first unless `sort` is `due_at`."""
        return self._page("/emails", filters)

    def email(self, email_id: str) -> Email:
        return cast(Email, self._call("GET", f"/emails/{email_id}"))

    def settle(self, email_id: str, decision: str, *, reason: str, by: str) -> Email:
        """Decide on a mail that is held. Raises Refused with status 409 where it is not held (any more)."""
        body = {"decision": decision, "reason": reason, "by": by}
        return cast(Email, self._call("POST", f"/emails/{email_id}/settle", body))

    def audit(self) -> Audit:
        return cast(Audit, self._call("GET", "/audit"))

    def cluster(self) -> Cluster:
        return cast(Cluster, self._call("GET", "/cluster"))

    def activity(self, *, minutes: int = 60) -> Sequence[Minute]:
        return cast(Sequence[Minute], self._call("GET", f"/reports/activity?minutes={minutes}")["data"])

    def mail_report(self, **filters: str | None) -> MailReport:
        """`from`, `to`, `timezone`, `group`, `provider`, `tag`, `schedule_id`. Raises Refused with status 422 for what makes no sense."""
        return cast(MailReport, self._call("GET", "/reports/mail", params=_given(filters)))

    def mail_report_csv(self, **filters: str | None) -> tuple[bytes, dict[str, str]]:
        """The same as a table for spreadsheets, and under which name to save it."""
        answer = self._ask("GET", "/reports/mail", headers={"Accept": "text/csv"}, params=_given(filters))
        if not answer.ok:
            _read(answer, self._url)
        return answer.content, {"Content-Disposition": answer.headers.get("Content-Disposition", "attachment")}

    def whose(self, key: str) -> Mapping[str, Any]:
        """What this key is called, whose it is and what it may do. Raises Refused with status 401 where it opens nothing."""
        return cast(
            Mapping[str, Any], self._call("GET", "/api-keys/current", headers={"Authorization": f"Bearer {key}"})
        )

    def keys(self, **filters: str | int | None) -> Page[Key]:
        """`limit`, `cursor`; the newest first."""
        return self._page("/api-keys", filters)

    def key(self, key_id: str) -> Key:
        return cast(Key, self._call("GET", f"/api-keys/{key_id}"))

    def create_key(self, body: Mapping[str, Any]) -> Key:
        """With its `secret`, which nobody is told again."""
        return cast(Key, self._call("POST", "/api-keys", body))

    def revoke_key(self, key_id: str) -> Key:
        return cast(Key, self._call("DELETE", f"/api-keys/{key_id}"))

    def is_alive(self) -> tuple[bool, str]:
        """Whether the registry answers at all, and what it said."""
        try:
            self._call("GET", "/healthz")
        except (RegistryDown, Refused) as error:
            return False, str(error)
        return True, "answers"

    def ask(self, method: str, path: str, body: Mapping[str, Any] | None = None, *, key: str | None = None) -> Any:
        """What the registry answers to that; `key`: an Idempotency-Key. For whoever speaks for a group of pages of their own."""
        return self._call(method, path, body, {"Idempotency-Key": key} if key else None)

    def page(self, path: str, **filters: str | int | None) -> Page[Any]:
        """One page of the list at that path, likewise."""
        return self._page(path, filters)

    def _page(self, path: str, filters: Mapping[str, str | int | None]) -> Page[Any]:
        answer = self._call("GET", path, params=_given(filters))
        return Page(answer["data"], answer.get("next_cursor"))

    def _call(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        params: Mapping[str, str | int | None] | None = None,
    ) -> Any:
        return _read(self._ask(method, path, body, headers, params), self._url)

    def _ask(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        params: Mapping[str, str | int | None] | None = None,
    ) -> requests.Response:
        if key := self._key():
            headers = {"Authorization": f"Bearer {key}", **(headers or {})}
        try:
            return self._session.request(
                method,
                self._url + path,
                json=body,
                headers=headers,
                params=params,
                timeout=self._timeout_seconds,
                allow_redirects=False,
            )
        except requests.RequestException as error:
            raise RegistryDown(f"the registry at {self._url} does not answer ({type(error).__name__})") from error


def _given(filters: Mapping[str, str | int | None]) -> dict[str, str | int | None]:
    return {name: value for name, value in filters.items() if value not in (None, "")}


def _read(answer: requests.Response, url: str) -> Any:
    """The body of a good answer, None for an empty one."""
    if answer.status_code == 204:
        return None
    try:
        document = answer.json()
    except ValueError as error:
        raise RegistryDown(f"what answers at {url} is not the registry (status {answer.status_code})") from error
    if answer.ok:
        return document
    raise refusal(answer.status_code, document)


def refusal(status: int, problem: Any) -> Refused:
    """A problem document (RFC 9457) as an exception; what it lacks is left empty."""
    found = problem if isinstance(problem, dict) else {}
    problems = tuple(
        FieldProblem(str(item.get("pointer", "")), str(item.get("detail", "")))
        for item in found.get("errors") or ()
        if isinstance(item, dict)
    )
    title = str(found.get("title") or f"Status {status}")
    kind = str(found.get("type") or "").rpartition("#")[2]
    return Refused(status, title, str(found.get("detail") or ""), problems, found.get("request_id"), kind)
