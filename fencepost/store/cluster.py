"""What the cluster as a whole has on record: its layout, the generation of its tokens, refusals and alarms."""

import secrets
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pymongo.database import Database
from pymongo.errors import DuplicateKeyError

from fencepost.errors import Misconfigured
from fencepost.generations import Generation
from fencepost.store.mongodb import Document, answering


@dataclass(frozen=True, slots=True)
class ClusterRecords:
    """One document each in the collection `cluster`."""

    database: Database[Document]

    def fix_layout(self, shards: int) -> None:
        """Fix the number of shards at the first start. Raises Misconfigured if it is fixed at another: two senders that
        slice ids differently would both own some and neither others."""
        with answering():
            with suppress(DuplicateKeyError):
                self.database.cluster.insert_one({"_id": "layout", "shards": shards})
            fixed = self.database.cluster.find_one({"_id": "layout"})
        if fixed is None or fixed["shards"] != shards:
            raise Misconfigured(
                f"FENCEPOST_SENDER__SHARDS is {shards}, but this database was started with {fixed and fixed['shards']}; set it to that"
            )

    def shards(self) -> int | None:
        """The number of shards that was fixed; None before the first sender started."""
        with answering():
            fixed = self.database.cluster.find_one({"_id": "layout"})
        return fixed["shards"] if fixed else None

    def secret(self, name: str) -> bytes:
        """The installation's own secret of this name: 32 random bytes, made when it is first asked for."""
        with answering():
            row = self.database.cluster.find_one({"_id": f"secret:{name}"})
            if row is None:
                with suppress(DuplicateKeyError):  # another made it first
                    self.database.cluster.insert_one({"_id": f"secret:{name}", "value": secrets.token_bytes(32)})
                row = self.database.cluster.find_one({"_id": f"secret:{name}"})
        assert row is not None
        value: bytes = row["value"]
        return value

    # -- the generation of tokens (the port of fencepost.coordination) -------------------------------------------------

    def current(self) -> Generation:
        with answering():
            row = self.database.cluster.find_one({"_id": "generation"})
        return Generation(row["value"], row["nonce"], row["highest_revision"]) if row else Generation(0, "", 0)

    def raise_from(self, seen: Generation, nonce: str) -> Generation:
        """Go one up, if it still is what was seen; what is current afterwards, whoever raised it."""
        raised = {"value": seen.value + 1, "nonce": nonce, "highest_revision": 0}
        guard = {"_id": "generation", "value": seen.value, "nonce": seen.nonce}
        with answering(), suppress(DuplicateKeyError):  # another raised it first
            self.database.cluster.update_one(guard, {"$set": raised}, upsert=seen.value == 0)
        return self.current()

    def record(self, value: int, revision: int) -> None:
        """Remember the highest revision of this generation; a lower one later shows that etcd went back in time."""
        with answering():
            self.database.cluster.update_one(
                {"_id": "generation", "value": value}, {"$max": {"highest_revision": revision}}
            )

    # -- refusals and alarms -------------------------------------------------------------------------------------------

    def count_refusals(self, counts: Mapping[str, int]) -> None:
        """Add to the calls that the fence refused, by verdict."""
        with answering():
            self.database.cluster.update_one({"_id": "refusals"}, {"$inc": dict(counts)}, upsert=True)

    def refusals(self) -> dict[str, int]:
        with answering():
            row = self.database.cluster.find_one({"_id": "refusals"}) or {}
        return {verdict: row.get(verdict, 0) for verdict in ("stale", "killed", "taken", "epoch")}

    def raise_alarm(self, kind: str, detail: str, now: datetime) -> None:
        """Show an alarm until it is cleared; repeated, it keeps its first time."""
        with answering():
            self.database.cluster.update_one(
                {"_id": f"alarm:{kind}"},
                {"$set": {"kind": kind, "detail": detail, "seen_at": now}, "$setOnInsert": {"since": now}},
                upsert=True,
            )

    def clear_alarm(self, kind: str) -> None:
        with answering():
            self.database.cluster.delete_one({"_id": f"alarm:{kind}"})

    def alarms(self) -> list[dict[str, Any]]:
        """Each with since, kind and detail; the oldest first."""
        with answering():
            return list(self.database.cluster.find({"kind": {"$exists": True}}, {"_id": 0}).sort("since", 1))
