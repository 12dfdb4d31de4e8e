"""Rescue: deliveries that are `sending` under an owner who is gone, or past their deadline.

Redis first, MongoDB second: KILL decides the attempt's number as dead unless the attempt got past the fence. A crash between
the two is harmless, since KILL says the same again.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from fencepost.coordination.fences import FenceAnswer, FenceRequest, Verdict
from fencepost.deliveries import Attempt, Delivery, State
from fencepost.settlements import Author, Settlement
from sender.effects import Decisions, DropShard, Kill, SettleAll

_MAY_HAVE_CALLED = "Its sender was lost after the fence had let it call: the mail may have been sent."
_NOBODY_KNOWS = "Its sender was lost, and the fence has lost its memory since: the mail may have been sent."
_NEVER_CALLED = "Its sender was lost before it called; nothing was sent."


def rescue(
    rows: Sequence[Delivery], tokens: Mapping[int, int], now: datetime, memory: timedelta
) -> Decisions[list[Settlement]]:
    """Take these deliveries over; what was decided. `tokens` are ours by shard; `memory` is how long the fence surely
    remembers an attempt: for an older one it can't say that nobody called."""
    forgotten = [row for row in rows if row["deadline"] is None or row["deadline"] < now - memory]
    known = [row for row in rows if row not in forgotten]
    answers: list[FenceAnswer] = (yield Kill([_request(row, tokens) for row in known])) if known else []
    settlements = [_unknown(row, _NOBODY_KNOWS, now) for row in forgotten]
    for row, answer in zip(known, answers, strict=True):
        match answer.verdict:
            case Verdict.OK:
                settlements.append(_settlement(row, State.PENDING, "released", _NEVER_CALLED, now))
            case Verdict.TAKEN:
                settlements.append(_unknown(row, _MAY_HAVE_CALLED, now))
            case Verdict.EPOCH:
                settlements.append(_unknown(row, _NOBODY_KNOWS, now))
            case Verdict.STALE:
                yield DropShard(row["shard"], tokens[row["shard"]], answer.no)
    if settlements:
        missed: list[Settlement] = yield SettleAll(settlements)
        settlements = [settlement for settlement in settlements if settlement not in missed]
    return settlements


def _request(row: Delivery, tokens: Mapping[int, int]) -> FenceRequest:
    history = tuple(attempt["id"] for attempt in row["attempts"])
    return FenceRequest(
        row["shard"], row["_id"], row["epoch"] or "", tokens[row["shard"]], row["attempt_no"], "", history
    )


def _unknown(row: Delivery, why: str, now: datetime) -> Settlement:
    return _settlement(row, State.UNKNOWN, "unknown", why, now)


def _settlement(row: Delivery, state: State, outcome: str, why: str, now: datetime) -> Settlement:
    gained = Attempt(ended_at=now, outcome=outcome, detail=why)
    reason = why if state is State.UNKNOWN else None
    return Settlement(row["_id"], row["attempt_id"] or "", state, gained, reason=reason, author=Author.RESCUER)
