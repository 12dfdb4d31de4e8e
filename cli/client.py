"""The registry by HTTP: a request, and its answer as JSON or an error that says what the caller does next.

What changes nothing, and what carries an Idempotency-Key, is repeated a few times when its answer is lost or the registry asks for
patience. Anything else is asked once: whether it was done is for a person to look at.
"""

import random
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote, urlsplit

import click
import requests
from requests.auth import AuthBase

from cli.errors import Failed, NotReached, Refused, refusal
from cli.texts import plain

_TIMEOUTS_SECONDS: Final = (5.0, 60.0)
_MOST_TRIES: Final = 4
_FIRST_PAUSE_SECONDS: Final = 0.5
_LONGEST_PAUSE_SECONDS: Final = 30.0
_PAGE: Final = 100
_KEY = re.compile(r"[\x21-\x7e]+")


def path(*parts: str) -> str:
    """`/emails/eml_…/cancel`, with each part written so that it stays one."""
    return "".join(f"/{quote(part, safe='')}" for part in parts)


class _Bearer(AuthBase):
    """Set in any case, so that what a .netrc holds for that host never takes the key's place."""

    def __init__(self, key: str | None) -> None:
        self._key = key

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        if self._key:
            request.headers["Authorization"] = f"Bearer {self._key}"
        return request


@dataclass(frozen=True, slots=True)
class _Lost:
    """An answer that did not come, or that asks to come again; why, and after how many seconds if it says so."""

    why: str
    after: float | None = None


class Client:
    """One registry. Every method raises Failed, of the kind that tells the exit status."""

    def __init__(
        self, url: str, key: str | None, tell: Callable[[str], None], pause: Callable[[float], None] = time.sleep
    ) -> None:
        """`tell` is told, in a sentence, what is tried again; `pause` waits so many seconds. Raises click.UsageError for an
        address or a key that can't be one; the key is in no message."""
        if urlsplit(url).scheme not in ("http", "https") or not urlsplit(url).hostname:
            raise click.UsageError(
                "the registry's address must be such as http://127.0.0.1:5000 (--url, FENCEPOST_URL)"
            )
        if key is not None and not _KEY.fullmatch(key):
            raise click.UsageError("the key is empty or has characters that no key has; is it the right file?")
        self.url = url.rstrip("/")
        self._tell, self._pause = tell, pause
        self._session = requests.Session()
        self._session.auth = _Bearer(key)
        self._session.headers["Accept"] = "application/json"

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_: object) -> None:
        self._session.close()

    def get(self, where: str, query: Mapping[str, Any] | None = None) -> Any:
        """What is there; parameters that are None are left out."""
        return self._ask("GET", where, query=query, repeats=True)

    def post(self, where: str, body: Mapping[str, Any] | None = None, *, idempotency_key: str | None = None) -> Any:
        """With an `idempotency_key` (of a route that knows it) it may be asked several times, and is done once."""
        headers = {"Idempotency-Key": idempotency_key} if idempotency_key else {}
        return self._ask("POST", where, body=body, headers=headers, repeats=bool(idempotency_key))

    def patch(self, where: str, body: Mapping[str, Any]) -> Any:
        return self._ask("PATCH", where, body=body)

    def delete(self, where: str) -> Any:
        return self._ask("DELETE", where)

    def pages(self, where: str, query: Mapping[str, Any], most: int | None) -> dict[str, Any]:
        """A list of at most so many, None for all, gathered page by page: `data`, and `next_cursor` if there is more."""
        data: list[Any] = []
        cursor: str | None = None
        while most is None or len(data) < most:
            size = _PAGE if most is None else min(_PAGE, most - len(data))
            page = self.get(where, {**query, "limit": size, "cursor": cursor})
            data += page["data"]
            cursor = page.get("next_cursor")
            if cursor is None:
                break
        return {"data": data, "next_cursor": cursor}

    def _ask(
        self,
        method: str,
        where: str,
        *,
        query: Mapping[str, Any] | None = None,
        body: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        repeats: bool = False,
    ) -> Any:
        given = {name: value for name, value in (query or {}).items() if value is not None}
        tried = 0
        while True:
            answer = self._once(method, where, given, body, headers or {})
            tried += 1
            lost = _lost(answer, again=tried > 1)
            seconds = pause_before(tried, lost.after, random.random()) if lost and repeats else None
            if seconds is None or lost is None:
                return self._read(answer, f"{method} {where}")
            self._tell(f"{lost.why}; trying again in {seconds:.1f} s")
            self._pause(seconds)

    def _once(
        self, method: str, where: str, query: Mapping[str, Any], body: object, headers: Mapping[str, str]
    ) -> requests.Response | requests.RequestException:
        try:
            # Nothing is redirected: a key goes to the address that it was given for.
            return self._session.request(
                method,
                self.url + where,
                params=query,
                json=body,
                headers=headers,
                timeout=_TIMEOUTS_SECONDS,
                allow_redirects=False,
            )
        except requests.RequestException as error:
            return error

    def _read(self, answer: requests.Response | requests.RequestException, asked: str) -> Any:
        if isinstance(answer, requests.RequestException):
            raise self._not_reached(answer, asked)
        if answer.status_code < 300:
            return self._document(answer) if answer.content else {}
        try:
            problem = answer.json()
        except ValueError:
            problem = {}
        if answer.is_redirect or answer.status_code < 400:
            raise NotReached(f"{self._address} sends its callers elsewhere; is it the registry's address?")
        raise refusal(answer.status_code, problem if isinstance(problem, dict) else {}, asked)

    def _document(self, answer: requests.Response) -> Any:
        try:
            return answer.json()
        except ValueError:
            raise NotReached(f"what answers at {self._address} is no registry: it did not send JSON") from None

    def _not_reached(self, error: requests.RequestException, asked: str) -> Failed:
        if not isinstance(
            error, requests.ConnectionError | requests.Timeout | requests.exceptions.ChunkedEncodingError
        ):
            return Refused(f"the request can't be made: {type(error).__name__}")
        unsure = "" if asked.startswith("GET ") or _never_left(error) else "; whether it was done is not known"
        return NotReached(f"the registry at {self._address} can't be reached: {_why(error)}{unsure}")

    @property
    def _address(self) -> str:
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def pause_before(tried: int, asked_for: float | None, chance: float) -> float | None:
    """Seconds to wait before a request is repeated that was tried so often; None: it is not. `asked_for` is what Retry-After says;
    `chance`, 0 to 1, spreads those who were cut off together."""
    if tried >= _MOST_TRIES or (asked_for is not None and asked_for > _LONGEST_PAUSE_SECONDS):
        return None
    backoff: float = _FIRST_PAUSE_SECONDS * 2 ** (tried - 1) * (0.5 + chance / 2)
    return max(backoff, asked_for or 0.0)


def _lost(answer: requests.Response | requests.RequestException, *, again: bool) -> _Lost | None:
    """Why this may be asked again; None for an answer that counts."""
    if isinstance(answer, requests.ConnectionError | requests.Timeout | requests.exceptions.ChunkedEncodingError):
        return _Lost(f"no answer ({_why(answer)})")
    if isinstance(answer, requests.RequestException):
        return None
    if answer.status_code == 503 and (after := _retry_after(answer)) is not None:
        return _Lost("the registry is not ready", after)
    if answer.status_code == 409 and again:
        return _Lost("the first request is still under way")
    return None


def _retry_after(answer: requests.Response) -> float | None:
    value = answer.headers.get("Retry-After", "")
    return float(value) if value.isdecimal() else None


def _why(error: requests.RequestException) -> str:
    if isinstance(error, requests.ConnectTimeout):
        return "it does not take connections in time"
    if isinstance(error, requests.Timeout):
        return "no answer in time"
    if isinstance(error, requests.exceptions.SSLError):
        return "its certificate is not trusted"
    if isinstance(error, requests.exceptions.ProxyError):
        return "the proxy does not let it through"
    text = str(error)
    if "Connection refused" in text:
        return "nothing listens there"
    if "resolve" in text.lower() or "Name or service" in text:
        return "its name is not known"
    return (
        "the connection was lost" if "abort" in text.lower() or "reset" in text.lower() else plain(type(error).__name__)
    )


def _never_left(error: requests.RequestException) -> bool:
    return isinstance(error, requests.ConnectTimeout | requests.exceptions.SSLError) or "NewConnectionError" in repr(
        error
    )
