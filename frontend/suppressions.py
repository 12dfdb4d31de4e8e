"""Suppressions: who gets no mail and why; one more, one less."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from flask import Blueprint, render_template, request
from flask.typing import ResponseReturnValue

from frontend.operating import operating
from frontend.registry_client import Refused
from frontend.states import Look, look
from frontend.views import go_to, now, wants_fragment

bp = Blueprint("suppressions", __name__, url_prefix="/suppressions")

PER_PAGE: Final = 25
REASONS: Final = {
    "bounce": Look("Bounced", "bad", "arrow-back-up", "A server refused its mail for good."),
    "complaint": Look("Complained", "bad", "mood-sad", "Its reader reported a mail as unwanted."),
    "unsubscribe": Look("Unsubscribed", "calm", "user-minus", "Its reader wants no more mail that goes to many."),
    "manual": Look("By hand", "busy", "hand-stop", "Somebody here put it on the list."),
}
SCOPES: Final[Mapping[str, str]] = {"all": "All mail", "bulk": "Only mail that goes to many"}
PERIODS: Final[Mapping[str, tuple[str, timedelta]]] = {
    "24h": ("In the last 24 hours", timedelta(days=1)),
    "7d": ("In the last 7 days", timedelta(days=7)),
    "30d": ("In the last 30 days", timedelta(days=30)),
}


@bp.get("")
def index() -> ResponseReturnValue:
    """The list; for htmx only its rows."""
    shown = list_filters()
    page = operating().suppressions(**api_filters(shown, now()), limit=PER_PAGE, cursor=request.args.get("cursor"))
    template = "suppressions/_results.html" if wants_fragment() else "suppressions/index.html"
    return render_template(template, page=page, shown=shown, reasons=REASONS, scopes=SCOPES, periods=PERIODS)


def list_filters() -> dict[str, str]:
    """What the address asks for; values that mean nothing are left out."""
    shown = {name: request.args.get(name, "").strip()[:254] for name in ("q", "reason", "scope", "since")}
    for name, known in {"reason": REASONS, "scope": SCOPES, "since": PERIODS}.items():
        shown[name] = shown[name] if shown[name] in known else ""
    return shown


def api_filters(shown: Mapping[str, str], instant: datetime) -> dict[str, str | None]:
    """The same in the API's words; a period counts back from `instant`."""
    since = f"{instant - PERIODS[shown['since']][1]:%Y-%m-%dT%H:%M:%SZ}" if shown["since"] else None
    return {"q": shown["q"], "reason": shown["reason"], "scope": shown["scope"], "since": since}


@bp.get("/new")
def new() -> ResponseReturnValue:
    """The form."""
    return _form({"email": request.args.get("email", ""), "scope": "all", "detail": ""}, {})


@bp.post("/new")
def create() -> ResponseReturnValue:
    """Suppress an address; what was on record of it before stays."""
    given: dict[str, Any] = {
        "email": request.form.get("email", "").strip(),
        "scope": request.form.get("scope") if request.form.get("scope") in SCOPES else "all",
        "detail": " ".join(request.form.get("detail", "").split())[:500],
    }
    try:
        made = operating().suppress({**given, "reason": "manual"})
    except Refused as refusal:
        if refusal.status != 422:
            raise
        return _form(given, {problem.pointer.strip("/"): problem.detail for problem in refusal.problems}), 422
    return go_to("suppressions.index", done="suppressed", q=made["email"])


@bp.get("/<id:suppression_id>/lift")
def ask(suppression_id: str) -> ResponseReturnValue:
    """The question before, which says what it means."""
    found = operating().suppression(suppression_id)
    return render_template("suppressions/ask.html", found=found, reason=look(REASONS, found["reason"]))


@bp.post("/<id:suppression_id>/lift")
def lift(suppression_id: str) -> ResponseReturnValue:
    """The address gets mail again. One that somebody else has lifted is as it should be."""
    try:
        operating().lift(suppression_id)
    except Refused as refusal:
        if refusal.status != 404:
            raise
    return go_to("suppressions.index", done="suppression-lifted")


def _form(given: Mapping[str, Any], errors: Mapping[str, str]) -> str:
    return render_template("suppressions/new.html", given=given, errors=errors, scopes=SCOPES)
