"""The `fencepost` command. Exit status: 0 done, 1 it failed, 2 it was called or set up wrongly."""

import sys

import click

from cli.configuration import config
from cli.dev import dev
from devstack.binaries import NotInstalled
from devstack.processes import DidNotStart
from fencepost.errors import Misconfigured


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def cli() -> None:
    """Fencepost sends scheduled mail once."""


cli.add_command(dev)
cli.add_command(config)


def main() -> None:
    """Run the command that was asked for, and say in a sentence why it could not be done."""
    try:
        cli(prog_name="fencepost")
    except Misconfigured as error:
        click.echo(f"fencepost: {error}", err=True)
        sys.exit(2)
    except (NotInstalled, DidNotStart, OSError) as error:
        click.echo(f"fencepost: {error}", err=True)
        sys.exit(1)


if __name__ == "__main__":
    main()
