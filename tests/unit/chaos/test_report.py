"""The fault report keeps what other commands wrote into it, and the soak says what grew."""

from dataclasses import replace

import pytest

from tests.chaos.report import COSTS, SOAK, costs_section, own_sections, with_sections
from tests.chaos.soak import GROWTH, Sample, grown, quarters

_SAMPLE = Sample(at=0, memory_mb=70, descriptors=40, threads=17, leases=3, keys=17, remembered=100, connections=30)
FLAT = [replace(_SAMPLE, at=15.0 * number) for number in range(1, 41)]


def test_a_section_takes_the_place_of_the_one_before_and_leaves_the_rest() -> None:
    text = with_sections("# Report\n\n| a | b |\n", {SOAK: f"{SOAK}\n\nAn hour.\n"})
    text = with_sections(text, {COSTS: f"{COSTS}\n\nSeconds.\n"})
    assert text == f"# Report\n\n| a | b |\n\n{COSTS}\n\nSeconds.\n\n{SOAK}\n\nAn hour.\n"
    again = with_sections(text, {SOAK: f"{SOAK}\n\nA day.\n"})
    assert again == text.replace("An hour", "A day")
    assert with_sections("# Another\n", own_sections(again)) == again.replace("# Report\n\n| a | b |", "# Another")


def test_the_costs_are_told_by_what_was_lost() -> None:
    figures = [{"what": "a sender", "seconds": seconds, "bound": 7.0} for seconds in (3.0, 5.0, 4.0)]
    assert "| a sender | 3 | 4.0 s | 5.0 s | 7.0 s |" in costs_section(figures)


def test_what_stays_as_it_is_has_not_grown() -> None:
    assert grown(FLAT) == []
    assert quarters(FLAT, "memory_mb") == (70, 70)


@pytest.mark.parametrize("name", GROWTH)
def test_what_grows_all_the_time_is_named(name: str) -> None:
    growing = [
        replace(sample, **{name: round(getattr(sample, name) * (1 + number / 10))})
        for number, sample in enumerate(FLAT)
    ]
    [found] = grown(growing)
    assert found.startswith(f"{name} grew from ")


def test_moments_at_which_a_server_was_away_do_not_count() -> None:
    holes = [replace(sample, leases=None) if number % 3 else sample for number, sample in enumerate(FLAT)]
    assert grown(holes) == []
