"""What becomes of a mail whose call nobody knows the end of. Pure: what is on record and the server's clock in, a verdict out.

A lost reply is never guessed at. The provider's own records are read a few times, ever more seldom. A trace settles the mail as
accepted; that there is none counts only once the settling window has passed since the mail became `unknown`: longer than the
provider takes to index what it accepted, and a call, and what clocks differ. Then its owner's policy decides.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from itertools import pairwise
from typing import Any

from fencepost.deliveries import STRANGER, Attempt, Delivery, State, Verdict
from fencepost.events import TAKEN, Event
from fencepost.provider_names import as_written
from fencepost.settings import Settings
from fencepost.settlements import Author, Settlement

NEVER = datetime(9999, 1, 1, tzinfo=UTC)
"""When a mail is looked up again of which no record will tell more."""


_NOT_KNOWN_WHOSE = "But the fence holds an attempt that is not on record, nor which provider it called."
_SKIPPED = "Its instant was skipped before anybody could call; nothing was sent."


class Evidence(StrEnum):
    """What a provider's records say about a delivery."""

    ACCEPTED = "accepted"
    """They show that it was taken, under whichever of its attempts."""
    REFUSED = "refused"
    """They show that it was taken and then not sent, and so far nothing else."""
    NO_TRACE = "no trace"
    UNREADABLE = "unreadable"
    """They could not be read: this says nothing."""
    NO_RECORDS = "no records"
    """This provider has none that can be asked: nothing will ever tell."""


class Policy(StrEnum):
    """What the owner of a mail wants when no trace of it was found (`on_unknown`)."""

    HOLD = "hold"
    RESEND = "resend"
    RESEND_AT_ONCE = "resend_at_once"


@dataclass(frozen=True, slots=True)
class Trace:
    """What was found about one delivery. `detail` is a sentence for people, free of addresses and keys."""

    evidence: Evidence
    detail: str
    receipt: str | None = None
    """The provider's id of the message that it took."""
    misconfigured: bool = False
    """The records are closed to us (a key that may not read them, an unknown domain): an alarm."""


@dataclass(frozen=True, slots=True)
class Reference:
    """By what a provider's records know a delivery."""

    delivery_id: str
    message_id: str
    provider: str


@dataclass(frozen=True, slots=True)
class Window:
    """How long records are asked, counted by the server's clock from entering `unknown`."""

    settling: timedelta
    """After this, that there is no trace means that it was not accepted."""
    look_ups: tuple[timedelta, ...]
    """When records are read before that, ascending."""
    give_up: timedelta = timedelta(days=1)
    """After this, records that can't be read are waited for no longer: the mail is held."""
    recheck_held: tuple[timedelta, ...] = field(default=(timedelta(hours=1), timedelta(hours=6), timedelta(days=1)))
    """When the records are read once more for a mail that is held: some index what they took late."""

    own: Mapping[str, timedelta] = field(default_factory=dict)
    """The settling windows of providers that have one of their own."""

    def of(self, provider: str | None) -> "Window":
        """The window of this provider's mail."""
        settling = self.own.get(provider or "")
        if settling is None:
            return self
        return replace(self, settling=settling, look_ups=tuple(wait for wait in self.look_ups if wait < settling))

    def ends(self, since: datetime) -> datetime:
        """When what is unknown since then, and has left no trace, is decided by its owner's policy."""
        return since + self.settling

    @property
    def longest(self) -> timedelta:
        return max(self.give_up, self.settling)

    def next_look_up(self, row: Delivery, now: datetime) -> datetime:
        """When the records of this one are to be read next; NEVER if no more."""
        since = row["unknown_since"] or now
        instants = [since + wait for wait in (*self.look_ups, self.settling)]
        if row["state"] == State.HELD:
            instants = [since + self.settling + wait for wait in self.recheck_held]
        following = next((instant for instant in instants if instant > now), None)
        if following is None and row["state"] == State.UNKNOWN:
            # Past the window, and the records could not be read: as seldom as at its end.
            *_, (before, last) = pairwise([timedelta(0), *self.look_ups, self.settling])
            return now + max(last - before, timedelta(seconds=1))
        return following or NEVER


@dataclass(frozen=True, slots=True)
class Postponed:
    """Nothing is decided yet: look again then."""

    delivery_id: str
    attempt_id: str
    until: datetime


def wants_look_up(row: Delivery, policy: Policy, window: Window, now: datetime) -> bool:
    """Whether reading the records may decide anything now: not for who prefers two to none, nor before the first time."""
    since = row["unknown_since"] or now
    if row["state"] == State.HELD:
        return bool(window.recheck_held) and now >= since + window.settling + window.recheck_held[0]
    if policy is Policy.RESEND_AT_ONCE:
        return False
    return now >= since + next(iter((*window.look_ups, window.settling)))


def reconcile(
    row: Delivery, trace: Trace | None, policy: Policy, window: Window, now: datetime, *, skipped: bool = False
) -> Settlement | Postponed:
    """Decide on one delivery that is unknown or held. `trace` is what the records say, read after `row` was; None: they were
    not asked. `now` is the server's clock. `skipped`: its instant was skipped in the end, so its attempt was not let call."""
    if trace and trace.evidence is Evidence.ACCEPTED:
        return _settled(row, State.ACCEPTED, now, trace.detail, receipt=trace.receipt)
    if skipped:
        return _settled(row, State.CANCELLED, now, _SKIPPED, reason=_SKIPPED)
    if row["state"] == State.HELD:
        return _again(row, window, now)
    if policy is Policy.RESEND_AT_ONCE:
        return _settled(
            row, State.PENDING, now, "Sent again at once, as its owner asked for: two are better than none."
        )
    since = row["unknown_since"] or now
    if trace and trace.evidence is Evidence.REFUSED and now >= since + window.settling:
        # Not sooner: records are indexed out of order, and that another recipient's was sent may follow.
        return _settled(row, State.FAILED, now, trace.detail, reason=trace.detail)
    if trace and trace.evidence is Evidence.NO_TRACE and now >= since + window.settling:
        if _may_be_anothers(row):
            why = f"{trace.detail} {_NOT_KNOWN_WHOSE}"
            return _settled(row, State.HELD, now, why, reason=why)
        if policy is Policy.RESEND:
            return _settled(row, State.PENDING, now, f"{trace.detail} It is sent again, as its owner asked for.")
        return _settled(row, State.HELD, now, trace.detail, reason=trace.detail)
    if trace and now >= since + (window.settling if trace.evidence is Evidence.NO_RECORDS else window.longest):
        return _settled(row, State.HELD, now, trace.detail, reason=trace.detail)
    return _again(row, window, now)


def _may_be_anothers(row: Delivery) -> bool:
    """Whether its newest attempt is known from the fence alone (MongoDB was put back to before it), and the provider that it called
    may be another than the record says."""
    newest = next((attempt for attempt in row["attempts"] if attempt["id"] == row["attempt_id"]), Attempt())
    return newest.get("fence") == "TAKEN" and newest.get("sender") == STRANGER and len(row.get("route", ())) != 1


class Decision(StrEnum):
    """What a person decides about a mail that is held."""

    WAS_SENT = "was_sent"
    SEND_NOW = "send_now"
    DROP = "drop"


_DECIDED = {
    Decision.WAS_SENT: (State.ACCEPTED, "it was sent"),
    Decision.SEND_NOW: (State.PENDING, "send it now"),
    Decision.DROP: (State.CANCELLED, "drop it"),
}


def decide(row: Delivery, decision: Decision, by: str, why: str, now: datetime) -> Settlement:
    """What a person's decision about a held mail writes. It is on record with who and why."""
    state, verdict = _DECIDED[decision]
    detail = f"{verdict}: {why}" if why else verdict
    return Settlement(
        row["_id"],
        row["attempt_id"] or "",
        state,
        Attempt(),
        reason=f"{by}: {detail}" if state is State.CANCELLED else None,
        receipt=row["receipt"],
        author=Author.PERSON,
        verdict=Verdict(at=now, state=state.value, by=by, why=detail),
    )


def _again(row: Delivery, window: Window, now: datetime) -> Postponed:
    return Postponed(row["_id"], row["attempt_id"] or "", window.next_look_up(row, now))


def _settled(row: Delivery, state: State, now: datetime, detail: str, **fields: Any) -> Settlement:
    verdict = Verdict(at=now, state=state.value, by="reconciler", why=detail)
    return Settlement(
        row["_id"], row["attempt_id"] or "", state, Attempt(), author=Author.RECONCILER, verdict=verdict, **fields
    )


def told(events: Sequence[Event]) -> Trace | None:
    """What a provider told us by itself, if that settles anything."""
    taken = next((event for event in events if event.kind in TAKEN), None)
    return Trace(Evidence.ACCEPTED, _word_of(taken), taken.receipt) if taken else None


def taken(row: Delivery, events: Sequence[Event], now: datetime) -> Settlement | None:
    """What a provider's own word settles at once, in whatever state the mail is found by then that allows it; None if nothing
    in it shows that the mail was taken. Like every settlement it is written at the newest attempt, whichever was meant."""
    event = next((event for event in events if event.kind in TAKEN), None)
    if event is None:
        return None
    why = _word_of(event)
    return Settlement(
        row["_id"],
        row["attempt_id"] or "",
        State.ACCEPTED,
        Attempt(),
        reason=None if row["attempts"] else why,
        receipt=event.receipt or row["receipt"],
        author=Author.PROVIDER,
        verdict=Verdict(at=now, state=State.ACCEPTED.value, by=event.provider, why=why),
    )


def _word_of(event: Event) -> str:
    return f"{as_written(event.provider)} told of it ({event.kind}): it took this mail."


def window_of(settings: Settings) -> Window:
    """The settling window as it is set."""
    options = settings.settlement
    return Window(
        timedelta(seconds=options.window_seconds),
        tuple(timedelta(seconds=wait) for wait in options.look_up_seconds if wait < options.window_seconds),
        timedelta(seconds=options.give_up_seconds),
        own={
            name: timedelta(seconds=seconds)
            for name in type(settings.providers).model_fields
            if name != "order" and (seconds := settings.providers.account(name).settling_seconds)
        },
    )


def policy_of(definition: Mapping[str, Any] | None) -> Policy:
    """The policy in a stored text; `hold`, which needs nobody's word, where there is none."""
    return Policy(definition["on_unknown"]) if definition else Policy.HOLD
