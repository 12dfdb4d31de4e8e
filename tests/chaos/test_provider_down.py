"""The first of two providers goes down under load: its mail goes by the other and comes back, each once, and everybody can see
why."""

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.support.eventually import eventually
from tests.support.provider import Provider
from tests.support.world import World
from tests.support.worlds import MakesWorld

SETTINGS = {
    "FENCEPOST_PROVIDERS__ORDER": "mailgun,mailjet",
    "FENCEPOST_SETTLEMENT__LOOK_UP_SECONDS": "0.5,1,2",
    "FENCEPOST_SETTLEMENT__WINDOW_SECONDS": "4",
    "FENCEPOST_SETTLEMENT__LOOK_UPS_PER_SECOND": "200",
    "FENCEPOST_FAILOVER__LONGEST_PAUSE_SECONDS": "4",
}
PER_SECOND, POSTS_PER_SECOND = 100, 4


@contextmanager
def traffic(world: World, posted: list[str]) -> Iterator[None]:
    """A hundred mails each second by POST /emails/batch; `posted` gets the ids of those that were answered with 202."""
    enough = threading.Event()
    failures: list[Exception] = []

    def post(number: int) -> None:
        count = PER_SECOND // POSTS_PER_SECOND
        mails = [
            {
                "from": "post@example.com",
                "to": [f"mail-{number}-{index}@example.com"],
                "subject": "Under load",
                "text": "Hello.",
                "on_unknown": "resend",
            }
            for index in range(count)
        ]
        made = world.call("POST", "/emails/batch", {"emails": mails})
        posted.extend(email["id"] for result in made["results"] for email in result["emails"])

    def run() -> None:
        number = 0
        try:
            while not enough.wait(1 / POSTS_PER_SECOND):
                post(number)
                number += 1
        except Exception as error:  # noqa: BLE001 it is raised again by whoever waits for this
            failures.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    yield
    enough.set()
    thread.join()
    assert not failures, failures


@pytest.mark.parametrize("seconds", [16, pytest.param(120, marks=pytest.mark.chaos)])
@pytest.mark.timeout(600)
def test_mail_of_a_provider_that_is_down_goes_by_another_and_comes_back(
    make_world: MakesWorld, fallback: Provider, seconds: int
) -> None:
    world = make_world({**SETTINGS, "FENCEPOST_PROVIDERS__MAILJET__BASE_URL": fallback.url})
    world.start_registry()
    world.start(3, SEATS="30")
    first, posted = world.provider, list[str]()
    with traffic(world, posted):
        eventually(lambda: went_by(world)["mailgun"] > PER_SECOND, seconds=20)
        first.process.kill()  # connections are refused
        moved = eventually(lambda: that_moved(world), seconds=20)
        eventually(lambda: "in a row failed" in alarms(world).get("provider.mailgun", ""))
        told = {each["name"]: each for each in world.call("GET", "/providers")["data"]}["mailgun"]
        wait_until(world, posted, seconds / 2)
        first.process.start().wait_ready()
        first.dials(faults={"503": 1})
        wait_until(world, posted, seconds / 2)
        first.dials()
        eventually(lambda: newest_change(world) == "closed", seconds=60)
        back = went_by(world)["mailgun"]
        eventually(lambda: went_by(world)["mailgun"] > back + PER_SECOND, seconds=20)
    eventually(lambda: open_mails(world) == 0, seconds=60)
    eventually(lambda: "provider.mailgun" not in alarms(world))

    accepted = Counter(entry["delivery_id"] for entry in first.ledger() + fallback.ledger())
    assert set(accepted) == set(posted), "each that was posted was sent"
    assert set(accepted.values()) == {1}, "each once"
    states = Counter(row["state"] for row in world.store.database.deliveries.find({}, {"state": True}))
    assert set(states) <= {"accepted", "delivered"}, states
    assert "in a row failed" in told["breaker"]["reason"]
    email = world.call("GET", f"/emails/{moved}")
    assert [attempt["provider"] for attempt in email["attempts"]] == ["mailgun", "mailjet"]
    assert [attempt["outcome"] for attempt in email["attempts"]] == ["unavailable", "accepted"]
    story = " ".join(f"{event['event']} {event['detail']}" for event in email["timeline"])
    assert "mailgun" in story.lower()
    assert "mailjet" in story.lower()


def went_by(world: World) -> Counter[str]:
    sent = {"state": {"$in": ["accepted", "delivered"]}}
    return Counter(row["provider"] for row in world.store.database.deliveries.find(sent, {"provider": True}))


def that_moved(world: World) -> str | None:
    """The id of a mail that the first refused and the second accepted."""
    row: dict[str, Any] | None = world.store.database.deliveries.find_one(
        {"state": "accepted", "attempts.1.provider": "mailjet"}
    )
    return row["_id"] if row and len(row["attempts"]) == 2 else None


def open_mails(world: World) -> int:
    return world.store.database.deliveries.count_documents({"state": {"$in": ["pending", "sending", "unknown"]}})


def alarms(world: World) -> dict[str, str]:
    return {alarm["kind"]: alarm["detail"] for alarm in world.store.cluster.alarms()}


def newest_change(world: World) -> str:
    changes = world.store.providers.changes("mailgun", 1)
    return changes[0].became if changes else ""


def wait_until(world: World, posted: list[str], seconds: float) -> None:
    """So much more traffic has gone, and what was posted is being sent meanwhile."""
    goal = len(posted) + seconds * PER_SECOND * 0.8
    eventually(lambda: len(posted) > goal, seconds=seconds * 4)
    assert open_mails(world) < PER_SECOND * 20, "mail piles up"
