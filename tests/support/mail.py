"""Mail by API, put on record as the registry does it."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from fencepost import batches, ids
from fencepost.attachments import by_id
from fencepost.deliveries import Delivery
from fencepost.schedules import milliseconds
from fencepost.store import Store
from fencepost.store.messages import Message

RETENTION = timedelta(days=30)
MOST_BYTES = 15_000_000


def ask_for(
    store: Store, shards: int, *mails: dict[str, Any], owner: str = "local", waiting: int = 0, test: bool = False
) -> list[Delivery]:
    """One batch of these mails (fields of POST /emails; what is left out is made up); their deliveries, pending. `waiting` of the
    same owner are taken to be queued already."""
    now = milliseconds(datetime.now(UTC))
    batch_id = ids.new_id(ids.BATCH, now)
    rows: list[Delivery] = []
    messages: list[Message] = []
    for index, mail in enumerate(mails):
        given = {"from": "shop@example.com", "to": ["ann@example.com"], "subject": "Hello", "text": "There.", **mail}
        item = batches.parse(given, ("mailgun", "sendgrid", "mailjet", "ses", "smtp"), now)
        stored, contents = by_id(item.definition, {}, MOST_BYTES, "")
        item = replace(item, definition=stored)
        store.files.put(owner, contents, now + RETENTION, now)
        made = list(
            batches.deliveries(
                batch_id,
                index,
                item,
                owner_id=owner,
                shards=shards,
                waiting=waiting + len(rows),
                test=test,
                retention=RETENTION,
            )
        )
        rows += made
        messages.append(Message(ids.message_id(batch_id, index), batch_id, item.definition, made[0]["purge_at"]))
    store.messages.insert(messages, owner, now)
    for start in range(0, len(rows), 5000):
        store.deliveries.insert(rows[start : start + 5000])
    return rows
