"""Why nothing came at an instant, or what came."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from fencepost.clock import iso
from fencepost.explaining.gates import Explanation, Gate, explanation
from fencepost.schedules import Rule, Schedule, SkipReason

_GRACE = timedelta(seconds=5)
_LOOKED_BACK = timedelta(days=7)
_SKIPS = {
    SkipReason.PAUSED: "the schedule was paused",
    SkipReason.DELETED: "the schedule was deleted",
    SkipReason.MISFIRE: "it was found late, and its misfire policy skips what is late or keeps only the latest",
    SkipReason.WINDOW: "it was found later than its misfire window allows",
    SkipReason.OVERLAP: "mail of an earlier run was still open, and its overlap policy lets no more wait",
}


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known beside the schedule. `rule` is the one that owned the instant."""

    now: datetime
    rule: Rule
    paused_then: bool = False
    """Whether the version that owned the instant was a pause or a delete."""
    skipped: str | None = None
    """Why the instant was skipped, if that is on record."""
    mails: Mapping[str, int] = field(default_factory=Counter)
    """How many mails of the instant are in which state; empty if none is on record."""
    senders: int | None = None
    """How many senders there are; None: etcd does not answer."""


def explain(schedule: Schedule, at: datetime, facts: Facts) -> Explanation:
    """The gates of this instant in the order in which they are passed."""
    gates = [
        _began(schedule, at),
        _named(at, facts),
        _limited(schedule, at, facts),
        _skipped(facts),
        _paused(schedule, facts),
        _to_come(at, facts),
        _quarantined(schedule, at),
        _planned(schedule, at, facts),
    ]
    return explanation(gates, _otherwise(facts))


def _otherwise(facts: Facts) -> str:
    counts = ", ".join(f"{count} {state}" for state, count in sorted(facts.mails.items()))
    return f"It ran: {counts}." if counts else "It ran, and had nobody to write to."


def _began(schedule: Schedule, at: datetime) -> Gate:
    since = schedule.versions[0].since
    holds = at <= since
    detail = f"The schedule was written at {iso(since)}, which is later." if holds else "The schedule was there."
    return Gate("began", "Schedule there", holds, detail)


def _named(at: datetime, facts: Facts) -> Gate:
    if facts.rule.includes(at):
        return Gate("named", "Instant of its rule", False, "Its rule names this instant.")
    earlier = list(facts.rule.instants(at - _LOOKED_BACK, at))
    following = facts.rule.after(at)
    nearest = [f"the one before was {iso(earlier[-1])}"] if earlier else []
    nearest += [f"the next is {iso(following)}"] if following else []
    said = f": {'; '.join(nearest)}" if nearest else ""
    return Gate("named", "Instant of its rule", True, f"Its rule does not name this instant{said}.", following)


def _limited(schedule: Schedule, at: datetime, facts: Facts) -> Gate:
    most = schedule.definition.get("max_occurrences")
    over = most is not None and schedule.occurrence_count >= most
    holds = (
        over and not facts.mails and not facts.skipped and (schedule.last_run_at is None or at > schedule.last_run_at)
    )
    detail = f"It has run {schedule.occurrence_count} times, which is all it may." if holds else "It may run."
    return Gate("cap", "Not all its runs used", holds, detail)


def _skipped(facts: Facts) -> Gate:
    if facts.skipped is None or facts.mails:
        return Gate("skipped", "Not skipped", False, "It was not skipped.")
    why = _SKIPS.get(SkipReason(facts.skipped), facts.skipped)
    return Gate("skipped", "Not skipped", True, f"It was skipped: {why}.")


def _paused(schedule: Schedule, facts: Facts) -> Gate:
    holds = facts.paused_then and not facts.mails
    stop = schedule.deleted or schedule.paused
    reason = f" ({stop.reason})" if stop and stop.reason else ""
    word = "deleted" if schedule.deleted else "paused"
    detail = f"The schedule is {word}{reason}: this instant is skipped." if holds else "It is not paused."
    return Gate("paused", "Schedule runs", holds, detail)


def _to_come(at: datetime, facts: Facts) -> Gate:
    holds = at > facts.now
    return Gate("due", "Due", holds, "It is still to come." if holds else "It has been due.", at if holds else None)


def _quarantined(schedule: Schedule, at: datetime) -> Gate:
    stop = schedule.quarantined
    holds = stop is not None and (schedule.last_run_at is None or at > schedule.last_run_at)
    detail = f"The schedule is quarantined: {stop.reason.rstrip('.')}." if stop and holds else "It is not quarantined."
    return Gate("quarantined", "Schedule can be worked out", holds, detail)


def _planned(schedule: Schedule, at: datetime, facts: Facts) -> Gate:
    if facts.mails or (schedule.last_run_at is not None and at <= schedule.last_run_at):
        return Gate("planned", "Planned", False, "A sender has planned it.")
    if facts.senders == 0:
        return Gate("planned", "Planned", True, "There is no sender to plan it: start one.")
    return Gate("planned", "Planned", True, "No sender has planned it yet: that takes seconds.", facts.now + _GRACE)
