"""W1 and W2: a batch of due schedules becomes occurrences and deliveries, and each schedule moves on.

    W1  insert the occurrences and all their deliveries     a crash after it: rows of a schedule that has not moved on
    W2  compare-and-set each schedule on                     a crash after it: pending or claimed rows, which the scans find

Rows of our own shards are claimed in the same insert (W3 folded into W1) as long as there is room; nothing of them is
called before W2 has frozen their instant. What has jitter, or waits for the occurrence before it, is left to the scan.
"""

from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from typing import Any

from fencepost import ids, occurrences
from fencepost.deliveries import Delivery, claimed
from fencepost.jitter import jitter
from fencepost.messages import Renderer
from fencepost.occurrences import Occurrence, Origin
from fencepost.overlaps import overlap_of
from fencepost.planning import Plan, plan
from fencepost.rules import RuleCache
from fencepost.schedules import Rule, Rules, Schedule
from fencepost.settlements import Settlement, released
from fencepost.store.revisions import Revision
from sender.effects import Advance, Decisions, Insert, Quarantine, ReadOpen, ReadRevisions, RecordSkips, SettleAll
from sender.passes import Claimed, Terms

FOLDED_PER_SCHEDULE = 100
"""Mails of one schedule that a pass claims at once; the rest of a long list queues with everybody else's."""


def plan_due(schedules: Sequence[Schedule], terms: Terms, cache: RuleCache) -> Decisions[list[Claimed]]:
    """Plan these schedules; the deliveries that were claimed on the way. One schedule that breaks is quarantined, the
    others go on."""
    texts: dict[str, Revision] = yield ReadRevisions(_older_revisions(schedules))
    guarded = [schedule.id for schedule in schedules if overlap_of(schedule.definition) != "allow"]
    opened: dict[str, dict[str, int]] = (yield ReadOpen(guarded)) if guarded else {}
    plans: list[Plan] = []
    batch = _Batch(terms, texts)
    for schedule in schedules:
        try:
            rules = cache.rules(schedule, texts)
            decided = plan(schedule, rules, terms.now, terms.limits, opened.get(schedule.id, ()))
            if decided:
                batch.add(decided, cache.rules(schedule, texts))
                plans.append(decided)
        except Exception as error:  # noqa: BLE001 whatever one rule or one list of recipients does, the loop goes on
            yield Quarantine(schedule, f"{type(error).__name__}: {error}")
    if not plans:
        return []
    yield RecordSkips([planned.schedule for planned in plans if planned.schedule.skips])
    mine: set[str] = yield Insert(batch.occurrences, batch.deliveries)
    advanced: set[str] = yield Advance(plans)
    yield RecordSkips([planned.after for planned in plans if planned.skips and planned.schedule.id in advanced])
    ours = [item for item in batch.claimed if item.row["_id"] in mine]
    won = [item for item in ours if item.row["schedule_id"] in advanced]
    lost = [item for item in ours if item.row["schedule_id"] not in advanced]
    if lost:
        # An edit, or another sender, was faster: the scan rules on them by the history as it stands then.
        yield SettleAll([_handed_back(item, terms) for item in lost])
    return won


def _older_revisions(schedules: Iterable[Schedule]) -> set[str]:
    """What has to be read to plan instants that an earlier version owns: only where an edit came between."""
    return {
        version.revision_id
        for schedule in schedules
        if schedule.next_run_at is not None and schedule.next_run_at <= schedule.versions[-1].since
        for version in schedule.versions[:-1]
    }


class _Batch:
    """The rows of a pass, and which of them it claims at once."""

    def __init__(self, terms: Terms, texts: dict[str, Revision]) -> None:
        self._terms = terms
        self._texts = texts
        self.occurrences: list[Occurrence] = []
        self.deliveries: list[Delivery] = []
        self.claimed: list[Claimed] = []

    def add(self, planned: Plan, rules: Rules) -> None:
        """All rows of a plan, or none: raises whatever its text makes of it."""
        occurrences, deliveries, claims = len(self.occurrences), len(self.deliveries), len(self.claimed)
        try:
            self._add(planned, rules)
        except Exception:
            del self.occurrences[occurrences:], self.deliveries[deliveries:], self.claimed[claims:]
            raise

    def _add(self, planned: Plan, rules: Rules) -> None:
        schedule, queued = planned.schedule, 0
        for instant, version in planned.runs:
            newest = version.revision_id == schedule.versions[-1].revision_id
            definition = schedule.definition if newest else self._texts[version.revision_id].definition
            recipients = len(occurrences.recipients(definition))
            occurrence = occurrences.occurrence(
                ids.occurrence_id(schedule.id, instant),
                owner_id=schedule.owner_id,
                schedule_id=schedule.id,
                revision_id=version.revision_id,
                version=version.no,
                origin=Origin.SCHEDULE,
                at=instant,
                deliveries=recipients,
                now=self._terms.now,
                retention=self._terms.retention,
            )
            self.occurrences.append(occurrence)
            rows = occurrences.deliveries(
                occurrence,
                definition,
                shard=schedule.shard,
                shards=self._terms.shards,
                now=self._terms.now,
                queued_before=queued,
                jitter=jitter(schedule.id, instant, definition.get("jitter_seconds", 0)),
                after_occurrence=planned.after_occurrence.get(instant),
            )
            renderer = Renderer(definition)
            rule = rules(version)
            for row in islice(rows, max(0, FOLDED_PER_SCHEDULE - queued)):
                self._claim(row, renderer, rule, definition)
            self.deliveries.extend(rows)
            queued += recipients

    def _claim(self, row: Delivery, renderer: Renderer, rule: Rule, definition: Mapping[str, Any]) -> None:
        terms = self._terms
        waits = row["not_before"] > terms.now or row.get("after_occurrence") is not None
        if not waits and len(self.claimed) < terms.room and row["shard"] in terms.tokens:
            provider = terms.router.provider(row, definition)
            if isinstance(provider, str):
                row = claimed(
                    row,
                    terms.attempt(row, provider),
                    epoch=terms.epoch,
                    deadline=terms.deadline,
                    claim_id=terms.claim_id,
                    now=terms.now,
                )
                self.claimed.append(Claimed(row, renderer, terms.deadline_steady, terms.copy_slot(row, rule)))
        self.deliveries.append(row)


def _handed_back(item: Claimed, terms: Terms) -> Settlement:
    return released(item.row, "The schedule had moved on; nothing was called.", terms.now)
