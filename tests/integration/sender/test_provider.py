"""What follows from a provider's answers: no mail is burnt that was not accepted, none is called again that may have been."""

from collections import Counter
from collections.abc import Iterable
from datetime import datetime

import pytest

from tests.support.eventually import eventually
from tests.support.history import Row, states
from tests.support.world import World

SEATS = 10
IN_DOUBT = [
    "accept_and_500",
    "refuse_500",
    "503",
    "accept_and_reset",
    "reset_without_accept",
    "accept_and_hang",
    "truncate",
]


def test_a_wrong_key_burns_no_mail(world: World) -> None:
    world.provider.dials(faults={"401": 1})
    senders = world.start(2, SEATS=str(SEATS))
    world.balanced(*senders)
    world.once(100, world.soon(0))
    [alarm] = eventually(world.store.cluster.alarms, seconds=20)
    assert alarm["kind"] == "provider.mailgun"
    assert "401" in alarm["detail"]
    for sender in senders:
        eventually(lambda: not world.readiness(sender)["checks"]["mailgun"]["ok"])  # noqa: B023
    # All that were under way together, and then one now and then to find out.
    eventually(lambda: two_pauses_long(world.rows()), seconds=20)
    calls = world.provider.answers()
    assert calls.keys() == {"401"}
    assert calls["401"] <= 2 * (SEATS + 4), calls
    assert states(world.rows()).keys() <= {"pending", "sending"}
    world.provider.dials()
    world.settled(seconds=60)
    rows = world.judge()
    assert {row["state"] for row in rows} == {"accepted"}
    eventually(lambda: not world.store.cluster.alarms(), seconds=20)
    for sender in senders:
        sender.wait_ready()


def test_an_alarm_ends_with_the_first_mail_of_a_sender_that_was_started_anew(world: World) -> None:
    world.provider.dials(faults={"401": 1})
    [sender] = world.start(1, SEATS=str(SEATS))
    world.once(1, world.soon(0))
    eventually(world.store.cluster.alarms, seconds=20)
    sender.kill()
    world.provider.dials()
    world.start(1)
    world.settled()
    eventually(lambda: not world.store.cluster.alarms(), seconds=20)
    world.judge()


def test_a_wait_that_the_provider_states_is_kept(world: World) -> None:
    world.provider.dials(faults={"429": {"next": SEATS}}, throttle_seconds=3)
    world.start(1, SEATS=str(SEATS))
    world.once(50, world.soon(0))
    world.settled()
    rows = world.judge()
    throttled = [attempt for row in rows for attempt in row["attempts"] if attempt.get("outcome") == "throttled"]
    assert len(throttled) == SEATS
    told = min(attempt["ended_at"] for attempt in throttled)
    # What had been called before the first answer came was on its way; then nothing for three seconds.
    waits = [(called - told).total_seconds() for called in calls(rows) if called > told]
    assert min(waits) >= 2.9, sorted(waits)[:5]


def test_a_mail_that_is_refused_fails_alone(world: World) -> None:
    world.provider.dials(faults={"400": {"next": 1}})
    world.start(1)
    world.once(20, world.soon(0))
    world.settled()
    rows = world.judge()
    assert states(rows) == {"accepted": 19, "failed": 1}
    [failed] = [row for row in rows if row["state"] == "failed"]
    assert "to parameter is not a valid address" in failed["reason"]


@pytest.mark.timeout(180)
def test_what_may_have_been_accepted_is_unknown_and_never_called_again(world: World) -> None:
    world.start(1, SEATS=str(SEATS))
    for fault in IN_DOUBT:
        world.provider.dials(faults={fault: {"next": 2}}, hang_seconds=10)
        world.once(10, world.soon(0))
        world.settled()
    rows = world.judge(unknown_at_most=2 * len(IN_DOUBT))
    assert states(rows)["unknown"] == 2 * len(IN_DOUBT)
    assert set(world.provider.requests().values()) == {1}
    assert Counter(len(row["attempts"]) for row in rows) == {1: len(rows)}


def calls(rows: Iterable[Row]) -> list[datetime]:
    """When each call began."""
    return [attempt["called_at"] for row in rows for attempt in row["attempts"] if "called_at" in attempt]


def two_pauses_long(rows: Iterable[Row]) -> bool:
    """Whether the provider was found to refuse us for longer than the first two pauses, of one and two seconds."""
    found = calls(rows)
    return bool(found) and (max(found) - min(found)).total_seconds() > 3
