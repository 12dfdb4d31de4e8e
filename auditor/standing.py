"""Deliveries that stay where they should have left long ago. Pure."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from fencepost.deliveries import Delivery, OutcomeKind, State
from fencepost.findings import Finding, Kind

_RECENT = timedelta(minutes=10)
_OVER_DEADLINE = timedelta(minutes=1)
_PUT_OFF = {OutcomeKind.THROTTLED.value, OutcomeKind.UNAVAILABLE.value, OutcomeKind.UNKNOWN.value}


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a delivery may be pending, and unknown."""

    pending: timedelta
    unknown: timedelta


def is_away(rows: Iterable[Delivery], now: datetime) -> bool:
    """Whether the provider seems to take no mail: of these attempts some ended lately, and none accepted."""
    ended = [
        attempt.get("outcome")
        for row in rows
        for attempt in row["attempts"]
        if (at := attempt.get("ended_at")) is not None and at > now - _RECENT
    ]
    return OutcomeKind.ACCEPTED.value not in ended and bool(_PUT_OFF & set(ended))


def waits_for_tomorrow(row: Delivery, spent: Collection[str], closed: Collection[str], order: Collection[str]) -> bool:
    """Whether a pending mail can but wait: of the providers of this order that may carry it at least one has had all its calls of
    today (`spent`), and any other is `closed` to mail."""
    names = set(row.get("route") or order).intersection(order)
    return row["state"] == State.PENDING and not names.isdisjoint(spent) and names <= {*spent, *closed}


def stuck(
    rows: Sequence[Delivery], now: datetime, served: Collection[int] | None, away: bool, patience: Patience
) -> list[Finding]:
    """One finding for each occurrence with such deliveries. `served` are the shards that a sender holds; None: that is not known.
    What waits for a sender or for a provider that is `away` is late, not stuck."""
    of_occurrence: dict[tuple[str, datetime], list[str]] = defaultdict(list)
    for row in rows:
        reason = _why(row, now, served, away, patience)
        if reason:
            of_occurrence[row["schedule_id"] or row.get("batch_id") or "", row["due_at"]].append(
                f"{row['_id']} {reason}"
            )
    return [
        Finding(Kind.STUCK, schedule_id, at, f"{those[0]}{f'; and {len(those) - 1} more' if len(those) > 1 else ''}.")
        for (schedule_id, at), those in of_occurrence.items()
    ]


def _why(row: Delivery, now: datetime, served: Collection[int] | None, away: bool, patience: Patience) -> str | None:
    match row["state"]:
        case State.PENDING:
            waits = row["not_before"] + patience.pending < now
            return (
                "is pending, though its shard is served"
                if waits and served and row["shard"] in served and not away
                else None
            )
        case State.SENDING:
            deadline = row["deadline"]
            return "is sending, past its deadline" if deadline and deadline + _OVER_DEADLINE < now else None
        case State.UNKNOWN:
            since = row["unknown_since"]
            return (
                "is unknown, past the time in which it is settled" if since and since + patience.unknown < now else None
            )
    return None
