"""`fencepost webhooks`: addresses of yours that are told what becomes of mail."""

from typing import Any

import click

from cli.client import Client, path
from cli.output import Column, Output
from cli.remote import paged, remote
from cli.values import WEBHOOK, WEBHOOK_MESSAGE, given

_ID = click.argument("webhook_id", metavar="ID", type=WEBHOOK)


@click.group()
def webhooks() -> None:
    """Tell addresses of yours about mail."""


@webhooks.command("list")
@paged
@remote
def list_webhooks(client: Client, out: Output, *, most: int | None) -> None:
    """List webhooks."""
    out.show(client.pages("/webhooks", {}, most), _table)


@webhooks.command("create")
@click.argument("address", metavar="HTTPS-ADDRESS")
@click.option("--type", "types", multiple=True, help="What it is told, such as email.bounced; by default everything.")
@click.option("--description", metavar="TEXT")
@remote
def create_webhook(client: Client, out: Output, address: str, types: tuple[str, ...], description: str | None) -> None:
    """Tell this address what becomes of mail. Its secret is printed this once."""
    body = {"url": address, **given(types=list(types), description=description)}
    out.show(client.post("/webhooks", body), _secret)


@webhooks.command("set")
@_ID
@click.option("--address", metavar="HTTPS-ADDRESS", help="Where it is told from now on.")
@click.option("--type", "types", multiple=True, help="What it is told from now on, such as email.bounced.")
@click.option("--every-type", is_flag=True, help="Tell it everything.")
@click.option("--description", metavar="TEXT")
@click.option("--enable/--disable", "enabled", default=None, help="Whether it is told at all.")
@remote
def set_webhook(
    client: Client,
    out: Output,
    *,
    webhook_id: str,
    address: str | None,
    types: tuple[str, ...],
    every_type: bool,
    description: str | None,
    enabled: bool | None,
) -> None:
    """Change a webhook, switch it off, or on again after it took nothing for days."""
    if types and every_type:
        raise click.UsageError("give --type or --every-type, not both")
    change: dict[str, Any] = {"types": []} if every_type else {}
    change |= given(url=address, types=list(types), description=description)
    if enabled is not None:
        change["enabled"] = enabled
    if not change:
        raise click.UsageError("say what to set: --address, --type, --every-type, --description, --enable or --disable")
    out.show(client.patch(path("webhooks", webhook_id), change), Output.everything)


@webhooks.command("test")
@_ID
@remote
def test_webhook(client: Client, out: Output, webhook_id: str) -> None:
    """Send it a test event."""
    out.show(client.post(path("webhooks", webhook_id, "test")), Output.everything)


@webhooks.command("rotate")
@_ID
@click.option(
    "--overlap-hours", type=click.IntRange(0, 720), default=24, show_default=True, help="The old one signs on."
)
@remote
def rotate_webhook(client: Client, out: Output, webhook_id: str, overlap_hours: int) -> None:
    """Give it a new secret; for a while the old one signs beside it."""
    out.show(client.post(path("webhooks", webhook_id, "rotate"), {"overlap_hours": overlap_hours}), _secret)


@webhooks.command("log")
@_ID
@click.option("--state", type=click.Choice(["pending", "delivered", "failed"]))
@paged
@remote
def log_of_webhook(client: Client, out: Output, webhook_id: str, most: int | None, state: str | None) -> None:
    """List what it was told, and what it answered last."""
    out.show(client.pages(path("webhooks", webhook_id, "messages"), {"state": state}, most), _log)


@webhooks.command("replay")
@_ID
@click.argument("message_id", metavar="MESSAGE", type=WEBHOOK_MESSAGE)
@remote
def replay_webhook(client: Client, out: Output, webhook_id: str, message_id: str) -> None:
    """Tell it once more what is in its log."""
    out.show(client.post(path("webhooks", webhook_id, "messages", message_id, "replay")), Output.everything)


@webhooks.command("delete")
@_ID
@remote
def delete_webhook(client: Client, out: Output, webhook_id: str) -> None:
    """Tell it nothing any more."""
    out.show(client.delete(path("webhooks", webhook_id)), lambda out, _: out.say(f"{webhook_id} is deleted."))


def _secret(out: Output, webhook: Any) -> None:
    out.everything(webhook)
    if webhook.get("secret"):
        out.note("Keep the secret now: it is not shown again.")


def _table(out: Output, found: Any) -> None:
    rows = [
        (
            each["id"],
            "enabled" if each["enabled"] else "disabled",
            ", ".join(each["types"]) or "everything",
            " - ".join(filter(None, (each["url"], each["disabled_reason"]))),
        )
        for each in found["data"]
    ]
    columns = [Column("ID", "word"), Column("State", "state"), Column("Is told"), Column("Address")]
    out.table(columns, rows, "There is no webhook.")
    out.more(found)


def _log(out: Output, found: Any) -> None:
    rows = [
        (each["id"], each["state"], out.time(each["created_at"]), f"{each['type']}: {_answer(each['attempts'])}")
        for each in found["data"]
    ]
    columns = [Column("ID", "word"), Column("State", "state"), Column("When", "time"), Column("Event: last answer")]
    out.table(columns, rows, "It was told nothing yet.")
    out.more(found)


def _answer(attempts: list[Any]) -> str:
    if not attempts:
        return "not tried yet"
    last = attempts[-1]
    return str(last["status"] or last["answer"])
