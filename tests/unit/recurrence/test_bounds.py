"""starts_at and ends_at, COUNT and UNTIL: inclusive, to the second."""

from datetime import UTC, datetime, timedelta, timezone
from itertools import islice

import pytest

from fencepost.recurrence import Rule, parse_rule

MADE = datetime(2026, 6, 1, tzinfo=UTC)
NINE = datetime(2026, 6, 3, 9, tzinfo=UTC)
SECOND, DAY = timedelta(seconds=1), timedelta(days=1)

AT_NINE: list[dict[str, object]] = [
    {"type": "cron", "expression": "0 9 * * *"},
    {"type": "rrule", "rule": "FREQ=DAILY;BYHOUR=9;BYMINUTE=0;BYSECOND=0"},
    {"type": "rrule", "rule": "FREQ=HOURLY;BYHOUR=9;BYMINUTE=0;BYSECOND=0"},
    {"type": "rrule", "rule": "FREQ=MINUTELY;BYHOUR=9;BYMINUTE=0;BYSECOND=0"},
]


def due(rule: Rule, count: int = 3) -> list[datetime]:
    return list(islice(rule.instants(MADE), count))


@pytest.mark.parametrize("recurrence", AT_NINE)
def test_starts_at_is_inclusive(recurrence: dict[str, object]) -> None:
    assert due(parse_rule(recurrence, starts_at=NINE, anchor=MADE))[0] == NINE
    assert due(parse_rule(recurrence, starts_at=NINE - SECOND, anchor=MADE))[0] == NINE
    assert due(parse_rule(recurrence, starts_at=NINE + SECOND, anchor=MADE))[0] == NINE + DAY


@pytest.mark.parametrize("recurrence", AT_NINE)
def test_ends_at_is_inclusive(recurrence: dict[str, object]) -> None:
    assert due(parse_rule(recurrence, ends_at=NINE, anchor=MADE))[-1] == NINE
    assert due(parse_rule(recurrence, ends_at=NINE + SECOND, anchor=MADE))[-1] == NINE
    assert due(parse_rule(recurrence, ends_at=NINE - SECOND, anchor=MADE))[-1] == NINE - DAY


@pytest.mark.parametrize(
    "recurrence", [*AT_NINE, {"type": "interval", "every": "1d"}, {"type": "once", "at": "2026-06-03T09:00"}]
)
def test_starts_at_may_be_ends_at(recurrence: dict[str, object]) -> None:
    rule = parse_rule(recurrence, starts_at=NINE, ends_at=NINE, anchor=MADE)
    assert due(rule) == [NINE]
    assert rule.after(NINE) is None
    assert rule.includes(NINE)
    assert not rule.includes(NINE + DAY)


def test_a_fraction_of_a_second_keeps_the_bounds_exact() -> None:
    half = timedelta(milliseconds=500)
    recurrence = {"type": "cron", "expression": "0 9 * * *"}
    assert due(parse_rule(recurrence, starts_at=NINE - half, anchor=MADE))[0] == NINE
    assert due(parse_rule(recurrence, starts_at=NINE + half, anchor=MADE))[0] == NINE + DAY
    assert due(parse_rule(recurrence, ends_at=NINE + half, anchor=MADE))[-1] == NINE
    assert due(parse_rule(recurrence, ends_at=NINE - half, anchor=MADE))[-1] == NINE - DAY


def test_bounds_are_taken_with_any_offset_and_as_text() -> None:
    tokyo = timezone(timedelta(hours=9))
    as_text = parse_rule(
        {"type": "cron", "expression": "0 9 * * *"}, starts_at="2026-06-03T18:00:00+09:00", anchor=MADE
    )
    as_value = parse_rule({"type": "cron", "expression": "0 9 * * *"}, starts_at=NINE.astimezone(tokyo), anchor=MADE)
    assert as_text == as_value
    assert hash(as_text) == hash(as_value)
    assert due(as_text)[0] == NINE
    assert as_text.starts_at is not None
    assert as_text.starts_at.tzinfo is UTC


def test_after_is_strict_to_the_fraction() -> None:
    rule = parse_rule({"type": "cron", "expression": "0 9 * * *"}, anchor=MADE)
    assert rule.after(NINE - SECOND) == NINE
    assert rule.after(NINE - timedelta(microseconds=1)) == NINE
    assert rule.after(NINE) == NINE + DAY
    assert rule.after(NINE + timedelta(microseconds=1)) == NINE + DAY
    assert not rule.includes(NINE + timedelta(microseconds=1))


def test_instants_take_until_inclusively() -> None:
    rule = parse_rule({"type": "interval", "every": "1h"}, starts_at=NINE, anchor=MADE)
    assert list(rule.instants(NINE, NINE + timedelta(hours=2))) == [
        NINE + timedelta(hours=1),
        NINE + timedelta(hours=2),
    ]
    assert list(rule.instants(NINE, NINE)) == []


def test_a_naive_instant_is_never_guessed_at() -> None:
    rule = parse_rule({"type": "interval", "every": "1h"}, anchor=MADE)
    with pytest.raises(ValueError, match="zone offset"):
        rule.after(NINE.replace(tzinfo=None))


def test_an_interval_counts_from_its_start_else_from_the_anchor() -> None:
    made = datetime(2026, 6, 1, 12, 3, 27, 500_000, tzinfo=UTC)
    anchored = parse_rule({"type": "interval", "every": "90m"}, anchor=made)
    assert [f"{at:%H:%M:%S}" for at in islice(anchored.instants(made), 2)] == ["13:33:27", "15:03:27"]
    started = parse_rule({"type": "interval", "every": "90m"}, starts_at=NINE, anchor=made)
    assert due(started, 2) == [NINE, NINE + timedelta(minutes=90)]
    past = parse_rule({"type": "interval", "every": "90m"}, starts_at=datetime(2020, 1, 1, tzinfo=UTC), anchor=made)
    assert past.after(made) == datetime(2026, 6, 1, 13, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("every", "length"),
    [("1s", 1), ("90s", 90), ("15m", 900), ("2h", 7200), ("1d", 86_400), ("2w", 1_209_600), (" 5 m ", 300)],
)
def test_intervals_are_elapsed_time(every: str, length: int) -> None:
    rule = parse_rule({"type": "interval", "every": every}, starts_at=NINE, anchor=MADE)
    assert due(rule, 2) == [NINE, NINE + timedelta(seconds=length)]


def test_count_counts_what_is_due() -> None:
    new_york = {
        "type": "rrule",
        "rule": "FREQ=DAILY;BYHOUR=1;BYMINUTE=30;BYSECOND=0;COUNT=3",
        "timezone": "America/New_York",
    }
    night = datetime(2026, 11, 1, tzinfo=UTC)
    twice = parse_rule(new_york, starts_at=night, dst={"repeat": "both"}, anchor=MADE)
    assert [f"{at:%d %H:%M}" for at in due(twice, 9)] == ["01 05:30", "01 06:30", "02 06:30"]
    skipped = {**new_york, "rule": "FREQ=DAILY;BYHOUR=2;BYMINUTE=30;BYSECOND=0;COUNT=3"}
    spring = datetime(2027, 3, 14, tzinfo=UTC)
    assert [
        f"{at:%d %H:%M}" for at in due(parse_rule(skipped, starts_at=spring, dst={"gap": "skip"}, anchor=MADE), 9)
    ] == [
        "15 06:30",
        "16 06:30",
        "17 06:30",
    ]


def test_count_goes_on_from_the_start_however_late_one_asks() -> None:
    rule = parse_rule({"type": "rrule", "rule": "FREQ=HOURLY;COUNT=5"}, starts_at=NINE, anchor=MADE)
    assert rule.after(NINE + timedelta(hours=3)) == NINE + timedelta(hours=4)
    assert rule.after(NINE + timedelta(hours=4)) is None


@pytest.mark.parametrize(
    ("until", "last"),
    [
        ("20260605T070000Z", "2026-06-05T07:00"),
        ("20260605T065959Z", "2026-06-04T07:00"),
        ("20260605T090000", "2026-06-05T07:00"),
        ("20260605T085959", "2026-06-04T07:00"),
        ("20260605", "2026-06-05T07:00"),
    ],
)
def test_until_is_inclusive_and_local_without_a_z(until: str, last: str) -> None:
    text = f"FREQ=DAILY;BYHOUR=9;BYMINUTE=0;BYSECOND=0;UNTIL={until}"
    rule = parse_rule({"type": "rrule", "rule": text, "timezone": "Europe/Berlin"}, anchor=MADE)
    assert f"{due(rule, 99)[-1]:%Y-%m-%dT%H:%M}" == last


def test_dtstart_gives_what_the_rule_leaves_out() -> None:
    start = datetime(2026, 1, 31, 8, 15, 30, tzinfo=UTC)  # a Saturday, 09:15:30 in Berlin

    def first(rule: str) -> list[str]:
        parsed = parse_rule({"type": "rrule", "rule": rule, "timezone": "Europe/Berlin"}, starts_at=start, anchor=start)
        local = (at.astimezone(parsed.timezone) for at in parsed.instants(start))
        return [f"{at:%Y-%m-%d %H:%M:%S}" for at in islice(local, 2)]

    assert first("FREQ=DAILY") == ["2026-02-01 09:15:30", "2026-02-02 09:15:30"]
    assert first("FREQ=WEEKLY") == ["2026-02-07 09:15:30", "2026-02-14 09:15:30"]
    assert first("FREQ=MONTHLY") == ["2026-03-31 09:15:30", "2026-05-31 09:15:30"]
    assert first("FREQ=YEARLY") == ["2027-01-31 09:15:30", "2028-01-31 09:15:30"]
    assert first("FREQ=HOURLY") == ["2026-01-31 10:15:30", "2026-01-31 11:15:30"]
    assert first("RRULE:FREQ=DAILY;BYHOUR=7;BYMINUTE=0;BYSECOND=0;") == ["2026-02-01 07:00:00", "2026-02-02 07:00:00"]


def test_plain_and_numbered_weekdays_add_up() -> None:
    rule = parse_rule(
        {"type": "rrule", "rule": "FREQ=MONTHLY;BYDAY=MO,-1FR;BYHOUR=9;BYMINUTE=0;BYSECOND=0"}, anchor=MADE
    )
    assert [at.day for at in due(rule, 6)] == [1, 8, 15, 22, 26, 29]


def test_a_rule_far_from_its_start_keeps_its_rhythm() -> None:
    start = datetime(2001, 1, 1, 9, tzinfo=UTC)
    rule = parse_rule({"type": "rrule", "rule": "FREQ=WEEKLY;INTERVAL=3;BYDAY=MO,TH"}, starts_at=start, anchor=start)
    walked = [at for at in rule.instants(start, datetime(2027, 1, 1, tzinfo=UTC)) if at > MADE]
    assert list(rule.instants(MADE, datetime(2027, 1, 1, tzinfo=UTC))) == walked


def test_nothing_is_due_at_the_end_of_time() -> None:
    seldom: list[dict[str, object]] = [{"type": "interval", "every": "3660d"}, {"type": "rrule", "rule": "FREQ=YEARLY"}]
    for recurrence in AT_NINE + seldom:
        rule = parse_rule(recurrence, ends_at=datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC), anchor=MADE)
        assert rule.after(datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)) is None
        assert rule.after(datetime(9989, 12, 31, 23, 59, 59, tzinfo=UTC)) is None


def test_what_is_due_does_not_depend_on_when_one_asks() -> None:
    """The next instant follows from the one before, so a clock that ran ahead and came back changes nothing."""
    rule = parse_rule({"type": "cron", "expression": "*/7 9-17 * * 1-5", "timezone": "Europe/Berlin"}, anchor=MADE)
    ahead = rule.after(datetime(2036, 6, 1, tzinfo=UTC))
    assert ahead is not None
    assert ahead.year == 2036
    assert rule.after(MADE) == datetime(2026, 6, 1, 7, tzinfo=UTC)
