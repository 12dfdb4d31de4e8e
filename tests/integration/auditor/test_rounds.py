"""Rounds of the audit on a real store: what is named, when, and what resolves it."""

from datetime import datetime, timedelta

import pytest

from fencepost import breaker, ids
from fencepost.findings import Kind
from fencepost.schedules import Status
from tests.integration.auditor.conftest import START, Desk
from tests.support.schedules import at

MINUTE = timedelta(minutes=1)
FIRST = at("2026-03-02 08:05")


def test_what_was_sent_in_time_shows_nothing_and_the_sum_is_what_was_expected(desk: Desk) -> None:
    made = desk.write(5, to=2)
    for one in made:
        desk.send(one, FIRST)
    assert desk.round(FIRST + 2 * MINUTE) == []
    for one in made:
        desk.send(one, FIRST + 5 * MINUTE)
    assert desk.round(FIRST + 7 * MINUTE) == []
    assert desk.totals() == {"expected": 10, "on_record": 10, "skipped": 0}
    assert desk.progress.schedules == 5
    assert desk.round(FIRST + 7 * MINUTE) == [], "nothing is proved twice"
    assert desk.totals()["expected"] == 10


@pytest.mark.parametrize(
    "change",
    [
        {"$set": {"next_run_at": None}},
        {"$unset": {"next_run_at": ""}},
        {"$set": {"next_run_at": START + timedelta(days=400)}},
        {"$set": {"shard": 7777}},
        {"$set": {"next_run_at": None, "finished_at": START}},
    ],
    ids=["no timer", "timer removed", "timer in the future", "no shard", "ended"],
)
def test_a_schedule_whose_timer_stands_still_is_named_within_two_minutes(desk: Desk, change: dict[str, object]) -> None:
    one, other = desk.write(2)
    desk.store.database.schedules.update_one({"_id": one.id}, change)
    desk.send(other, FIRST)
    assert desk.round(FIRST + timedelta(seconds=59)) == [], "it has its grace"
    [finding] = desk.round(FIRST + timedelta(seconds=75))
    assert (finding.kind, finding.schedule_id, finding.at) == (Kind.SILENT, one.id, FIRST)
    assert "Figures" in desk.alarms()["audit.silent"]
    assert "1 schedule has gone silent" in desk.alarms()["audit.silent"]
    later = desk.round(FIRST + 20 * MINUTE)
    assert [finding.at for finding in later if finding.schedule_id == one.id] == [FIRST], "named once, while it lasts"
    assert desk.totals()["expected"] > desk.totals()["on_record"]


def test_a_schedule_that_was_removed_altogether_is_named(desk: Desk) -> None:
    one, _ = desk.write(2, name="The one that was lost")
    desk.send(one, FIRST)
    desk.store.database.schedules.delete_one({"_id": one.id})
    # The revision's age is read off its id, which is as young as this test.
    now = ids.instant_of(one.versions[0].revision_id) + 2 * MINUTE
    desk.progress = desk.progress.__class__(walked_until=now, read_until={"60s": now, "3600s": now})
    found = [finding for finding in desk.round(now) if finding.schedule_id == one.id]
    assert [finding.kind for finding in found] == [Kind.SILENT]
    assert "The one that was lost" in desk.alarms()["audit.silent"]


def test_senders_that_are_down_make_schedules_late_and_a_worked_off_backlog_resolves_it(desk: Desk) -> None:
    [one] = desk.write(misfire={"policy": "skip"})
    assert [finding.kind for finding in desk.round(FIRST + 2 * MINUTE)] == [Kind.LATE]
    assert "audit.late" in desk.alarms()
    desk.send(one, FIRST + 4 * MINUTE)
    assert desk.round(FIRST + 4 * MINUTE) == []
    assert "audit.late" not in desk.alarms()
    [resolved] = desk.store.findings.resolved(START, 10)
    assert resolved.finding.at == FIRST
    desk.round(FIRST + 10 * MINUTE)
    assert desk.totals() == {"expected": 1, "on_record": 0, "skipped": 1}, "what was late is proved when it is settled"


def test_a_pause_of_its_owner_and_a_quarantine_are_no_silence(desk: Desk) -> None:
    one, two = desk.write(2)
    stop = {"at": START, "reason": "a test"}
    desk.store.database.schedules.update_one({"_id": one.id}, {"$set": {"paused": stop, "versions.0.runs": False}})
    assert desk.store.schedules.freeze(two.id, "a test", START)
    assert desk.round(FIRST + 10 * MINUTE) == []


def test_a_missing_record_is_named_though_the_timer_went_on(desk: Desk) -> None:
    one, two = desk.write(2, to=2)
    for each in (one, two):
        desk.send(each, FIRST)
    desk.store.database.occurrences.delete_one({"schedule_id": one.id})
    desk.store.database.deliveries.delete_one({"schedule_id": two.id})
    found = {(finding.kind, finding.schedule_id) for finding in desk.round(FIRST + 2 * MINUTE)}
    assert found == {(Kind.SILENT, one.id), (Kind.MISSING_MAIL, two.id)}
    # What can't be made undone is shown for a day; what is there again is resolved at once.
    desk.send(one, FIRST + 5 * MINUTE)
    desk.send(two, FIRST + 5 * MINUTE)
    assert {finding.kind for finding in desk.round(FIRST + 7 * MINUTE)} == {Kind.SILENT, Kind.MISSING_MAIL}


def test_two_accepted_attempts_and_a_second_record_of_an_instant_are_named(desk: Desk) -> None:
    one, two = desk.write(2)
    for each in (one, two):
        desk.send(each, FIRST)
    taken = {"outcome": "unknown", "settlements": [{"state": "held"}, {"state": "accepted"}]}
    attempts = [{"outcome": "accepted"}, {"outcome": "throttled"}, taken]
    desk.store.database.deliveries.update_one({"schedule_id": one.id}, {"$set": {"attempts": attempts}})
    [copy] = desk.store.database.occurrences.find({"schedule_id": two.id})
    other = ids.triggered_occurrence_id(two.id, FIRST, "a bug")
    desk.store.database.occurrences.insert_one({**copy, "_id": other})
    found = {(finding.kind, finding.schedule_id) for finding in desk.round(FIRST + 2 * MINUTE)}
    assert found == {(Kind.TWICE, one.id), (Kind.EXTRA, two.id)}
    assert {"audit.twice", "audit.extra"} <= desk.alarms().keys()


def test_mail_that_stands_still_is_named_unless_it_waits_for_a_sender_or_a_provider(desk: Desk) -> None:
    [one] = desk.write()
    desk.send(one, FIRST, state="pending")
    served, desk.served[:] = list(desk.served), []
    assert Kind.STUCK not in kinds(desk, 15), "nobody serves its shard"
    desk.served[:] = served
    put_off = {"outcome": "unavailable", "ended_at": FIRST + 14 * MINUTE}
    desk.store.database.deliveries.update_one({"schedule_id": one.id}, {"$set": {"attempts": [put_off]}})
    assert Kind.STUCK not in kinds(desk, 15), "the provider is away"
    desk.store.cluster.raise_alarm("cap.ses", "It has had all its calls of today.", FIRST)
    assert Kind.STUCK in kinds(desk, 40), "that provider is not one of this mail's"
    desk.store.cluster.raise_alarm("cap.mailgun", "It has had all its calls of today.", FIRST)
    assert Kind.STUCK not in kinds(desk, 40), "its provider is done for today"
    desk.store.cluster.clear_alarm("cap.mailgun")
    assert Kind.STUCK in kinds(desk, 40)
    desk.store.database.deliveries.update_one({"schedule_id": one.id}, {"$set": {"state": "accepted"}})
    assert Kind.STUCK not in kinds(desk, 41)


def kinds(desk: Desk, minutes: int) -> set[Kind]:
    return {finding.kind for finding in desk.round(FIRST + minutes * MINUTE)}


def test_a_schedule_that_sends_far_more_than_its_rule_says_is_frozen(desk: Desk) -> None:
    one, two = desk.write(2, to=40)
    for each in (one, two):
        desk.send(each, FIRST)
    rows = list(desk.store.database.deliveries.find({"schedule_id": one.id}))
    # An hour of a rule every five minutes, forty recipients: 480 mails are to be expected, twice that and a hundred are too many.
    desk.store.database.deliveries.insert_many(
        {**rows[0], "_id": ids.delivery_id(f"occ_of_a_bug_{number}", FIRST, "x")} for number in range(1200)
    )
    desk.round(FIRST + 2 * MINUTE)
    assert desk.store.schedules.get("local", one.id).status is Status.QUARANTINED
    assert desk.store.schedules.get("local", two.id).status is Status.ACTIVE
    assert "1240 mails went out in ten minutes" in desk.alarms()[breaker.alarm(one.id)]
    desk.store.database.schedules.update_one({"_id": one.id}, {"$set": {"quarantined": None}})
    desk.round(FIRST + 3 * MINUTE)
    assert breaker.alarm(one.id) not in desk.alarms()


def test_a_list_of_thousands_and_a_backlog_are_not_too_much(desk: Desk) -> None:
    [once] = desk.write(to=400, recurrence={"type": "once", "at": FIRST.isoformat()})
    [often] = desk.write(to=40, misfire={"policy": "all"})
    for one in (once, often):
        desk.send(one, FIRST + 60 * MINUTE)
    for minutes in (5, 20, 40, 61, 70):
        desk.round(FIRST + minutes * MINUTE)
    assert {desk.store.schedules.get("local", one.id).quarantined for one in (once, often)} == {None}


def test_when_all_are_late_a_round_names_a_thousand_and_lets_go_of_them_as_soon_as_they_have_run(desk: Desk) -> None:
    desk.write(1002)
    assert len(desk.round(FIRST + 2 * MINUTE)) == 1000
    assert "audit.late" in desk.alarms()
    decided_by_hand = {"next_run_at": FIRST + 5 * MINUTE, "last_run_at": FIRST, "skips": skips(FIRST)}
    desk.store.database.schedules.update_many({}, {"$set": decided_by_hand})
    assert desk.round(FIRST + 3 * MINUTE) == []
    assert desk.totals() == {"expected": 1002, "on_record": 0, "skipped": 1002}


def skips(at: datetime) -> list[dict[str, object]]:
    return [{"first": at, "last": at, "count": 1, "reason": "misfire"}]
