"""W4 to W7: one claimed delivery, from the fence to its settlement."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from fencepost import attachments, breaker
from fencepost.clock import Clock, iso
from fencepost.coordination.fences import FenceAnswer, FenceRequest, Verdict
from fencepost.deliveries import EXPIRED, Attempt, Delivery, Outcome, OutcomeKind, State, is_worthless, schedule_of
from fencepost.errors import Invalid
from fencepost.failover import UNFIT, refused_since, times_refused
from fencepost.messages import CannotRender, Mail
from fencepost.retries import wait_seconds
from fencepost.settlements import Settlement, released
from fencepost.unsubscribing import Links
from sender.effects import AskFence, Call, CheckTrust, Decisions, DropShard, Freeze, ReadFiles, RenewEpoch, Settle
from sender.passes import Claimed

_BROKEN_OFF_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a call may take, and how retries of what was provably not accepted are spread."""

    call_seconds: float
    retry_base_seconds: float
    retry_cap_seconds: float
    give_up_seconds: float = 3 * 86_400
    """What was refused for so long fails."""


def nowhere(_row: Delivery) -> bool:
    """There is no other provider."""
    return False


def deliver(
    item: Claimed,
    patience: Patience,
    links: Links,
    clock: Clock,
    chance: float,
    moves_on: Callable[[Delivery], bool] = nowhere,
) -> Decisions[Settlement]:
    """Send one claimed delivery, or hand it back; what was settled. `chance` (0 to 1) spreads its retry. `moves_on` says of a
    row whose newest attempt was not accepted whether another provider can take it at once."""
    settle = yield from _ending(_Try(item, patience, links, clock), chance, moves_on)
    yield settle
    return settle.settlement


class _Try:
    """One attempt on its way: what is on record of it so far, and how it may end."""

    def __init__(self, item: Claimed, patience: Patience, links: Links, clock: Clock) -> None:
        self.item, self.patience, self.links, self.clock = item, patience, links, clock
        self.record = Attempt()

    def in_time(self) -> bool:
        """Whether a call that starts now would end before the attempt's deadline."""
        return self.call_ends() < self.item.deadline_steady

    def call_ends(self) -> float:
        """When a call that starts now ends at the latest, in steady seconds."""
        return self.clock.steady() + self.patience.call_seconds

    def ends(self, state: State, outcome: str, detail: str, *, told: Outcome | None = None, **fields: object) -> Settle:
        gained: Attempt = {**self.record, "ended_at": self.clock.now(), "outcome": outcome, "detail": detail}
        settlement = Settlement(self.item.row["_id"], self.item.attempt["id"], state, gained, **fields)  # type: ignore[arg-type]
        return Settle(settlement, told)

    def released(self, why: str) -> Settle:
        return self.ends(State.PENDING, "released", why)


def _ending(this: _Try, chance: float, moves_on: Callable[[Delivery], bool]) -> Decisions[Settle]:
    """How it ends: written, past the fence, trusted, called."""
    row = this.item.row
    if is_worthless(row, this.clock.now()):
        return this.ends(State.EXPIRED, "expired", EXPIRED, reason=EXPIRED)
    try:
        link = this.links.link(row)
        mail = this.item.renderer.mail(row["_id"], row["attempt_no"], row["recipient"], link, this.item.without)
    except Exception as error:  # noqa: BLE001 whatever a text does, it fails its own mail alone
        reason = str(error) if isinstance(error, CannotRender) else f"{type(error).__name__}: {error}"
        return this.ends(State.FAILED, "failed", f"The mail could not be written: {reason}", reason=reason)
    mail, unread = yield from _with_files(this, mail)
    if unread:
        return unread
    if stopped := (yield from _stopped_by_fence(this, mail)):
        return stopped
    trusted = yield CheckTrust(row["shard"], this.item.attempt["token"], this.call_ends())
    if not trusted or not this.in_time():
        return this.released("The lease, or the attempt's deadline, would not outlast the call; nothing was called.")
    if row.get("test"):
        return this.ends(State.ACCEPTED, "accepted", "A test key asked for it: no provider was called.")
    this.record["called_at"] = this.clock.now()
    try:
        outcome: Outcome = yield Call(this.item.attempt["provider"], mail)
    except Invalid as error:
        del this.record["called_at"]
        return _unfit(this, str(error), moves_on)
    this.record["status"] = outcome.status
    if outcome.kind in (OutcomeKind.THROTTLED, OutcomeKind.UNAVAILABLE):
        return _put_off(this, outcome, chance, moves_on)
    fields = {"receipt": outcome.receipt} if outcome.kind is OutcomeKind.ACCEPTED else {"reason": outcome.detail}
    return this.ends(_STATES[outcome.kind], outcome.kind.value, outcome.detail, told=outcome, **fields)


def _unfit(this: _Try, why: str, moves_on: Callable[[Delivery], bool]) -> Settle:
    """This provider can't take such a mail, and nothing was called: to one that can, whose limits are others; or it fails."""
    row = this.item.row
    this_one: Attempt = {**this.item.attempt, "outcome": UNFIT}
    if moves_on({**row, "attempts": [*row["attempts"][:-1], this_one]}):
        now = this.clock.now()
        return this.ends(State.PENDING, UNFIT, f"Its provider can't take this mail: {why}", reason=why, not_before=now)
    return this.ends(State.FAILED, "failed", f"The provider can't take this mail: {why}", reason=why)


def _put_off(this: _Try, outcome: Outcome, chance: float, moves_on: Callable[[Delivery], bool]) -> Settle:
    """It was provably not accepted: to the next provider at once, or later if all have refused it, or given up."""
    row, now = this.item.row, this.clock.now()
    this_one: Attempt = {**this.item.attempt, "outcome": outcome.kind.value, "ended_at": now}
    refused: Delivery = {**row, "attempts": [*row["attempts"][:-1], this_one]}
    times, since = times_refused(refused["attempts"]), refused_since(refused["attempts"]) or now
    if moves_on(refused):
        again = now
    elif (now - since).total_seconds() >= this.patience.give_up_seconds:
        why = f"Given up: no provider has taken it since {iso(since)}. {outcome.detail}"
        return this.ends(State.FAILED, outcome.kind.value, outcome.detail, told=outcome, reason=why)
    else:
        wait = wait_seconds(
            outcome,
            times,
            base_seconds=this.patience.retry_base_seconds,
            cap_seconds=this.patience.retry_cap_seconds,
            chance=chance,
        )
        again = now + timedelta(seconds=wait)
    again = min(again, row.get("expires_at") or again)
    return this.ends(
        State.PENDING, outcome.kind.value, outcome.detail, told=outcome, reason=outcome.detail, not_before=again
    )


def _with_files(this: _Try, mail: Mail) -> Decisions[tuple[Mail, Settle | None]]:
    """The mail with what its attachments hold; and, where that can't be had, how it ends."""
    if not mail.attachments:
        return mail, None
    wanted = {attachment.file_id for attachment in mail.attachments}
    contents: dict[str, bytes] | None = yield ReadFiles(this.item.row["owner_id"], wanted)
    if contents is None:
        why, soon = "Its attachments could not be read; nothing was called.", this.patience.retry_base_seconds
        again = this.clock.now() + timedelta(seconds=soon)
        return mail, this.ends(State.PENDING, "released", why, not_before=again)
    if missing := attachments.missing(mail, contents):
        why = f"Its attachment {missing[0].filename} is not on record any more."
        return mail, this.ends(State.FAILED, "failed", f"{why} Nothing was called.", reason=why)
    return attachments.filled(mail, contents), None


def _stopped_by_fence(this: _Try, mail: Mail) -> Decisions[Settle | None]:
    """Ask the fence; None: the call may be made."""
    row = this.item.row
    if not this.in_time():
        return this.released("Its deadline came before a seat was free; nothing was called.")
    request = _request(row)
    if this.item.copy_slot:
        content = breaker.content_key(row, mail, this.item.copy_slot)
        request = replace(request, content=content, mark=breaker.mark(row))
    answer: FenceAnswer | None = None
    while answer is None and this.in_time():
        answer = yield AskFence(request)
    if answer is None:
        return this.released("The fence did not answer in time; nothing was called.")
    this.record["fence"], this.record["fenced_at"] = answer.verdict.value, this.clock.now()
    match answer.verdict:
        case Verdict.OK:
            return (yield from _stopped_by_breaker(this, answer))
        case Verdict.TAKEN:
            # Another attempt holds the record, and the row knows nothing of it: MongoDB was rolled back. It may have called.
            why = f"The fence holds attempt {answer.no} for this mail, which may have been sent."
            return this.ends(State.UNKNOWN, "unknown", why, reason=why, adopt=(answer.no, answer.attempt))
        case Verdict.STALE:
            yield DropShard(row["shard"], this.item.attempt["token"], answer.no)
        case Verdict.EPOCH:
            yield RenewEpoch()
    return this.released(_REFUSED[answer.verdict])


def _stopped_by_breaker(this: _Try, answer: FenceAnswer) -> Decisions[Settle | None]:
    """Hold a copy, and freeze its schedule; None: it is none."""
    row = this.item.row
    other = breaker.copied(row, answer.copy_of)
    if not other:
        return None
    if not (yield Freeze(schedule_of(row), f"The breaker stopped {row['_id']}, a copy of {other}.")):
        return this.released("The breaker stopped it, and could not put that on record; nothing was called.")
    why = f"A copy of {other}: same schedule, content and recipients. The breaker held it, and froze the schedule; nothing was called."
    this.record["copy_of"] = other
    return this.ends(State.HELD, "held", why, reason=why)


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
    OutcomeKind.UNKNOWN: State.UNKNOWN,
}


def _request(row: Delivery) -> FenceRequest:
    """The claim of the row's newest attempt."""
    history = tuple(attempt["id"] for attempt in row["attempts"])
    return FenceRequest(
        row["shard"], row["_id"], row["epoch"] or "", row["token"], row["attempt_no"], row["attempt_id"] or "", history
    )
