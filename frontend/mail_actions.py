"""What a person does to a mail from its page: cancel it, put it off, send it now, send it again. Each asks on a page of its own
where there is no script to open a dialog."""

from zoneinfo import available_timezones

from flask import Blueprint, render_template, request
from flask.typing import ResponseReturnValue

from frontend.formatting import from_wall_time, parse
from frontend.mail_shapes import Email
from frontend.mailing import mailing
from frontend.registry_client import Refused
from frontend.views import go_to, now, registry
from frontend.visitors import visitor

bp = Blueprint("mail_actions", __name__, url_prefix="/mails/<id:email_id>")

MAX_REASON = 500


def allowed(mail: Email) -> list[str]:
    """What can be done with it as it stands: the names of the questions below."""
    if mail["state"] in ("failed", "expired"):
        return ["replay"]
    if mail["state"] != "pending":
        return []
    # A schedule's own mail follows its schedule.
    is_own = mail["origin"] == "api"
    is_later = is_own and parse(mail["due_at"]) > now()
    return [*(["hurry"] if is_later else []), *(["reschedule"] if is_own else []), "cancel"]


@bp.get("/<any(cancel, reschedule, hurry, replay):action>")
def ask(email_id: str, action: str) -> ResponseReturnValue:
    """The question behind a button, as a page."""
    mail = registry().email(email_id)
    return render_template("mails/ask.html", mail=mail, action=action, allowed=action in allowed(mail), errors={})


@bp.post("/cancel")
def cancel(email_id: str) -> ResponseReturnValue:
    try:
        mailing().cancel(email_id, reason_given())
    except Refused as refusal:
        return overtaken(email_id, refusal)
    return go_to("mails.show", email_id=email_id, done="mail-cancelled")


@bp.post("/hurry")
def hurry(email_id: str) -> ResponseReturnValue:
    """Bring it forward to now."""
    try:
        mailing().reschedule(email_id, f"{now():%Y-%m-%dT%H:%M:%SZ}")
    except Refused as refusal:
        return overtaken(email_id, refusal)
    return go_to("mails.show", email_id=email_id, done="mail-hurried")


@bp.post("/reschedule")
def reschedule(email_id: str) -> ResponseReturnValue:
    """Put it off, or bring it forward; a time that is none comes back with what is wrong."""
    typed = {name: request.form.get(name, "").strip() for name in ("at", "timezone")}
    errors = {}
    if not typed["at"]:
        errors["at"] = "say when it is to be sent instead"
    if typed["timezone"] not in available_timezones():
        errors["timezone"] = "is no time zone; take one by region and city, such as Europe/Berlin, or UTC"
    if not errors:
        try:
            mailing().reschedule(email_id, from_wall_time(typed["at"], typed["timezone"]))
        except Refused as refusal:
            if refusal.status != 422:
                return overtaken(email_id, refusal)
            errors["at"] = next((each.detail for each in refusal.problems), str(refusal))
        else:
            return go_to("mails.show", email_id=email_id, done="mail-rescheduled")
    mail = registry().email(email_id)
    page = render_template("mails/ask.html", mail=mail, action="reschedule", allowed=True, typed=typed, errors=errors)
    return page, 422


@bp.post("/replay")
def replay(email_id: str) -> ResponseReturnValue:
    """Send it again, which its owner may ask for where it failed or expired."""
    try:
        mailing().replay(email_id, reason_given(), visitor().name)
    except Refused as refusal:
        return overtaken(email_id, refusal)
    return go_to("mails.show", email_id=email_id, done="mail-replayed")


def reason_given() -> str:
    return " ".join(request.form.get("reason", "").split())[:MAX_REASON]


def overtaken(email_id: str, refusal: Refused) -> ResponseReturnValue:
    """A sender was faster, or another person: nothing was changed, and the mail's page says how it stands now."""
    if refusal.status != 409:
        raise refusal
    return go_to("mails.show", email_id=email_id, done="mail-too-late")
