"""Two providers: when the first is not well its mail goes by the second, and comes back; nothing is sent twice on the way."""

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from threading import Event, Thread

import pytest

from fencepost.coordination.breakers import Breakers
from fencepost.coordination.reports import Report
from fencepost.failover import BreakerState
from tests.support.eventually import eventually
from tests.support.history import History, Row, states
from tests.support.mail import ask_for
from tests.support.provider import Provider
from tests.support.world import World
from tests.support.worlds import MakesWorld

QUICKLY = {
    "FENCEPOST_PROVIDERS__ORDER": "mailgun,mailjet",
    "FENCEPOST_SETTLEMENT__LOOK_UP_SECONDS": "0.5,1,2",
    "FENCEPOST_SETTLEMENT__WINDOW_SECONDS": "4",
    "FENCEPOST_SETTLEMENT__LOOK_UPS_PER_SECOND": "200",
    "FENCEPOST_FAILOVER__LONGEST_PAUSE_SECONDS": "2",
    "FENCEPOST_FAILOVER__RETURN_DOUBLES_SECONDS": "0.5",
}
SEATS = 10


class Pair:
    """A world with two providers, each with a ledger of its own."""

    def __init__(self, world: World, fallback: Provider) -> None:
        self.world, self.first, self.second = world, world.provider, fallback

    def judge(self) -> list[Row]:
        """Raise AssertionError unless everything was sent once, by whichever of the two."""
        rows = self.world.rows()
        asked = Counter(self.first.requests()) + Counter(self.second.requests())
        for row in rows:
            # What was settled from the records in between was called again rightly.
            asked[row["_id"]] -= sum(bool(attempt.get("settlements")) for attempt in row["attempts"][:-1])
        history = History(self.world.expected, rows, self.first.ledger() + self.second.ledger(), asked)
        assert not history.problems(), "\n".join(history.problems()[:20])
        return rows

    def went_by(self) -> Counter[str]:
        return Counter(row["provider"] for row in self.world.rows(state="accepted"))


@pytest.fixture
def pair(make_world: MakesWorld, fallback: Provider) -> Pair:
    addresses = {"FENCEPOST_PROVIDERS__MAILJET__BASE_URL": fallback.url}
    return Pair(make_world({**QUICKLY, **addresses}), fallback)


@pytest.fixture
def traffic(pair: Pair) -> Iterator[None]:
    """A few mails each second, until the test is over."""
    enough, world = Event(), pair.world

    def run() -> None:
        while not enough.wait(0.25):
            world.once(3, datetime.now(UTC).replace(microsecond=0))

    thread = Thread(target=run)
    thread.start()
    yield
    enough.set()
    thread.join()


def alarms(world: World) -> dict[str, str]:
    return {alarm["kind"]: alarm["detail"] for alarm in world.store.cluster.alarms()}


def test_mail_of_a_provider_that_refuses_connections_leaves_by_the_next_within_seconds(pair: Pair) -> None:
    world = pair.world
    senders = world.start(2, SEATS=str(SEATS))
    world.balanced(*senders)
    pair.first.process.kill()
    world.once(100, world.soon(0))
    world.settled()
    pair.first.process.start().wait_ready()
    rows = pair.judge()
    assert pair.went_by() == {"mailjet": 100}
    refused = [row for row in rows if row["attempts"][0].get("outcome") == "unavailable"]
    assert refused, "some went to the first provider before its breaker was open"
    for row in rows:
        waited = row["attempts"][-1]["called_at"] - row["attempts"][0]["claimed_at"]
        assert waited < timedelta(seconds=5), row["attempts"]
    detail = eventually(lambda: alarms(world).get("provider.mailgun"))
    assert detail
    assert "in a row failed" in detail, "the alarm says why, though all of it was sent"
    for sender in senders:
        assert world.readiness(sender)["status"] == "ready", "there is a provider that takes mail"


def test_what_is_in_doubt_at_the_first_is_not_sent_by_the_second_until_it_is_settled(pair: Pair) -> None:
    world = pair.world
    world.start(1, SEATS=str(SEATS))
    pair.first.dials(faults={"503": 1})
    world.once(60, world.soon(0), on_unknown="resend")
    eventually(lambda: world.counts()["accepted"] + world.counts()["unknown"] >= 60, seconds=20, every=0.05)
    doubted = {row["_id"] for row in world.rows() if row["attempts"][0].get("outcome") == "unknown"}
    assert 0 < len(doubted) <= 2 * SEATS + 5
    assert pair.went_by()["mailjet"] >= 60 - len(doubted) - SEATS, "the next mails leave by the second"
    pair.first.dials()
    rows = eventually(lambda: all_accepted(world), seconds=40)
    pair.judge()
    for row in rows:
        if row["_id"] in doubted:
            first, again = row["attempts"][0], row["attempts"][1]
            assert [verdict["state"] for verdict in first["settlements"]] == ["pending"]
            assert again["claimed_at"] >= first["settlements"][0]["at"], "not before it was settled"


def test_a_time_out_at_the_first_leaves_the_mail_to_its_records(pair: Pair) -> None:
    world = pair.world
    pair.first.dials(faults={"accept_and_hang": {"next": 2}}, hang_seconds=10)
    world.start(1, SEATS=str(SEATS))
    world.once(10, world.soon(0), on_unknown="resend")
    eventually(lambda: all_accepted(world), seconds=30)
    pair.judge()
    assert pair.went_by() == {"mailgun": 10}
    assert not pair.second.requests()


def test_traffic_returns_by_itself_bit_by_bit_and_each_change_is_on_record_once(pair: Pair, traffic: None) -> None:
    world = pair.world
    world.start(2, SEATS=str(SEATS))
    eventually(lambda: pair.went_by()["mailgun"] > 5, seconds=20)
    pair.first.dials(faults={"401": 1})
    eventually(lambda: pair.went_by()["mailjet"] > 5, seconds=20)
    eventually(lambda: "401" in alarms(world).get("provider.mailgun", ""))
    pair.first.dials()
    eventually(
        lambda: [change.became for change in world.store.providers.changes("mailgun", 1)] == ["closed"], seconds=30
    )
    eventually(lambda: "provider.mailgun" not in alarms(world), seconds=10)
    sent = pair.went_by()["mailgun"]
    eventually(lambda: pair.went_by()["mailgun"] > sent + 5, seconds=20)
    changes = world.store.providers.changes("mailgun", 100)[::-1]
    assert (changes[0].was, changes[0].became) == ("closed", "open")
    assert "401" in changes[0].reason
    assert [change.became for change in changes][-3:] == ["half_open", "recovering", "closed"]
    assert all(later.was == earlier.became for earlier, later in pairwise(changes))
    assert all(change.reason and change.by for change in changes)
    # While it was not well, one mail at a time found out.
    refused = pair.first.answers()["401"]
    assert refused <= 2 * SEATS + len([change for change in changes if change.became == "half_open"])


def test_who_starts_while_a_provider_is_left_alone_finds_out_with_its_first_mail(make_world: MakesWorld) -> None:
    world = make_world({**QUICKLY, "FENCEPOST_PROVIDERS__ORDER": "mailgun"})
    earlier = Breakers(world.settings.redis, world.settings.failover, "a sender that was here before", 10)
    refused = Report(calls=1, failures=1, refusals=1, misconfigured=True, reason="401: Forbidden")
    assert earlier.sync({"mailgun": refused})["mailgun"].state is BreakerState.OPEN
    earlier.close()
    world.once(1, datetime.now(UTC).replace(microsecond=0))
    world.start(1)
    world.settled()
    eventually(
        lambda: (
            [change.became for change in world.store.providers.changes("mailgun", 100)]
            == ["closed", "recovering", "half_open", "open"]
        ),
        seconds=20,
    )
    eventually(lambda: "provider.mailgun" not in alarms(world))


def test_what_every_provider_refuses_for_too_long_fails_and_is_listed(
    make_world: MakesWorld, fallback: Provider
) -> None:
    addresses = {"FENCEPOST_PROVIDERS__MAILJET__BASE_URL": fallback.url}
    pair = Pair(make_world({**QUICKLY, **addresses, "FENCEPOST_SENDER__RETRY_GIVE_UP_SECONDS": "2"}), fallback)
    for provider in (pair.first, pair.second):
        provider.dials(faults={"401": 1})
    pair.world.start(1, SEATS="2")
    pair.world.once(2, pair.world.soon(0))
    rows = eventually(lambda: with_state(pair.world, "failed", 2), seconds=40)
    pair.judge()
    assert all(row["reason"].startswith("Given up: no provider has taken it since") for row in rows)
    assert {attempt["provider"] for row in rows for attempt in row["attempts"]} == {"mailgun", "mailjet"}


def all_accepted(world: World) -> list[Row]:
    rows = world.rows()
    assert states(rows) == {"accepted": len(world.expected)}
    return rows


def with_state(world: World, state: str, count: int) -> list[Row]:
    rows = world.rows(state=state)
    assert len(rows) == count, world.counts()
    return rows


def test_mail_for_a_provider_that_asked_for_a_long_wait_keeps_none_from_finding_out_about_another(
    pair: Pair,
) -> None:
    world = pair.world
    earlier = Breakers(world.settings.redis, world.settings.failover, "a sender that was here before", 10)
    refused = Report(calls=1, failures=1, refusals=1, misconfigured=True, reason="401: Forbidden")
    earlier.sync({"mailgun": refused, "mailjet": Report(calls=1, wait_seconds=3600)})
    earlier.close()
    shards = world.settings.sender.shards
    [waits] = ask_for(world.store, shards, {"providers": ["mailjet"]})
    [goes] = ask_for(world.store, shards, {})
    world.start(1)
    eventually(lambda: world.rows(_id=goes["_id"], state="accepted"), seconds=20)
    assert world.rows(_id=waits["_id"])[0]["state"] == "pending"


def test_a_mail_beyond_one_providers_limits_goes_by_another_that_may_carry_it(pair: Pair) -> None:
    world = pair.world
    world.start(1)
    long = {"subject": "x" * 300}
    [goes] = ask_for(world.store, world.settings.sender.shards, {**long, "providers": ["mailjet", "mailgun"]})
    [fails] = ask_for(world.store, world.settings.sender.shards, {**long, "providers": ["mailjet"]})
    world.nudge()
    eventually(lambda: len(with_state(world, "accepted", 1) + with_state(world, "failed", 1)) == 2)
    [sent], [failed] = world.rows(_id=goes["_id"]), world.rows(_id=fails["_id"])
    assert [attempt["outcome"] for attempt in sent["attempts"]] == ["unfit", "accepted"]
    assert [attempt["provider"] for attempt in sent["attempts"]] == ["mailjet", "mailgun"]
    assert "255 characters" in failed["reason"]
    assert not pair.second.requests()
