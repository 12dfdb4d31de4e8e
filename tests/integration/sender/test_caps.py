"""A provider's calls of a day: never more than its cap by all senders together; the rest goes by another, or waits and is explained."""

from collections import Counter
from datetime import UTC, datetime
from time import sleep

import pytest
from redis import Redis

from fencepost.caps import day_after, day_of
from fencepost.coordination.caps import Caps
from tests.support.eventually import eventually
from tests.support.mail import ask_for
from tests.support.world import World
from tests.support.worlds import MakesWorld

CAP, MAILS = 25, 60
NEAR_MIDNIGHT = 120
CAPPED = {"FENCEPOST_PROVIDERS__ORDER": "mailgun,mailjet", "FENCEPOST_PROVIDERS__MAILGUN__MAX_PER_DAY": str(CAP)}


@pytest.fixture(autouse=True)
def one_day() -> None:
    """What is tested stays within one day of UTC."""
    now = datetime.now(UTC)
    left = (day_after(now) - now).total_seconds()
    if left < NEAR_MIDNIGHT:
        sleep(left + 1)


def ask(world: World, count: int, *providers: str, test: bool = False) -> list[str]:
    mail = {"to": [f"r{number}@example.com" for number in range(count)], "providers": list(providers)}
    rows = ask_for(world.store, world.settings.sender.shards, mail, test=test)
    world.nudge()
    return [row["_id"] for row in rows]


def states(world: World) -> Counter[str]:
    return Counter(row["state"] for row in world.rows())


def calls(world: World) -> Counter[str]:
    return Counter(entry["provider"] for entry in world.ledger())


def used(world: World) -> int:
    caps = Caps(world.settings.redis, world.settings.providers)
    found = caps.read(datetime.now(UTC))["mailgun"].used
    caps.close()
    return found


def test_five_senders_make_as_many_calls_as_the_cap_allows_and_the_rest_waits_for_the_next_day(
    make_world: MakesWorld,
) -> None:
    world = make_world({**CAPPED, "FENCEPOST_PROVIDERS__ORDER": "mailgun"})
    world.balanced(*world.start(5, SEATS="4"))
    ask(world, MAILS)
    eventually(lambda: calls(world)["mailgun"] == CAP, seconds=30)

    def the_rest_waits() -> bool:
        return states(world) == {"accepted": CAP, "pending": MAILS - CAP}

    eventually(the_rest_waits, seconds=30)
    [alarm] = eventually(world.store.cluster.alarms)
    assert alarm["kind"] == "cap.mailgun"
    # It stays so, and no attempt after the other is begun in vain meanwhile.
    before = sum(row["attempt_no"] for row in world.rows())
    sleep(3)
    assert the_rest_waits()
    assert calls(world) == {"mailgun": CAP}
    assert sum(row["attempt_no"] for row in world.rows()) == before

    # The next day has a counter of its own, which is as good as none.
    redis: Redis = Redis.from_url(world.settings.redis.url.get_secret_value())
    redis.delete(f"c:mailgun:{day_of(datetime.now(UTC))}")
    eventually(lambda: calls(world)["mailgun"] == 2 * CAP, seconds=30)
    redis.close()
    eventually(lambda: states(world) == {"accepted": 2 * CAP, "pending": MAILS - 2 * CAP})


def test_what_is_over_the_cap_goes_by_the_next_provider(make_world: MakesWorld) -> None:
    world = make_world(CAPPED)
    world.balanced(*world.start(2, SEATS="4"))
    ask(world, MAILS)

    eventually(lambda: states(world) == {"accepted": MAILS}, seconds=30)
    assert calls(world) == {"mailgun": CAP, "mailjet": MAILS - CAP}

    # Mail that no other may carry waits, and is in nobody's way.
    waits = ask(world, 5, "mailgun")
    ask(world, MAILS)
    eventually(lambda: states(world) == {"accepted": 2 * MAILS, "pending": len(waits)}, seconds=30)
    assert {row["_id"] for row in world.rows(state="pending")} == set(waits)


def test_mail_that_is_not_called_takes_no_call_of_the_day(make_world: MakesWorld) -> None:
    world = make_world(CAPPED)
    world.start()
    ask(world, 2 * CAP, "mailgun", test=True)
    eventually(lambda: sum(states(world)[state] for state in ("accepted", "delivered")) == 2 * CAP, seconds=30)
    ask(world, CAP, "mailgun")
    eventually(lambda: calls(world)["mailgun"] == CAP, seconds=30)
    eventually(lambda: used(world) == CAP)
