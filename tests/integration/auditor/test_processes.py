"""C4 with whole processes: senders and auditors as they run everywhere, and one timer that stands still."""

from datetime import timedelta
from typing import Any

import requests

from devstack.processes import Process
from fencepost.findings import Kind, Recorded
from tests.integration.auditor.conftest import StartsAuditor
from tests.support.eventually import eventually
from tests.support.world import World

QUICK = {"GRACE_SECONDS": "2", "EVERY_SECONDS": "0.5", "LEASE_SECONDS": "3"}
EVERY_TWO_SECONDS = {"type": "interval", "every": "2s"}


def metric(process: Process, name: str) -> float:
    lines = requests.get(f"{process.url}/metrics", timeout=5).text.splitlines()
    return next(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(name))


def test_one_frozen_timer_among_many_is_named_and_the_sum_is_what_was_expected(
    world: World, start_auditor: StartsAuditor
) -> None:
    world.start_registry()
    world.start(2)
    auditor = start_auditor(world, **QUICK)
    begin = world.soon(0)
    [one, *_] = world.write(20, begin - timedelta(hours=1), recurrence=EVERY_TWO_SECONDS, starts_at=begin.isoformat())
    eventually(lambda: audit(world)["occurrences"]["on_record"] >= 60, seconds=60)
    assert not silent(world), "no false alarm"

    world.store.database.schedules.update_one({"_id": one.id}, {"$unset": {"next_run_at": ""}})
    found = eventually(lambda: silent(world), seconds=60)
    assert [(each.finding.schedule_id, each.schedule_name) for each in found] == [(one.id, "Figures")]
    # What a round found stands there before it has ended, and its sums after.
    eventually(lambda: audit(world)["occurrences"]["missing"] >= 1, seconds=60)
    answer = audit(world)
    assert [finding["schedule_id"] for finding in answer["findings"] if finding["kind"] == "silent"] == [one.id]
    sums = answer["occurrences"]
    assert answer["schedules"] == 20
    assert sums["expected"] == sums["on_record"] + sums["skipped"] + sums["missing"]
    alarms = {alarm["kind"]: alarm["detail"] for alarm in world.call("GET", "/cluster")["alarms"]}
    assert "Figures" in alarms["audit.silent"]
    eventually(lambda: metric(auditor, 'fencepost_audit_findings{kind="silent"}') == 1.0, seconds=30)
    assert metric(auditor, "fencepost_audit_round_seconds") < 60
    assert auditor.stop(30) == 0
    assert "Traceback" not in auditor.log.read_text()


def silent(world: World) -> list[Recorded]:
    return [one for one in world.store.findings.open(100) if one.finding.kind is Kind.SILENT]


def audit(world: World) -> dict[str, Any]:
    answer: dict[str, Any] = world.call("GET", "/audit")
    return answer


def test_of_two_auditors_one_works_and_the_other_takes_over(world: World, start_auditor: StartsAuditor) -> None:
    world.store.cluster.fix_layout(world.settings.sender.shards)
    first = start_auditor(world, **QUICK)
    eventually(lambda: "auditor.works" in first.log.read_text(), seconds=30)
    second = start_auditor(world, **QUICK)
    eventually(lambda: "auditor.works" not in second.log.read_text() and rounds(world), seconds=30)
    first.kill()
    eventually(lambda: "auditor.works" in second.log.read_text(), seconds=60)
    third = start_auditor(world, **QUICK)
    second.stop(30)
    eventually(lambda: "auditor.works" in third.log.read_text(), seconds=60)


def rounds(world: World) -> bool:
    progress = world.store.audits.progress()
    return bool(progress and progress.last_round_at)
