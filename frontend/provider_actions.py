"""What a person does to a provider: change its weight, switch it off and on, send a sample through it, have it tell us what becomes
of mail. Each asks on a page of its own."""

from collections.abc import Mapping
from typing import Any, Final

from flask import Blueprint, render_template, request
from flask.typing import ResponseReturnValue

from fencepost.provider_names import as_written
from frontend.desk import name_given
from frontend.formatting import address
from frontend.operating import operating
from frontend.provider_words import REGISTRATIONS, weight_text
from frontend.providers import one
from frontend.registry_client import Refused
from frontend.views import go_to, new_key, registry
from frontend.visitors import visitor

bp = Blueprint("provider_actions", __name__, url_prefix="/providers/<provider:name>")

MAX_REASON: Final = 500
TEST_SECONDS: Final = 3600
"""A sample that could not be sent for so long is not sent any more."""


@bp.get("/weight")
def ask_weight(name: str) -> ResponseReturnValue:
    """The form."""
    found = one(name)
    given = {"weight": weight_text(found["provider"]["weight"]), "reason": "", "by": name_given()}
    return render_template("providers/weight.html", **found, given=given, errors={})


@bp.post("/weight")
def weigh(name: str) -> ResponseReturnValue:
    """Change it; the form comes back where there is no such weight."""
    given = _given("weight", "reason", "by")
    try:
        weight = float(given["weight"].replace(",", ".")) if given["weight"] else None
        operating().change_provider(name, {"weight": weight, **_why(given)})
    except (ValueError, Refused) as error:
        errors = _errors(error) if isinstance(error, Refused) else {"weight": "is a number from 0 to 1000, or nothing"}
        return render_template("providers/weight.html", **one(name), given=given, errors=errors), 422
    return go_to("providers.show", name=name, done="provider-changed")


@bp.get("/<any(off, on):turn>")
def ask_turn(name: str, turn: str) -> ResponseReturnValue:
    """The question before: it says who carries the mail then."""
    found = one(name)
    others = [each for each in found["providers"] if each["enabled"] and each["name"] != name]
    return render_template("providers/turn.html", **found, turn=turn, others=others, by=name_given())


@bp.post("/<any(off, on):turn>")
def switch(name: str, turn: str) -> ResponseReturnValue:
    operating().change_provider(name, {"enabled": turn == "on", **_why(_given("reason", "by"))})
    return go_to("providers.show", name=name, done=f"provider-{turn}")


@bp.get("/test")
def ask_test(name: str) -> ResponseReturnValue:
    """The form of a sample. Its key comes with it, so that sending it twice sends one mail."""
    given = {"to": "", "from": last_sender(), "key": new_key()}
    return render_template("providers/test.html", **one(name), given=given, errors={})


@bp.post("/test")
def send_test(name: str) -> ResponseReturnValue:
    """Send it, and go on to its page, where the time-line tells how it fares."""
    given = _given("to", "from", "key")
    try:
        email_id = operating().send(sample(name, given), key=given["key"] or new_key())
    except Refused as refusal:
        if refusal.status != 422:
            raise
        fresh = {**given, "key": new_key()}  # the old one stands for what was refused
        return render_template("providers/test.html", **one(name), given=fresh, errors=_errors(refusal)), 422
    return go_to("mails.show", email_id=email_id, done="test-sent")


@bp.get("/webhook")
def ask_webhook(name: str) -> ResponseReturnValue:
    """What registering it does, or what keeps it."""
    return render_template("providers/webhook.html", **one(name), done=None, refused="", registrations=REGISTRATIONS)


@bp.post("/webhook")
def register_webhook(name: str) -> ResponseReturnValue:
    """Register it, and say what came of it; loaded again it is registered again, which changes nothing."""
    try:
        done, refused, status = operating().register_webhook(name, by=visitor().name), "", 200
    except Refused as refusal:
        if refusal.status not in (409, 503):
            raise
        done, refused, status = None, str(refusal), refusal.status
    page = render_template(
        "providers/webhook.html", **one(name), done=done, refused=refused, registrations=REGISTRATIONS
    )
    return page, status


def sample(name: str, given: Mapping[str, str]) -> dict[str, Any]:
    """The mail, for this provider and no other."""
    title = f"A test of {as_written(name)}"
    text = f"This is a test that somebody sent from the page of providers. It came through {as_written(name)}, so that works.\n"
    return {
        "from": given["from"],
        "to": [given["to"]],
        "subject": title,
        "text": text,
        "html": f"<h1>{title}</h1><p>{text.strip()}</p>",
        "providers": [name],
        "priority": "high",
        "ttl_seconds": TEST_SECONDS,
        "tags": ["test"],
    }


def last_sender() -> str:
    """Who sent last: most likely an address that providers let us send from. Empty where nobody did, or it may not be read."""
    try:
        mails = registry().emails(limit=1).items
    except Refused:
        return ""
    return address(mails[0]["from"]) if mails else ""


def _given(*names: str) -> dict[str, str]:
    return {name: " ".join(request.form.get(name, "").split())[:MAX_REASON] for name in names}


def _why(given: Mapping[str, str]) -> dict[str, str]:
    """The reason, and who decides: whoever is signed in, unless they say a name."""
    return {"by": given["by"] or visitor().name, **({"reason": given["reason"]} if given["reason"] else {})}


def _errors(refusal: Refused) -> dict[str, str]:
    """What is wrong, by the field of the form."""
    found = {problem.pointer.strip("/").partition("/")[0]: problem.detail for problem in refusal.problems}
    return found or {"form": str(refusal)}
