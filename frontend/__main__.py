"""Serve the pages with gunicorn: `python -m frontend`."""

import os
import secrets
import sys
from pathlib import Path

from fencepost.settings import load_or_end

GUNICORN_CONFIG = Path(__file__).resolve().parent.parent / "config" / "gunicorn.py"
SESSION_SECRET = "FENCEPOST_FRONTEND__SESSION_SECRET"


def main() -> None:
    """Become gunicorn, at the host and port of the settings."""
    frontend = load_or_end("frontend").frontend
    if frontend.session_secret is None:
        # All workers have to read what one of them has sealed.
        os.environ[SESSION_SECRET] = secrets.token_hex(32)
    command = [
        "--config",
        str(GUNICORN_CONFIG),
        "--bind",
        f"{frontend.host}:{frontend.port}",
        "frontend.app:create_app()",
    ]
    os.execv(sys.executable, [sys.executable, "-m", "gunicorn", *command])


if __name__ == "__main__":
    main()
