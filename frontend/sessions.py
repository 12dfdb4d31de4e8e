"""Who is at the page: a cookie that only this frontend can read, holding the visitor's API key and the token of their forms."""

import base64
import hashlib
import json
import secrets
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Final, cast

from cryptography.fernet import Fernet, InvalidToken
from flask import Flask, Response, g, request

from fencepost.settings import Settings

COOKIE: Final = "fencepost_session"
_SEALER: Final = "fencepost-sealer"
_LOOPBACK: Final = ("http://127.0.0.1", "http://localhost", "http://[::1]")


@dataclass(frozen=True, slots=True)
class Session:
    """`csrf`: what each of their forms carries. `key`: the API key that they signed in with, `who` what the registry said of it
    then; neither for a visitor who has not signed in."""

    csrf: str
    key: str | None = None
    who: Mapping[str, Any] | None = None


class Sealer:
    """Turns sessions into text that tells nothing and can't be altered, and back."""

    def __init__(self, secret: str, hours: float, now: Callable[[], datetime]) -> None:
        """`hours`: how long a session lasts."""
        self._fernet = Fernet(base64.urlsafe_b64encode(hashlib.sha256(secret.encode()).digest()))
        self.seconds = round(hours * 3600)
        self._now = now

    def seal(self, session: Session) -> str:
        return self._fernet.encrypt_at_time(json.dumps(asdict(session)).encode(), self._instant()).decode()

    def open(self, text: str | None) -> Session | None:
        """None for what was not sealed here, was altered, or has come to its end."""
        try:
            return Session(**json.loads(self._fernet.decrypt_at_time(text or "", self.seconds, self._instant())))
        except (InvalidToken, TypeError, ValueError):
            return None

    def _instant(self) -> int:
        return int(self._now().timestamp())


def install(app: Flask, settings: Settings, now: Callable[[], datetime]) -> None:
    """Give each request its session, and each visitor the cookie. Without a secret in the settings this process makes its own,
    and its sessions end with it."""
    given = settings.frontend.session_secret
    sealer = Sealer(given.get_secret_value() if given else secrets.token_hex(32), settings.frontend.session_hours, now)
    app.extensions[_SEALER] = sealer

    @app.before_request
    def open_session() -> None:
        found = sealer.open(request.cookies.get(COOKIE))
        g.session, g.session_is_new = found or fresh(), found is None

    @app.after_request
    def hand_out(response: Response) -> Response:
        # Files and probes hand out none: what may be kept and shared must not carry anybody's session.
        if g.get("session_is_new") and response.mimetype == "text/html":
            response.set_cookie(
                COOKIE,
                sealer.seal(g.session),
                max_age=sealer.seconds,
                httponly=True,
                samesite="Lax",
                secure=request.is_secure
                or (settings.public_url.startswith("https:") and not request.host_url.startswith(_LOOPBACK)),
            )
        return response


def sealer_of(app: Flask) -> Sealer:
    return cast(Sealer, app.extensions[_SEALER])


def fresh(key: str | None = None, who: Mapping[str, Any] | None = None) -> Session:
    """A session that nobody had before."""
    return Session(secrets.token_urlsafe(32), key, who)


def session() -> Session:
    """The session of this request; a passing one where it was refused before it was looked at."""
    return cast(Session, g.session) if "session" in g else fresh()


def begin(found: Session) -> None:
    """From this answer on the visitor has this session, and another one no more."""
    g.session, g.session_is_new = found, True
