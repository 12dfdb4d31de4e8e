"""What senders do to a schedule on record, without a sender."""

from collections.abc import Callable
from datetime import datetime

from fencepost.definitions import rule_of
from fencepost.planning import Limits, plan
from fencepost.recurrence import Rule
from fencepost.schedules import Schedule, Version
from fencepost.store import Store
from tests.support.rows import RETENTION, planned


def rules_of(store: Store, schedule: Schedule) -> Callable[[Version], Rule]:
    """The rules of a schedule's versions, from the revisions on record."""
    texts = store.revisions.find(version.revision_id for version in schedule.versions)
    return lambda version: rule_of(texts[version.revision_id].definition, schedule.created_at)


def advance(store: Store, schedule_id: str, now: datetime) -> Schedule:
    """W1 and W2: all that is due becomes occurrences with pending deliveries, or skips; the schedule as it then stands."""
    schedule = store.schedules.get("local", schedule_id)
    made = plan(schedule, rules_of(store, schedule), now, Limits())
    assert made
    for instant, _ in made.runs:
        occurrence, rows = planned(schedule, instant)
        store.occurrences.insert([occurrence])
        store.deliveries.insert(rows)
    assert store.schedules.advance([made]) == {schedule_id}
    store.occurrences.record_skips([made.after], now, RETENTION)
    return made.after
