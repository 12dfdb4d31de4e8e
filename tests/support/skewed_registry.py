"""A registry on a machine whose clock is an hour slow: `python -m tests.support.skewed_registry`."""

import os
import sys
from datetime import UTC, datetime, timedelta

from flask_openapi import OpenAPI

from fencepost.clock import SystemClock
from fencepost.settings import load
from registry import serving
from registry.__main__ import GUNICORN_CONFIG

BEHIND = timedelta(hours=1)


def application() -> OpenAPI:
    """The registry's application; every look at the machine's clock is an hour behind."""
    SystemClock.now = lambda self: datetime.now(UTC) - BEHIND  # type: ignore[method-assign]
    return serving.application()


def main() -> None:
    registry = load().registry
    address = f"{registry.host}:{registry.port}"
    command = ["--config", str(GUNICORN_CONFIG), "--bind", address, "tests.support.skewed_registry:application()"]
    os.execv(sys.executable, [sys.executable, "-m", "gunicorn", *command])


if __name__ == "__main__":
    main()
