"""Telling of mail of test keys what providers would have told of it, so that a caller's own code can be tried out whole."""

from collections.abc import Collection
from datetime import datetime, timedelta

from fencepost.events import EventKind
from fencepost.pretending import pretended
from fencepost.store import Store
from fencepost.tracking import tallied, tracked

_MOST = 500
_ARRIVAL = {EventKind.ACCEPTED, EventKind.DELIVERED}


def pretend(store: Store, shards: Collection[int], now: datetime, retention: timedelta) -> int:
    """Put the events of accepted test mail in these shards on record, and move it on; how many mails. Events first, and the same
    whoever writes them: a sender that is lost in between leaves the rows to the next."""
    rows = store.pretended.accepted(shards, _MOST)
    events = {row["_id"]: pretended(row) for row in rows}
    told = [(event, row["owner_id"]) for row in rows for event in events[row["_id"]]]
    store.events.insert_all(told, now, retention)
    # In two steps, so that whoever is told of states is told of the arrival as well. Who is lost between them leaves a mail that has
    # arrived and no more: in a test, a pity.
    for kinds in (_ARRIVAL, set(EventKind)):
        store.tracking.join(
            {name: tracked(tallied(each for each in found if each.kind in kinds)) for name, found in events.items()}
        )
    return len(rows)
