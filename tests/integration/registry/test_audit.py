"""GET /audit, and what the cluster says when nobody audits any more."""

from datetime import timedelta

from fencepost.findings import Finding, Kind
from fencepost.store import Store
from fencepost.store.audit import Progress
from tests.support.api import Api, MovableClock


def progress(clock: MovableClock) -> Progress:
    hours = {
        "2026-03-02T07:00:00+00:00": {"expected": 7, "on_record": 5, "skipped": 1},
        "2026-03-02T08:00:00+00:00": {"expected": 3, "on_record": 3, "skipped": 0},
    }
    return Progress(last_round_at=clock.now(), seconds=1.5, schedules=12, hours=hours)


def test_before_the_first_auditor_there_is_nothing_and_no_alarm(api: Api) -> None:
    answer = api.get("/audit")
    assert answer == {
        "last_round_at": None,
        "seconds": None,
        "schedules": 0,
        "occurrences": {"expected": 0, "on_record": 0, "skipped": 0, "missing": 0},
        "findings": [],
        "open": 0,
    }
    assert api.get("/cluster")["alarms"] == []


def test_it_says_what_was_proved_and_what_is_wrong(api: Api, store: Store, clock: MovableClock) -> None:
    assert store.audits.acquire("auditor-1", timedelta(seconds=60))
    assert store.audits.save("auditor-1", progress(clock))
    at = clock.now().replace(microsecond=0)
    open_one = Finding(Kind.SILENT, "sch_1", at, "Its timer is gone.")
    over = Finding(Kind.LATE, "sch_2", at, "It waits.")
    store.findings.record([open_one, over], {"sch_1": "Figures"}, at)
    store.findings.resolve([over.id], at)
    answer = api.get("/audit")
    assert (answer["schedules"], answer["seconds"], answer["open"]) == (12, 1.5, 1)
    assert answer["occurrences"] == {"expected": 10, "on_record": 8, "skipped": 1, "missing": 1}
    shown = [(one["kind"], one["schedule_name"], one["resolved_at"] is None) for one in answer["findings"]]
    assert shown == [("silent", "Figures", True), ("late", "", False)]


def test_an_auditor_that_has_gone_is_an_alarm(api: Api, store: Store, clock: MovableClock) -> None:
    assert store.audits.acquire("auditor-1", timedelta(seconds=60))
    assert store.audits.acquire("auditor-2", timedelta(seconds=60)) is None, "one works"
    assert store.audits.save("auditor-1", progress(clock))
    assert not store.audits.save("auditor-2", Progress())
    assert api.get("/cluster")["alarms"] == []
    clock.move(minutes=6)
    [alarm] = api.get("/cluster")["alarms"]
    assert alarm["kind"] == "audit.absent"
