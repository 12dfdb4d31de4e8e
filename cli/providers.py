"""`fencepost providers`: who carries the mail, and how much of it."""

from collections.abc import Mapping
from typing import Any, Final

import click

from cli.client import Client, path
from cli.output import Column, Output
from cli.people import BY
from cli.remote import remote
from cli.values import given

_LONGEST_SECONDS: Final = 10 * 365 * 86_400


@click.group()
def providers() -> None:
    """List providers, show one, set what it carries, register our webhooks there."""


@providers.command("list")
@remote
def list_providers(client: Client, out: Output) -> None:
    """List the providers in the order in which they are tried."""
    out.show(client.get("/providers"), provider_table)


@providers.command("show")
@click.argument("name")
@remote
def show_provider(client: Client, out: Output, name: str) -> None:
    """Show one provider, and what became of it and why."""
    out.show(client.get(path("providers", name)), _shown)


@providers.command("set")
@click.argument("name")
@click.option("--weight", type=click.FloatRange(0, 1000), help="Its part of the mail; 0 makes it a fallback.")
@click.option("--configured-weight", is_flag=True, help="Back to the weight that the settings have.")
@click.option("--enable/--disable", "enabled", default=None, help="Whether it gets mail at all.")
@click.option("--reason", metavar="TEXT", help="Why; it stays on record.")
@BY
@remote
def set_provider(
    client: Client,
    out: Output,
    *,
    name: str,
    weight: float | None,
    configured_weight: bool,
    enabled: bool | None,
    reason: str | None,
    by: str,
) -> None:
    """Change a provider's weight, take it out, put it back; senders follow within two seconds."""
    if weight is not None and configured_weight:
        raise click.UsageError("give --weight or --configured-weight, not both")
    change: dict[str, Any] = {"weight": weight} if weight is not None or configured_weight else {}
    if enabled is not None:
        change["enabled"] = enabled
    if not change:
        raise click.UsageError("say what to set: --weight, --configured-weight, --enable or --disable")
    out.show(client.patch(path("providers", name), {**change, **given(reason=reason, by=by)}), _shown)


@providers.command("register-webhook")
@click.argument("name")
@BY
@remote
def register_webhook(client: Client, out: Output, *, name: str, by: str) -> None:
    """Have it tell the registry what becomes of mail: through its own API, at PUBLIC_URL. Done again it changes nothing."""
    out.show(client.post(path("providers", name, "register-webhook"), given(by=by)), _registered)


def provider_table(out: Output, found: Any) -> None:
    """All providers, with what most people ask about."""
    rows = [
        (
            provider["name"],
            "enabled" if provider["enabled"] else "disabled",
            f"{provider['weight_in_effect']:g}",
            _breaker_of(provider),
            _today_of(provider),
            (provider["breaker"] or {}).get("reason"),
        )
        for provider in found["data"]
    ]
    columns = [Column("Provider", "word"), Column("State", "state"), Column("Weight", "number")]
    out.table([*columns, Column("Breaker", "state"), Column("Today"), Column("Why")], rows, "No provider is set up.")


def is_closed_to_mail(provider: Mapping[str, Any]) -> bool:
    """Whether its breaker keeps mail from it at present; not so while its traffic comes back, or while Redis does not answer."""
    return _breaker_of(provider) in ("open", "half_open")


def _breaker_of(provider: Mapping[str, Any]) -> str:
    return str(provider["breaker"]["state"]) if provider["breaker"] else "not known"


def _today_of(provider: Mapping[str, Any]) -> str:
    cap = provider.get("cap")
    if not cap:
        return "no cap"
    return f"{'?' if cap['used'] is None else cap['used']} of {cap['most']}"


def _moved(provider: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Its breaker; how long one stands so that never moved is not known, and counts from 1970."""
    breaker: Mapping[str, Any] | None = provider["breaker"]
    if breaker is None or breaker["for_seconds"] < _LONGEST_SECONDS:
        return breaker
    return {**breaker, "for_seconds": None}


def _registered(out: Output, done: Any) -> None:
    out.say(f"{done['provider']} tells {done['url']}")
    out.table([Column("Event", "word"), Column("Registration", "state")], list(done["kinds"].items()), "Of nothing.")
    for sentence in done["to_do"]:
        out.note(sentence)


def _shown(out: Output, provider: Any) -> None:
    out.everything(
        {name: value for name, value in provider.items() if name != "changes"} | {"breaker": _moved(provider)}
    )
    out.heading("What became of it")
    rows = [
        (
            out.time(change["at"]),
            change["kind"],
            f"{change['was'] or 'as set'} -> {change['became'] or 'as set'}",
            " - ".join(filter(None, (change["by"], change["reason"]))),
        )
        for change in provider["changes"]
    ]
    columns = [Column("When", "time"), Column("What", "word"), Column("From -> to"), Column("By - why")]
    out.table(columns, rows, "Nothing yet.")
