"""/hooks: what providers tell by themselves. It is on record before it is answered, and settles at once what it can settle."""

import hashlib
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal, cast

from flask import Flask, Response, current_app, json
from prometheus_client import Counter
from pydantic import BaseModel, ConfigDict, Field, with_config
from typing_extensions import TypedDict

from fencepost.deliveries import NOT_SENT, Delivery
from fencepost.errors import NotFound
from fencepost.events import Event
from fencepost.logs import get_logger
from fencepost.metrics import Metrics
from fencepost.providers.mailgun_events import read_event
from fencepost.providers.mailgun_hooks import Hook, Unacceptable, Unsigned, read_hook
from fencepost.reconciliation import taken
from fencepost.schedules import milliseconds
from registry.answers.common import EXACT
from registry.documenting import TAGS, answers, blueprint, problems, takes
from registry.incoming import document
from registry.parts import Parts, parts
from registry.replies import Reply

log = get_logger(__name__)
bp = blueprint("hooks", __name__, TAGS["hooks"])
_COUNTERS = "hooks"
_MAILGUN = "mailgun"

Result = Literal["settled", "recorded", "known", "kept"]


class HookInput(BaseModel):
    """A webhook of Mailgun's."""

    model_config = ConfigDict(extra="allow")

    signature: dict[str, Any] = Field(description="`timestamp`, `token` and `signature`.")
    event_data: dict[str, Any] = Field(alias="event-data", description="One of Mailgun's events.")


@with_config(EXACT)
class HookAnswer(TypedDict):
    """What became of it."""

    result: Result
    """`settled`: it decided an email that was in doubt; `recorded`: it is on record; `known`: it was already; `kept`: it is about
    none of our emails, or of a kind that we do not know."""


@dataclass(frozen=True, slots=True)
class Counters:
    """What is counted here."""

    results: Counter
    suspects: Counter


def install(app: Flask, metrics: Metrics) -> None:
    """Count what comes in."""
    app.extensions[_COUNTERS] = Counters(
        metrics.counter("hooks_total", "Calls of providers, by what became of them.", ["provider", "result"]),
        metrics.counter(
            "duplicate_suspects_total", "Emails that a provider took though they are not to be sent.", ["provider"]
        ),
    )


@bp.post(
    "/hooks/mailgun",
    request_body=takes(
        HookInput,
        {"signature": {"timestamp": "1529006854", "token": "a8ce0e…", "signature": "d26186…"}, "event-data": {}},
    ),
    responses={
        200: answers(HookAnswer, "It is on record; Mailgun need not repeat it."),
        401: problems("Mailgun did not sign it; it may try again."),
        404: problems("No signing key is set."),
        406: problems("It is too old, or its token came with another event; Mailgun gives up."),
    },
)
def take_mailgun_hook() -> Response:
    """Take a webhook of Mailgun's"""
    p, counters = parts(), _counters()
    try:
        result = _take(p, read_hook(document(), _keys(p), p.clock.now()))
    except (Unsigned, Unacceptable) as refusal:
        log.warning("A webhook was refused.", action="hook.refused", provider=_MAILGUN, detail=str(refusal))
        counters.results.labels(_MAILGUN, "refused").inc()
        raise
    counters.results.labels(_MAILGUN, result).inc()
    return Reply({"result": result}).response()


def _keys(p: Parts) -> list[str]:
    """Those that are set. Raises NotFound where there is none."""
    options = p.settings.providers.mailgun
    keys = [key.get_secret_value() for key in (options.webhook_signing_key, options.webhook_signing_key_before) if key]
    if not keys:
        raise NotFound("hooks are not set up: FENCEPOST_PROVIDERS__MAILGUN__WEBHOOK_SIGNING_KEY sets the signing key")
    return keys


def _take(p: Parts, hook: Hook) -> Result:
    now = milliseconds(p.clock.now())
    event = read_event(hook.event_data)
    row = p.store.deliveries.find(event.delivery_id) if event else None
    if event is None or row is None:
        said = json.dumps(hook.event_data, sort_keys=True)
        _once(p.store.hooks.take(_MAILGUN, hook.token, hashlib.sha256(said.encode()).hexdigest(), now, said))
        return "kept"
    # A repetition passes: whoever took the call before may have died before the next line.
    _once(p.store.hooks.take(_MAILGUN, hook.token, f"{event.at:%Y-%m-%d}/{event.id}", now))
    is_news = p.store.events.insert(event, row["owner_id"], now, timedelta(days=p.settings.retention.days))
    if _settle(p, row, event, is_news):
        return "settled"
    return "recorded" if is_news else "known"


def _once(is_its_own: bool) -> None:
    if not is_its_own:
        raise Unacceptable("its token came before with another event")


def _settle(p: Parts, row: Delivery, event: Event, is_news: bool) -> bool:
    """Settle the mail if this shows that the provider took it; whether that was needed. What is `sending` is left to its owner:
    the event is on record by now, and read when the mail turns out to be in doubt."""
    settlement = taken(row, [event], milliseconds(p.clock.now()))
    if settlement is None:
        return False
    found = p.store.deliveries.settle_by_event(settlement)
    if found in settlement.allowed_from:
        log.info(
            "A provider told that it took a mail that was in doubt; it is settled.",
            action="delivery.told",
            delivery_id=row["_id"],
            was=found,
            event_kind=event.kind.value,
        )
        return True
    if found in NOT_SENT and is_news:
        log.warning(
            "A provider told that it took a mail that is on record as not sent; nothing was changed.",
            action="delivery.duplicate_suspect",
            delivery_id=row["_id"],
            state=found,
            event_kind=event.kind.value,
        )
        _counters().suspects.labels(event.provider).inc()
    return False


def _counters() -> Counters:
    return cast(Counters, current_app.extensions[_COUNTERS])
