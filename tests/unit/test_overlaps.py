"""What becomes of an instant that is due while earlier mail of its schedule is open."""

from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fencepost import ids
from fencepost.overlaps import admitted, overlap_of
from fencepost.planning import Limits, Plan, plan
from fencepost.schedules import Schedule, SkipReason
from tests.support.schedules import Texts, at, definition, schedule

NOON = at("2026-03-02 12:00")
ALL = {"policy": "all", "window_seconds": 86_400}
FIVE = timedelta(minutes=5)


def every_five_minutes(overlap: str, since: datetime = NOON - timedelta(minutes=2)) -> Schedule:
    return schedule(since, definition(overlap=overlap, misfire=ALL))


def planned(made: Schedule, now: datetime, *open_instants: datetime) -> Plan:
    opened = [ids.occurrence_id(made.id, instant) for instant in open_instants]
    result = plan(made, Texts(made).rules, now, Limits(), opened)
    assert result is not None
    return result


def ran(result: Plan) -> list[datetime]:
    return [instant for instant, _ in result.runs]


@pytest.mark.parametrize("overlap", ["allow", "skip", "queue_one"])
def test_with_nothing_open_every_policy_runs_at_once(overlap: str) -> None:
    result = planned(every_five_minutes(overlap), NOON)
    assert (ran(result), result.after_occurrence, result.skips) == ([NOON], {}, ())


def test_allow_runs_beside_what_is_open() -> None:
    result = planned(every_five_minutes("allow"), NOON, NOON - FIVE)
    assert (ran(result), result.after_occurrence) == ([NOON], {})


def test_skip_skips_on_record_and_does_not_count_it_as_a_run() -> None:
    made = every_five_minutes("skip")
    result = planned(made, NOON, NOON - FIVE)
    assert ran(result) == []
    [skip] = result.skips
    assert (skip.first, skip.count, skip.reason) == (NOON, 1, SkipReason.OVERLAP)
    assert (result.after.occurrence_count, result.after.next_run_at) == (0, NOON + FIVE)


def test_queue_one_lets_one_wait_and_skips_what_comes_meanwhile() -> None:
    made = every_five_minutes("queue_one")
    first = planned(made, NOON, NOON - FIVE)
    assert ran(first) == [NOON]
    assert first.after_occurrence == {NOON: ids.occurrence_id(made.id, NOON - FIVE)}
    second = planned(first.after, NOON + FIVE, NOON - FIVE, NOON)
    assert (ran(second), [skip.reason for skip in second.skips]) == ([], [SkipReason.OVERLAP])
    third = planned(second.after, NOON + 2 * FIVE, NOON)
    assert third.after_occurrence == {NOON + 2 * FIVE: ids.occurrence_id(made.id, NOON)}


def test_instants_that_are_found_at_once_are_each_others_predecessors() -> None:
    now = NOON + 4 * FIVE
    assert len(ran(planned(every_five_minutes("allow"), now))) == 5
    skipping = planned(every_five_minutes("skip"), now)
    assert (ran(skipping), [skip.count for skip in skipping.skips]) == ([NOON], [4])
    made = every_five_minutes("queue_one")
    queueing = planned(made, now)
    assert ran(queueing) == [NOON, NOON + FIVE]
    assert queueing.after_occurrence == {NOON + FIVE: ids.occurrence_id(made.id, NOON)}
    assert [skip.count for skip in queueing.skips] == [3]


def test_rows_that_a_broken_off_plan_of_the_same_instant_left_do_not_hold_it_up() -> None:
    result = planned(every_five_minutes("skip"), NOON, NOON)
    assert ran(result) == [NOON]


def test_a_run_that_was_skipped_leaves_room_for_another_under_max_occurrences() -> None:
    made = schedule(NOON - FIVE, definition(overlap="skip", misfire=ALL, max_occurrences=1))
    skipped = planned(made, NOON, NOON - FIVE)
    assert skipped.after.next_run_at == NOON + FIVE
    assert ran(planned(skipped.after, NOON + FIVE)) == [NOON + FIVE]


def test_a_definition_from_before_there_were_policies_allows_overlaps() -> None:
    old = {name: value for name, value in definition().items() if name != "overlap"}
    assert overlap_of(old) == "allow"


@given(
    overlap=st.sampled_from(["allow", "skip", "queue_one"]),
    wakings=st.lists(st.tuples(st.integers(1, 40), st.integers(0, 3)), min_size=1, max_size=8),
)
def test_every_due_instant_runs_or_is_skipped_once_and_few_enough_are_open(
    overlap: str, wakings: list[tuple[int, int]]
) -> None:
    """Wakings: so many minutes later, when so many of the open occurrences, the earliest first, have ended."""
    made, now = every_five_minutes(overlap), NOON
    running: list[datetime] = []
    runs: list[datetime] = []
    skipped: dict[datetime, int] = {}
    waits: dict[datetime, str] = {}
    for minutes, ended in wakings:
        now += timedelta(minutes=minutes)
        running = running[ended:]
        opened = [ids.occurrence_id(made.id, instant) for instant in running]
        result = plan(made, Texts(made).rules, now, Limits(), opened)
        if result is None:
            continue
        runs += ran(result)
        running += ran(result)
        waits |= result.after_occurrence
        skipped |= {skip.first: skip.count for skip in result.skips}
        made = result.after
        if overlap != "allow":
            assert len(running) <= (1 if overlap == "skip" else 2)
    due = list(Texts(made).rules(made.versions[0]).instants(made.created_at, now))
    assert len(runs) == len(set(runs))
    assert len(runs) + sum(skipped.values()) == len(due)
    assert not any(first <= run < first + count * FIVE for run in runs for first, count in skipped.items())
    # Each waits for an earlier one that ran: nothing waits for ever, and nobody for each other.
    assert all(ids.instant_of(before) < instant and ids.instant_of(before) in runs for instant, before in waits.items())


def test_policies_admit_as_many_as_they_say() -> None:
    instants = [NOON + index * FIVE for index in range(4)]
    open_one = [ids.occurrence_id("sch_x", NOON - FIVE)]
    assert list(admitted("skip", "sch_x", instants, open_one)) == []
    assert admitted("queue_one", "sch_x", instants, open_one) == {NOON: open_one[0]}
    assert list(admitted("allow", "sch_x", instants, open_one)) == instants
