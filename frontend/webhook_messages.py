"""One webhook with its log: what it was told, how it answered, and what is sent again."""

from typing import Any, Final

from flask import Blueprint, render_template, request
from flask.typing import ResponseReturnValue

from frontend.operating import operating
from frontend.registry_client import Refused
from frontend.views import go_to, render_fragment
from frontend.webhook_words import MESSAGES

bp = Blueprint("webhook_messages", __name__, url_prefix="/webhooks/<id:webhook_id>")

PER_PAGE: Final = 15
AT_ONCE: Final = 100
"""So many failed messages one press of the button sends again."""


@bp.get("")
def show(webhook_id: str) -> ResponseReturnValue:
    """The endpoint, and what it was told."""
    return render_template("webhooks/show.html", **one(webhook_id))


@bp.get("/log")
def show_log(webhook_id: str) -> ResponseReturnValue:
    """The log, which changes while one looks on."""
    return render_fragment("webhooks/_log.html", "What it was told", **one(webhook_id))


@bp.post("/test")
def test(webhook_id: str) -> ResponseReturnValue:
    """Send a test event; the log shows what comes of it."""
    done = _unless_off(lambda: operating().test_webhook(webhook_id))
    return go_to("webhook_messages.show", webhook_id=webhook_id, done="webhook-tested" if done else "webhook-is-off")


@bp.post("/messages/<id:message_id>/replay")
def replay(webhook_id: str, message_id: str) -> ResponseReturnValue:
    """Send one again."""
    done = _unless_off(lambda: operating().replay(webhook_id, message_id))
    return go_to("webhook_messages.show", webhook_id=webhook_id, done="webhook-replayed" if done else "webhook-is-off")


@bp.post("/replay")
def replay_failed(webhook_id: str) -> ResponseReturnValue:
    """Send what failed again, the newest first, up to a number that one may wait for."""
    failed = operating().messages(webhook_id, state="failed", limit=AT_ONCE)
    for message in failed.items:
        if not _unless_off(lambda message_id=message["id"]: operating().replay(webhook_id, message_id)):
            return go_to("webhook_messages.show", webhook_id=webhook_id, done="webhook-is-off")
    return go_to(
        "webhook_messages.show", webhook_id=webhook_id, done="webhook-replayed-several", count=len(failed.items)
    )


def one(webhook_id: str) -> dict[str, Any]:
    state = request.args.get("state", "")
    shown = state if state in MESSAGES else ""
    page = operating().messages(webhook_id, state=shown, limit=PER_PAGE, cursor=request.args.get("cursor"))
    return {"webhook": operating().webhook(webhook_id), "page": page, "shown": shown, "message_states": MESSAGES}


def _unless_off(act: Any) -> bool:
    """Do it; False where the webhook is off."""
    try:
        act()
    except Refused as refusal:
        if refusal.status != 409:
            raise
        return False
    return True
