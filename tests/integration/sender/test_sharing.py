"""How work is shared: how much one claim takes, what is held stays held, and nobody starves behind a long list."""

from collections import Counter
from datetime import timedelta

from tests.support.eventually import eventually
from tests.support.slowness import slowness
from tests.support.world import World


def test_no_claim_takes_more_than_was_set_and_none_takes_what_another_holds(world: World) -> None:
    senders = world.start(2, DELIVERIES_PER_CLAIM="7", SEATS="5")
    world.balanced(*senders)
    world.provider.dials(latency_ms=30)
    due = world.soon()
    world.once(60, due)
    world.once(1, due, to=150)
    world.settled()
    rows = world.judge()
    claims = Counter(row["claim_id"] for row in rows)
    assert max(claims.values()) <= 7, claims
    assert all(len(row["attempts"]) == 1 for row in rows)
    assert len({row["sender"] for row in rows}) == 2


def test_no_pass_plans_more_schedules_than_was_set(world: World) -> None:
    world.start(1, SCHEDULES_PER_CLAIM="3")
    world.once(40, world.soon())
    world.settled()
    world.judge()
    passes = Counter(row["created_at"] for row in world.store.database.occurrences.find())
    assert max(passes.values()) <= 3, passes


def test_others_are_in_time_while_a_long_list_is_sent(world: World) -> None:
    # Twenty seats and a fifth of a second for a call: the list alone is work for a quarter of a minute.
    [sender] = world.start(1, SEATS="20")
    world.provider.dials(latency_ms=200)
    bound = 2 * slowness()
    due = world.soon()
    [crowd] = world.once(1, due, to=1500)
    others = [one for second in range(2, 7) for one in world.once(20, due + timedelta(seconds=second))]
    names = {one.id for one in others}
    eventually(lambda: len(world.rows(state="accepted", schedule_id={"$in": list(names)})) == len(others), seconds=40)
    late = [
        (row["attempts"][-1]["called_at"] - row["due_at"]).total_seconds()
        for row in world.rows(schedule_id={"$in": list(names)})
    ]
    still_waiting = world.store.database.deliveries.count_documents({"schedule_id": crowd.id, "state": "pending"})
    assert still_waiting > 0, "the list was done too soon to be in anybody's way"
    assert max(late) < bound, sorted(late)
    sender.kill()
