"""Signing in with an API key, once, and out again."""

from typing import Final

from flask import Blueprint, current_app, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from frontend import sessions
from frontend.registry_client import Refused, RegistryDown
from frontend.views import registry
from frontend.visitors import local_path

bp = Blueprint("sign_in", __name__)

HINT: Final = "fencepost-key-hint"
_LONGEST: Final = 200
_WHY: Final = {"refused": "The key that you signed in with opens nothing any more: it was revoked or has expired."}


@bp.get("/sign-in")
def ask() -> ResponseReturnValue:
    """The page that asks for the key."""
    return _page(_WHY.get(request.args.get("why", ""), ""))


@bp.post("/sign-in")
def sign_in() -> ResponseReturnValue:
    """Ask the registry whose key it is; from here on the cookie holds it."""
    given = request.form.get("key", "").strip()
    if not given:
        return _page("Paste your API key."), 422
    try:
        # What can't be a header can't be a key.
        who = registry().whose(given) if given.isascii() and len(given) <= _LONGEST else None
    except Refused as refusal:
        if refusal.status != 401:
            raise
        return _page(f"The registry refuses it: {refusal}."), 401
    except RegistryDown:
        return _page("The registry does not answer, so nobody can sign in. Try again in a moment."), 503
    if who is None:
        return _page("That can't be a key: a key looks like fp_live_… and is 99 characters long."), 422
    sessions.begin(sessions.fresh(given, who))
    return _on()


@bp.post("/sign-out")
def sign_out() -> ResponseReturnValue:
    """Forget the key."""
    sessions.begin(sessions.fresh())
    return redirect(url_for("sign_in.ask"), code=303)


def _on() -> ResponseReturnValue:
    return redirect(local_path(request.form.get("next")) or url_for("dashboard.index"), code=303)


def _page(error: str) -> str:
    following = local_path(request.values.get("next")) or ""
    lasts, hint = sessions.sealer_of(current_app).seconds, current_app.extensions[HINT]
    return render_template("sign_in/index.html", error=error, following=following, hint=hint, lasts=lasts)
