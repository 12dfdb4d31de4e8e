"""What every command has that speaks to the registry: where it is, the key, and how its answer is shown."""

import os
from collections.abc import Callable, Mapping
from functools import wraps
from pathlib import Path
from typing import Any

import click

from cli.client import Client
from cli.output import Output
from fencepost.client_variables import KEY, KEY_FILE, URL

_OPTIONS = (
    click.option(
        "--url",
        envvar=URL,
        default="http://127.0.0.1:5000",
        show_default=True,
        show_envvar=True,
        help="Where the registry is.",
    ),
    click.option("--key", help=f"The API key. {KEY} or --key-file keep it out of the list of processes."),
    click.option("--key-file", type=click.Path(path_type=Path), help=f"A file that holds it ({KEY_FILE})."),
    click.option("--json", "as_json", is_flag=True, help="Print the API's own JSON, and nothing else."),
    click.option("--utc", is_flag=True, help="Show times in UTC, not in the local zone."),
)


def remote(command: Callable[..., None]) -> Callable[..., None]:
    """The command, with those options, called with a Client and an Output made of them."""

    @wraps(command)
    def run(url: str, key: str | None, key_file: Path | None, as_json: bool, utc: bool, **rest: Any) -> None:
        out = Output(as_json=as_json, utc=utc)
        with Client(url, secret(key, key_file, os.environ), out.note) as client:
            command(client, out, **rest)

    return _with(_OPTIONS, run)


def paged(command: Callable[..., None]) -> Callable[..., None]:
    """The command, with options that say how much of a list: it gets `most`, None for all of it."""

    @wraps(command)
    def run(*args: Any, limit: int, everything: bool, **rest: Any) -> None:
        command(*args, most=None if everything else limit, **rest)

    return _with(
        (
            click.option("--limit", type=click.IntRange(1), default=25, show_default=True, help="How many at most."),
            click.option("--all", "everything", is_flag=True, help="All of them, page by page."),
        ),
        run,
    )


def secret(key: str | None, key_file: Path | None, environment: Mapping[str, str]) -> str | None:
    """The key: options win over variables. None if there is none. Raises click.UsageError for a file that can't be read, and for
    both options at once."""
    if key is not None and key_file is not None:
        raise click.UsageError("give --key or --key-file, not both")
    if key is None and key_file is None:
        key = environment.get(KEY) or None
        key_file = Path(environment[KEY_FILE]) if not key and environment.get(KEY_FILE) else None
    if key_file is None:
        return key
    try:
        return key_file.read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise click.UsageError(f"the key's file can't be read: {error}") from None


def _with(
    options: tuple[Callable[[Callable[..., None]], Callable[..., None]], ...], command: Callable[..., None]
) -> Callable[..., None]:
    for option in reversed(options):
        command = option(command)
    return command
