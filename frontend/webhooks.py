"""Webhooks: the endpoints that are told what becomes of mail, a form for one, and what is done to it."""

from collections.abc import Mapping
from typing import Any, Final

from flask import Blueprint, make_response, render_template, request
from flask.sansio.blueprints import BlueprintSetupState
from flask.typing import ResponseReturnValue

from frontend.operating import operating
from frontend.operating_shapes import Webhook
from frontend.registry_client import Refused
from frontend.views import go_to
from frontend.webhook_words import KINDS, OVERLAPS, answered, kinds_in_words, standing

bp = Blueprint("webhooks", __name__, url_prefix="/webhooks")

PER_PAGE: Final = 25


@bp.record_once
def give_words(state: BlueprintSetupState) -> None:
    """What the templates of webhooks say it with."""
    state.app.jinja_env.globals.update(webhook_standing=standing, kinds_in_words=kinds_in_words, answered=answered)


@bp.get("")
def index() -> ResponseReturnValue:
    """The list."""
    page = operating().webhooks(limit=PER_PAGE, cursor=request.args.get("cursor"))
    return render_template("webhooks/index.html", page=page)


@bp.get("/new")
def new() -> ResponseReturnValue:
    """The form."""
    return _form(None, {"url": "", "description": "", "types": []}, {})


@bp.post("/new")
def create() -> ResponseReturnValue:
    """Make it and show its secret; the form comes back where the registry refuses."""
    given = _given()
    try:
        made = operating().create_webhook(given)
    except Refused as refusal:
        return _refused(refusal, None, given)
    return _with_secret(made, "made")


@bp.get("/<id:webhook_id>/edit")
def ask_edit(webhook_id: str) -> ResponseReturnValue:
    """The same form, of one that is there."""
    webhook = operating().webhook(webhook_id)
    return _form(webhook, {name: webhook[name] for name in ("url", "description", "types")}, {})


@bp.post("/<id:webhook_id>/edit")
def edit(webhook_id: str) -> ResponseReturnValue:
    given = _given()
    try:
        operating().change_webhook(webhook_id, given)
    except Refused as refusal:
        return _refused(refusal, operating().webhook(webhook_id), given)
    return go_to("webhook_messages.show", webhook_id=webhook_id, done="webhook-changed")


@bp.get("/<id:webhook_id>/<any(rotate, off, delete):action>")
def ask(webhook_id: str, action: str) -> ResponseReturnValue:
    """The question before."""
    return render_template(
        "webhooks/ask.html", webhook=operating().webhook(webhook_id), action=action, overlaps=OVERLAPS
    )


@bp.post("/<id:webhook_id>/rotate")
def rotate(webhook_id: str) -> ResponseReturnValue:
    """Give it a new secret, and show that."""
    hours = request.form.get("overlap_hours", "")
    made = operating().rotate_webhook(webhook_id, int(hours) if hours in OVERLAPS else 24)
    return _with_secret(made, "rotated", OVERLAPS.get(hours, OVERLAPS["24"]))


@bp.post("/<id:webhook_id>/<any(off, on):turn>")
def switch(webhook_id: str, turn: str) -> ResponseReturnValue:
    operating().change_webhook(webhook_id, {"enabled": turn == "on"})
    return go_to("webhook_messages.show", webhook_id=webhook_id, done=f"webhook-{turn}")


@bp.post("/<id:webhook_id>/delete")
def delete(webhook_id: str) -> ResponseReturnValue:
    operating().delete_webhook(webhook_id)
    return go_to("webhooks.index", done="webhook-deleted")


def _given() -> dict[str, Any]:
    return {
        "url": request.form.get("url", "").strip(),
        "description": " ".join(request.form.get("description", "").split()),
        "types": [kind for kind in request.form.getlist("types") if kind in KINDS],
    }


def _form(webhook: Webhook | None, given: Mapping[str, Any], errors: Mapping[str, str]) -> str:
    return render_template("webhooks/form.html", webhook=webhook, given=given, errors=errors, kinds=KINDS)


def _refused(refusal: Refused, webhook: Webhook | None, given: Mapping[str, Any]) -> ResponseReturnValue:
    if refusal.status not in (409, 422):
        raise refusal
    errors = {problem.pointer.strip("/").partition("/")[0]: problem.detail for problem in refusal.problems}
    return _form(webhook, given, errors or {"form": str(refusal)}), refusal.status


def _with_secret(webhook: Webhook, how: str, overlap: str = "") -> ResponseReturnValue:
    page = make_response(render_template("webhooks/secret.html", webhook=webhook, how=how, overlap=overlap))
    page.headers["Cache-Control"] = "no-store"
    return page
