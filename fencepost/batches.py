"""Mail by API: what one request asks for, and the deliveries that it is made of.

A batch is one request; its id begins with the instant at which it came. Each item is one message, with one delivery to each of
its recipients. All ids follow from the batch's, so that a repetition of a request that broke off makes nothing twice.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Any

from pydantic import Field, StrictBool, StrictInt, ValidationError

from fencepost import ids
from fencepost.clock import iso
from fencepost.definitions import MessageInput, OnUnknown, Urgency, message_problems
from fencepost.deliveries import Delivery, pending
from fencepost.errors import Invalid, Problem
from fencepost.fields import Moment, OneLine
from fencepost.occurrences import Origin, recipients
from fencepost.priorities import Priority, place, prioritise
from fencepost.sentences import problems

MOST_ITEMS = 100
MOST_EMAILS = 10_000
_LATE = timedelta(minutes=5)
_FARTHEST = timedelta(days=366)
_LONGEST_LIFE_SECONDS = 31 * 86_400
_ENVELOPE = ("scheduled_at", "priority", "ttl_seconds", "providers", "on_unknown", "together", "bulk")


class EmailInput(MessageInput):
    """One mail, to one recipient or to each of several. `subject`, `text` and `html` are sent as they stand, unless a recipient
    has `variables`: then they are Liquid templates, as a schedule's are."""

    scheduled_at: Moment | None = Field(None, description="Not before this instant; by default at once.")
    priority: Urgency = Field("normal", description="What goes first when there is more than can be sent at once.")
    ttl_seconds: StrictInt | None = Field(
        None,
        ge=1,
        le=_LONGEST_LIFE_SECONDS,
        description="What could not be sent so long after it was due ends `expired`.",
    )
    providers: Annotated[list[OneLine], Field(max_length=10)] = Field(
        [], description="Which providers may carry it, the preferred one first; by default all that are set up."
    )
    on_unknown: OnUnknown = Field(
        "hold",
        description="What becomes of it when the reply to its call was lost and its provider's records show no trace: hold it, "
        "send it again, or (for what is worthless late) send it again without asking.",
    )
    together: StrictBool = Field(False, description="One mail to all of `to`, who see one another.")
    bulk: StrictBool = Field(
        False,
        description="Sent to many who may want no more of it: it carries an unsubscribe link and obeys those who did.",
    )


@dataclass(frozen=True, slots=True)
class Item:
    """One message that was asked for, checked. `definition` is the text as it is stored."""

    definition: Mapping[str, Any]
    scheduled_at: datetime | None
    priority: Priority
    to_live: timedelta | None
    route: tuple[str, ...]
    bulk: bool


def parse(value: object, providers: Collection[str], now: datetime) -> Item:
    """Check one item. `providers` are those that are set up. Raises Invalid with every problem that was found."""
    try:
        given = EmailInput.model_validate(value)
    except ValidationError as error:
        raise Invalid(*problems(error)) from None
    message = given.model_dump(by_alias=True, exclude=set(_ENVELOPE))
    definition = {
        "message": message,
        "together": given.together,
        "on_unknown": given.on_unknown,
        "literal": not any(recipient.variables for recipient in given.to),
    }
    found = [
        *message_problems(given, definition, "", together=given.together),
        *_envelope_problems(given, providers, now),
    ]
    if found:
        raise Invalid(*found)
    to_live = timedelta(seconds=given.ttl_seconds) if given.ttl_seconds else None
    return Item(definition, given.scheduled_at, Priority(given.priority), to_live, tuple(given.providers), given.bulk)


def _envelope_problems(given: EmailInput, providers: Collection[str], now: datetime) -> Iterator[Problem]:
    if given.scheduled_at is not None and (wrong := refusal_of(given.scheduled_at, now)):
        yield Problem("/scheduled_at", wrong)
    for index, name in enumerate(given.providers):
        if name not in providers:
            yield Problem(f"/providers/{index}", f"is not set up here; choose from {', '.join(providers)}")
        elif name in given.providers[:index]:
            yield Problem(f"/providers/{index}", "is named twice; name it once")


def refusal_of(scheduled_at: datetime, now: datetime) -> str | None:
    """Why mail can't be scheduled for this instant; None: it can. A little late is at once: clocks differ."""
    if scheduled_at < now - _LATE:
        return f"lies in the past; give an instant later than now, {iso(now)}, or leave it out"
    if scheduled_at > now + _FARTHEST:
        return "lies more than a year ahead; write a schedule for that"
    return None


def deliveries(
    batch_id: str,
    index: int,
    item: Item,
    *,
    owner_id: str,
    shards: int,
    waiting: int,
    test: bool,
    retention: timedelta,
) -> Iterator[Delivery]:
    """The deliveries of the batch's item of this index, pending. `waiting` counts the mail of the same owner that is queued
    before, so that a flood of one lets others pass."""
    came_at = ids.instant_of(batch_id)
    message_id = ids.message_id(batch_id, index)
    due_at = max(item.scheduled_at or came_at, came_at)
    for number, (key, to) in enumerate(recipients(item.definition)):
        delivery_id = ids.delivery_id(message_id, due_at, key)
        row = pending(
            delivery_id,
            owner_id=owner_id,
            shard=ids.shard_of(delivery_id, shards),
            revision_id=message_id,
            version=1,
            origin=Origin.API.value,
            recipient=key,
            to=to,
            due_at=due_at,
            not_before=due_at,
            queue_at=due_at + place(waiting + number),
            now=came_at,
            purge_at=due_at + retention,
        )
        row["batch_id"] = batch_id
        prioritise(row, item.priority)
        if item.to_live is not None:
            row["expires_at"] = due_at + item.to_live
        if item.route:
            row["route"] = list(item.route)
        if tags := item.definition["message"]["tags"]:
            row["tags"] = tags
        if item.bulk:
            row["bulk"] = True
        if test:
            row["test"] = True
        yield row
