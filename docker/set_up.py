"""Make the database ready and end: its replica set, then the migrations, then the secrets that our processes share and the first
API key. All can be repeated without harm, and what is there stays.

docker-compose.yml runs this before anything else of ours; MongoDB's image needs no shell and no mongosh for it.
"""

import secrets
import sys
import time
from pathlib import Path

from fencepost import logs, settings
from fencepost.errors import Misconfigured, Unreachable
from fencepost.store import Store, replica_set
from registry import first_key

PATIENCE_SECONDS = 120
PAUSE_SECONDS = 0.5
KEYS = Path("/var/lib/fencepost-keys")
"""A volume: `pepper` is the registry's, `session_secret` the frontend's, `first_key` the person's who set this up."""

log = logs.get_logger(__name__)


def main() -> None:
    """Exits with a sentence where MongoDB is not ready in time or the settings can't be used."""
    try:
        options = settings.load()
        logs.configure(options.logging, process="set_up")
        ran = make_ready(options.mongodb)
        log.info("The database is ready.", action="database.ready", migrations=ran)
        make_keys(options.mongodb, KEYS)
    except (Misconfigured, Unreachable, OSError) as problem:
        sys.exit(str(problem))


def make_ready(options: settings.MongoDB) -> list[str]:
    """Ask the server until it is; the names of the migrations that were run. Raises Unreachable after PATIENCE_SECONDS."""
    store = Store.open(options)
    deadline = time.monotonic() + PATIENCE_SECONDS
    said = ""
    while True:
        try:
            if replica_set.initiate(options):
                return store.migrate()
            problem = Unreachable("mongodb", "the replica set has no primary yet")
        except Unreachable as unreachable:
            problem = unreachable
        if time.monotonic() > deadline:
            raise problem
        if said != str(problem):
            said = str(problem)
            log.info("MongoDB is not ready; it is asked again.", action="database.wait", detail=said)
        time.sleep(PAUSE_SECONDS)


def make_keys(options: settings.MongoDB, folder: Path) -> None:
    """Secrets that are missing, and a key that may do everything if there is none. Raises Unreachable and OSError."""
    pepper = secret_in(folder / "pepper")
    secret_in(folder / "session_secret")
    store, path = Store.open(options), folder / "first_key"
    if first_key.make(store, path, pepper, store.now()):
        log.info("The first API key is made; nobody is told it but by this file.", action="key.first", path=str(path))
    store.close()


def secret_in(path: Path) -> str:
    """What the file holds; where there is none, something fresh that nobody can guess. Raises OSError."""
    if not path.exists():
        first_key.write_secret(path, secrets.token_hex(32))
    return path.read_text().strip()


if __name__ == "__main__":
    main()
