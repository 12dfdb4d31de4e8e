"""W4 to W7: one claimed delivery, from the fence to its settlement."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from fencepost import breaker
from fencepost.clock import Clock
from fencepost.coordination.fences import FenceAnswer, FenceRequest, Verdict
from fencepost.deliveries import Attempt, Delivery, Outcome, OutcomeKind, Settlement, State, released
from fencepost.errors import Invalid
from fencepost.messages import CannotRender
from fencepost.retries import wait_seconds
from sender.effects import AskFence, Call, CheckTrust, Decisions, DropShard, Freeze, RenewEpoch, Settle
from sender.passes import Claimed

_PUT_OFF = (OutcomeKind.THROTTLED.value, OutcomeKind.UNAVAILABLE.value)
_BROKEN_OFF_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a call may take, and how retries of what was provably not accepted are spread."""

    call_seconds: float
    retry_base_seconds: float
    retry_cap_seconds: float


def deliver(item: Claimed, patience: Patience, clock: Clock, chance: float) -> Decisions[Settlement]:
    """Send one claimed delivery, or hand it back; what was settled. `chance` (0 to 1) spreads its retry."""
    row, attempt = item.row, item.attempt
    record = Attempt()

    def settled(state: State, outcome: str, detail: str, **fields: object) -> Settlement:
        gained: Attempt = {**record, "ended_at": clock.now(), "outcome": outcome, "detail": detail}
        return Settlement(row["_id"], attempt["id"], state, gained, **fields)  # type: ignore[arg-type]

    def let_go(why: str) -> Settle:
        return Settle(settled(State.PENDING, "released", why))

    def in_time() -> bool:
        return clock.steady() + patience.call_seconds < item.deadline_steady

    try:
        mail = item.renderer.mail(row["_id"], row["attempt_no"], row["recipient"])
    except Exception as error:  # noqa: BLE001 whatever a text does, it fails its own mail alone
        reason = str(error) if isinstance(error, CannotRender) else f"{type(error).__name__}: {error}"
        yield (
            settle := Settle(settled(State.FAILED, "failed", f"The mail could not be written: {reason}", reason=reason))
        )
        return settle.settlement

    if not in_time():
        yield (settle := let_go("Its deadline came before a seat was free; nothing was called."))
        return settle.settlement
    request = _request(row)
    if item.copy_slot:
        request = replace(request, content=breaker.content_key(row, mail, item.copy_slot), mark=breaker.mark(row))
    answer: FenceAnswer | None = None
    while answer is None and in_time():
        answer = yield AskFence(request)
    if answer is None:
        yield (settle := let_go("The fence did not answer in time; nothing was called."))
        return settle.settlement
    record["fence"], record["fenced_at"] = answer.verdict.value, clock.now()
    if answer.verdict is Verdict.TAKEN:
        # Another attempt holds the record, and the row knows nothing of it: MongoDB was rolled back. It may have called.
        why = f"The fence holds attempt {answer.no} for this mail, which may have been sent."
        yield (settle := Settle(settled(State.UNKNOWN, "unknown", why, reason=why, adopt=(answer.no, answer.attempt))))
        return settle.settlement
    if answer.verdict is not Verdict.OK:
        if answer.verdict is Verdict.STALE:
            yield DropShard(row["shard"], attempt["token"], answer.no)
        elif answer.verdict is Verdict.EPOCH:
            yield RenewEpoch()
        yield (settle := let_go(_REFUSED[answer.verdict]))
        return settle.settlement

    if other := breaker.copied(row, answer.copy_of):
        why = f"A copy of {other}: same schedule, content and recipients. The breaker held it, and froze the schedule; nothing was called."
        if not (yield Freeze(row["schedule_id"], f"The breaker stopped {row['_id']}, a copy of {other}.")):
            yield (settle := let_go("The breaker stopped it, and could not put that on record; nothing was called."))
            return settle.settlement
        record["copy_of"] = other
        yield (settle := Settle(settled(State.HELD, "held", why, reason=why)))
        return settle.settlement

    trusted = yield CheckTrust(row["shard"], attempt["token"], clock.steady() + patience.call_seconds)
    if not trusted or not in_time():
        yield (
            settle := let_go("The lease, or the attempt's deadline, would not outlast the call; nothing was called.")
        )
        return settle.settlement
    record["called_at"] = clock.now()
    try:
        outcome: Outcome = yield Call(attempt["provider"], mail)
    except Invalid as error:
        del record["called_at"]
        yield (
            settle := Settle(
                settled(State.FAILED, "failed", f"The provider can't take this mail: {error}", reason=str(error))
            )
        )
        return settle.settlement
    record["status"] = outcome.status
    fields = _fields(outcome, row, patience, clock, chance)
    settlement = settled(_STATES[outcome.kind], outcome.kind.value, outcome.detail, **fields)
    yield Settle(settlement, outcome)
    return settlement


def broken_off(item: Claimed, *, called: bool, now: datetime) -> Settlement:
    """What nobody foresaw happened to one mail: it is tried again, though not soon, unless it may have been called."""
    if called:
        why = "Something broke after the call had begun: the mail may have been sent."
        gained = Attempt(ended_at=now, outcome="unknown", detail=why)
        return Settlement(item.row["_id"], item.attempt["id"], State.UNKNOWN, gained, reason=why)
    later = now + timedelta(seconds=_BROKEN_OFF_SECONDS)
    return released(item.row, "Something broke before the call; nothing was called.", now, not_before=later)


_REFUSED = {
    Verdict.STALE: "The fence knows a newer holder of this shard; nothing was called.",
    Verdict.KILLED: "A rescuer took this attempt for dead; nothing was called.",
    Verdict.EPOCH: "The fence had lost its memory since this attempt was claimed; nothing was called.",
}

_STATES = {
    OutcomeKind.ACCEPTED: State.ACCEPTED,
    OutcomeKind.REJECTED: State.FAILED,
    OutcomeKind.THROTTLED: State.PENDING,
    OutcomeKind.UNAVAILABLE: State.PENDING,
    OutcomeKind.UNKNOWN: State.UNKNOWN,
}


def _fields(outcome: Outcome, row: Delivery, patience: Patience, clock: Clock, chance: float) -> dict[str, object]:
    match outcome.kind:
        case OutcomeKind.ACCEPTED:
            return {"receipt": outcome.receipt}
        case OutcomeKind.THROTTLED | OutcomeKind.UNAVAILABLE:
            failures = 1 + sum(earlier.get("outcome") in _PUT_OFF for earlier in row["attempts"])
            wait = wait_seconds(
                outcome,
                failures,
                base_seconds=patience.retry_base_seconds,
                cap_seconds=patience.retry_cap_seconds,
                chance=chance,
            )
            return {"reason": outcome.detail, "not_before": clock.now() + timedelta(seconds=wait)}
    return {"reason": outcome.detail}


def _request(row: Delivery) -> FenceRequest:
    """The claim of the row's newest attempt."""
    history = tuple(attempt["id"] for attempt in row["attempts"])
    return FenceRequest(
        row["shard"], row["_id"], row["epoch"] or "", row["token"], row["attempt_no"], row["attempt_id"] or "", history
    )
