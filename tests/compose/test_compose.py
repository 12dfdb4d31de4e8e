"""The documented command on a real engine: `docker-compose up --build --force-recreate --remove-orphans --scale sender=3`.

Each test finds the project running with three senders and leaves it so.
"""

import re
import subprocess
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import requests

from tests.compose.people import People
from tests.compose.project import ROOT, Project, docker, inspect
from tests.support.eventually import eventually

pytestmark = pytest.mark.timeout(480)

GRACE_SECONDS = 30
OURS = ("set_up", "registry", "hooks", "sender", "auditor", "notifier", "frontend", "simulator")


def test_ten_thousand_due_mails_arrive_once_each_and_every_sender_does_its_part(people: People) -> None:
    people.wait_until_ready()
    started = time.monotonic()
    people.schedule_each(datetime.now(UTC) + timedelta(days=30), [f"later{n}@example.com" for n in range(250)])
    writing = 20 * (time.monotonic() - started)  # as long as 5000 of them take
    due = whole_seconds(datetime.now(UTC) + timedelta(seconds=15 + max(45.0, 1.3 * writing)))

    one_each = [f"one{number}@example.com" for number in range(5000)]
    on_a_list = [f"list{number}@example.com" for number in range(5000)]
    list_id = people.schedule(due, on_a_list, "To a list")
    people.schedule_each(due, one_each)
    eventually(lambda: shards_are_shared(people, senders=3), seconds=seconds_until(due), every=0.5)
    assert datetime.now(UTC) < due, "the schedules were not written in time"
    assert people.accepted() == 0

    eventually(lambda: people.accepted() > 0, seconds=seconds_until(due) + 30, every=0.5)
    eventually(lambda: not under_way(people), seconds=180, every=0.5)
    assert unsettled(people) == ""
    mails = people.mails()
    assert Counter(mail["recipients"][0] for mail in mails) == Counter([*one_each, *on_a_list])
    assert not {mail["recipients"][0] for mail in mails if datetime.fromtimestamp(mail["at"], UTC) < due}

    shares = Counter(email["attempts"][-1]["sender"] for email in people.list("/emails"))
    assert len(shares) == 3
    assert min(shares.values()) > 0.2 * 10_000, shares
    assert shares.total() == 10_000
    shares_of_list = Counter(email["attempts"][-1]["sender"] for email in people.list("/emails", schedule_id=list_id))
    assert min(shares_of_list.values()) > 0.2 * 5000, shares_of_list


def test_people_read_the_mail_and_are_told_that_it_went_to_the_simulator(project: Project, people: People) -> None:
    people.expect_mail("For the inbox")
    assert "For the inbox" in requests.get(project.simulator_url, timeout=10).text
    page = requests.get(project.frontend_url, timeout=10)  # it asks to sign in
    assert page.status_code == 200
    assert "docker-compose exec frontend cat" in page.text
    assert project.simulator_url in page.text


def test_the_same_command_again_goes_on_with_what_was_there(project: Project, people: People) -> None:
    before = people.expect_mail("Before")
    accepted = people.accepted()
    project.up()
    people.expect_mail("After")
    [email] = people.list("/emails", schedule_id=before)
    assert email["state"] in ("accepted", "delivered"), "the simulator's webhooks move it on"
    assert people.accepted() == accepted + 1  # the ledger was kept too: nothing is sent again


def test_registries_scale_and_one_may_stop(project: Project, people: People) -> None:
    project.compose("up", "--detach", "--no-recreate", "--scale", "sender=3", "--scale", "registry=2")
    replicas = project.containers("registry")
    assert len(replicas) == 2
    try:
        eventually(lambda: both_answer(project, replicas), seconds=60)
        leaving = subprocess.Popen(["docker", "stop", replicas[0]], stdout=subprocess.DEVNULL)
        answers = Counter[int]()
        while leaving.poll() is None or answers.total() < 200:
            answer = requests.get(f"{project.registry_url}/schedules?limit=1", headers=people.headers, timeout=10)
            answers[answer.status_code] += 1
        assert set(answers) == {200}
        assert inspect(replicas[0])["State"]["ExitCode"] == 0
        people.expect_mail("By the one that is left")
    finally:
        docker("start", replicas[0])
        project.compose("up", "--detach", "--no-recreate", "--scale", "sender=3", "--scale", "registry=1")


def test_webhooks_have_processes_of_their_own_and_what_comes_while_none_runs_is_told_again(
    project: Project, people: People
) -> None:
    assert requests.post(f"{project.registry_url}/hooks/nobody", json={}, timeout=10).status_code == 404
    project.compose("stop", "hooks")
    assert requests.post(f"{project.registry_url}/hooks/mailgun", json={}, timeout=10).status_code == 503
    people.turn(opens=1)
    told = people.expect_mail("While nobody listens")
    people.turn()
    project.compose("up", "--detach", "--no-recreate", "--scale", "sender=3")
    eventually(
        lambda: [mail["tracking"]["opens"] for mail in people.list("/emails", schedule_id=told)] == [1], seconds=120
    )


def test_senders_that_are_stopped_finish_their_calls_and_leave_with_status_0(project: Project, people: People) -> None:
    people.wait_until_ready()
    before = people.accepted()
    people.turn(latency_ms=400)
    due = whole_seconds(datetime.now(UTC) + timedelta(seconds=6))
    people.schedule(due, [f"late{number}@example.com" for number in range(1000)], "While they are stopped")
    eventually(lambda: people.accepted() > before, seconds=60)
    asked = time.monotonic()
    project.compose("stop", "sender")
    assert time.monotonic() - asked < GRACE_SECONDS
    assert [inspect(sender)["State"]["ExitCode"] for sender in project.containers("sender")] == [0, 0, 0]
    assert people.get("/cluster")["members"] == []
    assert 0 < people.accepted() - before < 1000, "they were not stopped in the middle of their work"

    people.turn()
    project.compose("up", "--detach", "--no-recreate", "--scale", "sender=3")
    eventually(lambda: people.accepted() - before == 1000, seconds=90, every=0.25)
    eventually(lambda: not under_way(people), seconds=30)
    assert set(Counter(mail["recipients"][0] for mail in people.mails(before)).values()) == {1}
    assert unsettled(people) == ""


@pytest.fixture
def secrets_file(project: Project) -> Iterator[Path]:
    """Where config/secrets.env is for the containers; not there yet, and gone afterwards."""
    path = project.config / "secrets.env"
    yield path
    path.unlink(missing_ok=True)
    project.up()


def test_the_secrets_file_leads_to_mailgun_and_a_wrong_key_burns_no_mail(
    project: Project, people: People, secrets_file: Path
) -> None:
    at_simulator = people.accepted()
    mailgun = People(project.registry_url, project.mailgun_url, domain="mail.example.org", key=project.first_key)
    fill_in(secrets_file, API_KEY="key-with-a-slip")
    project.up()
    mailgun.wait_until_ready()
    schedule = mailgun.schedule(datetime.now(UTC) + timedelta(seconds=3), ["ada@example.com"], "To the real one")
    eventually(lambda: mailgun.get("/cluster")["alarms"], seconds=60, every=0.25)
    assert [email["state"] for email in mailgun.list("/emails", schedule_id=schedule)] == ["pending"]
    assert mailgun.accepted() == 0

    fill_in(secrets_file, API_KEY="key-that-a-person-got")
    project.compose("restart", "sender")
    eventually(lambda: mailgun.accepted() == 1, seconds=60, every=0.25)
    assert [mail["subject"] for mail in mailgun.mails()] == ["To the real one"]
    assert people.accepted() == at_simulator
    page = requests.get(project.frontend_url, timeout=10).text
    assert project.simulator_url not in page

    for service in ("auditor", "notifier", "frontend", "simulator"):
        assert "key-that-a-person-got" not in environment_in(project, service)
    assert "key-that-a-person-got" in environment_in(project, "sender")
    for container in project.containers():
        assert (
            "key-that-a-person-got" not in str(inspect(container)["Config"]) or "mailgun" in inspect(container)["Name"]
        )


def test_nothing_is_served_without_the_key_that_set_up_made_once(project: Project, people: People) -> None:
    people.wait_until_ready()
    assert requests.get(f"{project.registry_url}/schedules", timeout=10).status_code == 401
    key = project.first_key()
    assert requests.get(f"{project.registry_url}/schedules", headers=people.headers, timeout=10).status_code == 200
    project.up()
    people.wait_until_ready()
    assert project.first_key() == key
    assert not [name for name, text in project.all_logs().items() if key in text]


def test_without_the_volumes_it_starts_from_nothing(project: Project, people: People) -> None:
    eventually(lambda: all_healthy(project), seconds=120, every=1)  # before, they have no handler for the signal yet
    project.compose("stop")
    assert exit_codes(project) == {service: {0} for service in (*OURS, "balancer")}
    project.down(volumes=True)
    project.up()
    people.expect_mail("On fresh volumes")
    assert people.accepted() == 1


def test_processes_have_no_privileges_and_no_place_to_write(project: Project) -> None:
    for service in ("registry", "hooks", "sender", "auditor", "notifier", "frontend", "simulator"):
        (container, *_) = project.containers(service)
        assert docker("exec", container, "id", "-u").strip() == "10001"
        tried = subprocess.run(["docker", "exec", container, "touch", "/app/x"], capture_output=True, text=True)
        assert "Read-only file system" in tried.stderr
        assert docker("exec", container, "sh", "-c", "command -v mongod etcd redis-server pip || true").strip() == ""


def test_no_process_ever_logged_a_traceback(project: Project) -> None:
    logs = project.all_logs()
    assert {name for name, text in logs.items() if "_sender_" in name or "-sender-" in name}
    assert {name: traceback_in(text) for name, text in logs.items() if traceback_in(text)} == {}


def test_a_traceback_would_be_found() -> None:
    assert traceback_in('{"message": "The store…", "exception": "Traceback (most recent call last):\\n  File"}')


# -- what is asked -----------------------------------------------------------------------------------------------------


def whole_seconds(instant: datetime) -> datetime:
    return instant.replace(microsecond=0)


def seconds_until(instant: datetime) -> float:
    return (instant - datetime.now(UTC)).total_seconds()


def under_way(people: People) -> Mapping[str, int]:
    """Work that is still to be done: schedules that are due, and emails by state."""
    cluster = people.get("/cluster")
    emails = {state: cluster["emails_by_state"][state] for state in ("pending", "sending")}
    return {name: count for name, count in {"due": cluster["due_schedules"], **emails}.items() if count}


def unsettled(people: People) -> str:
    """Emails of which nobody knows whether they were accepted, and how their attempts ended; empty if there are none."""
    emails = [email for state in ("unknown", "held") for email in people.list("/emails", state=state)]
    wanted = ("called_at", "ended_at", "outcome", "detail", "status")
    ends = [{name: attempt[name] for name in wanted} for email in emails[:3] for attempt in email["attempts"]]
    return f"{len(emails)} unsettled: {ends}" if emails else ""


def shards_are_shared(people: People, senders: int) -> bool:
    """Whether each of that many senders holds its part of the shards, to within two."""
    cluster = people.get("/cluster")
    held = [len(member["shards"]) for member in cluster["members"]]
    return len(held) == senders and min(held) >= cluster["shard_count"] // senders - 1


def all_healthy(project: Project) -> bool:
    """Whether every container that has a health check passes it."""
    states = [inspect(container)["State"] for container in project.containers()]
    return {state["Health"]["Status"] for state in states if "Health" in state} == {"healthy"}


def exit_codes(project: Project) -> dict[str, set[int]]:
    """How the containers of each of our services ended."""
    ended = {service: project.containers(service) for service in (*OURS, "balancer")}
    return {service: {inspect(each)["State"]["ExitCode"] for each in found} for service, found in ended.items()}


def both_answer(project: Project, replicas: list[str]) -> bool:
    """Whether a handful of requests through the balancer reach each of the replicas."""
    probe = f"sch_{time.monotonic_ns()}"
    for _ in range(10):
        requests.get(f"{project.registry_url}/schedules/{probe}", timeout=10)
    return all(probe in project.logs(replica) for replica in replicas)


def fill_in(path: Path, **values: str) -> None:
    """The template as a person fills it in, for the stand-in instead of Mailgun."""
    mine = {"BASE_URL": "http://mailgun:5080", "DOMAIN": "mail.example.org", "EVENTS_API_KEY": "", **values}
    text = (ROOT / "config" / "secrets.env.template").read_text()
    for name, value in mine.items():
        text, found = re.subn(rf"(?m)^(FENCEPOST_PROVIDERS__MAILGUN__{name})=.*$", rf"\g<1>={value}", text)
        assert found == 1, name
    path.write_text(text)


def environment_in(project: Project, service: str) -> str:
    """The variables of the service's own processes, as they run."""
    (container, *_) = project.containers(service)
    read = "cat /proc/[0-9]*/environ 2>/dev/null | tr '\\0' '\\n'"
    return docker("exec", container, "sh", "-c", read)


def traceback_in(text: str) -> str:
    """The first lines around a traceback; empty if there is none."""
    at = text.find("Traceback (most recent call last)")
    return text[max(0, at - 500) : at + 1500] if at >= 0 else ""
