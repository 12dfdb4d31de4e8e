"""`fencepost explain`: why a mail was, or was not, sent; what holds a schedule at an instant."""

from typing import Any

import click

from cli.client import Client, path
from cli.output import Column, Output
from cli.remote import remote
from cli.values import EMAIL_OR_SCHEDULE, INSTANT

_HOLDS = {True: "holds", False: "passes", None: "not known"}


@click.command()
@click.argument("identifier", metavar="EMAIL|SCHEDULE", type=EMAIL_OR_SCHEDULE)
@click.option(
    "--at", type=INSTANT, metavar="INSTANT", help="Of a schedule: at this instant; by default at its next run."
)
@remote
def explain(client: Client, out: Output, identifier: str, at: str | None) -> None:
    """Say why a mail is not sent, or came not at all.

    Each gate on the way of a mail, or of an instant of a schedule, and the first that holds it back.
    """
    if at and identifier.startswith("eml_"):
        raise click.UsageError("--at is for schedules; a mail is explained as it stands")
    what = "schedules" if identifier.startswith("sch_") else "emails"
    out.show(client.get(path(what, identifier, "explain"), {"at": at}), _explained)


def _explained(out: Output, found: Any) -> None:
    out.say(found["verdict"])
    if found.get("next_try_at"):
        out.say(f"It is tried next at {out.time(found['next_try_at'])}.")
    out.heading("Gates")
    rows = [
        (
            gate.get("title") or gate["gate"],
            _HOLDS[gate["holds"]],
            gate.get("until") and out.time(gate["until"]),
            gate["detail"],
        )
        for gate in found["gates"]
    ]
    out.table([Column("Gate"), Column("State", "state"), Column("Until", "time"), Column("Detail")], rows, "None.")
