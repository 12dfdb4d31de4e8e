"""`fencepost keys`: API keys, made, listed and revoked."""

from datetime import UTC, datetime
from typing import Any

import click

from cli.client import Client, path
from cli.output import Column, Output
from cli.remote import paged, remote
from cli.values import INSTANT, KEY, given


@click.group()
def keys() -> None:
    """List, create and revoke API keys."""


@keys.command("list")
@paged
@remote
def list_keys(client: Client, out: Output, *, most: int | None) -> None:
    """List keys, revoked and expired ones among them; their secrets are shown to nobody."""
    out.show(client.pages("/api-keys", {}, most), _table)


@keys.command("create")
@click.argument("name")
@click.option(
    "--scope", "scopes", multiple=True, required=True, help="What it may do, such as emails:send; give it again."
)
@click.option("--expires", "expires_at", type=INSTANT, metavar="INSTANT", help="From then on it opens nothing: +90d.")
@click.option("--test", is_flag=True, help="What it creates reaches no provider.")
@click.option("--owner", "owner_id", metavar="OWNER", help="Whose it is; only admin makes keys for others.")
@remote
def create_key(client: Client, out: Output, name: str, scopes: tuple[str, ...], **options: Any) -> None:
    """Make a key. Its secret is printed this once, and is nowhere else."""
    out.show(client.post("/api-keys", {"name": name, "scopes": list(scopes), **given(**options)}), _created)


@keys.command("revoke")
@click.argument("key_id", metavar="ID", type=KEY)
@remote
def revoke_key(client: Client, out: Output, key_id: str) -> None:
    """Revoke a key: within a second it opens nothing any more."""
    out.show(client.delete(path("api-keys", key_id)), Output.everything)


def _created(out: Output, key: Any) -> None:
    out.everything(key)
    out.note("Keep the secret now: it is not shown again.")


def _table(out: Output, found: Any) -> None:
    now = datetime.now(UTC)
    rows = [(key["id"], _state(key, now), out.time(key["expires_at"]), _what(key)) for key in found["data"]]
    columns = [Column("ID", "word"), Column("State", "state"), Column("Expires", "time"), Column("Name: scopes")]
    out.table(columns, rows, "There is no key.")
    out.more(found)


def _state(key: Any, now: datetime) -> str:
    """What it opens still; one that opens nothing any more says why."""
    if key["revoked_at"]:
        return "revoked"
    if key["expires_at"] and datetime.fromisoformat(key["expires_at"]) <= now:
        return "expired"
    return "test" if key["test"] else "live"


def _what(key: Any) -> str:
    return f"{key['name']}: {', '.join(key['scopes'])}"
