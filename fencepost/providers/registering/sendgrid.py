"""SendGrid's Event Webhooks (`/v3/user/webhooks/event/settings`): one of ours for all kinds, and signed. Pure.

The key that verifies the signatures is SendGrid's to make; what it is, its answer tells.
"""

from typing import Any

from fencepost.providers import answers, fields
from fencepost.providers.registering.steps import Call, Registered, Result, Steps, entries, read
from fencepost.settings import SendGrid

KINDS = (
    "processed", "delivered", "deferred", "bounce", "dropped", "spam_report", "open", "click", "unsubscribe",
    "group_unsubscribe", "group_resubscribe",
)  # fmt: skip
_KEY = "FENCEPOST_PROVIDERS__SENDGRID__WEBHOOK_PUBLIC_KEY"
_RIGHTS = "the key in FENCEPOST_PROVIDERS__SENDGRID__API_KEY needs full access to Mail Settings, Event Notification"


def register(settings: SendGrid, url: str) -> Steps:
    """Have one webhook tell this address of everything, signed; those of others stay."""
    origin = fields.origin("FENCEPOST_PROVIDERS__SENDGRID__BASE_URL", settings.base_url, "api.sendgrid.com")
    place = f"{origin}/v3/user/webhooks/event/settings"
    headers = {"Authorization": f"Bearer {settings.api_key.get_secret_value()}", "User-Agent": "fencepost"}
    typed = {**headers, "Content-Type": "application/json"}
    found = _read((yield Call("GET", f"{place}/all", headers)))
    ours = next((each for each in entries(found, "SendGrid", "webhooks") if answers.at(each, "url") == url), None)
    known = [kind for kind in KINDS if answers.at(ours, "enabled") is True and answers.at(ours, kind) is True]
    if len(known) < len(KINDS):
        wanted = {"enabled": True, "url": url, **dict.fromkeys(KINDS, True), "friendly_name": "Fencepost"}
        identifier = answers.at(ours, "id")
        method, where = ("PATCH", f"{place}/{identifier}") if identifier else ("POST", place)
        ours = _read((yield Call(method, where, typed, fields.as_json(wanted))))  # type: ignore[arg-type] # one of two
    signed = f"{place}/signed/{answers.at(ours, 'id')}"
    key = answers.at(_read((yield Call("GET", signed, headers))), "public_key")
    if not key:
        key = answers.at(_read((yield Call("PATCH", signed, typed, fields.as_json({"enabled": True})))), "public_key")
    kinds = {kind: Result.KNOWN if kind in known else Result.REGISTERED for kind in KINDS}
    return Registered(kinds, _key_needed(settings, str(key or "")))


def _read(reply: Any) -> Any:
    return read(reply, "SendGrid", _RIGHTS, ("errors", 0, "message"))


def _key_needed(settings: SendGrid, key: str) -> tuple[str, ...]:
    if not key:
        return (f"SendGrid did not say with which key it signs: copy it from Mail Settings, Event Webhooks to {_KEY}.",)
    if key in (settings.webhook_public_key, settings.webhook_public_key_before):
        return ()
    return (f"SendGrid signs with a key that is not set here, so its calls are refused until it is: {_KEY}={key}",)
