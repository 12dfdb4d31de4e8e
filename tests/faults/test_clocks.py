"""Senders whose clocks are off: by seconds they work, by more they step aside and say so; a jump is noticed before anything is done
by it. A registry's own clock does not matter."""

import os
import sys
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest
import requests

from devstack import probes
from devstack.processes import Process, free_port
from tests.support.eventually import eventually
from tests.support.nursery import Sender
from tests.support.skewed import skew
from tests.support.weather import SEATS, all_is_well, mail_flows
from tests.support.world import World

pytestmark = pytest.mark.timeout(120)
HOUR = 3600.0


@pytest.fixture
def clock(tmp_path: Path) -> Path:
    """By how much the clocks of those are off that are given this file."""
    path = tmp_path / "off-by"
    skew(path, 0)
    return path


def objection(world: World, sender: Sender) -> str:
    """What a sender says on /readyz of its clock; empty if it is right."""
    check = world.readiness(sender)["checks"].get("clock", {"ok": True})
    return "" if check["ok"] else str(check["detail"])


def alarms(world: World) -> dict[str, str]:
    return {alarm["kind"].partition(".")[0]: alarm["detail"] for alarm in world.store.cluster.alarms()}


def test_clocks_that_are_off_by_seconds_cost_seconds(world: World, tmp_path: Path) -> None:
    senders = []
    for off in (-3, 3):
        skew(tmp_path / f"off{off}", off)
        senders.append(world.fork(clock=str(tmp_path / f"off{off}"), SEATS=str(SEATS)))
    for sender in senders:
        sender.wait_ready()
    world.balanced(*senders)
    with mail_flows(world, seconds=3):
        pass
    rows = all_is_well(world)
    # By the ledger's clock: who is three seconds fast sends three seconds early, and no more.
    due = {row["_id"]: row["due_at"].timestamp() for row in rows}
    early = [due[entry["delivery_id"]] - entry["at"] for entry in world.ledger()]
    assert 0 < max(early) < 3.5
    assert world.store.cluster.alarms() == []


@pytest.mark.parametrize("off", [-HOUR, HOUR])
def test_a_sender_whose_clock_is_off_at_the_start_waits_and_says_so(world: World, clock: Path, off: float) -> None:
    skew(clock, off)
    wrong = world.fork(clock=str(clock), SEATS=str(SEATS))
    eventually(lambda: "3600.0 s" in objection(world, wrong), seconds=20)
    assert "3600.0 s" in alarms(world)["clock"]
    right = world.start(1, SEATS=str(SEATS))[0]
    world.balanced(right)
    with mail_flows(world, seconds=2):
        pass
    world.settled()
    assert {row["attempts"][-1]["sender"].split("-")[-2] for row in world.rows()} == {str(right.pid)}
    skew(clock, 0)
    wrong.wait_ready()
    world.balanced(right, wrong)
    all_is_well(world)
    assert "clock" not in alarms(world)


@pytest.mark.parametrize("jump", [-HOUR, HOUR])
def test_a_clock_that_jumps_sends_nothing_early_nor_late(world: World, clock: Path, jump: float) -> None:
    jumping, right = world.fork(clock=str(clock), SEATS=str(SEATS)), world.fork(SEATS=str(SEATS))
    for sender in (jumping, right):
        sender.wait_ready()
    world.balanced(jumping, right)
    in_half_an_hour = world.write(
        20, world.soon(-10), recurrence={"type": "once", "at": world.soon(HOUR / 2).isoformat()}
    )
    with mail_flows(world, seconds=6):
        skew(clock, jump)
        eventually(lambda: objection(world, jumping), seconds=10)
        # What it held goes to the other.
        world.balanced(right)
    world.settled()
    assert world.readiness(right)["status"] == "ready"
    skew(clock, 0)
    jumping.wait_ready()
    eventually(lambda: world.shards_of(jumping), seconds=30)
    rows = all_is_well(world)
    assert not {row["schedule_id"] for row in rows} & {schedule.id for schedule in in_half_an_hour}
    told = [line["action"] for line in jumping.lines() if line["action"].startswith("clock.")]
    assert told == ["clock.off", "clock.right"]
    due = {row["_id"]: row["due_at"] for row in rows}
    early = [due[entry["delivery_id"]].timestamp() - entry["at"] for entry in world.ledger()]
    assert max(early) < 0.5


def test_a_registry_on_a_machine_with_a_wrong_clock_dates_what_people_write_by_mongodbs(
    world: World, tmp_path: Path
) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    registry = Process(
        "registry",
        [sys.executable, "-m", "tests.support.skewed_registry"],
        url=url,
        log=tmp_path / "registry.log",
        ready=partial(probes.http_is_ready, f"{url}/readyz"),
        environment={**os.environ, **world.variables, "FENCEPOST_REGISTRY__PORT": url.rpartition(":")[2]},
    )
    try:
        registry.start().wait_ready()
        message = {"from": "post@example.com", "to": ["ann@example.com"], "subject": "Hello", "text": "Hello."}
        every = {"type": "interval", "every": "1d"}
        made = requests.post(
            f"{url}/schedules", json={"name": "Daily", "recurrence": every, "message": message}, timeout=10
        ).json()
        age = datetime.now(UTC) - datetime.fromisoformat(made["created_at"])
        assert timedelta(seconds=-5) < age < timedelta(minutes=1)
    finally:
        registry.kill()
