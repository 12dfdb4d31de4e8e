"""The form that sends mail once, now or later. Nothing typed is ever lost, and a form that is sent twice sends once."""

from typing import Any

from flask import Blueprint, render_template, request
from flask.typing import ResponseReturnValue

from frontend import mail_values, send_values, uploads
from frontend.mailing import mailing
from frontend.previews import with_table
from frontend.registry_client import Refused, RegistryDown
from frontend.views import go_to, new_key, now, registry, render_fragment

bp = Blueprint("mail_form", __name__, url_prefix="/mails/new")


@bp.get("")
def new() -> ResponseReturnValue:
    """An empty form, or one that holds what another mail says (`?like=eml_…`)."""
    values = dict(send_values.DEFAULTS)
    if like := request.args.get("like"):
        mail = registry().email(like)
        # Its files are not taken along: whoever sends them again says so.
        values |= mail_values.fields_of({**mail, "attachments": ()}) | {"tags": ", ".join(mail["tags"])}
    return _page(values)


@bp.post("")
def send() -> ResponseReturnValue:
    """Send it and go to the mail, or to the batch if there are several; refused, the form comes back with what is wrong."""
    values = _typed()
    if request.form.get("do") in ("add-recipients", "show-summary"):
        return _helped(values)
    wrong = send_values.incomplete(values)
    if large := uploads.too_large(values["attachments"]):
        wrong["attachments"] = large
    if wrong:
        return _page(values, status=422, errors={name: [sentence] for name, sentence in wrong.items()})
    key = request.form.get("key") or new_key()
    try:
        made = mailing().send(send_values.body(values, mailing().providers()), key=key)
    except Refused as refusal:
        return _refused(values, refusal, key)
    except RegistryDown as down:
        # With the same key again, because the first try may have arrived.
        return _page(values, status=503, others=[_unanswered(down)], key=key)
    if len(made["emails"]) == 1:
        return go_to("mails.show", email_id=made["emails"][0]["id"], done="mail-sent")
    return go_to("batches.show", batch_id=made["id"], done="mails-sent")


@bp.post("/summary")
def show_summary() -> ResponseReturnValue:
    """What would leave, and when, for the fields as they are typed."""
    values = send_values.from_form(request.form)
    return render_fragment("mail_form/_summary.html", "What leaves", summary=send_values.summary(values, now()))


_ARRIVED = (
    "Your first try did arrive, so that mail is on its way as you had typed it then: look at your mails first. "
    "Sending this form now sends another mail."
)


def _typed() -> dict[str, str]:
    values = send_values.from_form(request.form)
    kept, uploaded = request.form.getlist("keep_file"), request.files.getlist("files")
    return values | {"attachments": uploads.with_files(values["attachments"], kept, uploaded)}


def _helped(values: dict[str, str]) -> ResponseReturnValue:
    """The form again with what a button asked for, for browsers without scripts."""
    pasted = None
    if request.form.get("do") == "add-recipients":
        values, pasted = with_table(values, request.form.get("table", ""))
    return _page(values, pasted=pasted, key=request.form.get("key"))


def _refused(values: dict[str, str], refusal: Refused, key: str) -> ResponseReturnValue:
    if refusal.kind == "key-reused":
        return _page(values, status=409, others=[_ARRIVED])
    if refusal.status in (401, 403):
        raise refusal
    errors, others = send_values.place(refusal.problems)
    if not errors and not others:
        others = [str(refusal)]
    values = mail_values.one_recipient_a_line(values)
    # The first of two equal requests may still be under way; what was refused is another mail once it is mended.
    return _page(values, status=refusal.status, errors=mail_values.plainer(errors, values), others=others, key=key)


def _page(
    values: dict[str, str],
    *,
    status: int = 200,
    errors: dict[str, list[str]] | None = None,
    others: list[str] | None = None,
    **context: Any,
) -> ResponseReturnValue:
    page = render_template(
        "mail_form/form.html",
        values=values,
        errors=errors or {},
        others=others or [],
        labels=send_values.LABELS,
        units=send_values.UNITS,
        priorities=send_values.PRIORITIES,
        providers=_providers(),
        summary=send_values.summary(values, now()),
        **context,
    )
    return page, status


def _providers() -> list[str]:
    """Those to choose from; none while the registry does not answer, which keeps nobody from typing."""
    try:
        return mailing().providers()
    except (RegistryDown, Refused):
        return []


def _unanswered(down: RegistryDown) -> str:
    return (
        f"Nothing is known to be sent: {down}. What you typed is still here; send it again when the registry is back: "
        "it goes out once, even if this try did arrive."
    )
