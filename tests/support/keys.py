"""Keys for tests of the registry: made straight in the store, and calls from beyond this machine."""

import secrets
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from flask import Flask
from flask.testing import FlaskClient

from fencepost import ids
from fencepost.api_keys import RANDOM_BYTES, ApiKey, Scope, digest_of, secret_of
from fencepost.store import Store
from tests.support.api import Api

AFAR = "203.0.113.9"
"""An address of nobody's, which is not this machine's."""


def make_key(
    store: Store, now: datetime, *scopes: Scope, owner_id: str = "ann", test: bool = False, **fields: Any
) -> str:
    """The secret of a new key on record."""
    key_id = ids.new_id(ids.API_KEY)
    secret = secret_of(key_id, secrets.token_bytes(RANDOM_BYTES), test=test)
    digest = digest_of(secret, None)
    name = f"{'test' if test else 'live'} key of {owner_id}"
    store.api_keys.insert(ApiKey(key_id, owner_id, name, frozenset(scopes), test, digest, now, **fields))
    return secret


def key_id_of(secret: str) -> str:
    return f"{ids.API_KEY}_{secret.split('_')[2]}"


@dataclass
class Holder(Api):
    """Calls the application from afar, with a key; None: without one."""

    client: FlaskClient
    secret: str | None = None
    headers: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, app: Flask, secret: str | None) -> "Holder":
        client = app.test_client()
        client.environ_base["REMOTE_ADDR"] = AFAR
        return cls(client, secret)

    def call(self, method: str, path: str, body: object = None, *, headers: Any = None) -> Any:
        own = {"Authorization": f"Bearer {self.secret}"} if self.secret is not None else {}
        return super().call(method, path, body, headers={**self.headers, **own, **(headers or {})})
