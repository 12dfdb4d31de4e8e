"""Daily caps: what a provider may be called in a day, and how that grows while it is warmed up."""

from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import pytest

from fencepost.caps import Cap, day_after, day_of, most_on
from fencepost.settings import Account

FIRST = date(2026, 3, 2)


def on(days: int, **fields: Any) -> int | None:
    """The cap so many days after the first."""
    return most_on(Account(**fields), FIRST + timedelta(days=days))


def test_without_a_setting_there_is_no_cap() -> None:
    assert on(0) is None


def test_a_cap_is_the_same_every_day() -> None:
    assert [on(days, max_per_day=2000) for days in (-1, 0, 900)] == [2000] * 3


def test_a_warm_up_grows_by_the_day_up_to_the_cap() -> None:
    warming = {"warm_up_since": FIRST, "warm_up_first_day": 50, "warm_up_growth": 2.0}
    assert [on(days, **warming) for days in range(5)] == [50, 100, 200, 400, 800]
    assert [on(days, **warming, max_per_day=300) for days in range(5)] == [50, 100, 200, 300, 300]


def test_a_warm_up_that_has_not_begun_allows_what_its_first_day_does() -> None:
    assert on(-10, warm_up_since=FIRST, warm_up_first_day=20) == 20


@pytest.mark.parametrize("growth", [1.5, 10.0])
def test_a_warm_up_of_years_stays_a_number(growth: float) -> None:
    found = on(100_000, warm_up_since=FIRST, warm_up_growth=growth)
    assert found is not None
    assert found >= 10**9


def test_days_are_those_of_utc() -> None:
    late = datetime(2026, 3, 2, 23, 30, tzinfo=timezone(timedelta(hours=-2)))
    assert day_of(late) == date(2026, 3, 3)
    assert day_after(late) == datetime(2026, 3, 4, tzinfo=UTC)


def test_no_more_is_left_where_a_cap_was_lowered_below_what_was_used() -> None:
    assert (Cap(10, 4).left, Cap(10, 10).left, Cap(10, 12).left) == (6, 0, 0)
