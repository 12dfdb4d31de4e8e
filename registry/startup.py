"""What has to be done in MongoDB before the first schedule: migrations and the number of shards.

The process serves from its first second, and says on /readyz that it is not ready; a MongoDB that comes late is waited for.
"""

from contextlib import suppress
from threading import Event, Thread

from fencepost.errors import Misconfigured, Unreachable
from fencepost.logs import get_logger
from fencepost.store import Store

log = get_logger(__name__)
_RETRY_SECONDS = 1.0


class Startup:
    """Prepares the store. May be run by several processes at once, and again."""

    def __init__(self, store: Store, shards: int) -> None:
        """`shards`: what a fresh database is given."""
        self._store = store
        self._wanted = shards
        self._shards: int | None = None
        self._stopped = Event()
        self.done = False

    @property
    def shards(self) -> int:
        """The number of shards, which is fixed for ever. Raises Unreachable."""
        if self._shards is None:
            self._shards = self._fixed_shards()
        return self._shards

    def start(self) -> None:
        """Prepare in a thread of its own, until it is done."""
        Thread(target=self._keep_trying, name="startup", daemon=True).start()

    def stop(self) -> None:
        self._stopped.set()

    def prepare(self) -> None:
        """Raises Unreachable."""
        ran = self._store.migrate()
        shards = self.shards
        self.done = True
        log.info("The store is up to date.", action="startup.done", migrations=ran, shards=shards)

    def _keep_trying(self) -> None:
        told = False
        while not self._stopped.is_set():
            try:
                self.prepare()
                return
            except Unreachable as error:
                if not told:
                    log.warning("The store can't be reached yet; trying on.", action="startup.waits", detail=str(error))
            except Exception:
                if not told:
                    log.exception("The store can't be brought up to date; trying on.", action="startup.failed")
            told = True
            self._stopped.wait(_RETRY_SECONDS)

    def _fixed_shards(self) -> int:
        while (fixed := self._store.cluster.shards()) is None:
            # Whoever comes first fixes the number; what the others would have liked does not matter any more.
            with suppress(Misconfigured):
                self._store.cluster.fix_layout(self._wanted)
        return fixed
