"""Which mail goes first when there is more than can be sent at once. Pure: it is all in the sort key that a row is queued by.

`queue_at` is when a mail was due, moved on by its place among the mail of its kin, so that a flood of one caller, or a long list,
lets others pass; and moved by its priority, so that a high one overtakes and a low one lets pass. Whoever waits long enough has
its turn: an hour of waiting weighs as much as a priority.
"""

from datetime import timedelta
from enum import StrEnum

from fencepost.deliveries import Delivery

PACE = timedelta(milliseconds=100)
"""Each further mail of one list, or of one caller, queues so much later than the one before it."""


class Priority(StrEnum):
    """How urgent a mail is to its owner."""

    HIGH = "high"
    NORMAL = "normal"
    LOW = "low"


WEIGHTS = {Priority.HIGH: timedelta(hours=-1), Priority.NORMAL: timedelta(0), Priority.LOW: timedelta(hours=1)}


def weight(row: Delivery) -> timedelta:
    """How much its priority moves a row in the queue."""
    return WEIGHTS[Priority(row.get("priority", Priority.NORMAL))]


def prioritise(row: Delivery, priority: Priority) -> None:
    """Give a new row its priority, and its place in the queue with it."""
    row["queue_at"] += WEIGHTS[priority]
    row["priority"] = priority.value
    if priority is Priority.LOW:
        row["low"] = True


def place(waiting: int) -> timedelta:
    """How much later than due the next mail of a caller queues that has so many waiting."""
    return waiting * PACE
