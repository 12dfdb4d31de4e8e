"""Jitter: the same for a schedule and an instant wherever it is asked for, and spread over its window."""

from collections import Counter
from datetime import timedelta

from fencepost import ids
from fencepost.jitter import jitter
from tests.support.schedules import at

NINE = at("2026-03-02 09:00")
MINUTE = timedelta(seconds=60)


def test_the_same_schedule_and_time_have_the_same_offset() -> None:
    schedule_id = "sch_01JDZZZZZZZZZZZZZZZZZZZZZZ"
    offset = jitter(schedule_id, NINE, 60)
    assert offset == jitter(schedule_id, at("2026-03-02 09:00"), 60)
    # Written down, so that a sender of another version that would say something else is noticed.
    assert offset == timedelta(milliseconds=25518)


def test_another_schedule_and_another_instant_have_offsets_of_their_own() -> None:
    schedule_id = ids.new_id(ids.SCHEDULE)
    offsets = {jitter(schedule_id, NINE + day * timedelta(days=1), 3600) for day in range(20)}
    assert len(offsets) > 15


def test_without_jitter_there_is_no_offset() -> None:
    assert jitter(ids.new_id(ids.SCHEDULE), NINE, 0) == timedelta(0)


def test_a_thousand_schedules_at_nine_are_spread_over_the_window() -> None:
    # Ids by number, so that the figures below are the same in every run.
    offsets = [jitter(f"sch_{number:026}", NINE, 60) for number in range(1000)]
    assert all(timedelta(0) <= offset < MINUTE for offset in offsets)
    assert all(offset % timedelta(milliseconds=1) == timedelta(0) for offset in offsets)
    seconds = Counter(offset // timedelta(seconds=3) for offset in offsets)
    assert seconds.keys() == set(range(20))
    # 50 in each of 20 buckets are expected; chi-square with 19 degrees of freedom is above 43.8 once in a thousand.
    assert sum((count - 50) ** 2 / 50 for count in seconds.values()) < 43.8


def test_offsets_that_are_bunched_fail_that_bound() -> None:
    bunched = Counter(dict.fromkeys(range(20), 0) | {0: 500, 10: 500})
    assert sum((count - 50) ** 2 / 50 for count in bunched.values()) > 43.8
