"""W3: pending deliveries that the scan found become ours, if their instant is frozen and due, with the text of the version that
owns it."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from fencepost import breaker
from fencepost.deliveries import Delivery, claimed, occurrence_of, schedule_of
from fencepost.events import Event
from fencepost.messages import Renderer
from fencepost.occurrences import Origin
from fencepost.overlaps import overlap_of
from fencepost.reconciliation import taken
from fencepost.rules import RuleCache
from fencepost.schedules import GONE, Judgement, Ruling, Schedule, judge
from fencepost.settlements import released
from fencepost.store.claims import Claim
from fencepost.store.revisions import Revision
from sender.effects import (
    Cancel,
    ClaimRows,
    Decisions,
    Defer,
    DeferOccurrences,
    ReadEvents,
    ReadOpen,
    ReadRevisions,
    ReadSchedules,
    ReadSkips,
    SettleAll,
)
from sender.passes import Claimed, Terms

_LOOK_AGAIN = timedelta(milliseconds=200)
_PUT_OFF_A_SECOND = 1000
_LOOK_AGAIN_FROZEN = timedelta(seconds=5)
_STEP, _COARSE_STEP = timedelta(seconds=0.25), timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class _Ruled:
    """A judgement, and in slots how wide the breaker looks for copies of what may be sent."""

    judgement: Judgement
    copy_slot: timedelta | None = None


_NOT_RULED = _Ruled(Judgement(Ruling.SEND))


def claim_pending(rows: Sequence[Delivery], terms: Terms, cache: RuleCache) -> Decisions[list[Claimed]]:
    """Claim what may be sent; cancel what an edit, a pause or a skip took away; leave what is not frozen, and what waits for
    the occurrence before it."""
    rows = yield from _not_taken(rows, terms)
    judged: dict[str, _Ruled] = yield from _judge(
        [row for row in rows if row["origin"] == Origin.SCHEDULE and not row.get("ordered")], terms, cache
    )
    opened: dict[str, dict[str, int]] = yield from _opened(rows)
    queued: dict[str, int] = {}
    cancelled: dict[str, dict[str, int]] = defaultdict(dict)
    waiting: dict[timedelta, list[str]] = defaultdict(list)
    found: list[tuple[Delivery, str | None, int]] = []
    for row in rows:
        ruled = judged.get(row["_id"])
        judgement = ruled.judgement if ruled else None
        if _waits(row, opened) and (judgement is None or judgement.version):
            queued[occurrence_of(row)] = opened[schedule_of(row)].get(occurrence_of(row), 0)
        elif judgement is None:
            found.append((row, row["revision_id"], row["version"]))
        elif judgement.version:
            found.append((row, judgement.version.revision_id, judgement.version.no))
        elif judgement.ruling is Ruling.CANCEL:
            cancelled[judgement.reason][row["_id"]] = row["attempt_no"]
        else:
            waiting[_LOOK_AGAIN_FROZEN if judgement.stopped else _LOOK_AGAIN].append(row["_id"])
    texts: dict[str, Revision] = yield ReadRevisions({revision_id for _, revision_id, _ in found if revision_id})
    claims: list[Claim] = []
    for row, revision_id, version in found:
        text = texts.get(revision_id or "")
        if text is None:
            cancelled["its text is not on record"][row["_id"]] = row["attempt_no"]
            continue
        provider = terms.router.provider(row, text.definition)
        if isinstance(provider, str):
            claims.append(Claim(row, terms.attempt(row, provider), revision_id, version))
        else:
            waiting[_in_steps(provider)].append(row["_id"])
    for reason, those in cancelled.items():
        yield Cancel(those, reason)
    for wait, those_waiting in waiting.items():
        yield Defer(those_waiting, terms.now + wait)
    for seconds, occurrence_ids in _by_patience(queued).items():
        yield DeferOccurrences(occurrence_ids, terms.now, terms.now + timedelta(seconds=seconds))
    if not claims:
        return []
    won: set[str] = yield ClaimRows(claims, terms.claim_id, terms.epoch, terms.deadline)
    renderers = {revision_id: Renderer(text.definition) for revision_id, text in texts.items()}
    return [
        _claimed(claim, renderers, terms, judged.get(claim.row["_id"], _NOT_RULED).copy_slot)
        for claim in claims
        if claim.attempt["id"] in won
    ]


def _not_taken(rows: Sequence[Delivery], terms: Terms) -> Decisions[Sequence[Delivery]]:
    """Those of which no provider has told that it took them under an earlier attempt: its word may have come while the next
    one was `sending`, whose owner does not ask for it."""
    again = [row for row in rows if row["attempt_no"]]
    events: dict[str, list[Event]] = (yield ReadEvents([row["_id"] for row in again])) if again else {}
    settlements = [settlement for row in again if (settlement := taken(row, events.get(row["_id"], []), terms.now))]
    if not settlements:
        return rows
    yield SettleAll(settlements)
    settled = {settlement.delivery_id for settlement in settlements}
    return [row for row in rows if row["_id"] not in settled]


def _opened(rows: Sequence[Delivery]) -> Decisions[dict[str, dict[str, int]]]:
    """What is open of the schedules some of whose rows wait for an earlier occurrence."""
    queueing = {schedule_of(row) for row in rows if row.get("after_occurrence")}
    if not queueing:
        return {}
    opened: dict[str, dict[str, int]] = yield ReadOpen(queueing)
    return opened


def _waits(row: Delivery, opened: Mapping[str, Mapping[str, int]]) -> bool:
    """Whether the occurrence that has to end before this row still has something open. What a person ordered waits for none."""
    before = row.get("after_occurrence")
    return before is not None and not row.get("ordered") and before in opened.get(schedule_of(row), ())


def _in_steps(wait: timedelta) -> timedelta:
    """The same or a little longer: what waits for a limit, each a bit longer than the one before, is put off in few commands."""
    step = _STEP if wait <= 4 * _COARSE_STEP else _COARSE_STEP
    return -(-wait // step) * step


def _by_patience(queued: Mapping[str, int]) -> dict[int, list[str]]:
    """How many seconds these occurrences are left alone (id -> how many of its mails are open): putting off a long list
    is work, so it is done less often."""
    groups: dict[int, list[str]] = defaultdict(list)
    for occurrence_id, count in queued.items():
        groups[1 + count // _PUT_OFF_A_SECOND].append(occurrence_id)
    return groups


def hand_back(rows: Sequence[Delivery], now: datetime) -> Decisions[None]:
    """Give claimed deliveries back of which nothing was called."""
    if rows:
        yield SettleAll([released(row, "The claim broke off; nothing was called.", now) for row in rows])


def _judge(rows: Sequence[Delivery], terms: Terms, cache: RuleCache) -> Decisions[dict[str, _Ruled]]:
    """A judgement for each row that its schedule planned. The schedule is read after the row was."""
    if not rows:
        return {}
    schedules: dict[str, Schedule] = yield ReadSchedules({schedule_of(row) for row in rows})
    instants = {(schedule_of(row), row["due_at"]) for row in rows}
    doubtful = [
        (name, at) for name, at in instants if name in schedules and _may_be_skipped(schedules[name], at, terms)
    ]
    skipped: set[tuple[str, datetime]] = (yield ReadSkips(doubtful)) if doubtful else set()
    owners = {(name, at): schedules[name].owner_of(at) for name, at in instants if name in schedules}
    older = {owner.revision_id for (name, _), owner in owners.items() if owner and owner.no != schedules[name].version}
    texts: dict[str, Revision] = (yield ReadRevisions(older)) if older else {}
    rulings = {
        (name, at): _rule_on(schedules.get(name), at, (name, at) in skipped, texts, terms, cache)
        for name, at in instants
    }
    return {row["_id"]: rulings[schedule_of(row), row["due_at"]] for row in rows}


def _may_be_skipped(schedule: Schedule, at: datetime, terms: Terms) -> bool:
    """Only what was found late, during a pause, or under a policy that was not `allow`, is ever skipped. Clocks differ: half
    the grace counts as late here."""
    return (
        terms.now - at > terms.limits.grace / 2
        or not all(version.runs for version in schedule.versions)
        or overlap_of(schedule.definition) != "allow"
        # Before the newest edit the policy may have been another.
        or at <= schedule.versions[-1].since
    )


def _rule_on(
    schedule: Schedule | None, at: datetime, skipped: bool, texts: dict[str, Revision], terms: Terms, cache: RuleCache
) -> _Ruled:
    if schedule is None:
        return _Ruled(GONE)
    try:
        rules = cache.rules(schedule, texts)
        judgement = judge(schedule, rules, at, skipped)
        if judgement.version is None or terms.breaker_window is None:
            return _Ruled(judgement)
        return _Ruled(judgement, breaker.slot_width(rules(judgement.version), at, terms.breaker_window))
    except Exception:  # noqa: BLE001 the arithmetic of one rule must not stop the others; planning quarantines its schedule
        return _Ruled(Judgement(Ruling.WAIT))


def _claimed(claim: Claim, renderers: dict[str, Renderer], terms: Terms, copy_slot: timedelta | None) -> Claimed:
    row: Delivery = {**claim.row, "revision_id": claim.revision_id, "version": claim.version}
    row = claimed(
        row, claim.attempt, epoch=terms.epoch, deadline=terms.deadline, claim_id=terms.claim_id, now=terms.now
    )
    return Claimed(row, renderers[claim.revision_id or ""], terms.deadline_steady, copy_slot)
