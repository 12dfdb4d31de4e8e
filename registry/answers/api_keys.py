"""Keys as the API shows them: never their secrets, but for the once."""

from pydantic import with_config
from typing_extensions import TypedDict

from fencepost.api_keys import ApiKey
from fencepost.clock import iso
from registry.answers.common import EXACT, Instant, maybe_iso
from registry.caller import Caller


@with_config(EXACT)
class ApiKeyAnswer(TypedDict):
    """A key."""

    id: str
    owner_id: str
    name: str
    scopes: list[str]
    test: bool
    created_at: Instant
    expires_at: Instant | None
    last_used_at: Instant | None
    """To the minute."""
    revoked_at: Instant | None


@with_config(EXACT)
class CreatedApiKey(ApiKeyAnswer):
    """A key that has just been made."""

    secret: str
    """Shown in this answer and never again."""


@with_config(EXACT)
class ApiKeyList(TypedDict):
    """One page of keys."""

    data: list[ApiKeyAnswer]
    next_cursor: str | None


@with_config(EXACT)
class CallerAnswer(TypedDict):
    """Who asks."""

    key_id: str | None
    """Null for a program of the registry's own machine, where those need no key."""
    owner_id: str
    name: str
    scopes: list[str]
    test: bool
    expires_at: Instant | None


def api_key_answer(key: ApiKey) -> ApiKeyAnswer:
    return {
        "id": key.id,
        "owner_id": key.owner_id,
        "name": key.name,
        "scopes": sorted(key.scopes),
        "test": key.test,
        "created_at": iso(key.created_at),
        "expires_at": maybe_iso(key.expires_at),
        "last_used_at": maybe_iso(key.last_used_at),
        "revoked_at": maybe_iso(key.revoked_at),
    }


def created_api_key(key: ApiKey, secret: str) -> CreatedApiKey:
    return {**api_key_answer(key), "secret": secret}


def caller_answer(caller: Caller) -> CallerAnswer:
    return {
        "key_id": caller.key_id,
        "owner_id": caller.owner_id,
        "name": caller.name,
        "scopes": sorted(caller.scopes),
        "test": caller.test,
        "expires_at": maybe_iso(caller.expires_at),
    }
