"""/hooks: what providers tell by themselves. It is on record before it is answered, and then moves on what it can."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal, cast

from flask import Flask, Response, current_app, json, request
from prometheus_client import Counter
from pydantic import BaseModel, Field, with_config
from typing_extensions import TypedDict

from fencepost.deliveries import NOT_SENT, Delivery, State
from fencepost.events import Event
from fencepost.logs import get_logger
from fencepost.metrics import Metrics
from fencepost.provider_names import as_written
from fencepost.providers.fetching import Certificates
from fencepost.providers.hook_readers import reader
from fencepost.providers.hooks import HookReader, Told, Unacceptable, Unsigned, fingerprint
from fencepost.reconciliation import taken
from fencepost.schedules import milliseconds
from fencepost.store.events import name_of
from fencepost.store.hooks import Call
from fencepost.suppression import suppress, suppression_of
from fencepost.tracking import tracked
from registry.access import public
from registry.answers.common import EXACT
from registry.documenting import TAGS, answers, blueprint, problems, takes_anything
from registry.incoming import raw_body
from registry.parts import Parts, parts
from registry.replies import Reply

log = get_logger(__name__)
bp = blueprint("hooks", __name__, TAGS["hooks"])
_EARS = "hooks"
MAX_BYTES = 1_048_576

Result = Literal["settled", "recorded", "known", "kept"]
_FURTHEST: Sequence[Result] = ("settled", "recorded", "known", "kept")


class HookPath(BaseModel):
    """Whose call it is, in a path."""

    provider: str = Field(description="mailgun, sendgrid, mailjet or ses.", max_length=64)


@with_config(EXACT)
class HookAnswer(TypedDict):
    """What became of it."""

    result: Result
    """`settled`: it decided an email that was in doubt; `recorded`: it is on record; `known`: it was already; `kept`: it is about
    none of our emails, or of a kind that we do not know. Of several the first of these that is true of any."""


@dataclass(frozen=True, slots=True)
class Ears:
    """What listening takes, made once for each process."""

    results: Counter
    suspects: Counter
    certificates: Certificates
    readers: dict[str, HookReader]


def install(app: Flask, p: Parts, metrics: Metrics) -> None:
    """Count what comes in, and keep what verifies it."""
    app.extensions[_EARS] = Ears(
        metrics.counter("hooks_total", "Calls of providers, by what became of them.", ["provider", "result"]),
        metrics.counter(
            "duplicate_suspects_total", "Emails that a provider took though they are not to be sent.", ["provider"]
        ),
        Certificates(p.fetch),
        {},
    )


@bp.post(
    "/hooks/<string:provider>",
    request_body=takes_anything("What the provider calls with: an object, or an array of several."),
    responses={
        200: answers(HookAnswer, "It is on record; the provider need not repeat it."),
        401: problems("The provider did not sign it; it may try again."),
        404: problems("There is no such provider, or nothing is set by which its calls are known."),
        406: problems("It is too old, for a topic that is not ours, or its token came with another event."),
        413: problems("It is larger than 1 MB."),
    },
)
@public("the provider signs what it sends")
def take_hook(path: HookPath) -> Response:
    """Take a webhook of a provider's

    Mailgun, SendGrid, Mailjet, and Amazon SES through SNS. Verified on the bytes as they came, durably recorded before the
    answer, and recorded once however often it is told.
    """
    p, ears, provider = parts(), _ears(), path.provider
    request.max_content_length = MAX_BYTES
    listening = _reader(p, ears, provider)
    try:
        told = listening.read(raw_body(), _headers(), p.clock.now())
        result = _take(p, provider, told)
    except (Unsigned, Unacceptable) as refusal:
        log.warning("A webhook was refused.", action="hook.refused", provider=provider, detail=str(refusal))
        ears.results.labels(provider, "refused").inc()
        raise
    ears.results.labels(provider, result).inc()
    return Reply({"result": result}).response()


def _reader(p: Parts, ears: Ears, provider: str) -> HookReader:
    """Raises NotFound and Misconfigured."""
    if provider not in ears.readers:
        ears.readers[provider] = reader(provider, p.settings.providers, ears.certificates.get)
    return ears.readers[provider]


def _headers() -> dict[str, str]:
    return {name.lower(): value for name, value in request.headers.items()}


def _take(p: Parts, provider: str, told: Sequence[Told]) -> Result:
    """Put on record what is told, in one write of each kind, and only then act on it. A crash between two of these leaves the
    rest to the repetition, which does all of it again: each of them may be done twice."""
    now, store = milliseconds(p.clock.now()), p.store
    owners = store.tracking.owners({each.event.delivery_id for each in told if each.event})
    ours = {id(each): each.event for each in told if each.event and each.event.delivery_id in owners}
    _keep(p, provider, told, ours)
    events = list(ours.values())
    news = store.events.insert_all(
        [(event, owners[event.delivery_id]) for event in events], now, timedelta(days=p.settings.retention.days)
    )
    settled = _apply(p, events, {name_of(event) for event in news})
    _suppress(p, events, owners)
    for each in told:
        if each.visit:
            p.fetch(each.visit)
            log.info("A subscription to a topic was confirmed.", action="hook.confirmed", provider=provider)
    return next(
        result for result, is_so in zip(_FURTHEST, (settled, bool(news), bool(events), True), strict=True) if is_so
    )


def _keep(p: Parts, provider: str, told: Sequence[Told], ours: Mapping[int, Event]) -> None:
    """Put on record what is good for one telling only, and for people to look at what is about no mail of ours. Raises
    Unacceptable for a name that came before with something else."""
    calls, single = [], set()
    for each in told:
        # Of all that was said: the name of an event is not signed either, and could come back with another address in it.
        if id(each) not in ours:
            calls.append(Call(each.name, fingerprint(each.raw), json.dumps(each.raw, sort_keys=True)))
        elif each.is_single:
            calls.append(Call(each.name, fingerprint(each.raw)))
        if each.is_single:
            single.add(each.name)
    if p.store.hooks.take(provider, calls, milliseconds(p.clock.now())) & single:
        raise Unacceptable("its token came before with another event")


def _apply(p: Parts, events: Sequence[Event], news: set[str]) -> bool:
    """Move on the mails that these events are about; whether that settled one that was in doubt. What is `sending` is left to its
    owner: what was told stands in the row by now, and the row takes it when it is accepted."""
    if not events:
        return False
    store, by_delivery = p.store, _by_delivery(events)
    store.tracking.join({name: tracked(tallies) for name, tallies in store.events.tallies(by_delivery).items()})
    # Read after the events were written: what goes from `sending` to `unknown` later than this finds them.
    settled = [_settle(p, row, by_delivery[row["_id"]], news) for row in store.tracking.rows(by_delivery)]
    return any(settled)


def _suppress(p: Parts, events: Sequence[Event], owners: Mapping[str, str]) -> None:
    """Send no more mail to whom a lasting bounce, a complaint or an unsubscription is about."""
    for event in events:
        reason = suppression_of(event)
        if reason is None or event.recipient is None:
            continue
        detail = f"{as_written(event.provider)} told of it ({event.kind}), about {event.delivery_id}."
        found = suppress(owners[event.delivery_id], event.recipient, reason, detail, milliseconds(p.clock.now()))
        if p.store.suppressions.add(found):
            log.info(
                "An address was suppressed.", action="suppression.added", reason=reason.value, provider=event.provider
            )


def _by_delivery(events: Sequence[Event]) -> dict[str, list[Event]]:
    found: dict[str, list[Event]] = {}
    for event in events:
        found.setdefault(event.delivery_id, []).append(event)
    return found


_DOUBTFUL = (State.PENDING, State.UNKNOWN, State.HELD)
"""From where a provider's word settles a mail (`Settlement.allowed_from`)."""


def _settle(p: Parts, row: Delivery, events: Sequence[Event], news: set[str]) -> bool:
    """Settle the mail if this shows that the provider took it; whether that was needed."""
    settlement = taken(row, events, milliseconds(p.clock.now()))
    if settlement is None or row["state"] not in (*_DOUBTFUL, *NOT_SENT):
        return False
    found = p.store.deliveries.settle_by_event(settlement)
    seen = {"delivery_id": row["_id"], "event_kind": events[0].kind.value}
    if found in settlement.allowed_from:
        log.info(
            "A provider told that it took a mail that was in doubt; it is settled.",
            action="delivery.told",
            was=found,
            **seen,
        )
        return True
    if found in NOT_SENT and any(name_of(event) in news for event in events):
        log.warning(
            "A provider told that it took a mail that is on record as not sent; nothing was changed.",
            action="delivery.duplicate_suspect",
            state=found,
            **seen,
        )
        _ears().suspects.labels(events[0].provider).inc()
    return False


def _ears() -> Ears:
    return cast(Ears, current_app.extensions[_EARS])
