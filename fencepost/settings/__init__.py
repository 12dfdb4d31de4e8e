"""Settings: read once at the start, frozen, handed down.

Sources, the later one wins: `config/default.toml`, `config/<environment>.toml`, variables `FENCEPOST_…` (two underscores
between the levels: `FENCEPOST_SENDER__SEATS`), and for any of them a file named by the variable with `_FILE` behind it
(`FENCEPOST_PROVIDERS__MAILGUN__API_KEY_FILE=/run/secrets/mailgun`). Every name carries its unit.
"""

import os
import sys
from collections.abc import Mapping
from functools import reduce
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from fencepost import client_variables
from fencepost.errors import Misconfigured
from fencepost.failpoints import VARIABLE as FAILPOINT_VARIABLE
from fencepost.settings.processes import (
    Auditor,
    Breaker,
    Failover,
    Frontend,
    Notifier,
    Registry,
    Retention,
    Sender,
    Settlement,
    Simulator,
)
from fencepost.settings.providers import Account, Mailgun, Mailjet, Providers, SendGrid, Ses, Smtp
from fencepost.settings.servers import Etcd, Logging, MongoDB, Redis
from fencepost.settings.sources import from_file, from_variables, merge
from fencepost.settings.values import Section

__all__ = [
    "CONFIG_DIR",
    "PREFIX",
    "Account",
    "Auditor",
    "Breaker",
    "Etcd",
    "Failover",
    "Frontend",
    "Logging",
    "Mailgun",
    "Mailjet",
    "MongoDB",
    "Notifier",
    "Providers",
    "Redis",
    "Registry",
    "Retention",
    "Section",
    "SendGrid",
    "Sender",
    "Ses",
    "Settings",
    "Settlement",
    "Simulator",
    "Smtp",
    "load",
    "load_or_end",
    "masked",
]

PREFIX = "FENCEPOST_"
CONFIG_DIR = Path(__file__).resolve().parent.parent.parent / "config"
_NOT_SETTINGS = {FAILPOINT_VARIABLE, "FENCEPOST_CONFIG_DIR", *client_variables.ALL}


class Settings(Section):
    """Everything that can be set, with its default."""

    environment: str = "development"
    public_url: str = "http://127.0.0.1:5000"
    """The address at which providers and recipients reach us (also read from PUBLIC_URL)."""
    logging: Logging = Logging()
    mongodb: MongoDB = MongoDB()
    etcd: Etcd = Etcd()
    redis: Redis = Redis()
    registry: Registry = Registry()
    frontend: Frontend = Frontend()
    simulator: Simulator = Simulator()
    sender: Sender = Sender()
    settlement: Settlement = Settlement()
    auditor: Auditor = Auditor()
    notifier: Notifier = Notifier()
    breaker: Breaker = Breaker()
    failover: Failover = Failover()
    retention: Retention = Retention()
    providers: Providers = Providers()


def load(environment: Mapping[str, str] = os.environ) -> Settings:
    """The effective settings. Raises Misconfigured with every problem at once, each with the name to set."""
    folder = Path(environment.get("FENCEPOST_CONFIG_DIR", CONFIG_DIR))
    problems: list[str] = []
    variables = from_variables(PREFIX, environment, _NOT_SETTINGS, problems)
    if "PUBLIC_URL" in environment:
        variables.setdefault("public_url", environment["PUBLIC_URL"])
    name = variables.get("environment", "development")
    layers = [from_file(folder / "default.toml", problems), from_file(folder / f"{name}.toml", problems), variables]
    try:
        settings = Settings.model_validate(reduce(merge, layers))
    except ValidationError as error:
        problems += [
            f"{PREFIX}{'__'.join(str(part) for part in item['loc']).upper()}: {item['msg']}" for item in error.errors()
        ]
    if problems:
        raise Misconfigured("the settings can't be used:\n  " + "\n  ".join(problems))
    return settings


def load_or_end(program: str) -> Settings:
    """The effective settings of this process; where they can't be used it says why and ends, with status 2."""
    try:
        return load()
    except Misconfigured as error:
        sys.stderr.write(f"{program}: {error}\n")
        raise SystemExit(2) from None


def masked(settings: Settings) -> dict[str, Any]:
    """The effective values as plain data, secrets as stars, passwords in addresses too."""
    return {name: _mask(section) for name, section in settings.model_dump(mode="json").items()}


def _mask(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _mask(item) for key, item in value.items()}
    if isinstance(value, str) and "://" in value and "@" in value:
        scheme, rest = value.split("://", 1)
        return f"{scheme}://**********@{rest.rsplit('@', 1)[1]}"
    return value
