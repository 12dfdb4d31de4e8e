"""/api-keys: made, listed, read and revoked. A key can't give what it does not have."""

import secrets
from datetime import datetime
from typing import Annotated

from flask import Response
from pydantic import AfterValidator, Field, StrictBool

from fencepost import ids
from fencepost.api_keys import RANDOM_BYTES, ApiKey, Scope, allows, digest_of, secret_of
from fencepost.clock import iso
from fencepost.definitions import Shape
from fencepost.errors import Invalid, Problem
from fencepost.fields import Instant, OneLine, not_empty
from fencepost.logs import get_logger
from fencepost.schedules import milliseconds
from fencepost.store.pages import Cursor
from registry.access import Forbidden, keyring, needs
from registry.answers.api_keys import (
    ApiKeyAnswer,
    ApiKeyList,
    CallerAnswer,
    CreatedApiKey,
    api_key_answer,
    caller_answer,
    created_api_key,
)
from registry.caller import Caller, caller
from registry.documenting import TAGS, answers, blueprint, problems, takes
from registry.incoming import read
from registry.inputs import ApiKeyId, PageQuery
from registry.parts import parts
from registry.replies import Reply, list_reply

log = get_logger(__name__)
bp = blueprint("api_keys", __name__, TAGS["keys"])


class ApiKeyInput(Shape):
    """What a new key is called, and what it may do."""

    name: Annotated[OneLine, AfterValidator(not_empty), Field(max_length=200)]
    scopes: list[Scope] = Field(
        min_length=1, max_length=len(Scope), description="All of them must be the caller's own."
    )
    expires_at: Instant | None = Field(
        None,
        description="From this instant on it opens nothing; never after the caller's own key. Null: it does not expire.",
    )
    test: StrictBool = Field(False, description="What it creates reaches no provider.")
    owner_id: OneLine | None = Field(
        None, pattern="^[A-Za-z0-9._:@-]{1,64}$", description="Whose key it is; only `admin` makes keys for others."
    )


@bp.post(
    "/api-keys",
    request_body=takes(ApiKeyInput, {"name": "Shop", "scopes": ["emails:read", "emails:send"]}),
    responses={
        201: answers(CreatedApiKey, "The key, with its secret: this once.", "Location"),
        403: problems("The caller's own key could not do what the new one could."),
    },
)
@needs(Scope.KEYS_MANAGE)
def create_api_key() -> Response:
    """Make an API key

    Its secret is in this answer and nowhere else: the registry stores a hash. For that reason there is no Idempotency-Key; a key
    whose answer was lost is revoked.
    """
    p, given, who = parts(), read(ApiKeyInput), caller()
    now = milliseconds(p.clock.now())
    refuse_more_than_own(who, given, now)
    key_id, pepper = ids.new_id(ids.API_KEY), p.settings.registry.key_pepper
    secret = secret_of(key_id, secrets.token_bytes(RANDOM_BYTES), test=given.test)
    key = ApiKey(
        id=key_id,
        owner_id=given.owner_id or who.owner_id,
        name=given.name,
        scopes=frozenset(given.scopes),
        test=given.test,
        digest=digest_of(secret, pepper.get_secret_value() if pepper else None),
        created_at=now,
        expires_at=given.expires_at,
    )
    p.store.api_keys.insert(key)
    log.info(
        "A key was made.", action="key.created", made=key.id, owner_id=key.owner_id, scopes=" ".join(sorted(key.scopes))
    )
    return Reply(created_api_key(key, secret), 201, {"Location": f"/api-keys/{key.id}"}).response()


@bp.get("/api-keys", responses={200: answers(ApiKeyList, "One page of keys.", "Link")})
@needs(Scope.KEYS_MANAGE)
def list_api_keys(query: PageQuery) -> Response:
    """List API keys

    The newest first, revoked and expired ones among them; `admin` sees those of every owner.
    """
    cursor = Cursor.parse(query.cursor) if query.cursor else None
    page = parts().store.api_keys.page_of(_whose(caller()), query.limit, cursor)
    return list_reply([api_key_answer(key) for key in page.items], page.next_cursor).response()


@bp.get("/api-keys/current", responses={200: answers(CallerAnswer, "Whose key this is, and what it may do.")})
@needs(None)
def get_caller() -> Response:
    """Read who asks

    Any key may.
    """
    return Reply(caller_answer(caller())).response()


@bp.get("/api-keys/<key:key_id>", responses={200: answers(ApiKeyAnswer, "The key.")})
@needs(Scope.KEYS_MANAGE)
def get_api_key(path: ApiKeyId) -> Response:
    """Read an API key"""
    return Reply(api_key_answer(parts().store.api_keys.get(_whose(caller()), path.key_id))).response()


@bp.delete("/api-keys/<key:key_id>", responses={200: answers(ApiKeyAnswer, "The key, which opens nothing any more.")})
@needs(Scope.KEYS_MANAGE)
def revoke_api_key(path: ApiKeyId) -> Response:
    """Revoke an API key

    Within a second it is refused everywhere. It stays on record, and can't be taken back.
    """
    p = parts()
    key = p.store.api_keys.revoke(_whose(caller()), path.key_id, milliseconds(p.clock.now()))
    keyring().forget(key.id)
    log.info("A key was revoked.", action="key.revoked", revoked=key.id, owner_id=key.owner_id)
    return Reply(api_key_answer(key)).response()


def refuse_more_than_own(who: Caller, wanted: ApiKeyInput, now: datetime) -> None:
    """Raises Forbidden where the new key could do what its maker's can't, Invalid where it would never open anything."""
    if wanted.expires_at and wanted.expires_at <= now:
        raise Invalid(Problem("/expires_at", f"is over: write an instant after {iso(now)}"))
    for scope in wanted.scopes:
        if not allows(who.scopes, scope):
            raise Forbidden(f"this key lacks the scope {scope.value}, so it can't give it to another", scope)
    if wanted.owner_id not in (None, who.owner_id) and Scope.ADMIN not in who.scopes:
        raise Forbidden("only a key with the scope admin makes keys for other owners", Scope.ADMIN)
    if who.expires_at and (wanted.expires_at is None or wanted.expires_at > who.expires_at):
        raise Forbidden(f"this key expires at {iso(who.expires_at)}, and so must every key that it makes")


def _whose(who: Caller) -> str | None:
    """Whose keys it may look at; None: everybody's."""
    return None if Scope.ADMIN in who.scopes else who.owner_id
