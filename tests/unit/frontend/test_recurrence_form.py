"""The recurrence builder, against the parser that the senders use."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fencepost.recurrence import parse_rule, words
from frontend.recurrence_form import (
    DEFAULTS,
    MONTHS,
    ORDINALS,
    WEEKDAYS,
    WORKING_DAY,
    fields_of,
    incomplete,
    recurrence_of,
)
from frontend.shapes import Recurrence

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)

TIMES = st.builds("{:02d}:{:02d}".format, st.integers(0, 23), st.integers(0, 59))
DAYS = st.lists(st.sampled_from(list(WEEKDAYS)), min_size=1, unique=True).map(",".join)
REPEATS = st.fixed_dictionaries(
    {
        "kind": st.just("repeat"),
        "timezone": st.sampled_from(["UTC", "Europe/Berlin", "Australia/Lord_Howe"]),
        "unit": st.sampled_from(["minutes", "hours", "days", "weeks", "months", "years"]),
        "every": st.integers(1, 12).map(str),
        "weekdays": DAYS,
        "month_by": st.sampled_from(["day", "weekday"]),
        "month_day": st.integers(1, 28).map(str) | st.just("-1"),
        "month_nth": st.sampled_from(list(ORDINALS)),
        "month_weekday": st.sampled_from([*WEEKDAYS, WORKING_DAY]),
        "year_month": st.integers(1, len(MONTHS)).map(str),
        "at": TIMES,
    }
)


@given(REPEATS)
def test_what_the_builder_makes_is_a_rule_that_comes(picked: dict[str, str]) -> None:
    rule = parse_rule(recurrence_of(DEFAULTS | picked), anchor=NOW)
    assert rule.after(NOW) is not None
    assert words(rule)


@given(REPEATS)
def test_the_builder_shows_a_rule_as_it_was_picked(picked: dict[str, str]) -> None:
    recurrence = recurrence_of(DEFAULTS | picked)
    shown = fields_of(recurrence)
    assert recurrence_of(shown) == recurrence
    assert shown["unit"] == picked["unit"]


@pytest.mark.parametrize(
    ("picked", "recurrence"),
    [
        (
            {"unit": "months", "month_by": "weekday", "month_nth": "-1", "month_weekday": "FR"},
            {"type": "rrule", "rule": "FREQ=MONTHLY;BYDAY=-1FR;BYHOUR=9;BYMINUTE=0;BYSECOND=0"},
        ),
        (
            {"unit": "months", "month_by": "weekday", "month_nth": "-1", "month_weekday": WORKING_DAY, "at": "00:05"},
            {"type": "rrule", "rule": "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1;BYHOUR=0;BYMINUTE=5;BYSECOND=0"},
        ),
        (
            {"unit": "days", "every": "3", "at": "23:59"},
            {"type": "rrule", "rule": "FREQ=DAILY;INTERVAL=3;BYHOUR=23;BYMINUTE=59;BYSECOND=0"},
        ),
        ({"kind": "cron", "expression": " 0 9 * * 1 "}, {"type": "cron", "expression": "0 9 * * 1"}),
        ({"kind": "once", "once_at": "2026-12-01T09:00"}, {"type": "once", "at": "2026-12-01T09:00"}),
    ],
)
def test_picks_become_the_words_of_the_api(picked: dict[str, str], recurrence: dict[str, str]) -> None:
    assert recurrence_of(DEFAULTS | picked | {"timezone": "Europe/Berlin"}) == recurrence | {
        "timezone": "Europe/Berlin"
    }


def test_elapsed_time_has_no_zone() -> None:
    assert recurrence_of(DEFAULTS | {"unit": "minutes", "every": "15"}) == {"type": "interval", "every": "15m"}


@pytest.mark.parametrize(
    ("every", "unit", "count"),
    [
        ("90m", "minutes", "90"),
        ("6h", "hours", "6"),
        ("2d", "hours", "48"),
        ("1w", "hours", "168"),
        ("120s", "minutes", "2"),
    ],
)
def test_an_interval_keeps_its_length_in_the_builder(every: str, unit: str, count: str) -> None:
    shown = fields_of({"type": "interval", "every": every})
    assert (shown["unit"], shown["every"]) == (unit, count)


@pytest.mark.parametrize(
    "rule",
    [
        "FREQ=DAILY;BYHOUR=9,17;BYMINUTE=0;BYSECOND=0",
        "FREQ=MONTHLY;BYDAY=1MO,3MO;BYHOUR=9;BYMINUTE=0;BYSECOND=0",
        "FREQ=WEEKLY;BYDAY=MO;BYHOUR=9;BYMINUTE=0;BYSECOND=30",
        "FREQ=DAILY;COUNT=5;BYHOUR=9;BYMINUTE=0;BYSECOND=0",
        "FREQ=HOURLY;BYMINUTE=5;BYSECOND=0",
    ],
)
def test_a_rule_beyond_the_builder_is_kept_to_the_letter(rule: str) -> None:
    recurrence: Recurrence = {"type": "rrule", "rule": rule, "timezone": "UTC"}
    assert fields_of(recurrence)["unit"] == "rule"
    assert recurrence_of(fields_of(recurrence)) == recurrence


@pytest.mark.parametrize(
    ("picked", "field"),
    [
        ({"timezone": " "}, "timezone"),
        ({"kind": "once"}, "once_at"),
        ({"kind": "cron", "expression": ""}, "expression"),
        ({"unit": "weeks", "weekdays": ""}, "weekdays"),
        ({"unit": "days", "at": ""}, "at"),
        ({"unit": "days", "at": "24:00"}, "at"),
        ({"unit": "hours", "every": "0"}, "every"),
        ({"unit": "hours", "every": "two"}, "every"),
        ({"unit": "rule"}, "rule"),
    ],
)
def test_what_is_not_filled_in_is_named(picked: dict[str, str], field: str) -> None:
    assert list(incomplete(DEFAULTS | picked)) == [field]


def test_a_fresh_form_is_complete() -> None:
    assert incomplete(DEFAULTS) == {}
