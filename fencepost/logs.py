"""Logs: one line per thing that happened, a sentence for people and fields for machines.

    log = get_logger(__name__)
    log.warning("The lease ran out; its shards are dropped.", action="lease.lost", shards=12)

The message is a sentence that names what happened and what follows; `action` is its stable key, and every other fact is a
field of its own (ids, counts, seconds), never formatted into the sentence. On a terminal lines are coloured, elsewhere they
are JSON with `at`, `level`, `process`, `module`, `action` and `message`. Keys, passwords, addresses, subjects and bodies do not
belong in a log; what slips in is masked here.
"""

import logging
import math
import re
import sys
import time
from collections.abc import Callable, Mapping, MutableMapping
from typing import Any, TextIO, cast

import structlog
from structlog.typing import FilteringBoundLogger, Processor

from fencepost.settings import Logging

STARS = "**********"
_REPEAT_SECONDS = 60.0

Event = MutableMapping[str, Any]

_LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}
_SECRET_FIELDS = re.compile(r"authorization|password|secret|cookie|api_?key|signature|credential", re.IGNORECASE)
_PRIVATE_FIELDS = {
    "to",
    "from",
    "cc",
    "bcc",
    "reply_to",
    "email",
    "recipient",
    "recipients",
    "subject",
    "text",
    "html",
    "body",
}
_IDENTIFIERS = {"message_id", "receipt"}
"""Fields whose values look like addresses and are none."""
_SECRET_TEXT = re.compile(
    r"\b(?P<scheme>Basic|Bearer)\s+[\w+/=.~-]{6,}|\bkey-\w{6,}|\bfp_(?:live|test)_\w+|(?<=/unsubscribe/)[^/\s]+",
    re.IGNORECASE,
)
"""The link to unsubscribe tells an address, and is all that it takes."""
_USER_IN_ADDRESS = re.compile(r"(?<=://)[^/\s@]+(?=@)")
_MAIL_ADDRESS = re.compile(r"[\w.!#$%&'*+/=?^`{|}~-]+@[\w-]+(?:\.[\w-]+)+")


def configure(settings: Logging, *, process: str, stream: TextIO | None = None) -> None:
    """Send this process's logs, those of libraries and its warnings included, to `stream` (None: standard output).
    `process` is the deployable's name. Called once, by each `__main__` before it does anything else."""
    output = stream or sys.stdout
    level = _LEVELS[settings.level]
    structlog.configure(
        processors=_processors(process, pretty=_pretty(settings, output)),
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(output),
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(handlers=[_Bridge()], level=max(level, logging.INFO), force=True)
    # Libraries that say on "info" what they do on every call.
    for chatty in ("urllib3", "pymongo", "etcd3gw", "werkzeug", "asyncio"):
        logging.getLogger(chatty).setLevel(max(level, logging.WARNING))
    logging.captureWarnings(True)


def get_logger(name: str) -> FilteringBoundLogger:
    """A logger for the module of that name; works before configure() too, which decides where lines go."""
    return cast(FilteringBoundLogger, structlog.get_logger(module=name))


def mask(event: Mapping[str, Any]) -> dict[str, Any]:
    """The same fields, with stars where a secret, an address, a subject or a body stood."""
    return {name: _masked(name, value) for name, value in event.items()}


class _Bridge(logging.Handler):
    """Hands what libraries log by the standard module to the same processors."""

    def emit(self, record: logging.LogRecord) -> None:
        fields = {"action": "library.log", **getattr(record, "fields", {})}
        try:
            log = get_logger(record.name)
            log.log(record.levelno, record.getMessage(), **fields, exc_info=record.exc_info)
        except Exception:  # noqa: BLE001 - a handler never breaks what is being logged about
            self.handleError(record)


def _pretty(settings: Logging, stream: TextIO) -> bool:
    return settings.format == "console" or (settings.format == "auto" and stream.isatty())


def _processors(process: str, *, pretty: bool) -> list[Processor]:
    def name_process(_logger: object, _method: str, event: Event) -> Event:
        event["process"] = process
        return event

    # Exceptions become text before masking, so that an address in a traceback is masked as well.
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
        structlog.processors.StackInfoRenderer(),
        structlog.processors.format_exc_info,
        name_process,
        _mask_event,
    ]
    if pretty:
        return [*shared, structlog.dev.ConsoleRenderer(colors=True, timestamp_key="at")]
    return [
        *shared,
        structlog.processors.EventRenamer("message"),
        _ordered,
        structlog.processors.JSONRenderer(default=str),
    ]


def _mask_event(_logger: object, _method: str, event: Event) -> Event:
    return mask(event)


def _ordered(_logger: object, _method: str, event: Event) -> Event:
    first = ("at", "level", "process", "module", "action", "message")
    return {name: event[name] for name in first if name in event} | {
        name: event[name] for name in event if name not in first
    }


def _masked(name: str, value: Any) -> Any:
    if name in _PRIVATE_FIELDS or _SECRET_FIELDS.search(name):
        return STARS
    if isinstance(value, Mapping):
        return {key: _masked(str(key), item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_masked(name, item) for item in value]
    if isinstance(value, str) and name not in _IDENTIFIERS:
        return _masked_text(value)
    return value


def _masked_text(text: str) -> str:
    # Most lines hold neither an @ nor a key: look before the three substitutions.
    if "@" in text:
        text = _MAIL_ADDRESS.sub(STARS, _USER_IN_ADDRESS.sub(STARS, text))
    return _SECRET_TEXT.sub(lambda found: f"{found['scheme']} {STARS}" if found["scheme"] else STARS, text)


class Unforeseen:
    """For what runs in rounds and must survive bugs: says that a round broke, with its traceback, at most once a minute for each
    kind (action, fields, error); the next line of that kind says how often it went unsaid."""

    def __init__(self, log: FilteringBoundLogger, steady: Callable[[], float] = time.monotonic) -> None:
        self._log, self._steady = log, steady
        self._said: dict[tuple[Any, ...], tuple[float, int]] = {}

    def say(self, sentence: str, *, action: str, **fields: Any) -> None:
        """To be called while the exception is being handled."""
        kind, now = (action, sys.exc_info()[0], *fields.values()), self._steady()
        at, unsaid = self._said.get(kind, (-math.inf, 0))
        if now - at < _REPEAT_SECONDS:
            self._said[kind] = (at, unsaid + 1)
            return
        self._said[kind] = (now, 0)
        if unsaid:
            fields["unsaid"] = unsaid
        self._log.exception(sentence, action=action, **fields)
