"""W3 as MongoDB sees it: one update for the claims that share a number and a token, which gives each row its own attempt."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from fencepost.deliveries import Attempt, Delivery
from fencepost.store.mongodb import Document, each_its_own


@dataclass(frozen=True, slots=True)
class Claim:
    """One attempt that W3 is to write: the row as it was read, the attempt, and the revision that owns its instant."""

    row: Delivery
    attempt: Attempt
    revision_id: str | None
    version: int


def alike(claims: Iterable[Claim]) -> list[list[Claim]]:
    """The same in groups for one update each: of one attempt number as read, and under one token."""
    groups: dict[tuple[int, int], list[Claim]] = defaultdict(list)
    for claim in claims:
        groups[claim.row["attempt_no"], claim.attempt["token"]].append(claim)
    return list(groups.values())


def claiming(
    claims: Sequence[Claim], *, claim_id: str, epoch: str, deadline: datetime
) -> tuple[Document, list[Document]]:
    """For claims that are alike: which rows may be claimed, and the pipeline that claims them."""
    ids = [claim.row["_id"] for claim in claims]
    number, token = claims[0].row["attempt_no"], claims[0].attempt["token"]
    columns: dict[str, list[Any]] = {
        "attempt_id": [claim.attempt["id"] for claim in claims],
        "provider": [claim.attempt["provider"] for claim in claims],
        "revision_id": [claim.revision_id for claim in claims],
        "version": [claim.version for claim in claims],
        "_attempt": [claim.attempt for claim in claims],
    }
    constants = {
        "state": "sending",
        "attempt_no": number + 1,
        "token": token,
        "epoch": epoch,
        "deadline": deadline,
        "claim_id": claim_id,
        "sender": claims[0].attempt["sender"],
        "updated_at": "$$NOW",
    }
    # An owner may have put one off since it was read, and been told so.
    latest = max(claim.row["not_before"] for claim in claims)
    guard = {
        "_id": {"$in": ids},
        "state": "pending",
        "attempt_no": number,
        "token": {"$lte": token},
        "not_before": {"$lte": latest},
    }
    append: list[Document] = [
        {"$set": {"attempts": {"$concatArrays": ["$attempts", ["$_attempt"]]}}},
        {"$unset": "_attempt"},
    ]
    return guard, [*each_its_own(ids, columns, constants), *append]
