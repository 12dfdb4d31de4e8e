"""Serve the API with gunicorn: `python -m registry`."""

import os
import sys
from pathlib import Path

from fencepost.settings import load_or_end

GUNICORN_CONFIG = Path(__file__).resolve().parent.parent / "config" / "gunicorn.py"


def main() -> None:
    """Become gunicorn, at the host and port of the settings."""
    registry = load_or_end("registry").registry
    address = f"{registry.host}:{registry.port}"
    command = ["--config", str(GUNICORN_CONFIG), "--bind", address, "registry.serving:application()"]
    os.execv(sys.executable, [sys.executable, "-m", "gunicorn", *command])


if __name__ == "__main__":
    main()
