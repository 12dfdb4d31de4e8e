"""`cancel`, `reschedule`, `replay` and `settle`: what a person decides about mail that was asked for.

None of them takes an Idempotency-Key, so each is asked once. They are guarded by the mail's state: whoever repeats one whose answer
was lost is told what became of it.
"""

from typing import Any

import click

from cli.client import Client, path
from cli.mails import story
from cli.output import Output
from cli.people import BY
from cli.remote import remote
from cli.values import EMAIL, EMAIL_OR_BATCH, INSTANT, given

_REASON = click.option("--reason", default="", metavar="TEXT", help="Why; it stays on record.")


@click.command()
@click.argument("email_id", metavar="ID", type=EMAIL)
@_REASON
@remote
def cancel(client: Client, out: Output, email_id: str, reason: str) -> None:
    """Cancel a mail that is still pending.

    Once this ends with 0, no provider is asked to send it.
    """
    out.show(client.post(path("emails", email_id, "cancel"), given(reason=reason)), story)


@click.command()
@click.argument("email_id", metavar="ID", type=EMAIL)
@click.option(
    "--at", type=INSTANT, required=True, metavar="INSTANT", help="2026-03-29T09:00:00+02:00, local time, or +15m."
)
@remote
def reschedule(client: Client, out: Output, email_id: str, at: str) -> None:
    """Put a pending mail off, or bring it forward."""
    out.show(client.post(path("emails", email_id, "reschedule"), {"scheduled_at": at}), story)


@click.command()
@click.argument("identifier", metavar="ID|BATCH", type=EMAIL_OR_BATCH)
@_REASON
@BY
@remote
def replay(client: Client, out: Output, identifier: str, reason: str, by: str) -> None:
    """Send again what failed or expired.

    One mail, or all such of a batch.
    """
    what = "batches" if identifier.startswith("bat_") else "emails"
    out.show(client.post(path(what, identifier, "replay"), given(reason=reason, by=by)), _replayed)


@click.command()
@click.argument("email_id", metavar="ID", type=EMAIL)
@click.argument("decision", type=click.Choice(["was_sent", "send_now", "drop"]))
@click.option("--reason", required=True, metavar="TEXT", help="Why; it stays on record.")
@BY
@remote
def settle(client: Client, out: Output, email_id: str, decision: str, reason: str, by: str) -> None:
    """Decide about a mail that is held.

    Nobody can tell whether it was sent: was_sent makes it accepted, send_now sends it once more, drop cancels it.
    """
    body = {"decision": decision, **given(reason=reason, by=by)}
    out.show(client.post(path("emails", email_id, "settle"), body), story)


def _replayed(out: Output, answer: Any) -> None:
    if "replayed" in answer:
        out.say(f"{answer['replayed']} {'mail is' if answer['replayed'] == 1 else 'mails are'} pending again.")
    else:
        story(out, answer)
