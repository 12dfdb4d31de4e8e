"""The `fencepost` command."""

import sys
from collections.abc import Mapping
from importlib import import_module
from typing import Final

import click

from cli.errors import STATUSES
from devstack.binaries import NotInstalled
from devstack.processes import DidNotStart
from fencepost.errors import Misconfigured

_INTERRUPTED: Final = 130
_MODULES: Final[Mapping[str, str]] = {
    "batch": "mails",
    "cancel": "decisions",
    "completion": "completion",
    "config": "configuration",
    "dev": "dev",
    "explain": "explain",
    "keys": "keys",
    "mails": "mails",
    "providers": "providers",
    "replay": "decisions",
    "reports": "reports",
    "reschedule": "decisions",
    "schedule": "schedules",
    "send": "send",
    "settle": "decisions",
    "status": "status",
    "suppressions": "suppressions",
    "webhooks": "webhooks",
}
"""Each command by its name, with the module of cli/ that has it."""


class Commands(click.Group):
    """Loads a command when it is asked for: a mail is sent without loading what starts databases."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click asks like that
        return sorted(_MODULES)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in _MODULES:
            return None
        command: click.Command = getattr(import_module(f"cli.{_MODULES[cmd_name]}"), cmd_name)
        return command


@click.group(
    cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}, epilog=STATUSES
)
@click.version_option(package_name="fencepost", prog_name="fencepost", message="%(prog)s %(version)s")
def cli() -> None:
    """Fencepost sends mail once: at once, later, or again and again.

    All but dev, config and completion speak to the registry at --url (FENCEPOST_URL), with the key of --key-file
    (FENCEPOST_KEY_FILE) or FENCEPOST_KEY.
    """


def main() -> None:
    """Run the command that was asked for, and say in a sentence why it could not be done."""
    try:
        sys.exit(cli(prog_name="fencepost", standalone_mode=False))
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        sys.exit(_INTERRUPTED)
    except Misconfigured as error:
        click.echo(f"fencepost: {error}", err=True)
        sys.exit(2)
    except (NotInstalled, DidNotStart, OSError) as error:
        click.echo(f"fencepost: {error}", err=True)
        sys.exit(1)


if __name__ == "__main__":
    main()
