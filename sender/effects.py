"""What the decisions ask of the world. Planning, claiming, delivering and rescuing are generators: they yield one of these and
are sent its result, so the very same decisions run under the executor, and under a simulation that interleaves and breaks them.

An effect whose server can't be reached raises Unreachable inside the generator, unless its result has a word for that.
"""

from collections.abc import Collection, Generator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from fencepost.coordination.fences import FenceRequest
from fencepost.deliveries import Delivery, Outcome
from fencepost.messages import Mail
from fencepost.occurrences import Occurrence
from fencepost.planning import Plan
from fencepost.reconciliation import Postponed, Reference
from fencepost.schedules import Schedule
from fencepost.settlements import Settlement
from fencepost.store.claims import Claim


@dataclass(frozen=True, slots=True)
class ReadRevisions:
    """-> dict[str, Revision]: the revisions of these ids that exist."""

    ids: Collection[str]


@dataclass(frozen=True, slots=True)
class ReadSchedules:
    """-> dict[str, Schedule]: those that exist, live or archived."""

    ids: Collection[str]


@dataclass(frozen=True, slots=True)
class ReadSkips:
    """-> set[tuple[str, datetime]]: which of these (schedule id, instant) fall into a run of skips on record."""

    instants: Collection[tuple[str, datetime]]


@dataclass(frozen=True, slots=True)
class ReadOpen:
    """-> dict[str, dict[str, int]]: for each of these schedules its own occurrences with mail that is pending or sending, and
    how many that is. Read after the schedule was: all that was planned before its next run is on record by then."""

    schedule_ids: Collection[str]


@dataclass(frozen=True, slots=True)
class Insert:
    """W1 -> set[str]: the ids of those deliveries that stand as they were given."""

    occurrences: Sequence[Occurrence]
    deliveries: Sequence[Delivery]


@dataclass(frozen=True, slots=True)
class Advance:
    """W2 -> set[str]: the ids of the schedules that stand as planned; their planned instants are frozen."""

    plans: Sequence[Plan]


@dataclass(frozen=True, slots=True)
class RecordSkips:
    """-> None. Put the skips that these schedules hold on record."""

    schedules: Sequence[Schedule]


@dataclass(frozen=True, slots=True)
class Quarantine:
    """-> None. Take a schedule whose arithmetic breaks out of the scans."""

    schedule: Schedule
    reason: str


@dataclass(frozen=True, slots=True)
class Freeze:
    """-> bool: whether it is on record; False if MongoDB can't be reached. The breaker stopped a mail: its schedule is frozen until
    its owner has looked at it, with an alarm."""

    schedule_id: str
    reason: str


@dataclass(frozen=True, slots=True)
class ClaimRows:
    """W3 -> set[str]: the ids of the attempts that are on record."""

    claims: Sequence[Claim]
    claim_id: str
    epoch: str
    deadline: datetime


@dataclass(frozen=True, slots=True)
class Cancel:
    """-> None. Cancel pending deliveries (id -> attempt number as read)."""

    rows: Mapping[str, int]
    reason: str


@dataclass(frozen=True, slots=True)
class Defer:
    """-> None. Look at these pending deliveries again then."""

    ids: Collection[str]
    until: datetime


@dataclass(frozen=True, slots=True)
class DeferOccurrences:
    """-> None. Look at what these occurrences have pending by `now` again then, whoever's shard it is in."""

    ids: Collection[str]
    now: datetime
    until: datetime


@dataclass(frozen=True, slots=True)
class AskFence:
    """W4 -> FenceAnswer, or None if the fence gave none; asking again with the same request tells what it decided."""

    request: FenceRequest


@dataclass(frozen=True, slots=True)
class CheckTrust:
    """W5 -> bool: the shard is held under this token, is not draining, and the lease is trusted until `until` (steady)."""

    shard: int
    token: int
    until: float


@dataclass(frozen=True, slots=True)
class Call:
    """W6 -> Outcome: one call to one provider. Raises Invalid if the provider can't take such a mail: nothing was called."""

    provider: str
    mail: Mail


@dataclass(frozen=True, slots=True)
class Settle:
    """W7 -> bool: whether it is on record; False if the row had moved on and nothing was written."""

    settlement: Settlement
    outcome: Outcome | None = None


@dataclass(frozen=True, slots=True)
class SettleAll:
    """W7 for several -> list[Settlement]: those that found their row elsewhere."""

    settlements: Sequence[Settlement]


@dataclass(frozen=True, slots=True)
class Kill:
    """-> list[FenceAnswer]: whether these attempts can be taken for dead."""

    requests: Sequence[FenceRequest]


@dataclass(frozen=True, slots=True)
class ReadEvents:
    """-> dict[str, list[Event]]: what providers told us of these deliveries by themselves."""

    delivery_ids: Collection[str]


@dataclass(frozen=True, slots=True)
class ReadSuppressed:
    """-> set[tuple[str, str, str]]: which of these (owner, lower-case address) are suppressed, with the scope in which they are."""

    addresses: Collection[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class ReadFiles:
    """-> dict[str, bytes] | None: what those of an owner's files hold that are on record, by id; None if MongoDB can't be reached."""

    owner_id: str
    ids: Collection[str]


@dataclass(frozen=True, slots=True)
class LookUp:
    """-> dict[str, Trace]: what the providers' own records say of these deliveries, by id. One that has no records to ask is
    NO_RECORDS; what could not be read is UNREADABLE."""

    references: Sequence[Reference]


@dataclass(frozen=True, slots=True)
class LookAgain:
    """-> None. Nothing is decided about these yet: look them up again then."""

    postponed: Sequence[Postponed]


@dataclass(frozen=True, slots=True)
class DropShard:
    """-> None. The fence knows a higher token, `outranked_by`: this shard is another's."""

    shard: int
    token: int
    outranked_by: int


@dataclass(frozen=True, slots=True)
class RenewEpoch:
    """-> None. Redis lost its memory: read the epoch again before anything is claimed."""


Effect = (
    ReadRevisions
    | ReadSchedules
    | ReadSkips
    | ReadOpen
    | Insert
    | Advance
    | RecordSkips
    | Quarantine
    | Freeze
    | ClaimRows
    | Cancel
    | Defer
    | DeferOccurrences
    | AskFence
    | CheckTrust
    | Call
    | Settle
    | SettleAll
    | Kill
    | ReadEvents
    | ReadSuppressed
    | ReadFiles
    | LookUp
    | LookAgain
    | DropShard
    | RenewEpoch
)

T = TypeVar("T")
Decisions = Generator[Effect, Any, T]
"""A generator of effects that returns T."""
