"""The collection `api_keys`: who may talk to the registry. Secrets are never in it."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from pymongo import ASCENDING, DESCENDING, IndexModel
from pymongo.database import Database

from fencepost.api_keys import ApiKey, Scope
from fencepost.errors import NotFound
from fencepost.store.mongodb import Document, answering
from fencepost.store.pages import Cursor, Page, page

INDEXES = [IndexModel([("owner_id", ASCENDING), ("_id", DESCENDING)], name="owner")]
USED_EVERY = timedelta(minutes=1)
"""How exact `last_used_at` is: a key that is used all the time is written so often, and no oftener."""
_SCHEMA = 1


@dataclass(frozen=True, slots=True)
class ApiKeys:
    """Keys by id. `owner_id` None: those of every owner."""

    database: Database[Document]

    def insert(self, key: ApiKey) -> None:
        """Put a new key on record."""
        with answering():
            self.database.api_keys.insert_one(_document(key))

    def find(self, key_id: str) -> ApiKey | None:
        """The key of this id, whoever's it is and whether it is valid or not."""
        with answering():
            row = self.database.api_keys.find_one({"_id": key_id})
        return _key(row) if row else None

    def get(self, owner_id: str | None, key_id: str) -> ApiKey:
        """Raises NotFound."""
        found = self.find(key_id)
        if found is None or owner_id not in (None, found.owner_id):
            raise NotFound(f"there is no key {key_id}")
        return found

    def page_of(self, owner_id: str | None, limit: int, cursor: Cursor | None) -> Page[ApiKey]:
        """The newest first, revoked ones among them. Raises Invalid for another list's cursor."""
        query = {} if owner_id is None else {"owner_id": owner_id}
        return page(self.database.api_keys, query, [("_id", DESCENDING)], limit, cursor, _key)

    def revoke(self, owner_id: str | None, key_id: str, now: datetime) -> ApiKey:
        """From now on it opens nothing; done again it changes nothing. Raises NotFound."""
        self.get(owner_id, key_id)
        with answering():
            self.database.api_keys.update_one(
                {"_id": key_id, "revoked_at": None}, {"$set": {"revoked_at": now, "updated_at": now}}
            )
        return self.get(owner_id, key_id)

    def touch(self, key_id: str, now: datetime) -> None:
        """It was used; written unless that was written within USED_EVERY."""
        stale = [{"last_used_at": None}, {"last_used_at": {"$lte": now - USED_EVERY}}]
        with answering():
            self.database.api_keys.update_one({"_id": key_id, "$or": stale}, {"$set": {"last_used_at": now}})

    def has_admin(self, now: datetime) -> bool:
        """Whether some live key that is valid may do everything."""
        with answering():
            rows = list(self.database.api_keys.find({"scopes": Scope.ADMIN.value, "test": False, "revoked_at": None}))
        return any(_key(row).why_refused(now) is None for row in rows)


def _document(key: ApiKey) -> Document:
    return {
        "_id": key.id,
        "schema": _SCHEMA,
        "owner_id": key.owner_id,
        "name": key.name,
        "scopes": sorted(key.scopes),
        "test": key.test,
        "digest": key.digest,
        "created_at": key.created_at,
        "updated_at": key.created_at,
        "expires_at": key.expires_at,
        "last_used_at": key.last_used_at,
        "revoked_at": key.revoked_at,
    }


def _key(row: Document) -> ApiKey:
    # A scope that a later version gave is one that this version has no use for.
    known = {scope.value for scope in Scope}
    return ApiKey(
        id=row["_id"],
        owner_id=row["owner_id"],
        name=row["name"],
        scopes=frozenset(Scope(name) for name in row["scopes"] if name in known),
        test=row["test"],
        digest=row["digest"],
        created_at=row["created_at"],
        expires_at=row["expires_at"],
        last_used_at=row["last_used_at"],
        revoked_at=row["revoked_at"],
    )
