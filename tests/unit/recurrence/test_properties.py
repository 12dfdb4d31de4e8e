"""What holds for every rule, in random ones."""

import os
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import islice, pairwise

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from fencepost.errors import Invalid
from fencepost.recurrence import Rule, parse_rule, preview, words
from tests.unit.recurrence.matcher import Meaning, Window, cron, due, zone_of
from tests.unit.recurrence.matcher_rrule import rrule
from tests.unit.recurrence.strategies import CRON_TEXTS, DST, INSTANTS, MADE, RECURRENCES, RRULE_TEXTS, ZONES

SECOND = timedelta(seconds=1)
CHANGES = {
    "America/New_York": ("2026-03-08T07", "2026-11-01T06"), "Australia/Lord_Howe": ("2025-10-04T15", "2026-04-04T15"),
    "America/Santiago": ("2026-09-06T04", "2026-04-05T03"), "Africa/Cairo": ("2026-04-23T22", "2026-10-29T21"),
    "Africa/Casablanca": ("2026-02-15T02", "2026-03-22T02"), "Europe/Dublin": ("2026-03-29T01", "2026-10-25T01"),
    "America/Goose_Bay": ("2026-03-08T06", "2026-11-01T05"), "Pacific/Chatham": ("2026-04-04T14", "2026-09-26T14"),
    "Antarctica/Troll": ("2026-03-29T01", "2026-10-25T01"), "UTC": ("2026-02-28T23", "2028-02-29T12"),
}  # fmt: skip


def parsed(recurrence: Mapping[str, object], dst: Mapping[str, str]) -> Rule:
    try:
        return parse_rule(recurrence, dst=dst, anchor=MADE)
    except Invalid:
        assume(False)
        raise


@settings(max_examples=100, deadline=None)
@given(RECURRENCES, DST, INSTANTS)
def test_every_way_of_asking_gives_the_same(
    recurrence: Mapping[str, object], dst: Mapping[str, str], begin: datetime
) -> None:
    rule = parsed(recurrence, dst)
    listed = list(islice(rule.instants(begin), 8))
    assert all(earlier < later for earlier, later in pairwise([begin, *listed]))
    assert all(at.tzinfo is UTC and at.microsecond == 0 for at in listed)
    assert [row.at for row in preview(rule, after=begin, count=8)] == listed
    asked: list[datetime] = []
    at = rule.after(begin)
    while at is not None and len(asked) < 8:
        asked.append(at)
        at = rule.after(at)
    assert asked == listed
    for earlier, later in pairwise([begin, *listed]):
        between = earlier + (later - earlier) / 3
        assert rule.after(between) == later
        assert rule.includes(later)
        assert not rule.includes(later - SECOND) or later - SECOND == earlier
        assert list(rule.instants(earlier, later)) == [later]
        assert list(rule.instants(earlier, later - SECOND)) == []


@settings(max_examples=120, deadline=None)
@example("0 9-9/2 1-1/5 2-FEB/3 SUN-0/2", {"gap": "shift", "repeat": "first"}, "UTC", 0)
@given(CRON_TEXTS, DST, st.sampled_from(ZONES), st.integers(0, 1))
def test_a_cron_rule_agrees_with_the_oracle(text: str, dst: Mapping[str, str], name: str, which: int) -> None:
    rule = parsed({"type": "cron", "expression": text, "timezone": name}, dst)
    compare(rule, cron(text), dst, CHANGES[name][which])


@settings(max_examples=150, deadline=None)
@given(RRULE_TEXTS, DST, st.sampled_from(ZONES), st.integers(0, 1))
def test_a_recurrence_rule_agrees_with_the_oracle(text: str, dst: Mapping[str, str], name: str, which: int) -> None:
    assume(text.count("BYHOUR") < 2)
    rule = parsed({"type": "rrule", "rule": text, "timezone": name}, dst)
    compare(rule, rrule(text, MADE, zone_of(name)), dst, CHANGES[name][which])


def compare(rule: Rule, meaning: Meaning, dst: Mapping[str, str], change: str) -> None:
    window = around(rule.timezone.key, change)
    assert list(rule.instants(window.begin - SECOND, window.end)) == due(meaning, window, dst["gap"], dst["repeat"])


@cache
def around(name: str, change: str) -> Window:
    return Window(zone_of(name), datetime.fromisoformat(f"{change}:00:00+00:00") - timedelta(hours=40), 80 * 60)


@settings(max_examples=100, deadline=None)
@given(RECURRENCES, DST)
def test_every_rule_can_be_said(recurrence: Mapping[str, object], dst: Mapping[str, str]) -> None:
    rule = parsed(recurrence, dst)
    said = words(rule)
    assert said[0].isupper()
    assert said.endswith(
        ", UTC" if rule.timezone.key == "UTC" else f", {rule.timezone.key.rpartition('/')[2].replace('_', ' ')} time"
    )


JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=20), CRON_TEXTS, RRULE_TEXTS),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=10), inner, max_size=3)),
    max_leaves=6,
)
FIELDS = st.sampled_from(["type", "expression", "every", "rule", "at", "timezone", "x"])
TYPED = st.dictionaries(FIELDS, JSON, max_size=4).flatmap(
    lambda fields: st.sampled_from(["cron", "interval", "rrule", "once"]).map(lambda kind: {**fields, "type": kind})
)


@settings(max_examples=150, deadline=None)
@given(st.one_of(JSON, TYPED), JSON, JSON, JSON)
def test_whatever_is_sent_is_a_rule_or_refused(
    recurrence: object, starts_at: object, ends_at: object, dst: object
) -> None:
    try:
        parse_rule(recurrence, starts_at=starts_at, ends_at=ends_at, dst=dst, anchor=MADE)  # type: ignore[arg-type]
    except Invalid as refused:
        for problem in refused.problems:
            assert problem.pointer.startswith(("/recurrence", "/starts_at", "/ends_at", "/dst"))
            assert problem.detail.endswith((".", "?"))


@pytest.fixture
def process_zone() -> Iterator[None]:
    """Puts the process's own zone back."""
    before = os.environ.get("TZ")
    yield
    os.environ.pop("TZ", None)
    if before is not None:
        os.environ["TZ"] = before
    time.tzset()


def test_the_zone_of_the_process_changes_nothing(process_zone: None) -> None:
    found = set()
    for zone in ("UTC", "America/New_York", "Pacific/Apia", "Australia/Lord_Howe"):
        os.environ["TZ"] = zone
        time.tzset()
        night = datetime(2026, 10, 31, 12, tzinfo=UTC)
        rules = [
            parse_rule({"type": "cron", "expression": "15,45 0-2 * * *", "timezone": "America/New_York"}, anchor=MADE),
            parse_rule({"type": "rrule", "rule": "FREQ=DAILY", "timezone": "America/New_York"}, anchor=MADE),
            parse_rule({"type": "once", "at": "2026-11-01T01:30:00", "timezone": "America/New_York"}, anchor=MADE),
        ]
        found.add(tuple((words(rule), *islice(rule.instants(night), 9)) for rule in rules))
    assert len(found) == 1
