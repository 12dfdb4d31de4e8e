"""What becomes of due instants: misfire policies, windows, pauses, limits, and skips that are one record."""

from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fencepost.planning import Limits, Plan, plan
from fencepost.schedules import Rule, Schedule, Skip, SkipReason, Stop, Version, edited
from tests.support.schedules import Texts, at, definition, schedule

LIMITS = Limits()
CREATED = at("2026-03-02 11:58")


def planned(made: Schedule, now: datetime, limits: Limits = LIMITS, texts: Texts | None = None) -> Plan:
    result = plan(made, (texts or Texts(made)).rules, now, limits)
    assert result is not None
    return result


def down_for_an_hour(policy: str, window_seconds: int = 86_400) -> Plan:
    """Every five minutes, all senders away from before 12:05 until 13:02."""
    text = definition(misfire={"policy": policy, "window_seconds": window_seconds})
    made = schedule(at("2026-03-02 12:01"), text)
    return planned(made, at("2026-03-02 13:02"))


def test_nothing_is_planned_before_its_instant() -> None:
    made = schedule(CREATED)
    assert plan(made, Texts(made).rules, at("2026-03-02 11:59:59"), LIMITS) is None


def test_an_instant_found_in_time_runs_and_the_schedule_moves_on() -> None:
    result = planned(schedule(CREATED), at("2026-03-02 12:00"))
    assert [instant for instant, _ in result.runs] == [at("2026-03-02 12:00")]
    assert (result.after.last_run_at, result.after.next_run_at) == (at("2026-03-02 12:00"), at("2026-03-02 12:05"))
    assert result.after.occurrence_count == 1


def test_skip_runs_none_of_an_hour_and_records_all_twelve_in_one() -> None:
    result = down_for_an_hour("skip")
    assert result.runs == ()
    [skip] = result.skips
    assert (skip.first, skip.last, skip.count) == (at("2026-03-02 12:05"), at("2026-03-02 13:00"), 12)
    assert skip.reason is SkipReason.MISFIRE


def test_latest_runs_one_of_an_hour_and_records_eleven() -> None:
    result = down_for_an_hour("latest")
    assert [instant for instant, _ in result.runs] == [at("2026-03-02 13:00")]
    assert [(skip.count, skip.last) for skip in result.skips] == [(11, at("2026-03-02 12:55"))]


def test_all_runs_the_twelve_of_an_hour() -> None:
    result = down_for_an_hour("all")
    assert len(result.runs) == 12
    assert result.skips == ()


def test_the_window_caps_what_all_runs() -> None:
    result = down_for_an_hour("all", window_seconds=900)
    assert [instant for instant, _ in result.runs] == [
        at("2026-03-02 12:50"),
        at("2026-03-02 12:55"),
        at("2026-03-02 13:00"),
    ]
    assert [(skip.count, skip.reason) for skip in result.skips] == [(9, SkipReason.WINDOW)]


def test_latest_gives_way_to_what_is_in_time() -> None:
    text = definition(misfire={"policy": "latest", "window_seconds": 86_400})
    result = planned(schedule(at("2026-03-02 12:01"), text), at("2026-03-02 12:15:10"))
    assert [instant for instant, _ in result.runs] == [at("2026-03-02 12:15")]
    assert [skip.count for skip in result.skips] == [2]


def test_a_long_outage_is_worked_off_in_several_passes_and_skips_stay_one_record() -> None:
    made = schedule(at("2026-03-02 00:01"), definition(misfire={"policy": "latest", "window_seconds": 86_400}))
    now = at("2026-03-02 12:02")
    runs: list[datetime] = []
    skips: list[Skip] = []
    limits = Limits(instants=50)
    while (result := plan(made, Texts(made).rules, now, limits)) is not None:
        runs += [instant for instant, _ in result.runs]
        skips += result.skips
        made = result.after
    assert runs == [at("2026-03-02 12:00")]
    assert {skip.first for skip in skips} == {at("2026-03-02 00:05")}
    assert (skips[-1].last, skips[-1].count) == (at("2026-03-02 11:55"), 143)


def test_a_long_list_bounds_how_many_instants_one_pass_creates() -> None:
    made = schedule(at("2026-03-02 12:01"), definition(to=100, misfire={"policy": "all", "window_seconds": 86_400}))
    result = planned(made, at("2026-03-02 13:02"), Limits(deliveries=500))
    assert len(result.runs) == 5
    assert result.after.next_run_at == at("2026-03-02 12:30")


def test_a_paused_schedule_sends_nothing_and_says_so_on_record() -> None:
    made = schedule(CREATED)
    texts = Texts(made)
    paused = edited(
        made,
        texts.rules,
        now=at("2026-03-02 11:59"),
        revision_id=made.versions[0].revision_id,
        paused=Stop(at("2026-03-02 11:59"), "holidays"),
    )
    first = planned(paused, at("2026-03-02 12:00"), texts=texts)
    second = planned(first.after, at("2026-03-02 12:05"), texts=texts)
    assert first.runs == second.runs == ()
    [skip] = second.skips
    assert (skip.first, skip.last, skip.count, skip.reason) == (
        at("2026-03-02 12:00"),
        at("2026-03-02 12:05"),
        2,
        SkipReason.PAUSED,
    )


def test_max_occurrences_ends_the_schedule_with_the_last_one() -> None:
    made = schedule(
        at("2026-03-02 12:01"), definition(max_occurrences=3, misfire={"policy": "all", "window_seconds": 86_400})
    )
    result = planned(made, at("2026-03-02 13:02"))
    assert [instant for instant, _ in result.runs] == [
        at("2026-03-02 12:05"),
        at("2026-03-02 12:10"),
        at("2026-03-02 12:15"),
    ]
    assert result.after.next_run_at is None
    assert result.after.finished_at == at("2026-03-02 13:02")


def test_what_never_comes_again_is_finished() -> None:
    once = definition(recurrence={"type": "once", "at": "2026-03-02T12:00:00", "timezone": "UTC"})
    result = planned(schedule(CREATED, once), at("2026-03-02 12:00"))
    assert result.after.next_run_at is None
    assert result.after.finished_at is not None


@pytest.mark.parametrize("milliseconds_before", [1, 500, 999, 1000, 1001])
def test_an_edit_shortly_before_an_instant_leaves_only_the_newest_text_to_ask(milliseconds_before: int) -> None:
    """Senders read older texts for what was due before the edit; here nothing was."""
    made = schedule(CREATED)
    texts, due = Texts(made), at("2026-03-02 12:00")
    text = definition(message={"text": "Another."})
    made = edited(
        made,
        texts.rules,
        now=due - timedelta(milliseconds=milliseconds_before),
        revision_id=texts.add(text),
        definition=text,
    )

    def rule_of_the_newest(version: Version) -> Rule:
        assert version.no == made.version, f"version {version.no} was asked for"
        return texts.rules(version)

    result = plan(made, rule_of_the_newest, due, LIMITS)
    assert result is not None
    assert [(instant, version.no) for instant, version in result.runs] == [(due, 2)]


@pytest.mark.parametrize("policy", ["skip", "latest", "all"])
@given(passes=st.lists(st.integers(1, 5000), min_size=1, max_size=12))
def test_every_due_instant_is_run_or_skipped_once_however_the_passes_fall(policy: str, passes: list[int]) -> None:
    made = schedule(CREATED, definition(misfire={"policy": policy, "window_seconds": 600}))
    texts, now = Texts(made), CREATED
    ran: list[datetime] = []
    records: dict[datetime, tuple[datetime, int]] = {}
    for seconds in passes:
        now += timedelta(seconds=seconds)
        while (result := plan(made, texts.rules, now, Limits(instants=7))) is not None:
            ran += [instant for instant, _ in result.runs]
            records |= {skip.first: (skip.last, skip.count) for skip in result.skips}
            made = result.after
    due = list(texts.rules(made.versions[0]).instants(CREATED, now))
    skipped = [instant for first, (last, _) in records.items() for instant in due if first <= instant <= last]
    assert sorted(ran + skipped) == due
    assert len(skipped) == sum(count for _, count in records.values())
