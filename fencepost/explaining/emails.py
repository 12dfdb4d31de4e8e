"""Why a mail is not sent, or what became of it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from fencepost.caps import Cap, day_after
from fencepost.clock import iso
from fencepost.deliveries import NOT_SENT, Delivery, State, is_worthless
from fencepost.explaining.gates import Explanation, Gate, explanation
from fencepost.occurrences import Origin
from fencepost.provider_names import as_written
from fencepost.reconciliation import NEVER, Policy, Window
from fencepost.schedules import Schedule

_SOON = timedelta(seconds=5)
"""Between two looks of a sender that sleeps."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known beside the row. What could not be asked is None."""

    now: datetime
    window: Window
    policy: Policy
    schedule: Schedule | None = None
    """Of mail that its schedule planned."""
    open_before: int = 0
    """How many mails are pending or sending of the occurrence that it waits for."""
    suppressed: bool = False
    holder: str | None = None
    """The sender that holds its shard."""
    senders: int | None = None
    """How many senders there are; None: etcd does not answer."""
    redis: bool | None = None
    """Whether Redis answers."""
    providers: Mapping[str, str] = field(default_factory=dict)
    """The providers that may carry it, in their order, each with what keeps mail from it at present; empty where nothing does."""
    caps: Mapping[str, Cap] = field(default_factory=dict)
    """The calls of today of those that have a cap."""
    ahead: int = 0
    """How many mails that may be sent now stand before it in the queue of its shard."""


def explain(row: Delivery, facts: Facts) -> Explanation:
    """The gates of this mail in the order in which they are passed."""
    gates = [gate(row, facts) for gate in _GATES]
    return explanation(gates, _otherwise(row))


def _otherwise(row: Delivery) -> str:
    if row.get("test") and row["state"] == State.ACCEPTED:
        return "It went all its way. A test key asked for it, so no provider was called."
    match row["state"]:
        case State.PENDING:
            return "Nothing holds it back: a sender takes it within seconds."
        case State.SENDING:
            return f"It is being sent right now, by {row['sender']} through {_provider(row)}."
        case State.DELIVERED:
            return f"It arrived: {_provider(row)} delivered it."
        case State.BOUNCED | State.COMPLAINED:
            return f"{_provider(row)} took it, and it {row['state']}."
    return f"It was sent: {_provider(row)} accepted it."


def _ended(row: Delivery, _: Facts) -> Gate:
    """Ended without being sent."""
    if row["state"] not in NOT_SENT:
        return Gate("ended", "Not called off", False, "It has not ended without being sent.")
    words = {
        State.FAILED: "It failed",
        State.CANCELLED: "It was cancelled",
        State.SUPPRESSED: "It was suppressed",
        State.EXPIRED: "It expired",
        State.SKIPPED: "It was skipped",
    }
    return Gate("ended", "Not called off", True, _sentence(words[State(row["state"])], row["reason"]))


def _decision(row: Delivery, _: Facts) -> Gate:
    held = row["state"] == State.HELD
    detail = _sentence("It waits for a person's decision at the settlement desk", row["reason"])
    return Gate("decision", "No decision needed", held, detail if held else "Nobody has to decide about it.")


def _settlement(row: Delivery, facts: Facts) -> Gate:
    if row["state"] != State.UNKNOWN:
        return Gate("settlement", "Not in doubt", False, "How its call ended is known, or none was made.")
    since = row.get("unknown_since") or row["updated_at"]
    look_up = row.get("look_up_at") or since
    ends = facts.window.of(row["provider"]).ends(since)
    then = {
        Policy.HOLD: "it is held for a person then",
        Policy.RESEND: "it is sent again then",
        Policy.RESEND_AT_ONCE: "it is sent again at once",
    }[facts.policy]
    detail = (
        f"Nobody knows how its call to {_provider(row)} ended, so it is not sent again: {_provider(row)}'s records are read "
        f"until {iso(ends.replace(microsecond=0))}, and without a trace {then}."
    )
    return Gate("settlement", "Not in doubt", True, detail, min(look_up, ends) if look_up < NEVER else ends)


def _fence(row: Delivery, facts: Facts) -> Gate:
    title = "Not in another sender's hands"
    if row["state"] != State.SENDING:
        return Gate("fence", title, False, "No sender has it under way.")
    deadline = row["deadline"]
    if deadline is None or deadline >= facts.now:
        return Gate(
            "fence", title, False, f"{row['sender']} has it under way since {iso(row['updated_at'])}.", deadline
        )
    detail = f"{row['sender']} had it under way and was lost; another sender finds out whether it was called, and takes over."
    return Gate("fence", title, True, detail, facts.now + _SOON)


def _suppressed(row: Delivery, facts: Facts) -> Gate:
    holds = row["state"] == State.PENDING and facts.suppressed
    detail = (
        "Its recipient is suppressed: it will end so, and reach no provider."
        if holds
        else "Its recipient may get mail."
    )
    return Gate("suppressed", "Recipient wants mail", holds, detail)


def _time_to_live(row: Delivery, facts: Facts) -> Gate:
    holds = row["state"] == State.PENDING and is_worthless(row, facts.now)
    expires_at = row.get("expires_at")
    detail = f"It may be sent until {iso(expires_at)}." if expires_at else "It may be sent at any time."
    return Gate("expired", "In time", holds, "Its time to live is over: it expires." if holds else detail)


def _due(row: Delivery, facts: Facts) -> Gate:
    if row["state"] != State.PENDING or row["due_at"] <= facts.now:
        return Gate("due", "Due", False, f"It has been due since {iso(row['due_at'])}.")
    return Gate("due", "Due", True, f"It is due at {iso(row['due_at'])}, which is still to come.", row["due_at"])


def _jitter(row: Delivery, facts: Facts) -> Gate:
    late = timedelta(milliseconds=row.get("jitter_ms") or 0)
    holds = row["state"] == State.PENDING and row["due_at"] <= facts.now < row["due_at"] + late
    detail = (
        f"Its schedule's jitter sends it {late.total_seconds():g} s after its instant." if late else "It has no jitter."
    )
    return Gate("jitter", "Jitter over", holds, detail, row["due_at"] + late if holds else None)


def _schedule(row: Delivery, facts: Facts) -> Gate:
    title, schedule = "Schedule runs", facts.schedule
    if row["origin"] != Origin.SCHEDULE or row.get("ordered") or row["state"] != State.PENDING:
        return Gate("paused", title, False, "No pause and no edit of a schedule holds it.")
    if schedule is None:
        return Gate("paused", title, True, "Its schedule no longer exists: it will be cancelled.")
    for word, stop in (("deleted", schedule.deleted), ("paused", schedule.paused)):
        if stop:
            return Gate("paused", title, True, _sentence(f"Its schedule is {word}: it will be cancelled", stop.reason))
    if schedule.quarantined and schedule.quarantined.frozen:
        why = _sentence("Its schedule is frozen until its owner resumes it", schedule.quarantined.reason)
        return Gate("paused", title, True, why)
    return Gate("paused", title, False, "Its schedule runs.")


def _decided(row: Delivery, facts: Facts) -> Gate:
    title, schedule = "Instant decided", facts.schedule
    if row["origin"] != Origin.SCHEDULE or row["state"] != State.PENDING or schedule is None:
        return Gate("decided", title, False, "It stands by itself.")
    if schedule.last_run_at is not None and row["due_at"] <= schedule.last_run_at:
        return Gate("decided", title, False, "Its schedule has moved on past its instant: no edit takes it back.")
    why = "Its schedule has not moved on past its instant yet"
    if schedule.quarantined:
        return Gate("decided", title, True, _sentence(f"{why}, since it is quarantined", schedule.quarantined.reason))
    return Gate("decided", title, True, f"{why}: a sender does that within seconds.", facts.now + _SOON)


def _overlap(row: Delivery, facts: Facts) -> Gate:
    before = row.get("after_occurrence")
    holds = row["state"] == State.PENDING and bool(before) and not row.get("ordered") and facts.open_before > 0
    if not holds:
        return Gate("overlap", "Earlier run done", False, "No earlier run is in its way.")
    detail = f"It waits until the run before it, {before}, has nothing left to send: {facts.open_before} to go."
    return Gate("overlap", "Earlier run done", True, detail)


def _retry(row: Delivery, facts: Facts) -> Gate:
    tried = [attempt for attempt in row["attempts"] if attempt.get("outcome") in ("throttled", "unavailable")]
    holds = (
        row["state"] == State.PENDING and row["not_before"] > facts.now and bool(tried) and row["due_at"] <= facts.now
    )
    if not holds:
        return Gate("retry", "No retry awaited", False, "It waits for no retry.")
    last = tried[-1]
    detail = f"{as_written(last['provider'])} did not take it ({last.get('detail') or last['outcome']}): it is tried again at {iso(row['not_before'])}."
    return Gate("retry", "No retry awaited", True, detail, row["not_before"])


def _sender(row: Delivery, facts: Facts) -> Gate:
    title = "A sender looks after it"
    if facts.senders is None:
        return Gate("sender", title, None, "etcd does not answer, so who looks after it is not known.")
    if row["state"] != State.PENDING or facts.holder:
        return Gate("sender", title, False, f"{facts.holder or 'A sender'} holds its shard, {row['shard']}.")
    if not facts.senders:
        return Gate("sender", title, True, "There is no sender: start one, and it is sent.")
    return Gate(
        "sender",
        title,
        True,
        f"Nobody holds its shard, {row['shard']}, at the moment: a sender takes it soon.",
        facts.now + _SOON,
    )


def _redis(row: Delivery, facts: Facts) -> Gate:
    holds = None if facts.redis is None else row["state"] == State.PENDING and not facts.redis
    detail = "Redis does not answer: without the fence nothing is sent." if holds else "The fence answers."
    return Gate("redis", "Fence there", holds, detail)


def _cap(row: Delivery, facts: Facts) -> Gate:
    title = "Within the day's cap"
    caps = {name: cap for name, cap in facts.caps.items() if name in facts.providers and not facts.providers[name]}
    usable = [
        name for name, problem in facts.providers.items() if not problem and (name not in caps or caps[name].left)
    ]
    spent = {name: cap.most for name, cap in caps.items() if not cap.left}
    if row["state"] != State.PENDING or usable or not spent:
        return Gate("cap", title, False, "No provider's cap of the day is in its way.")
    said = " ".join(f"{as_written(name)} has had all its {most:,} calls of today." for name, most in spent.items())
    until = day_after(facts.now)
    return Gate("cap", title, True, f"{said} It goes from {iso(until)}, when the next day begins.", until)


def _breaker(row: Delivery, facts: Facts) -> Gate:
    title = "A provider takes mail"
    usable = [name for name, problem in facts.providers.items() if not problem]
    if row["state"] != State.PENDING or usable or not facts.providers:
        return Gate("breaker", title, False, f"{as_written(usable[0]) if usable else _provider(row)} takes mail.")
    said = " ".join(_sentence(as_written(name), problem) for name, problem in facts.providers.items())
    return Gate("breaker", title, True, f"No provider that may carry it takes mail. {said}")


def _turn(row: Delivery, facts: Facts) -> Gate:
    holds = row["state"] == State.PENDING and row["not_before"] <= facts.now and facts.ahead > 0
    if not holds:
        return Gate("turn", "Its turn", False, "Nothing stands before it.")
    return Gate("turn", "Its turn", True, f"{facts.ahead:,} mails of its shard stand before it in the queue.")


_GATES: tuple[Callable[[Delivery, Facts], Gate], ...] = (
    _ended,
    _decision,
    _settlement,
    _fence,
    _suppressed,
    _time_to_live,
    _due,
    _schedule,
    _jitter,
    _decided,
    _overlap,
    _retry,
    _sender,
    _redis,
    _cap,
    _breaker,
    _turn,
)


def _provider(row: Delivery) -> str:
    return as_written(row["provider"] or "the provider")


def _sentence(start: str, reason: str | None) -> str:
    return f"{start}: {reason.rstrip('.')}." if reason else f"{start}."
