"""What `fencepost dev --demo` puts in: schedules to look at, the first of which fires within ten seconds."""

from datetime import UTC, datetime, timedelta
from typing import Any

import requests

FIRST_MAIL_SECONDS = 6
_TIMEOUT_SECONDS = 10


def create(registry_url: str, *, now: datetime, sender_domain: str) -> list[str]:
    """Create the schedules at the registry and return their names; those of an earlier run that kept its data stay alone.
    Raises requests.RequestException."""
    with requests.Session() as session:
        known = _names(session, registry_url)
        wanted = [schedule for schedule in schedules(now, sender_domain) if schedule["name"] not in known]
        for schedule in wanted:
            answer = session.post(f"{registry_url}/schedules", json=schedule, timeout=_TIMEOUT_SECONDS)
            answer.raise_for_status()
    return [schedule["name"] for schedule in wanted]


def schedules(now: datetime, sender_domain: str) -> list[dict[str, Any]]:
    """The demo's schedules, as POST /schedules takes them. `now` is aware."""
    first = now.astimezone(UTC).replace(microsecond=0) + timedelta(seconds=FIRST_MAIL_SECONDS)
    sender = {"email": f"fencepost@{sender_domain}", "name": "Fencepost"}

    def mail(to: str, name: str, subject: str, text: str) -> dict[str, Any]:
        return {"from": sender, "to": [{"email": to, "name": name}], "subject": subject, "text": text}

    return [
        {
            "name": f"Demo: hello, started {first:%H:%M:%S}",
            "recurrence": {"type": "once", "at": first.isoformat().replace("+00:00", "Z"), "timezone": "UTC"},
            "message": mail(
                "ada@example.com", "Ada", "Hello from Fencepost", "This mail was sent once, at its instant."
            ),
        },
        {
            "name": "Demo: every minute",
            "recurrence": {"type": "interval", "every": "1m"},
            "message": mail(
                "grace@example.com", "Grace", "A minute has passed", "Stop a sender: the next one still comes."
            ),
        },
        {
            "name": "Demo: working days at nine in Berlin",
            "recurrence": {"type": "cron", "expression": "0 9 * * 1-5", "timezone": "Europe/Berlin"},
            "message": mail("konrad@example.com", "Konrad", "Good morning", "The same hour in summer and in winter."),
        },
    ]


def _names(session: requests.Session, registry_url: str) -> set[str]:
    answer = session.get(f"{registry_url}/schedules", params={"q": "Demo", "limit": "100"}, timeout=_TIMEOUT_SECONDS)
    answer.raise_for_status()
    return {schedule["name"] for schedule in answer.json()["data"]}
