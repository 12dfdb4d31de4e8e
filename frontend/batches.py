"""A batch: the mails of one request together, how many are in which state, and those that failed sent again."""

from collections.abc import Mapping
from typing import Any

from flask import Blueprint, render_template
from flask.typing import ResponseReturnValue

from frontend.mail_actions import reason_given
from frontend.mailing import mailing
from frontend.registry_client import Refused
from frontend.states import EMAILS
from frontend.views import go_to, render_fragment
from frontend.visitors import visitor

bp = Blueprint("batches", __name__, url_prefix="/batches/<id:batch_id>")

_MOVING = ("pending", "sending", "unknown")
_SENT = ("accepted", "delivered")
_REPLAYABLE = ("failed", "expired")


@bp.get("")
def show(batch_id: str) -> ResponseReturnValue:
    """How it stands."""
    return render_template("batches/show.html", **standing(batch_id))


@bp.get("/live")
def show_live(batch_id: str) -> ResponseReturnValue:
    """Its counts, which change while one looks on."""
    return render_fragment("batches/_live.html", "Batch", **standing(batch_id))


@bp.get("/replay")
def ask(batch_id: str) -> ResponseReturnValue:
    """The question before what failed is sent again, as a page."""
    return render_template("batches/ask.html", **standing(batch_id))


@bp.post("/replay")
def replay(batch_id: str) -> ResponseReturnValue:
    """Send again what failed or expired, and nothing else."""
    try:
        count = mailing().replay_batch(batch_id, reason_given(), visitor().name)
    except Refused as refusal:
        if refusal.status != 409:
            raise
        return go_to("batches.show", batch_id=batch_id, done="batch-nothing-failed")
    return go_to("batches.show", batch_id=batch_id, done="batch-replayed-several", count=count)


def standing(batch_id: str) -> dict[str, Any]:
    batch = mailing().batch(batch_id)
    counts = batch["by_state"]
    return {
        "batch": batch,
        "counts": in_order(counts),
        "moving": sum(counts.get(state, 0) for state in _MOVING),
        "sent": sum(counts.get(state, 0) for state in _SENT),
        "failed": sum(counts.get(state, 0) for state in _REPLAYABLE),
    }


def in_order(counts: Mapping[str, int]) -> list[tuple[str, int]]:
    """The states that there are, in the order in which a mail goes through them."""
    known = [(state, counts[state]) for state in EMAILS if counts.get(state)]
    return known + [(state, count) for state, count in sorted(counts.items()) if state not in EMAILS and count]
