"""The collection `webhook_messages`: what each endpoint is told, once for each event, with every attempt.

A claim is the time of the next attempt put off, and a random id: whoever dies with it is followed when that time comes, and
only the holder of the id may write how its attempt ended.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from pymongo import ASCENDING, DESCENDING, IndexModel, ReturnDocument
from pymongo.database import Database

from fencepost.errors import NotFound
from fencepost.store.mongodb import Document, answering, insert_missing
from fencepost.store.pages import Cursor, Page, page
from fencepost.webhooks import Message, MessageState, Result

SCHEMA = 1
KEPT = timedelta(days=30)
MAX_ATTEMPTS_KEPT = 50
INDEXES = [
    IndexModel(
        [("next_attempt_at", ASCENDING), ("webhook_id", ASCENDING)],
        name="due",
        partialFilterExpression={"state": "pending"},
    ),
    IndexModel([("webhook_id", ASCENDING), ("_id", DESCENDING)], name="of_webhook"),
    IndexModel([("purge_at", ASCENDING)], name="purge", expireAfterSeconds=0),
]


@dataclass(frozen=True, slots=True)
class WebhookMessages:
    """Messages by endpoint, and those that are due."""

    database: Database[Document]

    def insert(self, messages: Sequence[Message]) -> int:
        """Put these on record as pending, whichever are there already; how many were not."""
        if not messages:
            return 0
        return len(messages) - len(
            insert_missing(self.database.webhook_messages, [_document(each) for each in messages])
        )

    def claim(self, busy: Collection[str], owners: Collection[str], claim_id: str, hold: timedelta) -> Message | None:
        """Take the one that is due the longest, for so long by the server's clock, but none of these endpoints and owners;
        None: there is none."""
        query = {
            "state": "pending",
            "$expr": {"$lte": ["$next_attempt_at", "$$NOW"]},
            "webhook_id": {"$nin": list(busy)},
            "owner_id": {"$nin": list(owners)},
        }
        taken: Any = [
            {
                "$set": {
                    "next_attempt_at": {"$add": ["$$NOW", round(hold.total_seconds() * 1000)]},
                    "claim": claim_id,
                    "attempt_no": {"$add": ["$attempt_no", 1]},
                    "updated_at": "$$NOW",
                }
            }
        ]
        with answering():
            row = self.database.webhook_messages.find_one_and_update(
                query, taken, sort=[("next_attempt_at", 1)], return_document=ReturnDocument.AFTER, hint="due"
            )
        return _message(row) if row else None

    def record(
        self, message: Message, at: datetime, result: Result, state: MessageState, again_at: datetime | None
    ) -> bool:
        """Write how the attempt of a claimed one ended; False if it is another's by now."""
        attempt = {
            "at": at,
            "status": result.status,
            "duration_ms": round(result.seconds * 1000),
            "answer": result.answer,
        }
        change: Document = {
            "$push": {"attempts": {"$each": [attempt], "$slice": -MAX_ATTEMPTS_KEPT}},
            "$set": {"state": state.value, "next_attempt_at": again_at, "claim": None},
            "$currentDate": {"updated_at": True},
        }
        guard = {"_id": message.id, "claim": message.claim}
        with answering():
            return self.database.webhook_messages.update_one(guard, change).modified_count > 0

    def replay(self, webhook_id: str, message_id: str, now: datetime) -> Message:
        """Have it sent again, under the same id, with all attempts before it. Raises NotFound."""
        change = {
            "$set": {
                "state": "pending",
                "attempt_no": 0,
                "next_attempt_at": now,
                "claim": None,
                "updated_at": now,
                "purge_at": now + KEPT,
            }
        }
        with answering():
            row = self.database.webhook_messages.find_one_and_update(
                {"_id": message_id, "webhook_id": webhook_id}, change, return_document=ReturnDocument.AFTER
            )
        if row is None:
            raise NotFound(f"message {message_id} of webhook {webhook_id} is not on record")
        return _message(row)

    def page_of(
        self, webhook_id: str, limit: int, cursor: Cursor | None, state: MessageState | None = None
    ) -> Page[Message]:
        """The newest events first."""
        query: Document = {"webhook_id": webhook_id} | ({"state": state.value} if state else {})
        return page(self.database.webhook_messages, query, [("_id", DESCENDING)], limit, cursor, _message)

    def backlog(self, now: datetime) -> int:
        """How many wait that could have been sent; counted up to ten thousand."""
        with answering():
            return self.database.webhook_messages.count_documents(
                {"state": "pending", "next_attempt_at": {"$lte": now}}, limit=10_000
            )


def _document(message: Message) -> Document:
    return {
        "_id": message.id,
        "owner_id": message.owner_id,
        "schema": SCHEMA,
        "webhook_id": message.webhook_id,
        "kind": message.kind,
        "email_id": message.email_id,
        "body": message.body,
        "state": message.state.value,
        "attempt_no": message.attempt_no,
        "attempts": list(message.attempts),
        "next_attempt_at": message.next_attempt_at,
        "claim": message.claim,
        "created_at": message.created_at,
        "updated_at": message.created_at,
        "purge_at": message.created_at + KEPT,
    }


def _message(row: Document) -> Message:
    return Message(
        id=row["_id"],
        owner_id=row["owner_id"],
        webhook_id=row["webhook_id"],
        kind=row["kind"],
        email_id=row["email_id"],
        body=row["body"],
        state=MessageState(row["state"]),
        attempt_no=row["attempt_no"],
        attempts=tuple(row["attempts"]),
        next_attempt_at=row["next_attempt_at"],
        claim=row["claim"],
        created_at=row["created_at"],
    )
