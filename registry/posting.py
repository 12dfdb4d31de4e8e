"""POST /emails: mail that is asked for now. It is on record, for the senders to find, before it is answered."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

from flask import Response
from pydantic import BaseModel, Field

from fencepost import batches, ids
from fencepost.api_keys import Scope
from fencepost.batches import MOST_EMAILS, MOST_ITEMS, EmailInput, Item
from fencepost.clock import iso
from fencepost.definitions import Shape
from fencepost.deliveries import Delivery
from fencepost.errors import Invalid, Problem
from fencepost.logs import get_logger
from fencepost.store.messages import Message
from registry.access import needs
from registry.answers.batches import BatchMade, BatchResult, EmailsMade
from registry.attaching import attached
from registry.caller import caller, owner
from registry.documenting import answers, problems, takes
from registry.emails import bp
from registry.idempotency import answer_once
from registry.incoming import carries_messages, document, read
from registry.inputs import IdempotencyKey
from registry.parts import Parts, parts
from registry.replies import Reply, nudge_afterwards

log = get_logger(__name__)

EXAMPLE = {
    "from": "Shop <shop@example.com>",
    "to": [{"email": "ann@example.com", "name": "Ann"}],
    "subject": "Your order is on its way",
    "text": "Hello Ann, it left us today.",
    "tags": ["shipping"],
}


class EmailsInput(Shape):
    """Several mails in one request, each with a result of its own."""

    emails: list[EmailInput] = Field(min_length=1, max_length=MOST_ITEMS)


class Envelope(Shape):
    """The same, before any of them is looked at."""

    emails: list[Any] = Field(min_length=1, max_length=MOST_ITEMS)


INPUTS: list[type[BaseModel]] = [EmailInput, EmailsInput]


@bp.post(
    "/emails",
    request_body=takes(EmailInput, EXAMPLE),
    responses={
        202: answers(EmailsMade, "The mail is on record and will be sent.", "Location"),
        409: problems("A request with this Idempotency-Key is under way."),
        413: problems("It is too large."),
    },
)
@carries_messages
@needs(Scope.EMAILS_SEND, test_keys=True)
def send_email(header: IdempotencyKey) -> Response:
    """Send a mail

    Each of `to` gets a mail of their own, unless they are to get one `together`. It is sent at once, or from
    `scheduled_at` on. What the answer names is on record: it is sent, or says why not.
    """
    p = parts()
    return answer_once(p, header.idempotency_key, lambda: _new_batch(p), lambda batch_id: _send_one(p, batch_id))


@bp.post(
    "/emails/batch",
    request_body=takes(EmailsInput, {"emails": [EXAMPLE]}),
    responses={
        202: answers(BatchMade, "What is right is on record and will be sent; each item has a result.", "Location"),
        409: problems("A request with this Idempotency-Key is under way."),
        413: problems("It is too large."),
    },
)
@carries_messages
@needs(Scope.EMAILS_SEND, test_keys=True)
def send_emails(header: IdempotencyKey) -> Response:
    """Send several mails

    Up to a hundred different ones. One that is wrong does not keep the others: its result says what is wrong with it.
    Only if none is right the answer is 422. An Idempotency-Key covers all of them.
    """
    p = parts()
    return answer_once(p, header.idempotency_key, lambda: _new_batch(p), lambda batch_id: _send_several(p, batch_id))


def _new_batch(p: Parts) -> str:
    return ids.new_id(ids.BATCH, p.clock.now())


def _send_one(p: Parts, batch_id: str) -> Reply:
    item = _parse(p, batch_id, document())
    rows = _record(p, batch_id, {0: item})
    made: EmailsMade = {
        "object": "batch",
        "id": batch_id,
        "created_at": iso(ids.instant_of(batch_id)),
        "emails": [{"id": row["_id"], "to": row["to"][0]["email"]} for row in rows[0]],
    }
    return Reply(made, 202, {"Location": f"/batches/{batch_id}"})


def _send_several(p: Parts, batch_id: str) -> Reply:
    items, wrong = dict[int, Item](), dict[int, Sequence[Problem]]()
    values = read(Envelope).emails
    for index, value in enumerate(values):
        try:
            items[index] = _parse(p, batch_id, value)
        except Invalid as error:
            wrong[index] = error.problems
    if not items:
        raise Invalid(
            *(
                Problem(f"/emails/{index}{problem.pointer}", problem.detail)
                for index, those in wrong.items()
                for problem in those
            )
        )
    rows = _record(p, batch_id, items)
    made: BatchMade = {
        "object": "batch",
        "id": batch_id,
        "created_at": iso(ids.instant_of(batch_id)),
        "results": [_result(index, rows.get(index, []), wrong.get(index, ())) for index in range(len(values))],
    }
    return Reply(made, 202, {"Location": f"/batches/{batch_id}"})


def _result(index: int, rows: Sequence[Delivery], wrong: Sequence[Problem]) -> BatchResult:
    return {
        "index": index,
        "status": "refused" if wrong else "accepted",
        "emails": [{"id": row["_id"], "to": row["to"][0]["email"]} for row in rows],
        "errors": [{"pointer": problem.pointer, "detail": problem.detail} for problem in wrong],
    }


def _parse(p: Parts, batch_id: str, value: object) -> Item:
    """One item, checked, whose files are on record. Raises Invalid."""
    # Not by the clock: whoever repeats a request that broke off is told the same of mail that is on record already.
    came_at = ids.instant_of(batch_id)
    item = batches.parse(value, p.settings.providers.order, came_at)
    purge_at = max(item.scheduled_at or came_at, came_at) + timedelta(days=p.settings.retention.days)
    return replace(item, definition=attached(p, item.definition, "", purge_at))


def _record(p: Parts, batch_id: str, items: Mapping[int, Item]) -> dict[int, list[Delivery]]:
    """Put the messages and then their deliveries on record; the deliveries by the item's index. Raises Invalid if they are too
    many."""
    count = sum(len(item.definition["message"]["to"]) for item in items.values())
    if count > MOST_EMAILS:
        raise Invalid(Problem("", f"asks for {count} mails; send at most {MOST_EMAILS} with one request"))
    retention = timedelta(days=p.settings.retention.days)
    waiting = p.queues.join(p.store.emails, owner(), count, p.clock.steady())
    rows: dict[int, list[Delivery]] = {}
    for index, item in items.items():
        rows[index] = list(
            batches.deliveries(
                batch_id,
                index,
                item,
                owner_id=owner(),
                shards=p.startup.shards,
                waiting=waiting,
                test=caller().test,
                retention=retention,
            )
        )
        waiting += len(rows[index])
    messages = [
        Message(ids.message_id(batch_id, index), batch_id, item.definition, rows[index][0]["purge_at"])
        for index, item in items.items()
    ]
    p.store.messages.insert(messages, owner(), ids.instant_of(batch_id))
    p.store.deliveries.insert([row for those in rows.values() for row in those])
    log.info("Mail was asked for.", action="email.asked", batch_id=batch_id, count=count)
    nudge_afterwards(p)
    return rows
