"""The collection `suppressions`: addresses to which an owner's mail is not sent, each with its reason."""

from collections.abc import Collection
from dataclasses import dataclass

from pymongo import ASCENDING, DESCENDING, IndexModel
from pymongo.database import Database
from pymongo.errors import DuplicateKeyError

from fencepost import ids
from fencepost.errors import NotFound
from fencepost.store.mongodb import Document, answering
from fencepost.store.pages import Cursor, Page, page
from fencepost.suppression import Reason, Scope, Suppression

SCHEMA = 1
INDEXES = [
    IndexModel([("owner_id", ASCENDING), ("created_at", DESCENDING), ("_id", DESCENDING)], name="newest_of_owner"),
    IndexModel([("owner_id", ASCENDING), ("email", ASCENDING)], name="email"),
]


@dataclass(frozen=True, slots=True)
class Suppressions:
    """Suppressions by owner, address and scope: one of each."""

    database: Database[Document]

    def add(self, suppression: Suppression) -> bool:
        """Put it on record; False if its address was suppressed in this scope before, whose reason is kept."""
        row = {
            "_id": suppression.id,
            "owner_id": suppression.owner_id,
            "schema": SCHEMA,
            "created_at": suppression.created_at,
            "updated_at": suppression.created_at,
            "email": suppression.email,
            "scope": suppression.scope.value,
            "reason": suppression.reason.value,
            "detail": suppression.detail,
        }
        with answering():
            try:
                self.database.suppressions.insert_one(row)
            except DuplicateKeyError:
                return False
        return True

    def remove(self, owner_id: str, suppression_id: str) -> Suppression:
        """Lift it; what it was. Raises NotFound."""
        with answering():
            row = self.database.suppressions.find_one_and_delete({"_id": suppression_id, "owner_id": owner_id})
        if row is None:
            raise NotFound(f"there is no suppression {suppression_id}")
        return _suppression(row)

    def get(self, owner_id: str, suppression_id: str) -> Suppression:
        """Raises NotFound."""
        with answering():
            row = self.database.suppressions.find_one({"_id": suppression_id, "owner_id": owner_id})
        if row is None:
            raise NotFound(f"there is no suppression {suppression_id}")
        return _suppression(row)

    def of(self, addresses: Collection[tuple[str, str]]) -> set[tuple[str, str, str]]:
        """Which of these (owner, lower-case address) are suppressed, with the scope in which they are."""
        wanted = [ids.suppression_id(owner, email, scope) for owner, email in addresses for scope in Scope]
        if not wanted:
            return set()
        shown = {"owner_id": 1, "email": 1, "scope": 1}
        with answering():
            rows = self.database.suppressions.find({"_id": {"$in": wanted}}, shown)
            return {(row["owner_id"], row["email"], row["scope"]) for row in rows}

    def page_of(self, owner_id: str, filters: Document, limit: int, cursor: Cursor | None) -> Page[Suppression]:
        """An owner's, the newest first. `filters` are built by the caller from typed values."""
        query = {"owner_id": owner_id, **filters}
        keys = [("created_at", DESCENDING), ("_id", DESCENDING)]
        return page(self.database.suppressions, query, keys, limit, cursor, _suppression)


def _suppression(row: Document) -> Suppression:
    return Suppression(
        row["owner_id"], row["email"], Scope(row["scope"]), Reason(row["reason"]), row["detail"], row["created_at"]
    )
