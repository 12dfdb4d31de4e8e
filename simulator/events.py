"""Mailgun's events: `GET /v3/<domain>/events`, late and out of order as there, and in pages that never end.

A page has a next and a previous address whatever it holds; a reader goes on until a page is empty, and may come back to
that address later for what has happened since.
"""

import json
import math
import threading
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from email.utils import parsedate_to_datetime
from typing import Any, TypeVar

from simulator import mailgun_hooks
from simulator.fates import Happening

Default = TypeVar("Default", float, None)

MAX_LIMIT = 300
FILTERS = ("event", "message-id", "recipient", "to", "from", "subject", "tags", "severity")


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened to a mail, and when the index shows it."""

    happening: Happening
    visible_at: float

    @property
    def place(self) -> tuple[float, str]:
        """Where it stands in the order of time; the id decides between two of one moment."""
        return self.happening.at, self.happening.id


@dataclass(frozen=True, slots=True)
class Query:
    """Where a reader stands: what it looks for, which way it goes, and after which place."""

    earliest: float
    latest: float
    ascending: bool
    limit: int
    filters: dict[str, str]
    after: tuple[float, str] | None = None
    inclusive: bool = False
    """Whether the event at that place belongs to the page."""

    def token(self) -> str:
        return urlsafe_b64encode(json.dumps(asdict(self), separators=(",", ":")).encode()).decode().rstrip("=")

    @classmethod
    def from_token(cls, token: str) -> "Query":
        try:
            saved = json.loads(urlsafe_b64decode(token + "=" * (-len(token) % 4)))
            after = saved.pop("after")
            return cls(**saved, after=after and (float(after[0]), str(after[1])))
        except (ValueError, TypeError, LookupError, AttributeError):
            raise ValueError("page is not one of this API's addresses") from None


class Events:
    """The index of events. Safe for many threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.clear()

    def add(self, happening: Happening, delay_seconds: float = 0) -> None:
        """Show it in the index, that much later than it happened."""
        event = Event(happening, happening.at + delay_seconds)
        with self._lock:
            self._events.append(event)
            self._by_message.setdefault(happening.entry.mail.message_id, []).append(event)

    def clear(self) -> None:
        with self._lock:
            self._events: list[Event] = []
            self._by_message: dict[str, list[Event]] = {}

    def page(self, domain: str, asked: Mapping[str, str], token: str | None, now: float, url: str) -> dict[str, Any]:
        """The page that a query, or the token of an earlier page, asks for. Raises ValueError with Mailgun's words."""
        query = Query.from_token(token) if token else parse(asked, now)
        found = self._find(domain, query, now)
        turned = replace(query, ascending=not query.ascending)
        forward = replace(query, after=found[-1].place, inclusive=False) if found else query
        backward = (
            replace(turned, after=found[0].place, inclusive=False)
            if found
            else replace(turned, inclusive=not query.inclusive)
        )
        first, last = replace(query, after=None), replace(turned, after=None)
        pages = {"next": forward, "previous": backward, "first": first, "last": last}
        items = [mailgun_hooks.event_data(event.happening) for event in found]
        return {"items": items, "paging": {name: f"{url}/{page.token()}" for name, page in pages.items()}}

    def _find(self, domain: str, query: Query, now: float) -> list[Event]:
        with self._lock:
            wanted = query.filters.get("message-id")
            pool = list(self._by_message.get(wanted.strip("<>"), ()) if wanted else self._events)
        found = [
            event
            for event in pool
            if event.visible_at <= now
            and query.earliest <= event.happening.at <= query.latest
            and event.happening.entry.mail.domain == domain
            and _is_after(event, query)
            and all(_matches(event, name, value) for name, value in query.filters.items())
        ]
        found.sort(key=lambda event: event.place, reverse=not query.ascending)
        return found[: query.limit]


def parse(asked: Mapping[str, str], now: float) -> Query:
    """A query from the address line. Raises ValueError with Mailgun's words."""
    unknown = asked.keys() - {"begin", "end", "ascending", "limit", "pretty", *FILTERS}
    if unknown:
        raise ValueError(f"'{min(unknown)}' is not a valid filter field")
    begin, end = _instant(asked, "begin", now), _instant(asked, "end", None)
    given = asked.get("ascending")
    if given not in (None, "yes", "no"):
        raise ValueError("'ascending' must be yes or no")
    ascending = given == "yes" if given or end is None else end >= begin
    if end is not None and end != begin and ascending != (end > begin):
        raise ValueError("'ascending' contradicts the order of 'begin' and 'end'")
    limit = asked.get("limit", "100")
    if not limit.isdigit() or not 1 <= int(limit) <= MAX_LIMIT:
        raise ValueError(f"'limit' must be between 1 and {MAX_LIMIT}")
    if end is None:
        end = math.inf if ascending else -math.inf
    filters = {name: asked[name] for name in FILTERS if name in asked}
    return Query(min(begin, end), max(begin, end), ascending, int(limit), filters)


def _instant(asked: Mapping[str, str], name: str, default: Default) -> float | Default:
    """Epoch seconds, or a date of RFC 2822."""
    text = asked.get(name)
    if not text:
        return default
    try:
        return float(text)
    except ValueError:
        pass
    try:
        return parsedate_to_datetime(text).timestamp()
    except ValueError:
        raise ValueError(f"{text} is not an RFC-2822 compliant date") from None


def _is_after(event: Event, query: Query) -> bool:
    if query.after is None:
        return True
    if event.place == query.after:
        return query.inclusive
    return (event.place > query.after) == query.ascending


def _matches(event: Event, name: str, expression: str) -> bool:
    """A filter expression: terms that are joined by OR; a field must hold one of them."""
    mail, shown = event.happening.entry.mail, mailgun_hooks.event_data(event.happening)
    terms = [term.strip().strip('"').lower() for term in expression.split(" OR ")]
    match name:
        case "event" | "severity":
            return shown.get(name) in terms
        case "message-id":
            return mail.message_id.lower() in [term.strip("<>") for term in terms]
        case "recipient":
            return event.happening.recipient in terms
    text = {"to": " ".join(mail.to), "from": mail.sender, "subject": mail.subject, "tags": " ".join(mail.tags)}[name]
    return any(term in text.lower() for term in terms)
