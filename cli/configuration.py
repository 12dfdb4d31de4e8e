"""`fencepost config`: what the settings come to."""

import json
from collections.abc import Iterator
from typing import Any

import click

from fencepost import settings


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document instead.")
def config(as_json: bool) -> None:
    """Print the effective settings, secrets masked.

    One line for each, as the variable that sets it. Ends with status 2 and every problem at once if they can't be used.
    """
    values = settings.masked(settings.load())
    if as_json:
        click.echo(json.dumps(values, indent=2))
        return
    for line in lines(values):
        click.echo(line)


def lines(values: dict[str, Any], prefix: str = settings.PREFIX) -> Iterator[str]:
    """NAME=value for every setting; names as load() reads them from the environment."""
    for name, value in values.items():
        if isinstance(value, dict):
            yield from lines(value, f"{prefix}{name.upper()}__")
        else:
            yield f"{prefix}{name.upper()}={_text(value)}"


def _text(value: object) -> str:
    if value is None:
        return ""
    return ",".join(str(item) for item in value) if isinstance(value, list) else str(value)
