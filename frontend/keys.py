"""API keys: the list, a form for a new one, its secret once, and the question before one is revoked."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

from flask import Blueprint, make_response, render_template, request
from flask.typing import ResponseReturnValue

from frontend import sessions
from frontend.formatting import parse
from frontend.registry_client import Refused
from frontend.shapes import Key
from frontend.views import go_to, now, registry

bp = Blueprint("keys", __name__, url_prefix="/keys")

PER_PAGE: Final = 25
SCOPES: Final[Mapping[str, str]] = {
    "emails:send": "Send mail, and decide about it",
    "emails:read": "Read mail and what became of it",
    "schedules:write": "Write, pause and run schedules",
    "schedules:read": "Read schedules",
    "reports:read": "Read reports",
    "webhooks:write": "Set up webhooks",
    "webhooks:read": "Read webhooks and their log",
    "suppressions:write": "Change who gets no mail",
    "suppressions:read": "Read who gets no mail",
    "providers:write": "Switch and weigh providers",
    "providers:read": "Read how providers fare",
    "cluster:read": "See the senders and the audit, of all owners",
    "keys:manage": "Make and revoke keys that may no more than itself",
    "admin": "Everything, and the keys of every owner",
}
TERMS: Final[Mapping[str, str]] = {"30": "In 30 days", "90": "In 90 days", "365": "In a year", "": "Never"}


@bp.get("")
def index() -> ResponseReturnValue:
    """The list."""
    page = registry().keys(limit=PER_PAGE, cursor=request.args.get("cursor"))
    return render_template("keys/index.html", page=page, state_of=state_of)


@bp.get("/new")
def new() -> ResponseReturnValue:
    """The form."""
    return _form({"name": "", "scopes": [], "days": "90", "owner_id": "", "test": False}, {})


@bp.post("/new")
def create() -> ResponseReturnValue:
    """Make it and show its secret; the form comes back where the registry refuses."""
    given: dict[str, Any] = {
        "name": request.form.get("name", "").strip(),
        "scopes": [scope for scope in request.form.getlist("scopes") if scope in SCOPES],
        "days": request.form.get("days", ""),
        "owner_id": request.form.get("owner_id", "").strip(),
        "test": request.form.get("test") == "yes",
    }
    if not given["scopes"]:
        return _form(given, {"scopes": "tick at least one"}), 422
    try:
        key = registry().create_key(_body(given))
    except Refused as refusal:
        if refusal.status not in (403, 422):
            raise
        errors = {problem.pointer.strip("/").partition("/")[0]: problem.detail for problem in refusal.problems}
        return _form(given, errors or {"form": str(refusal)}), refusal.status
    page = make_response(render_template("keys/made.html", key=key))
    page.headers["Cache-Control"] = "no-store"
    return page


@bp.get("/<id:key_id>/revoke")
def ask(key_id: str) -> ResponseReturnValue:
    """The question before."""
    return render_template("keys/ask.html", key=registry().key(key_id), is_own=_is_own(key_id))


@bp.post("/<id:key_id>/revoke")
def revoke(key_id: str) -> ResponseReturnValue:
    """It opens nothing any more."""
    registry().revoke_key(key_id)
    return go_to("keys.index", done="key-revoked")


def state_of(key: Key) -> str:
    """Active, expired or revoked."""
    if key["revoked_at"]:
        return "revoked"
    return "expired" if key["expires_at"] and parse(key["expires_at"]) <= now() else "active"


def _is_own(key_id: str) -> bool:
    who = sessions.session().who
    return who is not None and who.get("key_id") == key_id


def _body(given: Mapping[str, Any]) -> dict[str, Any]:
    body = {"name": given["name"], "scopes": given["scopes"], "test": given["test"]}
    if given["owner_id"]:
        body["owner_id"] = given["owner_id"]
    if given["days"] in TERMS and given["days"]:
        end = now().replace(microsecond=0) + timedelta(days=int(given["days"]))
        body["expires_at"] = f"{end:%Y-%m-%dT%H:%M:%SZ}"
    return body


def _form(given: Mapping[str, Any], errors: Mapping[str, str]) -> str:
    return render_template("keys/new.html", given=given, errors=errors, scopes=SCOPES, terms=TERMS)
