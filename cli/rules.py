"""The options that say when a schedule is due, and the fields that the API gets for them."""

from collections.abc import Callable
from functools import wraps
from typing import Any

import click

from cli.values import INSTANT, given

_OPTIONS = (
    click.option("--cron", metavar="EXPRESSION", help="Five fields, or @daily and its kin: '0 9 * * 1-5'."),
    click.option("--every", metavar="DURATION", help="So much elapsed time: 15m, 6h, 2d."),
    click.option("--rrule", metavar="RULE", help="RFC 5545: 'FREQ=MONTHLY;BYDAY=-1FR;BYHOUR=9;BYMINUTE=0'."),
    click.option("--once", metavar="LOCAL-TIME", help="One instant in the zone: 2026-12-24T09:00."),
    click.option("--zone", metavar="ZONE", help="The time zone of --cron, --rrule and --once; UTC by default."),
    click.option("--starts", type=INSTANT, metavar="INSTANT", help="Not due before."),
    click.option("--ends", type=INSTANT, metavar="INSTANT", help="Not due after."),
    click.option("--max-runs", type=click.IntRange(1), help="Finished after so many."),
    click.option("--gap", type=click.Choice(["shift", "skip"]), help="What a time means that a night has not."),
    click.option("--repeat", type=click.Choice(["first", "second", "both"]), help="Which of an hour that comes twice."),
)
_KINDS = {"expression": "cron", "every": "interval", "rule": "rrule", "at": "once"}
_NAMES = ("cron", "every", "rrule", "once", "zone", "starts", "ends", "max_runs", "gap", "repeat")


def timed(command: Callable[..., None]) -> Callable[..., None]:
    """The command, with those options; it gets `timing`, the fields that were given."""

    @wraps(command)
    def run(*args: Any, **options: Any) -> None:
        timing = fields(**{name: options.pop(name) for name in _NAMES})
        command(*args, timing=timing, **options)

    decorated: Callable[..., None] = run
    for option in reversed(_OPTIONS):
        decorated = option(decorated)
    return decorated


def fields(
    *,
    cron: str | None,
    every: str | None,
    rrule: str | None,
    once: str | None,
    zone: str | None,
    starts: str | None,
    ends: str | None,
    max_runs: int | None,
    gap: str | None,
    repeat: str | None,
) -> dict[str, Any]:
    """Those that were given, as POST /schedules takes them. Raises click.UsageError for two rules."""
    rules = given(expression=cron, every=every, rule=rrule, at=once)
    if len(rules) > 1:
        raise click.UsageError("give one of --cron, --every, --rrule and --once")
    if zone and every:
        raise click.UsageError("--every counts elapsed time, which has no --zone")
    kind = next((_KINDS[name] for name in rules), None)
    return given(
        recurrence=given(type=kind, **rules, timezone=zone),
        starts_at=starts,
        ends_at=ends,
        max_occurrences=max_runs,
        dst=given(gap=gap, repeat=repeat),
    )
