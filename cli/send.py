"""`fencepost send`: one mail, to one or to many."""

import time
import uuid
from collections.abc import Callable
from typing import Any, Final

import click

from cli.client import Client, path
from cli.errors import Failed
from cli.mails import mail_table
from cli.message import Written, written
from cli.output import Column, Output
from cli.remote import remote
from cli.texts import counts
from cli.values import INSTANT, SECONDS, given

_WENT_WELL: Final = frozenset({"accepted", "delivered"})
_UNDER_WAY: Final = frozenset({"pending", "sending", "unknown"})
_POLL_SECONDS: Final = (0.2, 2.0)
UNKNOWN = click.Choice(["hold", "resend", "resend_at_once"])
PRIORITY = click.Choice(["high", "normal", "low"])


@click.command()
@written()
@click.option(
    "--at", type=INSTANT, metavar="INSTANT", help="Not before: 2026-03-29T09:00:00+02:00, local time, or +15m."
)
@click.option("--priority", type=PRIORITY, help="What goes first when there is more than can be sent at once.")
@click.option("--ttl", type=SECONDS, metavar="DURATION", help="Worthless so long after it was due: 90s, 15m, 2h, 3d.")
@click.option("--provider", "providers", multiple=True, help="Who may carry it, the preferred one first.")
@click.option("--on-unknown", type=UNKNOWN, help="What becomes of it if nobody can tell whether it was sent.")
@click.option("--bulk", is_flag=True, help="It carries an unsubscribe link and obeys those who used one.")
@click.option("--idempotency-key", metavar="TEXT", help="Made by default, so that a lost answer is asked for again.")
@click.option("--wait", is_flag=True, help="Wait until all of it has ended; status 1 unless all was accepted.")
@click.option("--timeout", type=SECONDS, default="10m", show_default=True, metavar="DURATION", help="The most to wait.")
@remote
def send(
    client: Client,
    out: Output,
    mail: Written,
    at: str | None,
    priority: str | None,
    ttl: int | None,
    providers: tuple[str, ...],
    on_unknown: str | None,
    bulk: bool,
    idempotency_key: str | None,
    wait: bool,
    timeout: int,
) -> None:
    """Send a mail to each of --to.

    Once this ends with 0, the mail is on record: it is sent, or says why not.

    \b
      fencepost send --from shop@example.com --to ann@example.com \\
        --subject 'On its way' -m 'It left us today.' --wait
    """
    body = {
        **mail.message,
        **given(
            together=mail.together,
            scheduled_at=at,
            priority=priority,
            ttl_seconds=ttl,
            providers=list(providers),
            on_unknown=on_unknown,
            bulk=bulk,
        ),
    }
    made = client.post("/emails", body, idempotency_key=idempotency_key or str(uuid.uuid4()))
    if not wait:
        out.show(made, _made)
        return
    batch = waited(client, out, made["id"], timeout)
    out.show(client.pages("/emails", {"batch_id": made["id"]}, None), mail_table)
    if not _WENT_WELL.issuperset(batch["by_state"]):
        raise Failed(f"not all of it was accepted: {counts(batch['by_state'])}")


def waited(
    client: Client, out: Output, batch_id: str, seconds: float, pause: Callable[[float], None] = time.sleep
) -> dict[str, Any]:
    """The batch once none of its mails is under way, or the time is over. What is held has ended, too: it waits for a person."""
    deadline, wait, told = time.monotonic() + seconds, _POLL_SECONDS[0], ""
    while True:
        batch: dict[str, Any] = client.get(path("batches", batch_id))
        if (standing := counts(batch["by_state"])) != told:
            out.note(f"{batch_id}: {standing}")
            told = standing
        if _UNDER_WAY.isdisjoint(batch["by_state"]) or time.monotonic() > deadline:
            return batch
        pause(wait)
        wait = min(wait * 1.5, _POLL_SECONDS[1])


def _made(out: Output, made: Any) -> None:
    out.facts([("batch", made["id"]), ("created", out.time(made["created_at"]))])
    out.heading("Mails")
    rows = [(email["id"], email["to"]) for email in made["emails"]]
    out.table([Column("ID", "word"), Column("To")], rows, "None.")
