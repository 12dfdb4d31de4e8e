"""What becomes of a mail after its provider took it: the state that events imply, and its tracking. Pure.

Events come in any order, more than once, and to several registries at once. So what a row gains from them is never "one
more": it is computed from all that is on record of the delivery, and joined with what the row says already. The later state
wins, the earlier instant, the higher count. A join knows neither order nor repetition, and whoever was lost between the
event's record and the row is made up for by the next event, or by the same one told again.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import NamedTuple, TypedDict, cast

from fencepost.deliveries import State
from fencepost.events import Event, EventKind

RANK: Mapping[State, int] = {State.ACCEPTED: 0, State.DELIVERED: 1, State.BOUNCED: 2, State.COMPLAINED: 3}
"""The states of a mail that its provider took. It moves to a higher rank only: a server may take a mail and return it
later, and who complains has got it."""

_IMPLIED = {
    EventKind.ACCEPTED: State.ACCEPTED,
    EventKind.DELIVERED: State.DELIVERED,
    EventKind.OPENED: State.DELIVERED,
    EventKind.CLICKED: State.DELIVERED,
    EventKind.UNSUBSCRIBED: State.DELIVERED,
    EventKind.BOUNCED: State.BOUNCED,
    EventKind.REJECTED: State.BOUNCED,
    EventKind.COMPLAINED: State.COMPLAINED,
}


class Tracking(TypedDict, total=False):
    """What is known of a mail beside its state. Instants are those of the first time; a missing one never was."""

    told: str
    """The furthest state that its events imply. A mail that is `sending` or in doubt takes it once it is accepted."""
    delivered_at: datetime
    bounced_at: datetime
    complained_at: datetime
    opened_at: datetime
    opens: int
    clicked_at: datetime
    clicks: int
    unsubscribed_at: datetime
    machine_opens: int
    """Openings by programs that fetch the pictures of every mail. They are none of `opens`."""


class Tally(NamedTuple):
    """How many events of one sort are on record of a delivery, and when the first of them happened."""

    kind: EventKind
    by_machine: bool
    events: int
    first_at: datetime


INSTANTS: Mapping[EventKind, str] = {
    EventKind.DELIVERED: "delivered_at",
    EventKind.BOUNCED: "bounced_at",
    EventKind.REJECTED: "bounced_at",
    EventKind.COMPLAINED: "complained_at",
    EventKind.OPENED: "opened_at",
    EventKind.CLICKED: "clicked_at",
    EventKind.UNSUBSCRIBED: "unsubscribed_at",
}
COUNTS: Mapping[EventKind, str] = {EventKind.OPENED: "opens", EventKind.CLICKED: "clicks"}


def implied(kind: EventKind) -> State | None:
    """The state of a mail of which this is told; None: it changes nothing (`deferred`, the provider tries on). Whoever
    opens a mail, clicks in it or unsubscribes has got it."""
    return _IMPLIED.get(kind)


def moved(state: State, told: State | None) -> State:
    """Where a mail stands once its events imply `told`. Only what its provider took moves, and only forward."""
    if told is None or state not in RANK or RANK[told] <= RANK[state]:
        return state
    return told


def tallied(events: Iterable[Event]) -> list[Tally]:
    """What these events come to, each of them counted."""
    found: dict[tuple[EventKind, bool], list[datetime]] = {}
    for event in events:
        found.setdefault((event.kind, event.by_machine), []).append(event.at)
    return [Tally(kind, by_machine, len(ats), min(ats)) for (kind, by_machine), ats in found.items()]


def tracked(tallies: Iterable[Tally]) -> Tracking:
    """The tracking of a delivery of which so much is on record. A machine's opening proves that the mail arrived, a machine's
    click no more than that: neither is a person's."""
    tracking = Tracking()
    for tally in tallies:
        tracking = joined(tracking, _of(tally))
    return tracking


def joined(one: Tracking, other: Tracking) -> Tracking:
    """Both together: the furthest state, the earliest instants, the highest counts. In any order and repeated it is the same."""
    result: dict[str, object] = {**one}
    for name, value in other.items():
        mine = result.get(name)
        if mine is None:
            result[name] = value
        elif name == "told":
            result[name] = max(State(str(mine)), State(str(value)), key=lambda state: RANK[state]).value
        else:
            better = min if name.endswith("_at") else max
            result[name] = better(mine, value)  # type: ignore[call-overload]
    return cast(Tracking, result)


def _of(tally: Tally) -> Tracking:
    found: dict[str, object] = {}
    if state := implied(tally.kind):
        found["told"] = state.value
    if tally.by_machine:
        if tally.kind is EventKind.OPENED:
            found["machine_opens"] = tally.events
    else:
        if instant := INSTANTS.get(tally.kind):
            found[instant] = tally.first_at
        if count := COUNTS.get(tally.kind):
            found[count] = tally.events
    return cast(Tracking, found)
