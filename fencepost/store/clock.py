"""The database server's clock, for processes that write instants on which others act."""

from dataclasses import dataclass
from datetime import datetime

from pymongo.database import Database

from fencepost.clock import SystemClock
from fencepost.store.mongodb import Document, server_time


@dataclass(frozen=True, slots=True)
class DatabaseClock(SystemClock):
    """Of any number of registries on any number of machines, all go by the one clock that the senders compare theirs with: an edit
    counts from when it was made, whoever took it. Each look is a question to the server."""

    database: Database[Document]

    def now(self) -> datetime:
        """Raises Unreachable if MongoDB does not answer."""
        return server_time(self.database)
