"""The blast-radius breaker: a bug of ours stops at copy two.

Whatever goes wrong with ids, plans or locks, two mails with the same content to the same recipients, for the same instant of
the same schedule, are not what its owner asked for. The fence remembers for a while who came first with a content; a second
delivery of it is held, and its schedule frozen. Pure: what is asked of that memory, and what its answer means.

What an owner does want is never stopped: the memory is looked up by slots of time that are at most half as wide as the
schedule's instants are apart there, so that two instants of one rule never meet; those of two versions meet only where they
are the same instant; and what a person triggered, filled in or ordered is not asked about at all.
"""

import hashlib
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from fencepost import ids
from fencepost.deliveries import Delivery, schedule_of
from fencepost.messages import Mail
from fencepost.occurrences import Origin
from fencepost.schedules import Rule

_SECOND = timedelta(seconds=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def alarm(schedule_id: str) -> str:
    """The kind of the alarm that a schedule is frozen."""
    return f"breaker.{schedule_id}"


def watches(row: Delivery) -> bool:
    """Whether a copy of this delivery would be a bug: its schedule planned it, and no person ordered it."""
    return row["origin"] == Origin.SCHEDULE and not row.get("ordered")


@lru_cache(maxsize=20_000)  # many schedules share a rule and an instant
def slot_width(rule: Rule, instant: datetime, most: timedelta) -> timedelta:
    """Half of the shortest gap between this instant and its neighbours by the rule, and no more than `most`. Raises what the
    arithmetic raises."""
    gap = 2 * most
    if (following := rule.after(instant)) is not None:
        gap = min(gap, following - instant)
    for earlier in rule.instants(instant - gap, instant - _SECOND):
        gap = instant - earlier
    return max(gap / 2, _SECOND / 2)


def content_key(row: Delivery, mail: Mail, width: timedelta) -> str:
    """What the memory knows a mail by: its schedule, content, recipients and slot of time."""
    parts = [
        schedule_of(row),
        f"{width.total_seconds()} {(row['due_at'] - _EPOCH) // width}",
        mail.sender.email,
        *(address.email for address in (*mail.to, *mail.cc, *mail.bcc)),
        mail.subject,
        mail.text or "",
        mail.html or "",
        *(attachment.file_id for attachment in mail.attachments),
    ]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]


def mark(row: Delivery) -> str:
    """What the memory keeps of who came first."""
    return f"{row['_id']} {row['version']}"


def copied(row: Delivery, first: str) -> str | None:
    """The id of the delivery that this one is a copy of, if what the memory keeps says so; None: it may go."""
    if not first:
        return None
    delivery_id, _, version = first.partition(" ")
    if delivery_id == row["_id"]:
        return None
    same_instant = ids.instant_of(delivery_id) == row["due_at"]
    return delivery_id if same_instant or version == str(row["version"]) else None
