"""The collection `webhooks`: who wants to be told of what, and with which secrets it is signed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pymongo import ASCENDING, DESCENDING, IndexModel, ReturnDocument
from pymongo.database import Database
from pymongo.errors import DuplicateKeyError

from fencepost.errors import NotFound
from fencepost.store.mongodb import Document, answering
from fencepost.store.pages import Cursor, Page, page
from fencepost.webhooks import Endpoint, Secret

SCHEMA = 1
INDEXES = [IndexModel([("owner_id", ASCENDING), ("_id", DESCENDING)], name="newest_of_owner")]


@dataclass(frozen=True, slots=True)
class Webhooks:
    """Endpoints by owner, and all that are on."""

    database: Database[Document]

    def create(self, endpoint: Endpoint) -> bool:
        """Put it on record; False if its id was there already."""
        with answering():
            try:
                self.database.webhooks.insert_one(_document(endpoint))
            except DuplicateKeyError:
                return False
        return True

    def get(self, owner_id: str, webhook_id: str) -> Endpoint:
        """Raises NotFound."""
        with answering():
            row = self.database.webhooks.find_one({"_id": webhook_id, "owner_id": owner_id})
        return _found(row, webhook_id)

    def page_of(self, owner_id: str, limit: int, cursor: Cursor | None) -> Page[Endpoint]:
        """The newest first."""
        return page(self.database.webhooks, {"owner_id": owner_id}, [("_id", DESCENDING)], limit, cursor, _endpoint)

    def count_of(self, owner_id: str) -> int:
        with answering():
            return self.database.webhooks.count_documents({"owner_id": owner_id})

    def change(self, owner_id: str, webhook_id: str, values: Mapping[str, Any]) -> Endpoint:
        """The endpoint with these fields set. Raises NotFound."""
        change: Any = [
            {"$set": {**{name: {"$literal": value} for name, value in values.items()}, "updated_at": "$$NOW"}}
        ]
        with answering():
            row = self.database.webhooks.find_one_and_update(
                {"_id": webhook_id, "owner_id": owner_id}, change, return_document=ReturnDocument.AFTER
            )
        return _found(row, webhook_id)

    def replace_secrets(self, before: Endpoint, secrets: Sequence[Secret]) -> Endpoint | None:
        """The endpoint with these secrets; None if others were set since it was read."""
        guard = {"_id": before.id, "owner_id": before.owner_id, "secrets.0.value": before.secrets[0].value}
        change: Any = [{"$set": {"secrets": {"$literal": _secrets(secrets)}, "updated_at": "$$NOW"}}]
        with answering():
            row = self.database.webhooks.find_one_and_update(guard, change, return_document=ReturnDocument.AFTER)
        return _endpoint(row) if row else None

    def delete(self, owner_id: str, webhook_id: str) -> None:
        """Remove it and its messages. Raises NotFound."""
        with answering():
            gone = self.database.webhooks.delete_one({"_id": webhook_id, "owner_id": owner_id}).deleted_count
            if not gone:
                raise NotFound(f"webhook {webhook_id} is not on record")
            self.database.webhook_messages.delete_many({"webhook_id": webhook_id})

    def enabled(self) -> dict[str, Endpoint]:
        """All that are on, of all owners, by id."""
        with answering():
            return {row["_id"]: _endpoint(row) for row in self.database.webhooks.find({"enabled": True})}

    # -- what the notifier finds out -----------------------------------------------------------------------------------

    def took_one(self, webhook_id: str) -> None:
        """It is well again."""
        with answering():
            self.database.webhooks.update_one(
                {"_id": webhook_id, "failing_since": {"$ne": None}}, {"$set": {"failing_since": None}}
            )

    def refused_one(self, webhook_id: str, now: datetime) -> datetime | None:
        """Note that it took nothing now; since when that is so. None: it is gone."""
        with answering():
            row = self.database.webhooks.find_one_and_update(
                {"_id": webhook_id},
                [{"$set": {"failing_since": {"$ifNull": ["$failing_since", now]}}}],
                return_document=ReturnDocument.AFTER,
            )
        return row["failing_since"] if row else None

    def disable(self, webhook_id: str, reason: str) -> bool:
        """Tell it nothing more; False if it was off already."""
        change: Any = [{"$set": {"enabled": False, "disabled_reason": {"$literal": reason}, "updated_at": "$$NOW"}}]
        with answering():
            return self.database.webhooks.update_one({"_id": webhook_id, "enabled": True}, change).modified_count > 0


def _secrets(secrets: Sequence[Secret]) -> list[Document]:
    return [{"value": secret.value, "until": secret.until} for secret in secrets]


def _document(endpoint: Endpoint) -> Document:
    return {
        "_id": endpoint.id,
        "owner_id": endpoint.owner_id,
        "schema": SCHEMA,
        "url": endpoint.url,
        "types": list(endpoint.types),
        "description": endpoint.description,
        "secrets": _secrets(endpoint.secrets),
        "enabled": endpoint.enabled,
        "disabled_reason": endpoint.disabled_reason,
        "failing_since": endpoint.failing_since,
        "created_at": endpoint.created_at,
        "updated_at": endpoint.updated_at,
    }


def _found(row: Document | None, webhook_id: str) -> Endpoint:
    if row is None:
        raise NotFound(f"webhook {webhook_id} is not on record")
    return _endpoint(row)


def _endpoint(row: Document) -> Endpoint:
    return Endpoint(
        id=row["_id"],
        owner_id=row["owner_id"],
        url=row["url"],
        types=tuple(row["types"]),
        description=row["description"],
        secrets=tuple(Secret(each["value"], each["until"]) for each in row["secrets"]),
        enabled=row["enabled"],
        disabled_reason=row["disabled_reason"],
        failing_since=row["failing_since"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
    )
