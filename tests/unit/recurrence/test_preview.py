"""Rows for people: instant, local time, and a mark on the nights on which clocks are moved."""

from datetime import UTC, datetime

import pytest

from fencepost.recurrence import parse_rule, preview

MADE = datetime(2026, 1, 1, tzinfo=UTC)
BEFORE_SPRING = datetime(2026, 3, 7, 12, tzinfo=UTC)
BEFORE_AUTUMN = datetime(2026, 10, 31, 12, tzinfo=UTC)
NEW_YORK = "America/New_York"


def rows(recurrence: dict[str, object], after: datetime, count: int, **dst: str) -> list[tuple[str, str, str | None]]:
    rule = parse_rule({"timezone": NEW_YORK, **recurrence}, dst=dst, anchor=MADE)
    return [(f"{row.at:%dT%H:%M}Z", row.local.isoformat(), row.dst) for row in preview(rule, after=after, count=count)]


@pytest.mark.parametrize(
    "recurrence",
    [
        {"type": "cron", "expression": "30 2 * * *"},
        {"type": "rrule", "rule": "FREQ=DAILY;BYHOUR=2;BYMINUTE=30;BYSECOND=0"},
    ],
)
def test_a_time_that_was_moved_out_of_the_gap_is_marked(recurrence: dict[str, object]) -> None:
    assert rows(recurrence, BEFORE_SPRING, 2) == [
        ("08T07:00Z", "2026-03-08T03:00:00-04:00", "gap"),
        ("09T06:30Z", "2026-03-09T02:30:00-04:00", None),
    ]
    assert rows(recurrence, BEFORE_SPRING, 1, gap="skip") == [("09T06:30Z", "2026-03-09T02:30:00-04:00", None)]


def test_a_time_that_the_clock_shows_anyway_is_not_marked() -> None:
    assert rows({"type": "cron", "expression": "0 3 * * *"}, BEFORE_SPRING, 1) == [
        ("08T07:00Z", "2026-03-08T03:00:00-04:00", None)
    ]
    assert [row[2] for row in rows({"type": "cron", "expression": "0 * * * *"}, BEFORE_SPRING, 24)] == [None] * 24


def test_a_time_that_comes_twice_is_marked_in_every_row() -> None:
    cron: dict[str, object] = {"type": "cron", "expression": "30 1 * * *"}
    assert rows(cron, BEFORE_AUTUMN, 2) == [
        ("01T05:30Z", "2026-11-01T01:30:00-04:00", "repeat"),
        ("02T06:30Z", "2026-11-02T01:30:00-05:00", None),
    ]
    assert [row[0] for row in rows(cron, BEFORE_AUTUMN, 2, repeat="both") if row[2] == "repeat"] == [
        "01T05:30Z",
        "01T06:30Z",
    ]
    hourly = rows({"type": "interval", "every": "1h"}, BEFORE_AUTUMN, 24)
    assert [row[0] for row in hourly if row[2]] == ["01T05:00Z", "01T06:00Z"]


def test_a_single_run_is_marked_like_the_others() -> None:
    assert rows({"type": "once", "at": "2026-03-08T02:30:00"}, MADE, 5) == [
        ("08T07:00Z", "2026-03-08T03:00:00-04:00", "gap")
    ]
    assert rows({"type": "once", "at": "2026-11-01T01:30:00"}, MADE, 5) == [
        ("01T05:30Z", "2026-11-01T01:30:00-04:00", "repeat")
    ]
    assert rows({"type": "once", "at": "2026-03-08T07:00:00Z"}, MADE, 5) == [
        ("08T07:00Z", "2026-03-08T03:00:00-04:00", None)
    ]


def test_a_rule_that_ends_gives_what_there_is() -> None:
    assert len(rows({"type": "rrule", "rule": "FREQ=DAILY;COUNT=4"}, MADE, 10)) == 3
    assert rows({"type": "cron", "expression": "0 9 * * *"}, MADE, 0) == []
