"""The breaker's arithmetic: instants of one rule never meet in its memory, copies of one instant always do."""

from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fencepost import breaker, ids
from fencepost.definitions import rule_of
from fencepost.deliveries import Delivery
from fencepost.messages import Renderer
from tests.support.rows import planned
from tests.support.schedules import at, definition, schedule

MOST = timedelta(minutes=10)
RECURRENCES = [
    {"type": "cron", "expression": "* * * * *"},
    {"type": "cron", "expression": "0,1,30 9 * * *", "timezone": "Europe/Berlin"},
    {"type": "interval", "every": "7m"},
    {"type": "rrule", "rule": "FREQ=HOURLY;BYMINUTE=0,2"},
    {"type": "once", "at": "2026-03-29T09:00:00Z"},
]


def key(row: Delivery, **changes: object) -> str:
    text = definition(message=changes)
    rule = rule_of(text, at("2026-03-01 00:00"))
    mail = Renderer(text).mail(row["_id"], 1, row["recipient"])
    return breaker.content_key(row, mail, breaker.slot_width(rule, row["due_at"], MOST))


@settings(max_examples=50, deadline=None)
@given(recurrence=st.sampled_from(RECURRENCES), hours=st.integers(0, 24 * 40))
def test_two_instants_of_a_rule_are_never_in_one_slot(recurrence: dict[str, str], hours: int) -> None:
    rule = rule_of(definition(recurrence=recurrence), at("2026-03-01 00:00"))
    begin = at("2026-03-01 00:00") + timedelta(hours=hours)
    instants = list(rule.instants(begin, begin + timedelta(hours=2)))
    keys = set()
    for instant in instants:
        width = breaker.slot_width(rule, instant, MOST)
        assert timedelta(0) < width <= MOST
        keys.add((width, (instant - at("1970-01-01 00:00")) // width))
    assert len(keys) == len(instants)


@pytest.mark.parametrize(
    ("recurrence", "width"),
    [(RECURRENCES[0], 30), (RECURRENCES[2], 210), (RECURRENCES[4], 600), ({"type": "interval", "every": "1s"}, 0.5)],
)
def test_a_slot_is_half_of_the_shortest_gap_and_at_most_the_window(recurrence: dict[str, str], width: float) -> None:
    rule = rule_of(definition(recurrence=recurrence), at("2026-03-29 09:00"))
    instant = rule.after(at("2026-03-29 08:59:59"))
    assert instant is not None
    assert breaker.slot_width(rule, instant, MOST) == timedelta(seconds=width)


def test_a_key_tells_content_and_recipient_apart_and_nothing_else() -> None:
    one = schedule(at("2026-03-02 08:00"), definition(to=2))
    [first, second] = planned(one, at("2026-03-02 09:00"))[1]
    addresses = {"to": [{"email": row["recipient"]} for row in (first, second)]}
    copy: Delivery = {**first, "_id": ids.delivery_id("occ_of_a_bug", first["due_at"], first["recipient"])}
    assert key(first, **addresses) == key(copy, **addresses)
    assert key(first, **addresses) != key(second, **addresses)
    assert key(first, **addresses) != key(first, **addresses, subject="Another")
    assert key(first, **addresses) != key({**first, "schedule_id": "sch_other"}, **addresses)


def test_who_came_first_stands_in_the_way_of_a_copy_alone() -> None:
    [row] = planned(schedule(at("2026-03-02 08:00")), at("2026-03-02 09:00"))[1]
    other = ids.delivery_id("occ_of_a_bug", row["due_at"], row["recipient"])
    near = ids.delivery_id("occ_near", row["due_at"] + timedelta(seconds=5), row["recipient"])
    assert breaker.copied(row, "") is None
    assert breaker.copied(row, breaker.mark(row)) is None, "its own retry"
    assert breaker.copied(row, f"{other} 7") == other, "the same instant, whatever the version"
    assert breaker.copied(row, f"{near} {row['version']}") == near, "no instant of this version is so near"
    assert breaker.copied(row, f"{near} {row['version'] + 1}") is None, (
        "its owner set it to another time and wants both"
    )


@pytest.mark.parametrize("changes", [{"origin": "trigger"}, {"ordered": True}])
def test_what_a_person_asked_for_is_not_watched(changes: dict[str, object]) -> None:
    [row] = planned(schedule(at("2026-03-02 08:00")), at("2026-03-02 09:00"))[1]
    assert breaker.watches(row)
    assert not breaker.watches({**row, **changes})  # type: ignore[typeddict-item]
