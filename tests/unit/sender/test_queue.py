"""What waits for a seat, and which shards it keeps busy."""

from datetime import UTC, datetime, timedelta

from fencepost.messages import Renderer
from sender.passes import Claimed
from sender.queue import Queue
from sender.routes import Lane
from tests.support.rows import planned, sending
from tests.support.schedules import definition, schedule

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


HERE, THERE = ("mailgun", ""), ("ses", "")


def queue_of_one_lane() -> Queue:
    return Queue(lambda _item: HERE)


def all_of(queue: Queue, *lanes: Lane) -> list[Claimed]:
    """What is taken from these lanes until nothing is left."""
    items: list[Claimed] = []
    while taken := queue.take(lanes):
        items.append(taken[1])
    return items


def claimed(shard: int, seconds: int, deadline: float = 0.0) -> Claimed:
    """A delivery of that shard which queues so long after noon."""
    text = definition()
    row = sending(planned(schedule(NOON, text), NOON)[1][0])
    return Claimed({**row, "shard": shard, "queue_at": NOON + timedelta(seconds=seconds)}, Renderer(text), deadline)


def test_who_is_due_earlier_is_taken_first_and_equals_in_the_order_they_came() -> None:
    queue, late, first, second = queue_of_one_lane(), claimed(1, 9), claimed(1, 2), claimed(2, 2)
    queue.put([late, first])
    queue.put([second])
    assert all_of(queue, HERE) == [first, second, late]
    assert queue.take([HERE]) is None


def test_a_lane_that_is_not_asked_for_stops_no_other() -> None:
    here, there = claimed(1, 2), claimed(1, 1)
    queue = Queue(lambda item: THERE if item is there else HERE)
    queue.put([here, there])
    assert queue.lanes() == {HERE: 1, THERE: 1}
    assert queue.take([HERE]) == (HERE, here)
    assert queue.take([HERE]) is None
    assert len(queue) == 1
    assert queue.take([HERE, THERE]) == (THERE, there)


def test_what_comes_to_its_deadline_comes_out() -> None:
    queue, late, early = queue_of_one_lane(), claimed(1, 1, deadline=10), claimed(1, 2, deadline=20)
    queue.put([late, early])
    assert queue.late(9) == []
    assert queue.late(10) == [late]
    assert all_of(queue, HERE) == [early]


def test_a_shard_is_busy_until_the_last_of_it_is_done() -> None:
    queue, one, two = queue_of_one_lane(), claimed(1, 1), claimed(1, 2)
    queue.put([one, two])
    assert queue.take([HERE]) == (HERE, one)
    queue.done(one)
    assert queue.busy_with(1), "one still waits"
    assert queue.take([HERE]) == (HERE, two)
    assert queue.busy_with(1), "and now has a seat"
    queue.done(two)
    assert not queue.busy_with(1)


def test_what_is_let_go_of_comes_out_once_and_the_rest_keeps_its_order() -> None:
    queue, others = queue_of_one_lane(), [claimed(2, seconds) for seconds in (5, 3, 4)]
    unwanted = claimed(1, 1)
    queue.put([*others, unwanted])
    assert queue.unwanted() == []
    queue.let_go_of(1)
    assert queue.unwanted() == [unwanted]
    assert queue.unwanted() == []
    assert all_of(queue, HERE) == [others[1], others[2], others[0]]
    assert queue.busy_with(1), "until it is handed back"
