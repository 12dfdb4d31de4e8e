"""Jitter with real senders: what is due at one instant leaves spread over the window, each mail not before its own time."""

from datetime import UTC, datetime, timedelta

from fencepost.jitter import jitter
from tests.support.world import World

WINDOW_SECONDS = 5


def test_nothing_leaves_before_its_shifted_time_and_all_leave(world: World) -> None:
    senders = world.start(2)
    world.balanced(*senders)
    due = world.soon()
    made = world.once(60, due, jitter_seconds=WINDOW_SECONDS)
    # One list that is long enough to be spread over all shards has one offset for all of its mails.
    made += world.once(1, due, to=120, jitter_seconds=WINDOW_SECONDS)
    world.settled(seconds=60)
    rows = world.judge()
    offsets = {one.id: jitter(one.id, due, WINDOW_SECONDS) for one in made}
    assert len(set(offsets.values())) > 50
    times = {entry["delivery_id"]: datetime.fromtimestamp(entry["at"], UTC) for entry in world.ledger()}
    early = [row["_id"] for row in rows if times[row["_id"]] < due + offsets[row["schedule_id"]]]
    assert not early
    # The occurrence keeps its nominal instant, and was on record before any of it could leave.
    assert {row["due_at"] for row in rows} == {due}
    assert max(times.values()) - min(times.values()) > timedelta(seconds=WINDOW_SECONDS / 2)
