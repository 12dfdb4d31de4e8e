"""Make the database ready and end: its replica set, then the migrations. Both can be repeated without harm.

docker-compose.yml runs this before anything else of ours; MongoDB's image needs no shell and no mongosh for it.
"""

import sys
import time

from fencepost import logs, settings
from fencepost.errors import Misconfigured, Unreachable
from fencepost.store import Store, replica_set

PATIENCE_SECONDS = 120
PAUSE_SECONDS = 0.5

log = logs.get_logger(__name__)


def main() -> None:
    """Exits with a sentence where MongoDB is not ready in time or the settings can't be used."""
    try:
        options = settings.load()
        logs.configure(options.logging, process="set_up")
        ran = make_ready(options.mongodb)
    except (Misconfigured, Unreachable) as problem:
        sys.exit(str(problem))
    log.info("The database is ready.", action="database.ready", migrations=ran)


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


if __name__ == "__main__":
    main()
