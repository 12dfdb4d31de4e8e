"""docker-compose.replicas.yml: three members of MongoDB and three of etcd, one of each stopped. What the senders promise holds."""

import json
import time
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from tests.compose.people import People
from tests.compose.project import Project, docker, inspect
from tests.support.eventually import eventually

pytestmark = pytest.mark.timeout(480)

MAILS = 500
LEASE_TTL_SECONDS = 15
SEATS = 128
MOST_IN_A_CLAIM = 25


@pytest.fixture
def people(replicated: Project) -> People:
    return People(replicated.registry_url, replicated.simulator_url, key=replicated.first_key)


@pytest.fixture(scope="module", autouse=True)
def _one_of_each_is_stopped(replicated: Project) -> None:
    """The first of each, which is MongoDB's primary and leads etcd as often as not."""
    people = People(replicated.registry_url, replicated.simulator_url, key=replicated.first_key)
    people.wait_until_ready(180)
    for service in ("mongo", "etcd1"):
        (container,) = replicated.containers(service)
        docker("stop", "--time", "5", container)
    people.wait_until_ready(90)


def test_five_hundred_due_mails_arrive_once_each_and_no_claim_is_larger_than_was_set(
    replicated: Project, people: People
) -> None:
    eventually(lambda: len(members(people)) == 3 and min(members(people).values()) > 15, seconds=120, every=0.5)
    due = soon(25)
    recipients = [f"one{number}@example.com" for number in range(MAILS // 2)]
    on_a_list = [f"list{number}@example.com" for number in range(MAILS // 2)]
    people.schedule_each(due, recipients)
    people.schedule(due, on_a_list, "To a list")
    mails = arrive(people, 0, MAILS)
    assert Counter(mails) == Counter([*recipients, *on_a_list])
    shares = Counter(email["attempts"][-1]["sender"] for email in people.list("/emails"))
    assert len(shares) == 3
    assert min(shares.values()) > 0.1 * MAILS, shares
    assert 1 < max(claims(replicated)) <= MOST_IN_A_CLAIM


def test_a_sender_that_is_killed_costs_its_lease_and_no_mail(replicated: Project, people: People) -> None:
    before = people.accepted()
    people.turn(latency_ms=300)
    due = soon(20)
    people.schedule(due, [f"killed{number}@example.com" for number in range(MAILS)], "While one is killed")
    eventually(lambda: people.accepted() > before + 20, seconds=60, every=0.1)
    (lost, *_) = replicated.containers("sender")
    docker("kill", lost)
    killed_at = time.time()
    people.turn()
    eventually(lambda: not under_way(people), seconds=120, every=0.25)
    doubtful = sum(1 for _ in people.list("/emails", state="unknown"))
    assert doubtful <= SEATS
    sent = people.mails(before)
    assert set(Counter(mail["recipients"][0] for mail in sent).values()) == {1}
    assert MAILS - doubtful <= len(sent) <= MAILS
    # Rescued within the lease and two seconds; one more for the calls and this machine's two processors.
    assert max(mail["at"] for mail in sent) < killed_at + LEASE_TTL_SECONDS + 2 + 8
    docker("start", lost)


def test_a_sender_that_wakes_after_its_lease_sends_nothing_again(replicated: Project, people: People) -> None:
    eventually(lambda: len(members(people)) == 3, seconds=90, every=0.5)
    before = people.accepted()
    people.turn(latency_ms=300)
    due = soon(20)
    people.schedule(due, [f"frozen{number}@example.com" for number in range(MAILS)], "While one is frozen")
    eventually(lambda: people.accepted() > before + 20, seconds=60, every=0.1)
    (frozen, *_) = replicated.containers("sender")
    docker("pause", frozen)
    people.turn()
    try:
        eventually(lambda: len(members(people)) == 2, seconds=90, every=0.5)
        eventually(lambda: not under_way(people), seconds=120, every=0.25)
    finally:
        docker("unpause", frozen)
    eventually(lambda: len(members(people)) == 3, seconds=90, every=0.5)
    eventually(lambda: not under_way(people), seconds=60, every=0.25)
    sent = Counter(mail["recipients"][0] for mail in people.mails(before))
    assert set(sent.values()) == {1}
    assert len(sent) >= MAILS - SEATS


def test_those_that_come_back_take_part_again(replicated: Project, people: People) -> None:
    for service in ("mongo", "etcd1"):
        docker("start", *replicated.containers(service))
    for service in ("mongo2", "etcd2"):
        docker("stop", "--time", "5", *replicated.containers(service))
    eventually(lambda: people.accepted() >= 0, seconds=60)
    people.expect_mail("By those that came back")
    assert inspect(*replicated.containers("mongo"))["State"]["Running"]


def test_no_process_logged_a_traceback(replicated: Project) -> None:
    logs = {name: text for name, text in replicated.all_logs().items() if "mongo" not in name}
    assert not [name for name, text in logs.items() if "Traceback (most recent call last)" in text]


# -- what is asked -----------------------------------------------------------------------------------------------------


def soon(seconds: float) -> datetime:
    return (datetime.now(UTC) + timedelta(seconds=seconds)).replace(microsecond=0)


def members(people: People) -> dict[str, int]:
    """How many shards each sender holds."""
    return {member["id"]: len(member["shards"]) for member in people.get("/cluster")["members"]}


def under_way(people: People) -> bool:
    cluster = people.get("/cluster")
    return bool(cluster["due_schedules"] + sum(cluster["emails_by_state"][state] for state in ("pending", "sending")))


def arrive(people: People, since: int, count: int) -> list[str]:
    """Wait until so many have been accepted and nothing is under way; their recipients."""
    eventually(lambda: people.accepted() - since >= count, seconds=180, every=0.5)
    eventually(lambda: not under_way(people), seconds=60, every=0.5)
    return [mail["recipients"][0] for mail in people.mails(since)]


COUNT_CLAIMS = """
import json
from fencepost.settings import load
from fencepost.store import Store
store = Store.open(load().mongodb)
rows = store.database.deliveries.aggregate([{"$group": {"_id": "$claim_id", "count": {"$sum": 1}}}])
print(json.dumps([row["count"] for row in rows]))
store.close()
"""


def claims(replicated: Project) -> list[int]:
    """How many deliveries each claim took, read from the database by a process that reaches it."""
    (registry, *_) = replicated.containers("registry")
    counts: list[int] = json.loads(docker("exec", registry, "python", "-c", COUNT_CLAIMS).splitlines()[-1])
    return counts
