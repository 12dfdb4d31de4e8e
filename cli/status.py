"""`fencepost status`: whether all is well, and what is not."""

from collections.abc import Iterator, Mapping
from typing import Any

import click

from cli.client import Client
from cli.errors import Failed, NotAllowed, NotFound
from cli.output import Column, Output
from cli.providers import is_closed_to_mail, provider_table
from cli.remote import remote
from cli.texts import counts
from cli.values import SECONDS


@click.command()
@click.option(
    "--max-lag", type=SECONDS, default="60s", show_default=True, metavar="DURATION", help="More than this is wrong."
)
@remote
def status(client: Client, out: Output, max_lag: int) -> None:
    """Show whether all is well; status 1 if not.

    Senders, shards, lag, providers and alarms.

    With --json: {"cluster": GET /cluster, "providers": GET /providers or null, "wrong": [sentences]}.
    """
    cluster = client.get("/cluster")
    providers = _providers(client, out)
    wrong = [*amiss(cluster, providers, max_lag)]
    out.show({"cluster": cluster, "providers": providers, "wrong": wrong}, _standing)
    if wrong:
        raise Failed("; ".join(wrong))


def amiss(cluster: Mapping[str, Any], providers: Mapping[str, Any] | None, max_lag_seconds: float) -> Iterator[str]:
    """What is wrong, in sentences. Parts that are null are those of a server that does not answer, which is said once."""
    for note in cluster["notes"]:
        yield f"{note['server']} does not answer{', so nothing is sent' if note['server'] == 'redis' else ''}"
    if cluster["members"] == []:
        yield "no sender is there"
    if free := [shard for shard in cluster["shards"] or [] if shard["holder"] is None]:
        yield f"{len(free)} of {len(cluster['shards'])} shards {'has' if len(free) == 1 else 'have'} no sender"
    if (cluster["lag_seconds"] or 0) > max_lag_seconds:
        yield f"the lag is {cluster['lag_seconds']:.0f} s"
    for provider in (providers or {}).get("data", []):
        if is_closed_to_mail(provider):
            yield f"the breaker of {provider['name']} is {provider['breaker']['state']}"
    for alarm in cluster["alarms"] or []:
        yield f"alarm {alarm['kind']}"


def _providers(client: Client, out: Output) -> Any:
    """None where the registry lists none, or the key may not see them."""
    try:
        return client.get("/providers")
    except (NotFound, NotAllowed) as error:
        out.note(f"Without the providers: {error.message}")
        return None


def _standing(out: Output, found: Any) -> None:
    cluster, members = found["cluster"], found["cluster"]["members"]
    shards = cluster["shards"]
    out.facts(
        [
            ("status", "something is wrong" if found["wrong"] else "all is well"),
            ("senders", "not known" if members is None else len(members)),
            ("shards", "not known" if shards is None else _held(shards)),
            ("lag", "not known" if cluster["lag_seconds"] is None else f"{cluster['lag_seconds']:.1f} s"),
            ("open mails", "not known" if cluster["emails_by_state"] is None else counts(cluster["emails_by_state"])),
            ("double sends prevented", (cluster["double_sends_prevented"] or {}).get("total", "not known")),
        ]
    )
    if members:
        out.heading("Senders")
        columns = [Column("Sender"), Column("Shards", "number"), Column("In flight", "number")]
        columns += [Column("Seats", "number"), Column("Since", "time"), Column("State", "state")]
        rows = [
            (
                member["id"],
                len(member["shards"]),
                member["in_flight"],
                member["seats"],
                out.time(member["started_at"]),
                "draining" if member["draining"] else "active",
            )
            for member in members
        ]
        out.table(columns, rows, "")
    if found["providers"]:
        out.heading("Providers")
        provider_table(out, found["providers"])
    if cluster["alarms"]:
        out.heading("Alarms")
        alarms = [(out.time(alarm["since"]), alarm["kind"], alarm["detail"]) for alarm in cluster["alarms"]]
        out.table([Column("Since", "time"), Column("Alarm"), Column("What it says")], alarms, "")


def _held(shards: list[Any]) -> str:
    return f"{sum(shard['holder'] is not None for shard in shards)} of {len(shards)} held"
