"""An etcd of three members that die, freeze, lose their leader, their majority and their space. Mail flows or waits; none is lost
and none goes twice."""

from base64 import b64encode
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
import requests

from devstack.processes import Process
from devstack.servers import start_etcd_cluster
from tests.conftest import StartsServer
from tests.support import figures, story
from tests.support.clusters import come_back, lent
from tests.support.eventually import eventually
from tests.support.weather import SEATS, all_is_well, lateness, mail_flows, wait_until
from tests.support.world import World
from tests.support.worlds import MakesWorld

pytestmark = pytest.mark.timeout(180)
LEADER_CHANGE_SECONDS = 40


@pytest.fixture(scope="module")
def _members(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Process]]:
    yield from lent(start_etcd_cluster(tmp_path_factory.mktemp("etcd"), members=3))


def call(member: Process, path: str, body: dict[str, Any]) -> dict[str, Any]:
    answer = requests.post(f"{member.url}/v3/{path}", json=body, timeout=30)
    assert answer.ok, answer.text
    found: dict[str, Any] = answer.json()
    return found


def leader_first(members: list[Process]) -> list[Process]:
    """The leader, then the others."""

    def leads(member: Process) -> bool:
        status = call(member, "maintenance/status", {})
        return bool(status["leader"] == status["header"]["member_id"])

    return sorted(members, key=lambda member: not leads(member))


def made(members: list[Process], make_world: MakesWorld, **variables: str) -> World:
    """A world on them that asks the leader first: it has most to lose."""
    endpoints = ",".join(member.url for member in leader_first(members))
    return make_world(
        {"FENCEPOST_ETCD__ENDPOINTS": endpoints, "FENCEPOST_ETCD__TIMEOUT_SECONDS": "0.7"}
        | {f"FENCEPOST_SENDER__{name}": value for name, value in variables.items()}
    )


def kill(*members: Process) -> None:
    for member in members:
        member.kill()


def freeze(*members: Process) -> None:
    for member in members:
        member.pause()


LEADER, FOLLOWER, MAJORITY = slice(0, 1), slice(1, 2), slice(0, 2)


@pytest.mark.parametrize(
    ("how", "which"),
    [
        pytest.param(kill, LEADER, id="the leader killed"),
        pytest.param(freeze, FOLLOWER, id="a follower frozen"),
        pytest.param(kill, MAJORITY, id="no quorum for a while"),
        pytest.param(kill, FOLLOWER, id="a follower killed", marks=pytest.mark.chaos),
        pytest.param(freeze, LEADER, id="the leader frozen", marks=pytest.mark.chaos),
        pytest.param(freeze, MAJORITY, id="a majority frozen", marks=pytest.mark.chaos),
    ],
)
def test_three_members_under_load(
    members: list[Process], make_world: MakesWorld, how: Callable[..., None], which: slice
) -> None:
    world = made(members, make_world)
    senders = world.start(2, SEATS=str(SEATS))
    world.balanced(*senders)
    world.provider.dials(latency_ms=50)
    hit = leader_first(members)[which]
    with mail_flows(world, seconds=5) as begins:
        how(*hit)
        wait_until(world, begins + timedelta(seconds=5))
        come_back(hit)
    late = lateness(all_is_well(world))
    if which is LEADER:
        figures.note("the leader of three etcd members", late, LEADER_CHANGE_SECONDS)
    if which is not MAJORITY:
        assert late < LEADER_CHANGE_SECONDS
        # While a leader is elected nobody answers: one outage, if a sender happened to ask just then.
        assert all(story.outages(sender.lines())["etcd"] <= (which is LEADER) for sender in senders)


@pytest.mark.chaos
def test_a_leader_and_a_sender_lost_at_once_cost_at_most_forty_seconds(
    members: list[Process], make_world: MakesWorld
) -> None:
    # With the times that are set everywhere else: a new leader lets every lease begin anew.
    world = made(members, make_world, LEASE_TTL_SECONDS="15", LEASE_MARGIN_SECONDS="2", CALL_TIMEOUT_SECONDS="8")
    lost, other = world.start(2, SEATS=str(SEATS))
    world.balanced(lost, other)
    hit = leader_first(members)[LEADER]
    with mail_flows(world, seconds=30) as begins:
        wait_until(world, begins + timedelta(seconds=4))
        lost.kill()
        wait_until(world, begins + timedelta(seconds=14))
        kill(*hit)
    world.settled(seconds=90)
    come_back(hit)
    late = lateness(world.judge(unknown_at_most=SEATS))
    figures.note("a sender, and ten seconds later etcd's leader; leases of 15 s", late, LEADER_CHANGE_SECONDS)
    assert late < LEADER_CHANGE_SECONDS


def test_a_full_one_lets_senders_go_on_and_takes_no_new_one_until_there_is_space(
    private_etcd: StartsServer, make_world: MakesWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ETCD_QUOTA_BACKEND_BYTES", str(4_000_000))
    etcd = private_etcd()
    world = make_world({"FENCEPOST_ETCD__ENDPOINTS": etcd.url})
    first = world.start(1, SEATS=str(SEATS))[0]
    world.balanced(first)
    fill(etcd)
    with mail_flows(world, seconds=3):
        # What is held stays held; whoever needs to write waits, and says what for.
        late = world.fork(SEATS=str(SEATS))

        def refused() -> str:
            check = world.readiness(late)["checks"].get("etcd", {"ok": True})
            return "" if check["ok"] else str(check["detail"])

        eventually(lambda: "database space exceeded" in refused(), seconds=30)
        said = [line for line in late.lines() if line["action"] == "server.away"]
        assert "database space exceeded" in said[0]["detail"]
    world.settled()
    assert world.readiness(first)["status"] == "ready"
    make_space(etcd)
    late.wait_ready()
    world.balanced(first, late)
    with mail_flows(world, seconds=2):
        pass
    all_is_well(world)


def fill(etcd: Process) -> None:
    """Write until it takes no more."""
    for number in range(20):
        body = {"key": encoded(f"ballast/{number}"), "value": encoded("x" * 900_000)}
        if not requests.post(f"{etcd.url}/v3/kv/put", json=body, timeout=30).ok:
            return
    raise AssertionError("it has no end")


def make_space(etcd: Process) -> None:
    """What an operator does: delete, compact, defragment, take back the alarm."""
    deleted = call(etcd, "kv/deleterange", {"key": encoded("ballast/"), "range_end": encoded("ballast0")})
    call(etcd, "kv/compaction", {"revision": deleted["header"]["revision"], "physical": True})
    call(etcd, "maintenance/defragment", {})
    for alarm in call(etcd, "maintenance/alarm", {"action": "GET"}).get("alarms", ()):
        call(etcd, "maintenance/alarm", {"action": "DEACTIVATE", **alarm})


def encoded(text: str) -> str:
    return b64encode(text.encode()).decode()
