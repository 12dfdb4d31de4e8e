"""Who sent the request that is answered now, and whose things it is about."""

from dataclasses import dataclass
from datetime import datetime
from typing import cast

from flask import g

from fencepost.api_keys import ApiKey, Scope


@dataclass(frozen=True, slots=True)
class Caller:
    """`owner_id`: whose schedules and mail it sees, and whose what it writes becomes. `test`: what it creates reaches no
    provider. `key_id` is None for whoever needs no key."""

    owner_id: str
    scopes: frozenset[Scope] = frozenset()
    test: bool = False
    key_id: str | None = None
    name: str = ""
    expires_at: datetime | None = None


LOCAL = Caller("local", frozenset({Scope.ADMIN}), name="The user of this machine")
"""The machine's own user, where loopback is trusted."""


def caller_with(key: ApiKey) -> Caller:
    """Whoever holds this key."""
    return Caller(key.owner_id, key.scopes, key.test, key.id, key.name, key.expires_at)


def caller() -> Caller:
    """The caller of this request. Public routes have none, and may not ask."""
    return cast(Caller, g.caller)


def owner() -> str:
    """The owner for whom this request acts."""
    return caller().owner_id
