"""What a schedule does in the nights on which clocks are moved: instants written down by hand, under every policy."""

from datetime import UTC, datetime

import pytest

from fencepost.recurrence import parse_rule

MADE = datetime(2005, 1, 1, tzinfo=UTC)


def due(zone: str, day: str, expression: str, gap: str = "shift", repeat: str = "first") -> str:
    """The times (UTC) at which the expression is due on a local day, and the same rule as RRULE, which must agree."""
    found = on_day(zone, day, {"type": "cron", "expression": expression}, gap, repeat)
    minute, hour, of_month, month, _ = expression.split()
    if "*" not in minute + hour:
        days = "FREQ=DAILY" if of_month == "*" else f"FREQ=YEARLY;BYMONTH={month};BYMONTHDAY={of_month}"
        rule = f"{days};BYHOUR={numbers(hour)};BYMINUTE={numbers(minute)};BYSECOND=0"
        assert on_day(zone, day, {"type": "rrule", "rule": rule}, gap, repeat) == found
    return found


def on_day(zone: str, day: str, recurrence: dict[str, object], gap: str, repeat: str) -> str:
    rule = parse_rule({**recurrence, "timezone": zone}, dst={"gap": gap, "repeat": repeat}, anchor=MADE)
    begin = datetime.fromisoformat(day).replace(tzinfo=UTC).timestamp() - 86_400
    instants = rule.instants(datetime.fromtimestamp(begin, UTC), datetime.fromtimestamp(begin + 3 * 86_400, UTC))
    return " ".join(f"{at:%H:%M}" for at in instants if at.astimezone(rule.timezone).date().isoformat() == day)


def numbers(field: str) -> str:
    low, _, high = field.partition("-")
    return ",".join(str(number) for number in range(int(low), int(high) + 1)) if high else field


# New York, 8 March 2026: 02:00 EST becomes 03:00 EDT at 07:00 UTC. 1 November: 02:00 EDT becomes 01:00 EST at 06:00.
@pytest.mark.parametrize(
    ("expression", "gap", "expected"),
    [
        ("30 2 * * *", "shift", "07:00"),
        ("30 2 * * *", "skip", ""),
        ("0,15,30 2 * * *", "shift", "07:00"),
        ("0 2-4 * * *", "shift", "07:00 08:00"),
        ("0 2-4 * * *", "skip", "07:00 08:00"),
        ("59 1 * * *", "shift", "06:59"),
        ("0 3 * * *", "shift", "07:00"),
        ("*/20 2 * * *", "shift", ""),
        ("30 * * * *", "shift", " ".join(f"{hour:02}:30" for hour in [5, 6, *range(7, 24), 0, 1, 2, 3])),
    ],
)
def test_new_york_in_spring(expression: str, gap: str, expected: str) -> None:
    assert due("America/New_York", "2026-03-08", expression, gap) == expected


@pytest.mark.parametrize(
    ("expression", "repeat", "expected"),
    [
        ("30 1 * * *", "first", "05:30"),
        ("30 1 * * *", "second", "06:30"),
        ("30 1 * * *", "both", "05:30 06:30"),
        ("15,45 1 * * *", "first", "05:15 05:45"),
        ("15,45 1 * * *", "second", "06:15 06:45"),
        ("15,45 1 * * *", "both", "05:15 05:45 06:15 06:45"),
        ("0 0-2 * * *", "second", "04:00 06:00 07:00"),
        ("0 2 * * *", "both", "07:00"),
        ("*/30 1 * * *", "first", "05:00 05:30 06:00 06:30"),
    ],
)
def test_new_york_in_autumn(expression: str, repeat: str, expected: str) -> None:
    assert due("America/New_York", "2026-11-01", expression, "shift", repeat) == expected


# Lord Howe moves by half an hour. 5 October 2025: 02:00 becomes 02:30 at 15:30 UTC. 5 April 2026: 02:00 becomes 01:30 at 15:00.
def test_lord_howe() -> None:
    zone = "Australia/Lord_Howe"
    assert due(zone, "2025-10-05", "15 2 * * *") == "15:30"
    assert due(zone, "2025-10-05", "15 2 * * *", "skip") == ""
    assert due(zone, "2025-10-05", "45 2 * * *") == "15:45"
    assert due(zone, "2026-04-05", "45 1 * * *") == "14:45"
    assert due(zone, "2026-04-05", "45 1 * * *", repeat="second") == "15:15"
    assert due(zone, "2026-04-05", "15,45 1 * * *", repeat="both") == "14:15 14:45 15:15"


# Santiago, 6 September 2026: midnight becomes 01:00 at 04:00 UTC. 5 April: midnight becomes 23:00 of the 4th at 03:00.
def test_santiago_at_midnight() -> None:
    zone = "America/Santiago"
    assert due(zone, "2026-09-06", "0 0 * * *") == "04:00"
    assert due(zone, "2026-09-06", "0 0 * * *", "skip") == ""
    assert due(zone, "2026-09-06", "0,30 0 * * *") == "04:00"
    assert due(zone, "2026-04-04", "30 23 * * *") == "02:30"
    assert due(zone, "2026-04-04", "30 23 * * *", repeat="second") == "03:30"
    assert due(zone, "2026-04-05", "0 0 * * *", repeat="both") == "04:00"


# Cairo, 24 April 2026: midnight becomes 01:00 at 22:00 UTC of the 23rd. 30 October: midnight becomes 23:00 at 21:00 of the 29th.
def test_cairo_at_midnight() -> None:
    zone = "Africa/Cairo"
    assert due(zone, "2026-04-24", "0 0 * * *") == "22:00"
    assert due(zone, "2026-04-24", "30 0 * * *", "skip") == ""
    assert due(zone, "2026-10-29", "30 23 * * *") == "20:30"
    assert due(zone, "2026-10-29", "30 23 * * *", repeat="second") == "21:30"
    assert due(zone, "2026-10-29", "30 23 * * *", repeat="both") == "20:30 21:30"


# Sao Paulo, 15 October 2017: midnight becomes 01:00 at 03:00 UTC.
def test_sao_paulo_at_midnight() -> None:
    assert due("America/Sao_Paulo", "2017-10-15", "0 0 * * *") == "03:00"
    assert due("America/Sao_Paulo", "2017-10-15", "0 0 * * *", "skip") == ""
    assert due("America/Sao_Paulo", "2017-10-15", "*/45 0 * * *") == ""


# Apia had no 30 December 2011: the 29th ended at 10:00 UTC of the 30th, where the 31st began.
def test_apia_without_a_day() -> None:
    zone = "Pacific/Apia"
    assert due(zone, "2011-12-30", "0 9 * * *") == ""
    assert due(zone, "2011-12-31", "0 9 * * *") == "10:00 19:00"
    assert due(zone, "2011-12-31", "0 9 * * *", "skip") == "19:00"
    assert due(zone, "2011-12-31", "0 9 30 12 *") == "10:00"
    assert due(zone, "2011-12-31", "0 9-17 30 12 *") == "10:00"
    assert due(zone, "2011-12-31", "0 9 30 12 *", "skip") == ""


# Dublin's winter is the exception in its zone file, Casablanca's Ramadan likewise: only what the clock shows counts.
def test_dublin_and_casablanca() -> None:
    assert due("Europe/Dublin", "2026-03-29", "30 1 * * *") == "01:00"
    assert due("Europe/Dublin", "2026-10-25", "30 1 * * *") == "00:30"
    assert due("Europe/Dublin", "2026-10-25", "30 1 * * *", repeat="second") == "01:30"
    assert due("Africa/Casablanca", "2026-02-15", "30 2 * * *") == "01:30"
    assert due("Africa/Casablanca", "2026-02-15", "30 2 * * *", repeat="both") == "01:30 02:30"
    assert due("Africa/Casablanca", "2026-03-22", "30 2 * * *") == "02:00"


# Troll moves by two hours. 29 March 2026: 01:00 becomes 03:00 at 01:00 UTC.
def test_troll_moves_by_two_hours() -> None:
    assert due("Antarctica/Troll", "2026-03-29", "30 1-2 * * *", "skip") == ""
    assert due("Antarctica/Troll", "2026-03-29", "30 1-2 * * *") == "01:00"
    assert due("Antarctica/Troll", "2026-10-25", "30 1-2 * * *", repeat="both") == "23:30 00:30 01:30 02:30"


def test_every_half_hour_goes_on_through_both_nights() -> None:
    rule = parse_rule({"type": "cron", "expression": "*/30 * * * *", "timezone": "America/New_York"}, anchor=MADE)
    for day in (datetime(2026, 3, 8, tzinfo=UTC), datetime(2026, 11, 1, tzinfo=UTC)):
        instants = list(rule.instants(day, day.replace(hour=12)))
        assert [at.timestamp() - day.timestamp() for at in instants] == [1800 * number for number in range(1, 25)]


@pytest.mark.parametrize("rule", ["FREQ=HOURLY", "FREQ=MINUTELY;INTERVAL=60", "FREQ=HOURLY;BYMINUTE=0"])
def test_an_hourly_rule_neither_loses_nor_repeats_an_hour(rule: str) -> None:
    hourly = parse_rule({"type": "rrule", "rule": rule, "timezone": "America/New_York"}, anchor=MADE)
    for day in (datetime(2026, 3, 8, tzinfo=UTC), datetime(2026, 11, 1, tzinfo=UTC)):
        assert [at.hour for at in hourly.instants(day, day.replace(hour=12))] == list(range(1, 13))


def test_every_24_hours_moves_on_the_clock_and_every_day_does_not() -> None:
    zone, friday = "Europe/Berlin", datetime(2026, 3, 27, 8, tzinfo=UTC)
    elapsed = parse_rule({"type": "interval", "every": "1d", "timezone": zone}, anchor=friday)
    hourly = parse_rule({"type": "rrule", "rule": "FREQ=HOURLY;INTERVAL=24", "timezone": zone}, anchor=friday)
    daily = parse_rule({"type": "rrule", "rule": "FREQ=DAILY", "timezone": zone}, anchor=friday)
    until = datetime(2026, 3, 30, 12, tzinfo=UTC)
    assert [at.hour for at in elapsed.instants(friday, until)] == [8, 8, 8]
    assert [at.hour for at in hourly.instants(friday, until)] == [8, 8, 8]
    assert [at.hour for at in daily.instants(friday, until)] == [8, 7, 7]


@pytest.mark.parametrize("spelled_out", ["0 0-23 * * *", "0 */1 * * *"])
def test_a_field_that_names_every_value_is_a_wildcard(spelled_out: str) -> None:
    day = "2026-11-01"
    assert due("America/New_York", day, spelled_out) == due("America/New_York", day, "0 * * * *")


@pytest.mark.parametrize(
    ("at", "zone", "dst", "expected"),
    [
        ("2026-12-01T09:00:00", "Europe/Berlin", {}, "2026-12-01T08:00"),
        ("2026-03-08T02:30:00", "America/New_York", {}, "2026-03-08T07:00"),
        ("2026-11-01T01:30:00", "America/New_York", {}, "2026-11-01T05:30"),
        ("2026-11-01T01:30:00", "America/New_York", {"repeat": "second"}, "2026-11-01T06:30"),
        ("2026-11-01T01:30:00-05:00", "America/New_York", {"repeat": "both"}, "2026-11-01T06:30"),
        ("2011-12-30T09:00:00", "Pacific/Apia", {}, "2011-12-30T10:00"),
        ("2026-12-01T09:00", "UTC", {}, "2026-12-01T09:00"),
    ],
)
def test_a_single_run(at: str, zone: str, dst: dict[str, str], expected: str) -> None:
    rule = parse_rule({"type": "once", "at": at, "timezone": zone}, dst=dst, anchor=MADE)
    assert [f"{instant:%Y-%m-%dT%H:%M}" for instant in rule.instants(MADE)] == [expected]
