"""Who decides, for the record."""

import getpass

import click


def who() -> str | None:
    """The name of the account; None where there is none, such as in a container."""
    try:
        return getpass.getuser()[:100]
    except (KeyError, OSError, ImportError):
        return None


BY = click.option("--by", metavar="NAME", default=who, show_default="your name here", help="Who decides.")
