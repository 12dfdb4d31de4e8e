"""What Mailjet tells of a mail: arrays of events, with nothing to show for it but the user and password of the address."""

import json
from base64 import b64encode
from collections.abc import Sequence
from typing import Any

from simulator.fates import LINK, Happening

_KINDS = {
    "delivered": "sent",
    "bounced": "bounce",
    "opened": "open",
    "clicked": "click",
    "complained": "spam",
    "unsubscribed": "unsub",
}


class MailjetHooks:
    """What happens within a second goes in one call. Repeated every 30 seconds for a day, until it is answered with 200."""

    provider = "mailjet"
    waits_seconds: Sequence[float] = (30.0,) * 2880
    gather_seconds, most = 1.0, 1000

    def __init__(self, credentials: str) -> None:
        """`user:password`."""
        self._authorization = f"Basic {b64encode(credentials.encode()).decode()}"

    def tells(self, happening: Happening) -> bool:
        """It says nothing of mail that it has taken until the recipient's server has it."""
        return happening.kind in _KINDS

    def body(self, happenings: Sequence[Happening], now: float) -> bytes:  # noqa: ARG002 no time but the events'
        return json.dumps([event(each) for each in happenings]).encode()

    def headers(self, body: bytes, now: float) -> dict[str, str]:  # noqa: ARG002 nothing is signed
        return {"Content-Type": "application/json", "Authorization": self._authorization}

    def is_over(self, status: int | None, happenings: Sequence[Happening]) -> bool:  # noqa: ARG002
        return status == 200


def event(happening: Happening) -> dict[str, Any]:
    """It in Mailjet's words."""
    mail = happening.entry.mail
    payload = {name: value for name, value in mail.variables.items() if name != "CustomID"}
    shown: dict[str, Any] = {
        "event": _KINDS[happening.kind],
        "time": int(happening.at),
        "MessageID": int(mail.message_id[:8], 16),
        "Message_GUID": mail.message_id,
        "email": happening.recipient,
        "mj_campaign_id": 0,
        "mj_contact_id": 0,
        "customcampaign": "",
        "CustomID": mail.variables.get("CustomID", ""),
        "Payload": json.dumps({**payload, "fencepost_tags": list(mail.tags)}, separators=(",", ":")),
    }
    match happening.kind:
        case "delivered":
            shown |= {"mj_message_id": str(shown["MessageID"]), "smtp_reply": "250 2.0.0 OK"}
        case "bounced":
            wrong = ("recipient", "user unknown") if happening.is_hard else ("mailbox inactive", "mailbox full")
            shown |= {"blocked": False, "hard_bounce": happening.is_hard, "comment": ""}
            shown |= dict(zip(("error_related_to", "error"), wrong, strict=True))
        case "opened" | "clicked":
            shown |= {"ip": "192.0.2.1", "geo": "", "agent": happening.agent}
            shown |= {"url": LINK} if happening.kind == "clicked" else {}
        case "complained":
            shown["source"] = "JMRPP"
        case "unsubscribed":
            shown |= {"mj_list_id": 1, "ip": "192.0.2.1", "geo": "", "agent": happening.agent}
    return shown
