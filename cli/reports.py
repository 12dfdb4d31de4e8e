"""`fencepost reports`: what became of mail."""

from typing import Any

import click

from cli.client import Client
from cli.output import Column, Output
from cli.remote import remote
from cli.values import SCHEDULE, given

_GROUPS = ("day", "provider", "tag", "schedule")
_DAY = click.DateTime(["%Y-%m-%d"])


@click.command()
@click.option("--by", "group", type=click.Choice(_GROUPS), default="day", show_default=True, help="A line for each.")
@click.option("--from", "from_", type=_DAY, metavar="DAY", help="The first day; by default 30 days with the last.")
@click.option("--to", type=_DAY, metavar="DAY", help="The last day; by default today.")
@click.option("--timezone", metavar="ZONE", help="Whose days they are: an IANA name; by default UTC.")
@click.option("--provider", metavar="NAME", help="Only what it carried.")
@click.option("--tag", metavar="TAG", help="Only what has this tag.")
@click.option("--schedule", "--schedule-id", "schedule_id", type=SCHEDULE, help="Only what this schedule sent.")
@remote
def reports(client: Client, out: Output, *, from_: Any, to: Any, **filters: str | None) -> None:
    """Show what became of the mail that was due on some days.

    How much was sent, delivered, bounced, opened (by people) and clicked, and the shares.
    """
    days = {name: f"{day:%Y-%m-%d}" for name, day in (("from", from_), ("to", to)) if day}
    out.show(client.get("/reports/mail", {**given(**filters), **days}), _table)


def _table(out: Output, found: Any) -> None:
    lines = [(each["name"] or each["key"] or "–", each) for each in found["data"]]
    if found["group"] == "day":  # days without mail say nothing
        lines = [(key, each) for key, each in lines if any(each["counts"].values())]
    numbers = ("Sent", "Delivered", "Bounced", "Complained", "Opened", "Clicked")
    columns = [Column(found["group"].capitalize()), *(Column(name, "number") for name in numbers)]
    rows = [_row(key, each) for key, each in lines]
    out.table(columns, rows + ([_row("all together", found)] if rows else []), "There was no mail.")
    if found["more"]:
        out.note(f"{found['more']} more with less mail were left out.")
    counted_at = found["counted_at"]
    out.note(
        f"Counted {out.time(counted_at, exact=True)}." if counted_at else "Nothing was counted yet: no auditor runs."
    )


def _row(key: str, found: Any) -> tuple[object, ...]:
    counts, rates = found["counts"], found["rates"]
    shares = ("delivery_rate", "bounce_rate", "complaint_rate", "open_rate", "click_rate")
    names = ("delivered", "bounced", "complained", "opened", "clicked")
    return (
        key,
        counts["sent"],
        *(_with(counts[name], rates[share]) for name, share in zip(names, shares, strict=True)),
    )


def _with(count: int, rate: float | None) -> str:
    return str(count) if rate is None else f"{count} ({rate * 100:.1f} %)"
