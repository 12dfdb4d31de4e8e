"""SIGTERM in the middle of a burst: calls are finished, the rest is handed back, and nobody is left in doubt."""

import time

from tests.support.eventually import eventually
from tests.support.world import World

DRAIN_SECONDS = 10
SEATS = 20


def test_a_sender_that_is_asked_to_leave_under_load(world: World) -> None:
    leaving = world.program(SEATS=str(SEATS), DRAIN_SECONDS=str(DRAIN_SECONDS))
    [staying] = world.start(1, SEATS=str(SEATS))
    world.balanced(leaving, staying)
    world.provider.dials(latency_ms=700)
    world.once(200, world.soon(0))
    pid = leaving.pid
    eventually(lambda: world.provider.accepted() >= SEATS, every=0.01)
    leaving.terminate()
    begun = time.monotonic()
    assert leaving.wait(DRAIN_SECONDS + 5) == 0
    assert time.monotonic() - begun < DRAIN_SECONDS
    # Its shards are free at once, without waiting for a lease to run out, and nothing of them is left in its name.
    assert not world.rows(state="sending", sender={"$regex": f"-{pid}-"})
    eventually(lambda: len(world.shards_of(staying)) == world.settings.sender.shards, seconds=3)
    world.settled(seconds=60)
    rows = world.judge(unknown_at_most=0)
    handed_back = [row for row in rows if any(attempt.get("outcome") == "released" for attempt in row["attempts"])]
    assert handed_back
    assert all(f"-{pid}-" not in row["attempts"][-1]["sender"] for row in handed_back)
    log = leaving.log.read_text()
    assert "Traceback" not in log
    assert '"sender.ended"' in log
