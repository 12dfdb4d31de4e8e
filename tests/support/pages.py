"""Visitors of the pages, in this process."""

from collections.abc import Mapping
from typing import Any

from flask import Flask
from flask.testing import FlaskClient

from frontend import sessions
from frontend.visitors import HEADER

SECRET = "fp_live_00000000000000000000000000_" + 64 * "0"
WHO: Mapping[str, Any] = {
    "name": "Ann's key",
    "owner_id": "ann",
    "scopes": ["admin"],
    "test": False,
    "key_id": "key_ann",
}


def signed_in(app: Flask, key: str = SECRET, who: Mapping[str, Any] = WHO) -> FlaskClient:
    """A browser with a session, whose every request carries the token that forms have."""
    client, session = app.test_client(), sessions.fresh(key, who)
    client.set_cookie(sessions.COOKIE, sessions.sealer_of(app).seal(session))
    client.environ_base["HTTP_" + HEADER.upper().replace("-", "_")] = session.csrf
    return client
