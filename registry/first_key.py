"""The first key, for whoever has none to make one with: `python -m registry.first_key FILE` writes one that may do everything.

It is made where no valid key of that kind is on record; `--anyway` makes one in any case, for whoever lost theirs.
"""

import os
import secrets
import sys
from datetime import datetime
from pathlib import Path

from fencepost import ids, logs, settings
from fencepost.api_keys import RANDOM_BYTES, ApiKey, Scope, digest_of, secret_of
from fencepost.errors import Misconfigured, Unreachable
from fencepost.store import Store

OWNER = "local"
"""Whose it is: the owner of all that was written before there were keys."""


def make(store: Store, path: Path, pepper: str | None, now: datetime, *, anyway: bool = False) -> bool:
    """Put an admin key on record and its secret into the file, for this user alone to read; whether one was made. Raises
    Unreachable, and OSError where the file can't be written."""
    if store.api_keys.has_admin(now) and not anyway:
        return False
    key_id = ids.new_id(ids.API_KEY)
    secret = secret_of(key_id, secrets.token_bytes(RANDOM_BYTES), test=False)
    digest = digest_of(secret, pepper)
    # The file first: a crash in between leaves a secret that opens nothing, and the next run makes another. The other way
    # round it would leave a key that opens everything and that nobody has.
    write_secret(path, secret)
    store.api_keys.insert(ApiKey(key_id, OWNER, "The first key", frozenset({Scope.ADMIN}), False, digest, now))
    return True


def write_secret(path: Path, text: str) -> None:
    """The whole file or none of it, for this user alone to read. Raises OSError."""
    partly = path.with_name(f".{path.name}.{os.getpid()}")
    partly.unlink(missing_ok=True)
    with os.fdopen(os.open(partly, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(f"{text}\n")
        file.flush()
        os.fsync(file.fileno())
    partly.replace(path)


def main() -> None:
    """Exits with a sentence where there is something to say."""
    names = [word for word in sys.argv[1:] if word != "--anyway"]
    if len(names) != 1:
        sys.exit("usage: python -m registry.first_key FILE [--anyway]")
    try:
        options = settings.load()
        logs.configure(options.logging, process="first_key")
        pepper, store = options.registry.key_pepper, Store.open(options.mongodb)
        store.migrate()
        secret = pepper.get_secret_value() if pepper else None
        if not make(store, Path(names[0]), secret, store.now(), anyway="--anyway" in sys.argv):
            sys.exit("There is a key with the scope admin already; --anyway makes another.")
    except (Misconfigured, Unreachable, OSError) as problem:
        sys.exit(str(problem))
    logs.get_logger(__name__).info("The key is made.", action="key.first", path=names[0])


if __name__ == "__main__":
    main()
