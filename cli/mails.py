"""`fencepost mails`: which there are, and the story of one."""

from typing import Any

import click

from cli.client import Client, path
from cli.output import Column, Output, yes_or_no
from cli.remote import paged, remote
from cli.texts import counts, mailbox, mailboxes
from cli.values import BATCH, EMAIL, INSTANT, OCCURRENCE, SCHEDULE

STATES = (
    *("pending", "sending", "accepted", "delivered", "bounced", "complained", "failed", "unknown", "held"),
    *("cancelled", "suppressed", "expired", "skipped"),
)


@click.group()
def mails() -> None:
    """List mails, show one."""


@mails.command("list")
@click.option("--state", type=click.Choice(STATES))
@click.option("--to", metavar="ADDRESS", help="The whole address of a recipient.")
@click.option("--schedule", "schedule_id", type=SCHEDULE, help="Of this schedule.")
@click.option("--occurrence", "occurrence_id", type=OCCURRENCE, help="Of this occurrence.")
@click.option("--batch", "batch_id", type=BATCH, help="Of this request.")
@click.option("--provider")
@click.option("--tag")
@click.option("--since", "from_", type=INSTANT, metavar="INSTANT", help="Due then or later, such as -2h.")
@click.option("--until", type=INSTANT, metavar="INSTANT", help="Due before that.")
@click.option("--oldest-first", is_flag=True, help="The earliest due first; the latest by default.")
@paged
@remote
def list_mails(
    client: Client, out: Output, *, most: int | None, from_: str | None, oldest_first: bool, **filters: Any
) -> None:
    """List mails, the latest due first."""
    query = {**filters, "from": from_, "sort": "due_at" if oldest_first else None}
    out.show(client.pages("/emails", query, most), mail_table)


@mails.command("show")
@click.argument("email_id", metavar="ID", type=EMAIL)
@remote
def show_mail(client: Client, out: Output, email_id: str) -> None:
    """Show one mail: how it stands, and all that happened to it."""
    out.show(client.get(path("emails", email_id)), story)


@click.command()
@click.argument("batch_id", metavar="ID", type=BATCH)
@remote
def batch(client: Client, out: Output, batch_id: str) -> None:
    """Show how the mails of one request stand."""
    out.show(client.get(path("batches", batch_id)), _standing)


def mail_table(out: Output, found: Any) -> None:
    """A page of mails."""
    rows = [
        (
            email["id"],
            email["state"],
            out.time(email["due_at"]),
            ": ".join(filter(None, (mailboxes(email["to"]), email["subject"]))),
        )
        for email in found["data"]
    ]
    columns = [Column("ID", "word"), Column("State", "state"), Column("Due", "time"), Column("To: subject")]
    out.table(columns, rows, "No mail is like that.")
    out.more(found)


def story(out: Output, email: Any) -> None:
    """One mail with its time-line."""
    out.facts(
        [
            ("id", email["id"]),
            ("state", email["state"]),
            ("reason", email["reason"]),
            ("from", mailbox(email["from"])),
            ("to", ", ".join(map(mailbox, email["to"]))),
            ("subject", email["subject"]),
            ("due", out.time(email["due_at"])),
            ("expires", email.get("expires_at") and out.time(email["expires_at"])),
            ("priority", email.get("priority")),
            ("tags", ", ".join(email.get("tags") or ()) or None),
            ("schedule", _schedule(email)),
            ("batch", email.get("batch_id")),
            ("provider", email["provider"]),
            ("receipt", email["receipt"]),
            ("test", yes_or_no(True) if email.get("test") else None),
            ("looked up next", email.get("look_up_at") and out.time(email["look_up_at"])),
            ("decided at the latest", email.get("decision_due_at") and out.time(email["decision_due_at"])),
            *(
                (name, out.time(at) if isinstance(at, str) else at)
                for name, at in (email.get("tracking") or {}).items()
            ),
        ]
    )
    out.heading("What happened")
    rows = [(out.time(event["at"], exact=True), event["event"], event["detail"]) for event in email["timeline"]]
    out.table([Column("When"), Column("What", "word"), Column("Detail")], rows, "Nothing yet.")


def _schedule(email: Any) -> str | None:
    if not email["schedule_id"]:
        return None
    return f"{email['schedule_id']} {email['schedule_name'] or ''}".strip()


def _standing(out: Output, found: Any) -> None:
    out.facts(
        [
            ("id", found["id"]),
            ("subject", found["subject"]),
            ("created", out.time(found["created_at"])),
            ("mails", found["count"]),
            ("by state", counts(found["by_state"])),
        ]
    )
