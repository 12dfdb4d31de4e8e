"""Edits: each is one compare-and-set that appends a version to the schedule's history (docs: R9 of the protocol)."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from werkzeug.http import parse_etags

from fencepost import breaker, ids
from fencepost.definitions import rule_of
from fencepost.errors import Conflict
from fencepost.recurrence import Rule
from fencepost.schedules import Rules, Schedule, Version, edited
from fencepost.store import Store
from fencepost.store.revisions import Revision
from registry.caller import owner
from registry.parts import Parts
from registry.problems import Stale

_TRIES = 25


@dataclass(frozen=True, slots=True)
class Change:
    """What an edit changes: the text, or what stops the schedule (`paused`, `deleted`, `quarantined`, `archived_at`)."""

    definition: Mapping[str, Any] | None = None
    stops: Mapping[str, Any] = field(default_factory=dict)


Decide = Callable[[Schedule, datetime], Change | None]
"""What to change in a schedule as it stands; None for nothing. Raises Invalid or Conflict to refuse."""


def edit(parts: Parts, schedule_id: str, if_match: str | None, decide: Decide) -> Schedule:
    """Write what `decide` says, and give the schedule as it then stands.

    A sender may advance the schedule between the reading and the write, or another person edit it: then all of it is done
    again, so two edits without If-Match follow each other. Raises NotFound, Stale when `if_match` names another version, and
    what `decide` raises.
    """
    for _ in range(_TRIES):
        before = parts.store.schedules.get(owner(), schedule_id)
        _refuse_stale(before, if_match)
        now = parts.clock.now()
        change = decide(before, now)
        if change is None:
            return before
        try:
            return _write(parts.store, before, change, now)
        except Conflict:
            continue
    raise Conflict(f"schedule {schedule_id} is being changed over and over; try again")


def _refuse_stale(schedule: Schedule, if_match: str | None) -> None:
    if if_match is not None and not parse_etags(if_match).contains(str(schedule.version)):
        raise Stale(f"schedule {schedule.id} is at version {schedule.version} by now")


def _write(store: Store, before: Schedule, change: Change, now: datetime) -> Schedule:
    revision_id = before.versions[-1].revision_id
    texts = {revision_id: before.definition}
    if change.definition is not None:
        revision_id = ids.new_id(ids.REVISION)
        texts[revision_id] = change.definition
        # Before the edit that names it: whoever sees the version can read its text.
        store.revisions.append(Revision(revision_id, before.id, change.definition, before.created_at), owner(), now)
    rules = _rules(store, before, texts)
    after = edited(before, rules, now=now, revision_id=revision_id, definition=change.definition, **change.stops)
    if before.archived_at:
        store.schedules.restore(before, after)
    else:
        store.schedules.write_edit(before, after)
    if before.quarantined and before.quarantined.frozen and not after.quarantined:
        store.cluster.clear_alarm(breaker.alarm(after.id))
    return after


def _rules(store: Store, schedule: Schedule, known: Mapping[str, Mapping[str, Any]]) -> Rules:
    texts = dict(known)

    def rule(version: Version) -> Rule:
        if version.revision_id not in texts:
            missing = {item.revision_id for item in schedule.versions} - texts.keys()
            texts.update((found.id, found.definition) for found in store.revisions.find(missing).values())
        return rule_of(texts[version.revision_id], schedule.created_at)

    return rule
