"""The checker goes red when a part is missing, so that its green means something. Where the scenario is not one of `make chaos`,
the same with sound parts is green."""

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from devstack.binaries import NotInstalled
from tests.chaos.checker import check
from tests.chaos.run import Run, Site
from tests.chaos.scenario import Action, Fault
from tests.support.eventually import eventually
from tests.support.missing import missing
from tests.support.schedules import definition, schedule

SENDER = "tests.chaos.broken_sender"
QUICKLY = {
    "FENCEPOST_SETTLEMENT__WINDOW_SECONDS": "5",
    "FENCEPOST_SETTLEMENT__LOOK_UP_SECONDS": "0.5,1,2",
    "FENCEPOST_SENDER__RETRY_CAP_SECONDS": "1",
    # What is told of one provider is told of all.
    "FENCEPOST_PROVIDERS__ORDER": "mailgun",
}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Servers, a provider and a proxy, for all of these."""
    try:
        own = Site(tmp_path_factory.mktemp("site"))
    except NotInstalled as reason:
        missing(reason)
    yield own
    own.close()


StartsRun = Callable[..., Run]


@pytest.fixture
def start(site: Site, tmp_path: Path) -> Iterator[StartsRun]:
    """A factory of runs, started, in which the provider makes no faults unless it is told to."""
    runs: list[Run] = []

    def begin(senders: int = 2, **modules: str) -> Run:
        runs.append(Run(site, tmp_path, QUICKLY, **modules))
        runs[-1].bad_dials = False
        # What a webhook tells of a mail would keep it from being sent again, whatever part is missing.
        site.providers.tell_nobody()
        runs[-1].start(senders)
        runs[-1].begin()
        runs[-1].dial()
        return runs[-1]

    yield begin
    for run in runs:
        run.close()


def once(run: Run, count: int, seconds: float, *, to: int = 1) -> None:
    """Have people write so many schedules that are due so long from now, with so many recipients each."""
    rule = {"type": "once", "at": datetime.fromtimestamp(int(time.time() + seconds + 1), UTC).isoformat()}
    run.do(*(creation(f"once-{number}", rule, 0, to) for number in range(count)))


def creation(name: str, rule: dict[str, str], at: float, recipients: int = 1) -> Action:
    to, text = [f"{name}-{one}@example.com" for one in range(recipients)], f"The text of {name}."
    sets = {"rule": rule, "text": text, "paused": False, "deleted": False, "to": to, "on_unknown": "hold"}
    return Action(at, int(name.rpartition("-")[2]) % 3, "create", name, sets)


def do(run: Run, kind: str, seconds: float) -> None:
    """One fault, to the first sender, now; returns when it is over."""
    run.trouble.work([Fault(0, kind, seconds, 0)], time.time())


def words(run: Run) -> set[str]:
    """The rules that were broken."""
    return {problem.partition(":")[0] for problem in check(run.finish())}


def test_without_a_fence_what_a_killed_sender_sent_is_sent_again(start: StartsRun) -> None:
    run = start(sender=f"{SENDER} fence-off")
    run.dial(latency_ms=2000)
    once(run, 10, 2, to=3)
    eventually(lambda: run.site.provider.accepted() >= 30, seconds=30, every=0.02)
    do(run, "sender.kill", 0)
    assert "duplicated" in words(run)


def test_with_a_lock_alone_a_sender_that_slept_sends_what_others_have_sent(start: StartsRun) -> None:
    run = start(sender=f"{SENDER} lock-only")
    # More than they have seats for: it falls asleep with mail in its hands.
    run.dial(latency_ms=1500)
    once(run, 12, 4, to=10)
    run.world.wait_under_way(100)
    do(run, "sender.stop", 9)
    assert "duplicated" in words(run)


def test_with_5xx_taken_for_a_failure_mail_is_sent_twice(start: StartsRun) -> None:
    run = start(sender=f"{SENDER} 5xx-is-failure")
    run.bad_dials = True
    run.dial({"accept_and_500": 0.4})
    once(run, 10, 2, to=3)
    eventually(lambda: run.site.provider.accepted() >= 30, seconds=30)
    assert {"duplicated", "called again by guess"} <= words(run)


@pytest.mark.parametrize("sender", ["fires-twice", "sound"])
def test_a_rule_that_is_due_twice_on_an_autumn_night(start: StartsRun, sender: str) -> None:
    run = start(1, sender=f"{SENDER} {sender}")
    begins = datetime(2025, 10, 24, 12, tzinfo=UTC)
    bounds = {"starts_at": begins.isoformat(), "ends_at": datetime(2025, 10, 28, 12, tzinfo=UTC).isoformat()}
    recurrence = {"type": "cron", "expression": "30 1 * * *", "timezone": "Europe/London"}
    misfire = {"policy": "all", "window_seconds": 86_400}
    text = definition(name="night", recurrence=recurrence, misfire=misfire, to=["night@example.com"], **bounds)
    text["misfire"]["window_seconds"] = 10**10  # nobody was there for longer than people may ask for
    run.world.put([schedule(begins, text, shards=run.world.settings.sender.shards)])
    written = {"rule": {**recurrence, **bounds}, "text": "Here they are.", "paused": False, "deleted": False}
    written |= {"to": ["night@example.com"], "on_unknown": "hold"}
    at = begins.timestamp()
    call = {"schedule": "night", "verb": "create", "sent": at, "answered": at, "status": 201}
    run.office.calls.append({**call, "sets": written, "answer": {}})
    run.trouble.done.append({"kind": "nobody was there", "from": at, "to": time.time()})
    assert words(run) == ({"invented"} if sender == "fires-twice" else set())


@pytest.mark.parametrize("registry", ["tests.chaos.broken_registry", "registry"])
def test_what_one_member_of_mongodb_took_and_lost_again(start: StartsRun, registry: str) -> None:
    run = start(1, registry=registry)
    once(run, 3, 8)
    broken = registry != "registry"
    for number in range(3):
        # While the two others are dead; the primary is killed before they come back.
        due = datetime.fromtimestamp(int(time.time()) + 25, UTC).isoformat()
        late = [creation(f"late-{number}{one}", {"type": "once", "at": due}, 0.2) for one in range(3)]
        begins = time.time()
        run.office.work(late, begins)
        run.trouble.work([Fault(0, "mongodb.lost_primary", 1.5, 0)], begins)
        run.office.wait()
        if not broken or any(call["answered"] < begins + 1.5 for call in run.office.calls[-3:] if call["answered"]):
            break  # else this machine was too slow to be told anything by the primary that is lost
    assert words(run) == ({"lost"} if broken else set())
