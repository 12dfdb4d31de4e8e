"""What senders know of each other through Redis: limits that hold for all of them together, a breaker that one of them opened; and
order and weights, which each of them obeys."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.support.eventually import eventually
from tests.support.mail import ask_for
from tests.support.provider import Provider
from tests.support.world import World
from tests.support.worlds import MakesWorld

BY_PROVIDER, BY_DOMAIN = 4, 5
"""Mails a second, so few that a machine which is busy for a fifth of a second does not make them look like more."""


def ask(world: World, *mails: Mapping[str, Any]) -> list[str]:
    """Have these mails on record, in one batch; their ids."""
    rows = ask_for(world.store, world.settings.sender.shards, *(dict(mail) for mail in mails))
    world.nudge()
    return [row["_id"] for row in rows]


def sent(world: World, names: Sequence[str], seconds: float = 60) -> list[dict[str, Any]]:
    """The entries of these mails in the ledger, once all are accepted."""

    def check() -> bool:
        found = Counter(row["state"] for row in world.rows(_id={"$in": list(names)}))
        assert found == {"accepted": len(names)}
        return True

    eventually(check, seconds=seconds)
    wanted = set(names)
    return [entry for entry in world.ledger() if entry["delivery_id"] in wanted]


def most_in_a_second(entries: Sequence[Mapping[str, Any]]) -> int:
    instants: list[float] = [entry["at"] for entry in entries]
    return max(sum(end - 1 <= at <= end for at in instants) for end in instants)


def test_limits_of_providers_and_domains_hold_across_five_senders(make_world: MakesWorld) -> None:
    world = make_world(
        {
            "FENCEPOST_PROVIDERS__ORDER": "mailgun,mailjet",
            "FENCEPOST_PROVIDERS__MAILGUN__MAX_PER_SECOND": str(BY_PROVIDER),
            "FENCEPOST_FAILOVER__MAX_PER_SECOND_PER_DOMAIN": str(BY_DOMAIN),
        }
    )
    senders = world.start(5, SEATS="10")
    world.balanced(*senders)
    # By the first, two domains share its limit; by the second, each of two others comes under its own.
    plan = {"one": "mailgun", "two": "mailgun", "three": "mailjet", "four": "mailjet"}
    counts = {"one": 9, "two": 9, "three": 22, "four": 22}
    names: dict[str, list[str]] = {domain: [] for domain in plan}
    mails = [
        {
            "from": f"shop@{domain}.example.com",
            "to": [f"r{number}@example.com" for number in range(counts[domain])],
            "providers": [provider],
        }
        for domain, provider in plan.items()
    ]
    ids = iter(ask(world, *mails))
    for domain, count in counts.items():
        names[domain] = [next(ids) for _ in range(count)]
    entries = {domain: sent(world, names[domain]) for domain in plan}
    first = entries["one"] + entries["two"]
    assert most_in_a_second(first) <= BY_PROVIDER + 1
    for domain in ("three", "four"):
        assert most_in_a_second(entries[domain]) <= BY_DOMAIN + 1
    assert most_in_a_second(entries["three"] + entries["four"]) > BY_DOMAIN + 1, "each domain has its own"
    attempts = [row["attempts"][-1]["sender"] for row in world.rows()]
    assert len(set(attempts)) == 5, "all five took part"


def test_what_one_sender_opens_another_obeys_within_a_second(make_world: MakesWorld, fallback: Provider) -> None:
    world = make_world(
        {
            "FENCEPOST_PROVIDERS__ORDER": "mailgun,mailjet",
            "FENCEPOST_PROVIDERS__MAILJET__BASE_URL": fallback.url,
            # Nobody finds out while the test looks.
            "FENCEPOST_FAILOVER__FIRST_PAUSE_SECONDS": "30",
        }
    )
    one, other = world.start(2)
    world.balanced(one, other)
    world.provider.dials(faults={"401": 1})
    mine, others = world.shards_of(one), world.shards_of(other)
    world.once(1, world.soon(0), shards=mine)
    world.settled()
    [opened] = eventually(lambda: world.store.providers.changes("mailgun", 1))
    assert str(one.pid) in opened.by
    before = set(world.provider.requests())
    late = world.once(20, (opened.at + timedelta(seconds=2)).replace(microsecond=0), shards=others)
    world.settled()
    rows = world.rows(schedule_id={"$in": [schedule.id for schedule in late]})
    assert len(rows) == 20
    assert {attempt["provider"] for row in rows for attempt in row["attempts"]} == {"mailjet"}
    assert set(world.provider.requests()) == before, "the other never called it"


def test_order_and_weights_are_obeyed_by_all(make_world: MakesWorld) -> None:
    weights = {"sendgrid": 60, "mailgun": 30, "ses": 10}
    settings = {f"FENCEPOST_PROVIDERS__{name.upper()}__WEIGHT": str(weight) for name, weight in weights.items()}
    world = make_world({"FENCEPOST_PROVIDERS__ORDER": "mailgun,ses,sendgrid,smtp", **settings})
    world.start(2)
    names = ask(world, {"to": [f"r{number}@example.com" for number in range(400)]})
    shares = Counter(entry["provider"] for entry in sent(world, names))
    # Each mail is as good as a throw of dice: this is more than four times what 400 of them differ by.
    assert all(abs(shares[name] / 4 - weight) < 10 for name, weight in weights.items()), shares
    assert "smtp" not in shares, "who has no weight is there for the others"

    for name in weights:
        world.store.providers.choose(name, {"weight": 0.0}, "Ann", "for a test", datetime.now(UTC))

    def by_the_first_alone() -> bool:
        few = ask(world, {"to": [f"few{number}@example.com" for number in range(20)]})
        return {entry["provider"] for entry in sent(world, few)} == {"mailgun"}

    assert eventually(by_the_first_alone, seconds=30), "without weights the first of the order takes all"
