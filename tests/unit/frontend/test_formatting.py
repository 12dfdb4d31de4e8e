"""How things are written on the pages."""

from datetime import UTC, datetime, timedelta

import pytest

from frontend import formatting

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "now"), (40, "in 40 s"), (-59.9, "59 s ago"), (60, "in 1 min"), (-7200, "2 h ago"), (172_800, "in 2 days")],
)
def test_distances_are_told_in_one_unit(seconds: float, text: str) -> None:
    assert formatting.distance(seconds) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(90, "in 1 min"), (0, "due now"), (-59, "due now"), (-60, "late by 1 min"), (-7200, "late by 2 h")],
)
def test_a_due_instant_is_late_only_after_a_minute(seconds: float, text: str) -> None:
    assert formatting.lateness(seconds) == text


def test_an_instant_is_written_in_utc_for_people_and_for_scripts() -> None:
    assert formatting.when("2026-12-01T09:00:00+01:00") == (
        '<time datetime="2026-12-01T08:00:00Z" data-when="minute">Tue 1 Dec 2026, 08:00 UTC</time>'
    )
    assert "08:00:00.012 UTC" in formatting.when("2026-12-01T08:00:00.012Z", "milli")
    assert formatting.when(None) == "–"


def test_what_is_to_come_is_never_said_to_be_past() -> None:
    assert ">in 1 h<" in formatting.relative((NOW + timedelta(hours=1)).isoformat(), NOW, "coming")
    assert ">now<" in formatting.relative((NOW - timedelta(hours=1)).isoformat(), NOW, "coming")


def test_a_relative_time_counts_from_the_clock_that_is_passed_in() -> None:
    assert ">in 1 h<" in formatting.relative((NOW + timedelta(hours=1)).isoformat(), NOW)


@pytest.mark.parametrize("wall", ["2027-03-28T03:30", "2026-07-01T00:00", "2026-12-01T09:00:30"])
def test_wall_times_come_back_from_utc(wall: str) -> None:
    assert formatting.wall_time(formatting.from_wall_time(wall, "Europe/Berlin"), "Europe/Berlin") == wall


def test_what_is_no_time_is_passed_on() -> None:
    assert formatting.from_wall_time("soon", "UTC") == "soon"
    assert formatting.from_wall_time("", "UTC") == ""
    assert formatting.zone_of("Nowhere/City").key == "UTC"


@pytest.mark.parametrize(("text", "shown"), [("no answer", "No answer."), ("Done!", "Done!"), ("", ""), (None, "")])
def test_details_become_sentences(text: str | None, shown: str) -> None:
    assert formatting.sentence(text) == shown


def test_numbers_have_a_space_that_does_not_break() -> None:
    assert formatting.number(1234567) == "1\u202f234\u202f567"


def test_a_name_that_would_be_misread_is_quoted() -> None:
    assert formatting.address({"email": "a@example.com", "name": "Lovelace, Ada"}) == '"Lovelace, Ada" <a@example.com>'
    assert formatting.address({"email": "a@example.com", "name": ""}) == "a@example.com"


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0 B"), (999, "999 B"), (1000, "1 kB"), (12_345, "12 kB"), (999_600, "1.0 MB"), (3_400_000, "3.4 MB")],
)
def test_sizes_are_told_in_one_unit(count: int, text: str) -> None:
    assert formatting.size(count) == text


@pytest.mark.parametrize("text", ["", "[", "{}", "7", "[1]"])
def test_what_is_no_list_of_files_names_none(text: str) -> None:
    assert formatting.files_of(text) == []
