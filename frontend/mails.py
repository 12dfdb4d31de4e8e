"""Mails: the list, the page of one with its time-line, and its content behind glass."""

from datetime import datetime, timedelta
from typing import Any

from flask import Blueprint, abort, render_template, request
from flask.typing import ResponseReturnValue

from frontend import explanations, mail_actions
from frontend.desk import Order, name_given
from frontend.formatting import from_wall_time, parse, path_of
from frontend.mail_shapes import Email, Explanation
from frontend.mailing import mailing
from frontend.registry_client import Page, Refused
from frontend.shapes import Schedule
from frontend.states import DECISIONS, EMAILS
from frontend.views import now, registry, render_fragment, sealed, wants_fragment

bp = Blueprint("mails", __name__)

PER_PAGE = 25
FILTERS = ("state", "schedule", "to", "period", "from", "until", "tag", "provider", "batch_id", "occurrence_id")
PERIODS = {
    "1h": ("Last hour", timedelta(hours=1)),
    "24h": ("Last 24 hours", timedelta(days=1)),
    "7d": ("Last 7 days", timedelta(days=7)),
}


@bp.get("/mails")
def index() -> ResponseReturnValue:
    """The list; for htmx only its rows."""
    shown = list_filters()
    schedule = find_schedule(shown["schedule"])
    page, wrong = None, ""
    if schedule or not shown["schedule"]:
        page, wrong = found(api_filters(shown, schedule, now()))
    if wants_fragment():
        return render_template("mails/_results.html", page=page, wrong=wrong, shown=shown, schedule=schedule)
    return render_template(
        "mails/index.html",
        page=page,
        wrong=wrong,
        shown=shown,
        schedule=schedule,
        names=schedule_names(),
        periods=PERIODS,
        mail_states=EMAILS,
        providers=mailing().providers(),
    )


def found(filters: dict[str, str | None]) -> tuple[Page[Email] | None, str]:
    """The page of the list that is asked for; or None, and what the registry finds wrong with these filters."""
    try:
        return registry().emails(**filters, limit=PER_PAGE, cursor=request.args.get("cursor")), ""
    except Refused as refusal:
        if refusal.status != 422:
            raise
        return None, "; ".join(f"{path_of(each.pointer)} {each.detail}" for each in refusal.problems) or str(refusal)


def schedule_names() -> list[str]:
    """Those to choose from; none for whoever may read mail and no schedules."""
    try:
        return [item["name"] for item in registry().schedules(limit=100).items]
    except Refused as refusal:
        if refusal.status != 403:
            raise
        return []


def list_filters() -> dict[str, str]:
    """What the address asks for; values that mean nothing are left out."""
    shown = {name: request.args.get(name, "").strip()[:300] for name in FILTERS}
    shown["state"] = shown["state"] if shown["state"] in EMAILS else ""
    shown["period"] = shown["period"] if shown["period"] in PERIODS else ""
    return shown


def find_schedule(wanted: str) -> Schedule | None:
    """The schedule of that id, or the one of that name; None where there is none, or nothing is asked."""
    if not wanted:
        return None
    if wanted.startswith("sch_") and wanted.removeprefix("sch_").isalnum():
        return registry().schedule(wanted)
    # One that has ended is in the archive, its mails are not.
    found = [
        *registry().schedules(q=wanted, limit=50).items,
        *registry().schedules(q=wanted, status="archived", limit=50).items,
    ]
    exact = [schedule for schedule in found if schedule["name"].casefold() == wanted.casefold()]
    return next(iter(exact or found), None)


def api_filters(shown: dict[str, str], schedule: Schedule | None, instant: datetime) -> dict[str, str | None]:
    """The same in the API's words. Typed times are UTC, as the page says; a period counts back from `instant`."""
    since = from_wall_time(shown["from"], "UTC")
    if shown["period"]:
        since = f"{instant - PERIODS[shown['period']][1]:%Y-%m-%dT%H:%M:%S}Z"
    return {
        "state": shown["state"],
        "to": shown["to"],
        "schedule_id": schedule["id"] if schedule else None,
        **{name: shown[name] for name in ("tag", "provider", "batch_id", "occurrence_id")},
        "from": since,
        "until": from_wall_time(shown["until"], "UTC"),
    }


@bp.get("/mails/<id:email_id>")
def show(email_id: str) -> ResponseReturnValue:
    """One mail: where it stands, how it got there, and what it says."""
    orders = {name: Order(name, (email_id,), "", name_given(), "mail") for name in DECISIONS}
    return render_template("mails/show.html", **one(email_id), view=view(), orders=orders)


@bp.get("/mails/<id:email_id>/timeline")
def show_timeline(email_id: str) -> ResponseReturnValue:
    """Its state and time-line, which change while one looks on."""
    return render_fragment("mails/_story.html", "Time-line", **one(email_id))


@bp.get("/mails/<id:email_id>/content")
def show_content(email_id: str) -> ResponseReturnValue:
    """Its own HTML, for the sandboxed frame: a document that may load nothing and run nothing.

    :raise 404: it has no HTML.
    """
    html = registry().email(email_id).get("html")
    if not html:
        abort(404, "This mail has no HTML.")
    return sealed(html)


def one(email_id: str) -> dict[str, Any]:
    mail = registry().email(email_id)
    stopped = {attempt["fenced_at"] for attempt in mail["attempts"] if attempt["fence"] not in (None, "ok")}
    return {
        "mail": mail,
        "open": is_open(mail),
        "every_seconds": every_seconds(mail, now()),
        "stopped_at": stopped,
        "verbs": mail_actions.allowed(mail),
        "explanation": explained(mail),
    }


def explained(mail: Email) -> Explanation | None:
    """Why it is not sent yet; None where it is, or has ended, or nothing can be said: the page opens all the same."""
    if not explanations.is_explained(mail):
        return None
    try:
        return mailing().explain(mail["id"])
    except Refused:
        return None


def is_open(mail: Email) -> bool:
    """Whether it may still change by itself, so that its page keeps looking."""
    return mail["state"] in ("pending", "sending", "unknown", "accepted", "delivered")


def every_seconds(mail: Email, instant: datetime) -> int:
    """How often its page looks: often while something happens to it, seldom while it only waits for its time or its reader."""
    if mail["state"] == "pending" and parse(mail["due_at"]) > instant + timedelta(minutes=1):
        return 10
    return 5 if mail["state"] in ("accepted", "delivered") else 2


def view() -> str:
    return "text" if request.args.get("view") == "text" else "html"
