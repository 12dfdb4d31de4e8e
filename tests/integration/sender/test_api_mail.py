"""Mail by API at the senders: sent once, the urgent first, nobody starved, worthless mail not at all."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

from fencepost.schedules import milliseconds
from fencepost.suppression import Reason, suppress
from tests.support.eventually import eventually
from tests.support.mail import ask_for
from tests.support.slowness import slowness
from tests.support.world import World


def ask(world: World, *mails: dict[str, Any], **options: Any) -> list[str]:
    rows = ask_for(world.store, world.settings.sender.shards, *mails, **options)
    world.nudge()
    return [row["_id"] for row in rows]


def states(world: World, names: list[str]) -> Counter[str]:
    return Counter(row["state"] for row in world.rows(_id={"$in": names}))


def wait_for(world: World, names: list[str], state: str, seconds: float = 30) -> None:
    def check() -> bool:
        assert states(world, names) == {state: len(names)}
        return True

    eventually(check, seconds=seconds)


def test_each_recipient_is_sent_one_mail(world: World) -> None:
    world.start(2)
    names = ask(world, *({"to": [f"r{number}-{index}@example.com" for index in range(20)]} for number in range(5)))
    wait_for(world, names, "accepted")
    assert Counter(mail["delivery_id"] for mail in world.ledger()) == Counter(names)


def test_scheduled_mail_waits_for_its_instant(world: World) -> None:
    world.start(1)
    due = milliseconds(datetime.now(UTC) + timedelta(seconds=3))
    [name] = ask(world, {"scheduled_at": due.isoformat()})
    wait_for(world, [name], "accepted")
    [row] = world.rows(_id=name)
    assert timedelta(0) <= row["attempts"][-1]["called_at"] - due < timedelta(seconds=2 * slowness())


def test_fifty_thousand_low_ones_do_not_delay_a_high_one(world: World) -> None:
    world.provider.dials(latency_ms=50)
    crowd = ask_for(
        world.store,
        world.settings.sender.shards,
        *({"to": [f"r{number}@example.com" for number in range(5_000)], "priority": "low"} for _ in range(10)),
    )
    assert len(crowd) == 50_000
    world.start(2, SEATS="20")
    eventually(lambda: world.rows(state="accepted"), seconds=30)
    urgent = [ask(world, {"priority": "high", "to": [f"now{number}@example.com"]}) for number in range(5)]
    names = [name for [name] in urgent]
    wait_for(world, names, "accepted")
    late = [
        (row["attempts"][-1]["called_at"] - row["due_at"]).total_seconds() for row in world.rows(_id={"$in": names})
    ]
    assert max(late) < 2 * slowness(), late
    assert world.store.database.deliveries.count_documents({"state": "pending", "low": True}) > 40_000


def test_a_flood_of_one_caller_does_not_starve_another(world: World) -> None:
    world.provider.dials(latency_ms=50)
    ask_for(world.store, world.settings.sender.shards, {"to": [f"r{number}@example.com" for number in range(5_000)]})
    world.start(1, SEATS="10")
    eventually(lambda: world.rows(state="accepted"), seconds=30)
    names = ask(world, {"to": [f"other{number}@example.com" for number in range(10)]}, owner="other")
    wait_for(world, names, "accepted")
    late = [
        (row["attempts"][-1]["called_at"] - row["due_at"]).total_seconds() for row in world.rows(_id={"$in": names})
    ]
    # Ten seats at a twentieth of a second: the flood alone takes 25 s.
    assert max(late) < 5 * slowness(), late
    assert world.store.database.deliveries.count_documents({"state": "pending", "owner_id": "local"}) > 1_000


def test_what_can_not_be_sent_in_time_expires_and_can_be_replayed(world: World) -> None:
    world.provider.dials(faults={"401": 1})
    world.start(1)
    [name] = ask(world, {"ttl_seconds": 2})
    wait_for(world, [name], "expired")
    assert not world.ledger()
    [row] = world.rows(_id=name)
    assert row["reason"] == "Its time to live ended before it could be called."
    world.provider.dials()
    now = milliseconds(datetime.now(UTC))
    verdict: Any = {"at": now, "state": "pending", "by": "Ann", "why": "send it again"}
    assert world.store.emails.replay("local", {"_id": name}, verdict, row["purge_at"]) == 1
    world.nudge()
    wait_for(world, [name], "accepted", seconds=60)
    [row] = world.rows(_id=name)
    assert [verdict["by"] for attempt in row["attempts"] for verdict in attempt.get("settlements", [])] == ["Ann"]
    assert [mail["delivery_id"] for mail in world.ledger()] == [name]


def test_a_race_of_cancelling_and_sending_has_one_winner(world: World) -> None:
    world.start(2)
    names = ask(world, {"to": [f"r{number}@example.com" for number in range(300)]})
    cancelled = {name for name in reversed(names) if world.store.emails.cancel("local", name, "Cancelled.")}
    sent = [name for name in names if name not in cancelled]
    wait_for(world, sent, "accepted")
    assert Counter(mail["delivery_id"] for mail in world.ledger()) == Counter(sent)
    assert states(world, list(cancelled)) == Counter(cancelled=len(cancelled))


def test_mail_of_a_test_key_reaches_no_provider(world: World) -> None:
    world.start(1)
    names = ask(world, {"to": ["a@example.com", "b@example.com"]}, test=True)
    wait_for(world, names, "delivered")
    assert not world.provider.requests()
    for row in world.rows(_id={"$in": names}):
        [attempt] = row["attempts"]
        assert (attempt["fence"], attempt["outcome"], "called_at" in attempt) == ("OK", "accepted", False)


def test_suppressed_mail_ends_so_and_reaches_no_provider(world: World) -> None:
    now = milliseconds(datetime.now(UTC))
    world.store.suppressions.add(suppress("local", "Bounced@example.com", Reason.BOUNCE, "no such mailbox", now))
    world.store.suppressions.add(suppress("local", "gone@example.com", Reason.UNSUBSCRIBE, "one click", now))
    world.store.suppressions.add(suppress("other", "ann@example.com", Reason.COMPLAINT, "spam", now))
    world.start(1)
    to = ["bounced@example.com", "gone@example.com", "ann@example.com"]
    transactional = ask(world, {"to": to})
    bulk = ask(world, {"to": to, "bulk": True})
    [joint] = ask(world, {"to": to, "together": True})
    wait_for(world, [transactional[0], bulk[0], bulk[1]], "suppressed")
    wait_for(world, [transactional[1], transactional[2], bulk[2], joint], "accepted")
    sent = {mail["delivery_id"]: mail["recipients"] for mail in world.ledger()}
    assert set(sent) == {transactional[1], transactional[2], bulk[2], joint}
    assert sorted(sent[joint]) == ["ann@example.com", "gone@example.com"]
    assert not {transactional[0], bulk[0], bulk[1]} & set(world.provider.requests())


def test_mail_of_schedules_offers_one_click_to_unsubscribe(world: World) -> None:
    world.start(1)
    world.once(1, world.soon())
    world.settled()
    [mail] = world.ledger()
    headers = {name.lower(): value for name, value in mail["headers"].items()}
    assert headers["list-unsubscribe-post"] == "List-Unsubscribe=One-Click"
    assert headers["list-unsubscribe"].startswith("<http://127.0.0.1:5000/unsubscribe/")
    [name] = ask(world, {})
    wait_for(world, [name], "accepted")
    [transactional] = [mail for mail in world.ledger() if mail["delivery_id"] == name]
    assert "list-unsubscribe" not in {header.lower() for header in transactional["headers"]}
