"""Tracking: whatever the order and the repetition of events, a mail ends the same, and only ever moves forward."""

from collections.abc import Sequence
from datetime import timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fencepost.deliveries import State
from fencepost.events import Event, EventKind
from fencepost.machines import is_machine
from fencepost.suppression import suppression_of
from fencepost.tracking import RANK, Tracking, implied, joined, moved, tallied, tracked
from tests.support.schedules import at

NOW = at("2026-03-02 09:00:00")


def event(number: int, kind: EventKind, seconds: int = 0, *, by_machine: bool = False) -> Event:
    when = NOW + timedelta(seconds=seconds)
    return Event(f"ev{number}", "mailgun", kind, when, "eml_1", 1, None, by_machine=by_machine)


EVENTS = st.lists(
    st.builds(event, st.integers(0, 15), st.sampled_from(EventKind), st.integers(0, 9), by_machine=st.booleans()),
    max_size=12,
    unique_by=lambda one: one.id,
)


def told(events: Sequence[Event], order: Sequence[int]) -> tuple[State, Tracking, list[State]]:
    """As the registry does it: each event is put on record once, and what all on record come to is joined with the row. The state
    and the tracking in the end, and the states on the way."""
    record: dict[str, Event] = {}
    state, tracking, states = State.ACCEPTED, Tracking(), [State.ACCEPTED]
    for index in order:
        one = events[index]
        record[one.id] = one
        tracking = joined(tracking, tracked(tallied(record.values())))
        state = moved(state, State(tracking["told"]) if "told" in tracking else None)
        states.append(state)
    return state, tracking, states


@given(EVENTS, st.data())
def test_any_order_and_repetition_of_events_gives_the_same_row(events: list[Event], data: st.DataObject) -> None:
    once = list(range(len(events)))
    again = data.draw(st.lists(st.sampled_from(once), max_size=20)) if once else []
    shuffled = data.draw(st.permutations([*once, *again]))
    straight, disorder = told(events, once), told(events, shuffled)
    assert straight[:2] == disorder[:2]
    for before, after in pairwise(disorder[2]):
        assert RANK[before] <= RANK[after], "it never goes back"


@given(EVENTS, EVENTS, EVENTS)
def test_joining_knows_no_order_and_no_repetition(first: list[Event], second: list[Event], third: list[Event]) -> None:
    one, two, three = (tracked(tallied(events)) for events in (first, second, third))
    assert joined(one, two) == joined(two, one)
    assert joined(joined(one, two), three) == joined(one, joined(two, three))
    assert joined(one, one) == one == joined(one, Tracking())


@pytest.mark.parametrize(
    ("kinds", "state"),
    [
        ("accepted", State.ACCEPTED),
        ("deferred", State.ACCEPTED),
        ("deferred delivered", State.DELIVERED),
        ("opened", State.DELIVERED),
        ("clicked", State.DELIVERED),
        ("unsubscribed", State.DELIVERED),
        ("delivered bounced", State.BOUNCED),
        ("bounced delivered", State.BOUNCED),
        ("rejected", State.BOUNCED),
        ("delivered complained", State.COMPLAINED),
        ("complained bounced opened", State.COMPLAINED),
    ],
)
def test_the_furthest_of_what_is_told_is_where_it_stands(kinds: str, state: State) -> None:
    events = [event(number, EventKind(kind)) for number, kind in enumerate(kinds.split())]
    assert told(events, range(len(events)))[0] is state


@pytest.mark.parametrize("state", [state for state in State if state not in RANK])
def test_only_what_a_provider_took_is_moved(state: State) -> None:
    for further in RANK:
        assert moved(state, further) is state
    assert moved(state, None) is state


def test_every_kind_has_its_place() -> None:
    assert {kind for kind in EventKind if implied(kind) is None} == {EventKind.DEFERRED}


def test_counts_are_of_events_and_instants_of_the_first() -> None:
    opened, clicked = EventKind.OPENED, EventKind.CLICKED
    events = [event(1, opened, 7), event(2, opened, 5), event(3, clicked, 9), event(4, EventKind.UNSUBSCRIBED, 8)]
    assert tracked(tallied(events)) == {
        "told": "delivered",
        "opened_at": NOW + timedelta(seconds=5),
        "opens": 2,
        "clicked_at": NOW + timedelta(seconds=9),
        "clicks": 1,
        "unsubscribed_at": NOW + timedelta(seconds=8),
    }


def test_what_machines_do_is_counted_apart_and_shows_no_more_than_that_it_arrived() -> None:
    events = [
        event(1, EventKind.OPENED, by_machine=True),
        event(2, EventKind.OPENED, 4, by_machine=True),
        event(3, EventKind.CLICKED, by_machine=True),
    ]
    assert tracked(tallied(events)) == {"told": "delivered", "machine_opens": 2}


GMAIL = "Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)"


@pytest.mark.parametrize(
    ("agent", "seconds", "by_machine"),
    [
        ("Mozilla/5.0", 3600, True),
        (" Mozilla/5.0 ", None, True),
        (GMAIL, 3, True),
        (GMAIL, 60, False),
        (GMAIL, None, False),
        ("YahooMailProxy; https://help.yahoo.com/kb/yahoo-mail-proxy-SLN28749.html", 1, True),
        ("Barracuda Sentinel (EE)", 500, True),
        ("Mozilla/5.0 (iPhone; CPU iPhone OS 10_3_3 like Mac OS X)", 1, False),
        ("Robotics Reader 2", 1, False),
        ("", 1, False),
        (None, 1, False),
    ],
)
def test_programs_that_open_mail_are_known_by_their_names_and_haste(
    agent: str | None, seconds: int | None, by_machine: bool
) -> None:
    sent_at = None if seconds is None else NOW - timedelta(seconds=seconds)
    assert is_machine(agent, NOW, sent_at) is by_machine


@pytest.mark.parametrize("kind", [kind for kind in EventKind if kind not in ("complained", "unsubscribed")])
def test_nothing_else_is_a_reason_to_send_no_more(kind: EventKind) -> None:
    assert suppression_of(event(1, kind)) is None
