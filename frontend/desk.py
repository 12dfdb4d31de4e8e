"""The settlement desk: mails that wait for a person's word, because no record tells whether they were sent."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from flask import Blueprint, render_template, request
from flask.typing import ResponseReturnValue

from frontend.doubts import doubt
from frontend.mail_shapes import Email
from frontend.registry_client import Refused
from frontend.states import DECISIONS
from frontend.views import NAMED, go_to, ids_in, registry, render_fragment

bp = Blueprint("desk", __name__, url_prefix="/desk")

PER_PAGE = 25
MAX_REASON, MAX_NAME = 500, 100


@dataclass(frozen=True, slots=True)
class Order:
    """What a person decides, about which mails, why and under which name; and where they came from."""

    decision: str
    ids: tuple[str, ...]
    reason: str
    by: str
    back: str

    @property
    def lacks(self) -> tuple[str, ...]:
        """The fields that must be filled in and are not."""
        return tuple(name for name, value in (("by", self.by), ("reason", self.reason)) if not value)

    @classmethod
    def asked(cls) -> "Order":
        """The order in the address or in the form."""
        decision = request.values.get("decision", "")
        return cls(
            decision if decision in DECISIONS else "was_sent",
            tuple(dict.fromkeys(ids_in(",".join(request.values.getlist("ids")), limit=100))),
            " ".join(request.values.get("reason", "").split())[:MAX_REASON],
            name_given(),
            "mail" if request.values.get("back") == "mail" else "desk",
        )


def name_given() -> str:
    """The name under which a reader decides: it goes from page to page in the address, since the pages keep nothing."""
    return " ".join(request.values.get("by", "").split())[:MAX_NAME]


@bp.get("")
def index() -> ResponseReturnValue:
    """What is held, the oldest first, and below it what may come to be."""
    held = registry().emails(state="held", sort="due_at", limit=PER_PAGE, cursor=request.args.get("cursor"))
    return render_template(
        "desk/index.html",
        held=held,
        doubts=[doubt(mail) for mail in held.items],
        shown=waiting(),
        by=name_given(),
        overtaken=read(ids_in(request.args.get("overtaken"))),
        **unknown(),
    )


@bp.get("/unknown")
def show_unknown() -> ResponseReturnValue:
    """What is still looked up: it changes while one looks on."""
    return render_fragment("desk/_unknown.html", "Still being looked up", **unknown())


@bp.get("/news")
def show_news() -> ResponseReturnValue:
    """Whether another number of mails waits than the `shown` one: the list itself holds what is ticked, and stands still."""
    text = request.args.get("shown", "")
    shown = int(text) if text.isdecimal() and len(text) < 10 else None
    return render_fragment("desk/_news.html", "News of the desk", waiting=waiting(), shown=shown, by=name_given())


@bp.get("/count")
def show_count() -> ResponseReturnValue:
    """How many wait, for the navigation."""
    return render_fragment("desk/_count.html", "Waiting at the desk", waiting=waiting())


@bp.get("/decide")
def ask() -> ResponseReturnValue:
    """The question behind a button, about one mail or several."""
    order = Order.asked()
    if not order.ids:
        return go_to("desk.index", done="none-ticked", by=order.by or None)
    return render_template("desk/ask.html", order=order, mails=read(order.ids), checked=False)


@bp.post("/decide")
def decide() -> ResponseReturnValue:
    """Decide on each, unless somebody else has: then say what they decided. A form that lacks something comes back."""
    order = Order.asked()
    if not order.ids:
        return go_to("desk.index", done="none-ticked", by=order.by or None)
    if order.lacks:
        return render_template("desk/ask.html", order=order, mails=read(order.ids), checked=True), 422
    overtaken = [email_id for email_id in order.ids if not settle(email_id, order)]
    if order.back == "mail":
        done = "overtaken" if overtaken else f"settled-{order.decision}"
        return go_to("mails.show", email_id=order.ids[0], done=done, by=order.by)
    settled = len(order.ids) - len(overtaken)
    return go_to(
        "desk.index",
        done=f"{order.decision}-several" if settled else "overtaken-all",
        count=settled,
        overtaken=",".join(overtaken[:NAMED]) or None,
        by=order.by,
    )


def settle(email_id: str, order: Order) -> bool:
    """Whether this decision is the one on record; False where the mail does not wait for one any more."""
    try:
        registry().settle(email_id, order.decision, reason=order.reason, by=order.by)
    except Refused as refusal:
        if refusal.status not in (404, 409):
            raise
        return False
    return True


def read(ids: Sequence[str]) -> list[Email]:
    """The mails as they stand now; one that was purged meanwhile is left out."""
    found = []
    for email_id in ids:
        try:
            found.append(registry().email(email_id))
        except Refused as refusal:
            if refusal.status != 404:
                raise
    return found


def unknown() -> dict[str, Any]:
    page = registry().emails(state="unknown", sort="due_at", limit=PER_PAGE)
    return {
        "unknown": [doubt(mail) for mail in page.items],
        "more_unknown": page.next_cursor is not None,
    }


def waiting() -> int | None:
    """How many mails are held; None where MongoDB does not answer the registry, or the key may not see the cluster."""
    try:
        counts = registry().cluster()["emails_by_state"]
    except Refused as refusal:
        if refusal.status != 403:
            raise
        return None
    return None if counts is None else counts.get("held", 0)
