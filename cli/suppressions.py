"""`fencepost suppressions`: addresses that get no mail."""

from typing import Any

import click

from cli.client import Client, path
from cli.output import Column, Output
from cli.remote import paged, remote
from cli.values import SUPPRESSION, given

_REASON = click.Choice(["bounce", "complaint", "unsubscribe", "manual"])
_SCOPE = click.Choice(["all", "bulk"])


@click.group()
def suppressions() -> None:
    """Addresses that get no mail."""


@suppressions.command("list")
@click.option("--q", metavar="TEXT", help="How the address begins.")
@click.option("--reason", type=_REASON, help="Only those with this reason.")
@click.option("--scope", type=_SCOPE, help="Only those of this scope.")
@paged
@remote
def list_suppressions(client: Client, out: Output, *, most: int | None, **filters: Any) -> None:
    """List addresses that get no mail, and why; the newest first."""
    out.show(client.pages("/suppressions", filters, most), _table)


@suppressions.command("add")
@click.argument("email", metavar="ADDRESS")
@click.option("--reason", type=_REASON, default="manual", show_default=True)
@click.option("--scope", type=_SCOPE, default="all", show_default=True, help="All mail, or only what goes to many.")
@click.option("--detail", metavar="TEXT", help="Where it comes from; it stays on record.")
@remote
def add_suppression(client: Client, out: Output, email: str, detail: str | None, **choices: str) -> None:
    """Send this address no more mail."""
    out.show(client.post("/suppressions", {"email": email, **choices, **given(detail=detail)}), Output.everything)


@suppressions.command("remove")
@click.argument("suppression_id", metavar="ID", type=SUPPRESSION)
@remote
def remove_suppression(client: Client, out: Output, suppression_id: str) -> None:
    """Let an address get mail again."""
    out.show(
        client.delete(path("suppressions", suppression_id)), lambda out, _: out.say(f"{suppression_id} is removed.")
    )


def _table(out: Output, found: Any) -> None:
    rows = [
        (each["id"], each.get("reason"), each.get("scope"), out.time(each.get("created_at")), each["email"])
        for each in found["data"]
    ]
    columns = [Column("ID", "word"), Column("Reason"), Column("Scope"), Column("Since", "time"), Column("Address")]
    out.table(columns, rows, "No address is suppressed.")
    out.more(found)
