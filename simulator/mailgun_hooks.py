"""What Mailgun tells of a mail, by webhook and in its events: the same of each. A webhook's signature is about a token of its own and
not about the event."""

import hashlib
import hmac
import json
import secrets
from collections.abc import Sequence
from typing import Any

from simulator.fates import LINK, Happening

_GIVE_UP = 406


class MailgunHooks:
    """One event a call. Repeated after 5, 10, 15 and 30 minutes, 1, 2 and 4 hours; `delivered` never is."""

    provider = "mailgun"
    waits_seconds: Sequence[float] = (300, 600, 900, 1800, 3600, 7200, 14_400)
    gather_seconds, most = 0.0, 1

    def __init__(self, key: str) -> None:
        self._key = key

    def tells(self, happening: Happening) -> bool:  # noqa: ARG002 of all of them
        return True

    def body(self, happenings: Sequence[Happening], now: float) -> bytes:
        [happening] = happenings
        stamp, token = str(int(now)), secrets.token_hex(25)
        signature = hmac.new(self._key.encode(), f"{stamp}{token}".encode(), hashlib.sha256).hexdigest()
        signed = {"timestamp": stamp, "token": token, "signature": signature}
        return json.dumps({"signature": signed, "event-data": event_data(happening)}).encode()

    def headers(self, body: bytes, now: float) -> dict[str, str]:  # noqa: ARG002 signed inside
        return {"Content-Type": "application/json"}

    def is_over(self, status: int | None, happenings: Sequence[Happening]) -> bool:
        return status in (200, _GIVE_UP) or any(each.kind == "delivered" for each in happenings)


def event_data(happening: Happening) -> dict[str, Any]:
    """The event in Mailgun's words."""
    mail = happening.entry.mail
    shown = {
        "event": happening.kind,
        "id": happening.id,
        "timestamp": happening.at,
        "log-level": "info",
        "recipient": happening.recipient,
        "recipient-domain": happening.recipient.rpartition("@")[2],
        "method": "HTTP",
        "tags": list(mail.tags),
        "campaigns": [],
        "user-variables": mail.variables,
        "flags": {
            "is-routed": False,
            "is-authenticated": True,
            "is-system-test": False,
            "is-test-mode": mail.test_mode,
        },
        "envelope": {"sender": mail.sender, "targets": happening.recipient, "transport": "smtp"},
        "message": {
            "headers": {
                "to": ", ".join(mail.to),
                "message-id": mail.message_id,
                "from": mail.sender,
                "subject": mail.subject,
            },
            "attachments": [],
            "recipients": list(mail.recipients),
            "size": len(mail.text or "") + len(mail.html or ""),
        },
    }
    match happening.kind:
        case "delivered":
            shown["delivery-status"] = {"code": 250, "message": "OK", "description": "", "attempt-no": 1}
        case "bounced":
            shown |= _failed(happening)
        case "opened" | "clicked" | "unsubscribed":
            kind = "robot" if happening.by_machine else "browser"
            shown["client-info"] = {"client-type": kind, "user-agent": happening.agent}
            if happening.kind == "clicked":
                shown["url"] = LINK
    return shown


def _failed(happening: Happening) -> dict[str, Any]:
    """A failure for good either way: what fails for now is tried again, and told of as temporary, until it is given up."""
    reason, code, text = (
        ("bounce", 550, "5.1.1 No such user here") if happening.is_hard else ("generic", 452, "4.2.2 Mailbox full")
    )
    status = {"code": code, "message": text, "description": "", "attempt-no": 1}
    return {
        "event": "failed",
        "severity": "permanent",
        "reason": reason,
        "log-level": "error",
        "delivery-status": status,
    }
