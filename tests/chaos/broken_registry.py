"""A registry that acknowledges what one member of the replica set has taken (w: 1, no journal), for the proof that the checker sees
it: `python -m tests.chaos.broken_registry`."""

import os
import sys
from dataclasses import fields, replace

from flask_openapi import OpenAPI
from pymongo.read_concern import ReadConcern
from pymongo.write_concern import WriteConcern

from fencepost.settings import load
from fencepost.store import Store
from registry import serving
from registry.__main__ import GUNICORN_CONFIG
from registry.parts import EXTENSION, Parts


def application() -> OpenAPI:
    """The registry's application with another store among its parts."""
    app = serving.application()
    parts: Parts = app.extensions[EXTENSION]
    app.extensions[EXTENSION] = replace(parts, store=_hasty(parts.store))
    return app


def _hasty(store: Store) -> Store:
    database = store.database.with_options(write_concern=WriteConcern(w=1, j=False), read_concern=ReadConcern("local"))
    collections = {
        each.name: type(getattr(store, each.name))(database) for each in fields(store) if each.name != "database"
    }
    return Store(database=database, **collections)


def main() -> None:
    registry = load().registry
    address = f"{registry.host}:{registry.port}"
    command = ["--config", str(GUNICORN_CONFIG), "--bind", address, "tests.chaos.broken_registry:application()"]
    os.execv(sys.executable, [sys.executable, "-m", "gunicorn", *command])


if __name__ == "__main__":
    main()
