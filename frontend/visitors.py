"""Whom pages are served to: whoever signed in with an API key and, where loopback is trusted, the user of this machine."""

import hmac
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from flask import Flask, abort, g, redirect, request, url_for
from markupsafe import Markup
from werkzeug.wrappers import Response

from fencepost.loopback import is_local
from fencepost.settings import Frontend
from frontend import sessions
from frontend.security import SAFE_METHODS, host_name

FIELD: Final = "csrf"
HEADER: Final = "X-CSRF-Token"
_OPEN: Final = frozenset(
    {"static", "health.healthz", "health.readyz", "sign_in.ask", "sign_in.sign_in", "sign_in.sign_out"}
)
"""What is served to everybody."""


@dataclass(frozen=True, slots=True)
class Visitor:
    """Who looks at the page, as it says above every one. `signed_in`: by a key of their own."""

    name: str
    owner_id: str
    scopes: tuple[str, ...]
    test: bool
    signed_in: bool

    def may(self, scope: str) -> bool:
        return scope in self.scopes or "admin" in self.scopes


NOBODY: Final = Visitor("Nobody", "", (), test=False, signed_in=False)
LOCAL: Final = Visitor("This machine", "local", ("admin",), test=False, signed_in=False)


def install(app: Flask, settings: Frontend) -> None:
    """Send whoever has no key to sign in, and refuse every unsafe request without the token of the visitor's session."""

    @app.before_request
    def require() -> Response | None:
        host = host_name(request.host)
        g.trusted = settings.trust_loopback and is_local(request.remote_addr, host, request.headers)
        if request.method not in SAFE_METHODS and not _has_token():
            abort(
                403,
                "The form is from another session or too old, so nothing was changed. Load the page again, then send it.",
            )
        if request.endpoint in _OPEN or sessions.session().key or g.trusted:
            return None
        return to_sign_in()

    app.jinja_env.globals.update(visitor=visitor, csrf_field=csrf_field, csrf_token=lambda: sessions.session().csrf)


def visitor() -> Visitor:
    """Who looks at the page that is made now."""
    found = sessions.session()
    if found.key and found.who:
        who = found.who
        return Visitor(who["name"], who["owner_id"], tuple(who["scopes"]), who["test"], signed_in=True)
    return LOCAL if g.get("trusted") else NOBODY


def key(settings: Frontend) -> str | None:
    """The key with which the registry is asked for this visitor; None where they have none, or need none."""
    if found := sessions.session().key:
        return found
    return settings.api_key.get_secret_value() if settings.api_key and g.get("trusted") else None


def csrf_field() -> Markup:
    """What every form that changes something carries."""
    return Markup('<input type="hidden" name="{}" value="{}">').format(FIELD, sessions.session().csrf)


def to_sign_in(why: str | None = None) -> Response:
    """On to the sign-in page and then back to here; htmx takes the whole page there."""
    if request.headers.get("HX-Request") == "true":
        here = urlsplit(request.headers.get("HX-Current-URL", ""))
        answer = Response("", 401)
        answer.headers["HX-Redirect"] = url_for("sign_in.ask", next=local_path(f"{here.path}?{here.query}"), why=why)
        return answer
    here_path = request.full_path if request.method in SAFE_METHODS else "/"
    return redirect(url_for("sign_in.ask", next=local_path(here_path), why=why), code=303)


def local_path(text: Any) -> str | None:
    """The path of a page of ours to go on to; None for the first page, and for anything that might lead elsewhere."""
    path = str(text or "").rstrip("?")
    parts = urlsplit(path)
    is_ours = path.startswith("/") and not path.startswith(("//", "/\\")) and not parts.scheme and not parts.netloc
    return path if is_ours and path != "/" and len(path) < 2000 and path.isprintable() else None


def _has_token() -> bool:
    given = request.headers.get(HEADER) or request.form.get(FIELD) or ""
    return hmac.compare_digest(given.encode(errors="replace"), sessions.session().csrf.encode())
