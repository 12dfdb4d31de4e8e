"""What is read for a report covers its days exactly, in every zone, and what may lack purged mail is not counted anew."""

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fencepost.mail_counts import COUNTS, DAY, QUARTER, day_of, is_closed, pieces, quarter_of, rates, starts
from fencepost.recurrence.zones import zone, zone_names

days = st.dates(date(2020, 1, 1), date(2030, 12, 31))
NOW = datetime(2026, 3, 2, 8, tzinfo=UTC)


@given(days, st.integers(0, 60), st.sampled_from(zone_names()), st.booleans())
def test_pieces_cover_the_days_without_a_gap_or_an_overlap(first: date, more: int, name: str, by_day: bool) -> None:
    begins = starts(first, first + timedelta(days=more), zone(name))
    assert begins == sorted(begins)
    assert len(begins) == more + 2
    found = sorted(pieces(begins, by_day=by_day), key=lambda piece: piece.begin)
    assert (found[0].begin, found[-1].end) == (begins[0], begins[-1])
    assert all(one.end == other.begin for one, other in pairwise(found))
    for piece in found:
        aligned = day_of if piece.span == "day" else quarter_of
        assert (aligned(piece.begin), aligned(piece.end)) == (piece.begin, piece.end)
    if by_day and len(found) > 1:
        assert all(day_of(each) == each for each in begins)


def test_months_are_read_by_whole_days_but_for_their_ends() -> None:
    begins = starts(date(2026, 3, 1), date(2026, 3, 30), ZoneInfo("Asia/Kolkata"))
    spans = {piece.span: (piece.end - piece.begin) for piece in pieces(begins, by_day=False)}
    assert spans["day"] == 29 * DAY
    assert {piece.span for piece in pieces(begins, by_day=True)} == {"quarter"}
    utc = starts(date(2026, 3, 1), date(2026, 3, 30), ZoneInfo("UTC"))
    assert [piece.span for piece in pieces(utc, by_day=True)] == ["day"]


@pytest.mark.parametrize(
    ("name", "day", "hours"),
    [
        ("Europe/Berlin", date(2026, 3, 29), 23),
        ("Europe/Berlin", date(2026, 10, 25), 25),
        ("Asia/Beirut", date(2026, 3, 29), 23),
    ],
)
def test_a_day_is_as_long_as_its_zone_has_it(name: str, day: date, hours: int) -> None:
    """In Beirut the clock jumps at midnight itself: that day begins at one."""
    begin, end = starts(day, day, zone(name))
    assert end - begin == timedelta(hours=hours)


def test_a_quarter_is_closed_before_its_first_mail_may_be_purged() -> None:
    retention = timedelta(days=90)
    assert is_closed(NOW - retention, NOW, retention)
    assert is_closed(NOW - retention + QUARTER, NOW, retention)
    assert not is_closed(NOW - retention + timedelta(hours=2), NOW, retention)


def test_rates_are_shares_and_none_of_nothing() -> None:
    nothing = dict.fromkeys(COUNTS, 0)
    assert set(rates(nothing).values()) == {None}
    found = rates({**nothing, "sent": 3, "delivered": 2, "opened": 1})
    assert (found["delivery_rate"], found["open_rate"], found["click_rate"]) == (0.6667, 0.5, 0.0)
