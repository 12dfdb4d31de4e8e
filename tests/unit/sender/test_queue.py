"""What waits for a seat, and which shards it keeps busy."""

from datetime import UTC, datetime, timedelta

import pytest

from fencepost.messages import Renderer
from sender.passes import Claimed
from sender.queue import Queue
from tests.support.rows import planned, sending
from tests.support.schedules import definition, schedule

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


def claimed(shard: int, seconds: int) -> Claimed:
    """A delivery of that shard which queues so long after noon."""
    text = definition()
    row = sending(planned(schedule(NOON, text), NOON)[1][0])
    return Claimed({**row, "shard": shard, "queue_at": NOON + timedelta(seconds=seconds)}, Renderer(text), 0.0)


def test_who_is_due_earlier_is_taken_first_and_equals_in_the_order_they_came() -> None:
    queue, late, first, second = Queue(), claimed(1, 9), claimed(1, 2), claimed(2, 2)
    queue.put([late, first])
    queue.put([second])
    assert [queue.take() for _ in range(len(queue))] == [first, second, late]
    with pytest.raises(IndexError):
        queue.take()


def test_a_shard_is_busy_until_the_last_of_it_is_done() -> None:
    queue, one, two = Queue(), claimed(1, 1), claimed(1, 2)
    queue.put([one, two])
    queue.done(queue.take())
    assert queue.busy_with(1), "one still waits"
    taken = queue.take()
    assert queue.busy_with(1), "and now has a seat"
    queue.done(taken)
    assert not queue.busy_with(1)


def test_what_is_let_go_of_comes_out_once_and_the_rest_keeps_its_order() -> None:
    queue, others = Queue(), [claimed(2, seconds) for seconds in (5, 3, 4)]
    unwanted = claimed(1, 1)
    queue.put([*others, unwanted])
    assert queue.unwanted() == []
    queue.let_go_of(1)
    assert queue.unwanted() == [unwanted]
    assert queue.unwanted() == []
    assert [queue.take() for _ in range(len(queue))] == [others[1], others[2], others[0]]
    assert queue.busy_with(1), "until it is handed back"
