"""Serve the simulator with gunicorn: `python -m simulator`."""

import os
import sys
from pathlib import Path

from fencepost.settings import load_or_end

GUNICORN_CONFIG = Path(__file__).resolve().parent.parent / "config" / "gunicorn.py"


def main() -> None:
    """Become gunicorn, at the host and port of the settings."""
    simulator = load_or_end("simulator").simulator
    # One worker whatever WEB_CONCURRENCY says: the ledger is one process's memory.
    serving = ["--bind", f"{simulator.host}:{simulator.port}", "--workers", "1", "--threads", str(simulator.threads)]
    # As providers do, it keeps idle connections for longer than a sender uses them: whoever closes one in the moment in
    # which the other writes into it makes a call whose outcome nobody knows.
    serving += ["--keep-alive", "75"]
    command = ["--config", str(GUNICORN_CONFIG), *serving, "simulator.app:create_app()"]
    os.execv(sys.executable, [sys.executable, "-m", "gunicorn", *command])


if __name__ == "__main__":
    main()
