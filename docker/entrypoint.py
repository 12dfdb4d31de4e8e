"""Become one of Fencepost's processes: `python -m docker.entrypoint sender`.

Before that the secrets file is read, if there is one. Compose can't do it: its version 1 stops at an `env_file` that is
absent, and version 2's way to allow that is an error in version 1. Read here, a key is in no argument, in no image and not
in what `docker inspect` shows.
"""

import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path

SECRETS = Path("/etc/fencepost/secrets.env")
LINE = re.compile(r"""(?P<name>[A-Za-z_][A-Za-z0-9_]*)\s*=(?!\s*['\"])(?P<value>.*)""")
PROVIDER_SETTINGS = "FENCEPOST_PROVIDERS__"
SIGNING_KEY = "FENCEPOST_PROVIDERS__MAILGUN__WEBHOOK_SIGNING_KEY"
WITH_PROVIDERS = {"registry", "sender"}
"""The modules whose processes get the providers' settings, keys among them."""


def main(module: str) -> None:
    """Replace this process by `python -m module`. Exits with a sentence where the secrets file can't be used."""
    environment = overlaid(os.environ, secrets(SECRETS), module)
    os.execve(sys.executable, [sys.executable, "-m", module], environment)


def secrets(path: Path) -> dict[str, str]:
    """The file's variables; none if there is no such file. Exits where a line is not NAME=value, without showing it."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as error:
        sys.exit(f"config/{path.name} is there, but user {os.getuid()} of the container can't read it: {error}")
    found = {}
    for number, line in enumerate(map(str.strip, lines), start=1):
        if not line or line.startswith("#"):
            continue
        named = LINE.fullmatch(line)
        if not named:
            sys.exit(f"config/{path.name}, line {number}: write NAME=value without quotes, or # before a remark")
        found[named["name"]] = named["value"].strip()
    return found


def overlaid(environment: Mapping[str, str], found: Mapping[str, str], module: str) -> dict[str, str]:
    """The environment with the file's variables in it. They win; one without a value takes the variable away."""
    if any(name.startswith(PROVIDER_SETTINGS) for name in found):
        # Mail goes to the real one: what anybody can read in the compose file signs nothing any more.
        environment = {name: value for name, value in environment.items() if name != SIGNING_KEY}
    if module not in WITH_PROVIDERS:
        found = {name: value for name, value in found.items() if not name.startswith(PROVIDER_SETTINGS)}
    merged = {**environment, **found}
    return {name: value for name, value in merged.items() if value or name not in found}


if __name__ == "__main__":
    main(*sys.argv[1:])
