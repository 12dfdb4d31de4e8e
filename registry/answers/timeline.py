"""What happened to a delivery, read from its row alone. Pure."""

from collections.abc import Iterator
from datetime import datetime
from typing import NamedTuple

from fencepost.coordination.tokens import Token
from fencepost.deliveries import Attempt, Delivery, State

_FENCE = {
    "OK": "The fence let this attempt pass.",
    "STALE": "Refused by the fence: another sender holds the shard by now.",
    "EPOCH": "Refused by the fence: Redis has lost its memory since the claim.",
    "KILLED": "Refused by the fence: the attempt had been given up by another sender.",
    "TAKEN": "Refused by the fence: another attempt holds this mail.",
}
_RESENT = {State.PENDING.value: "resend"}
_BY_HAND = {
    "api": "Asked for by API.",
    "trigger": "Triggered by hand.",
    "backfill": "Backfilled by hand, for the instant it is due at.",
}
_TOLD = ("delivered", "bounced", "complained", "opened", "clicked", "unsubscribed")
_STILL = (State.PENDING.value, State.SENDING.value)


class Moment(NamedTuple):
    """One thing that happened."""

    at: datetime
    event: str
    detail: str | None


def timeline(row: Delivery) -> list[Moment]:
    """All of it, in order. The last one is how the delivery stands, unless that is to be expected from the one before."""
    moments = [Moment(row["created_at"], "planned", _planned(row))]
    for attempt in row["attempts"]:
        moments += _attempt(attempt)
    told = _told(row)
    expected = {moment.event for moment in (*moments[-1:], *told)}
    moments += told
    state = row["state"]
    if state not in _STILL and state not in expected:
        moments.append(Moment(max(row["updated_at"], moments[-1].at), state, row["reason"]))
    return moments


def _told(row: Delivery) -> list[Moment]:
    """What the provider told of it, the first time of each."""
    tracking = row.get("tracking") or {}
    found = [(tracking[f"{event}_at"], event) for event in _TOLD if f"{event}_at" in tracking]
    return [Moment(at, event, None) for at, event in sorted(found)]


def _planned(row: Delivery) -> str:
    if row["origin"] in _BY_HAND:
        return _BY_HAND[row["origin"]]
    said = f"Due by version {row['version']} of the schedule."
    if jitter_ms := row.get("jitter_ms"):
        said += f" Its jitter sends it {jitter_ms / 1000:g} s later."
    if before := row.get("after_occurrence"):
        said += f" It waits until {before} has nothing left to send."
    return said


def _attempt(attempt: Attempt) -> Iterator[Moment]:
    token = Token.from_number(attempt["token"])
    claim = f"Attempt {attempt['no']} by {attempt['sender']}, token {token.generation}/{token.revision}, for {attempt['provider']}."
    yield Moment(attempt["claimed_at"], "claimed", claim)
    if "fenced_at" in attempt:
        verdict = attempt.get("fence", "").upper()
        yield Moment(attempt["fenced_at"], "fenced", _FENCE.get(verdict, verdict or None))
    if "called_at" in attempt:
        yield Moment(attempt["called_at"], "called", f"The request went to {attempt['provider']}.")
    settled = [
        Moment(verdict["at"], _RESENT.get(verdict["state"], verdict["state"]), f"{verdict['by']}: {verdict['why']}")
        for verdict in attempt.get("settlements", [])
    ]
    if "ended_at" in attempt:
        ended = Moment(attempt["ended_at"], attempt.get("outcome", "ended"), attempt.get("detail"))
        # A sender that was frozen may tell how its call ended when others have settled what they could.
        late = sum(moment.at < ended.at for moment in settled) if ended.event != "unknown" else 0
        settled.insert(late, ended)
    yield from settled
