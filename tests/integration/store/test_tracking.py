"""Tracking on a real MongoDB: rows end the same whatever the order, and W7 takes what came before it."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from random import Random
from typing import Any

import pytest

from fencepost.deliveries import Attempt, Delivery, State, Verdict
from fencepost.events import Event, EventKind
from fencepost.settlements import Author, Settlement
from fencepost.store import Store
from fencepost.tracking import RANK, joined, moved, tallied, tracked
from tests.support.rows import now, planned, sending
from tests.support.schedules import definition, schedule

RETENTION = timedelta(days=90)


@pytest.fixture
def delivery(store: Store) -> Delivery:
    """One that is sending."""
    at = now().replace(microsecond=0)
    row = sending(planned(schedule(at, definition()), at)[1][0])
    store.deliveries.insert([row])
    return row


def row_of(store: Store, delivery: Delivery) -> dict[str, Any]:
    found = store.database.deliveries.find_one({"_id": delivery["_id"]})
    assert found
    return found


def put(store: Store, state: State) -> None:
    store.database.deliveries.update_many({}, {"$set": {"state": state.value}, "$unset": {"tracking": 1}})
    store.database.events.delete_many({})


def event(delivery: Delivery, number: int, kind: EventKind, *, by_machine: bool = False, **fields: Any) -> Event:
    when = now().replace(second=number % 60)
    known = {"recipient": "ada@example.com", "receipt": "r-1", "message_id": "m-1@example.com"}
    return Event(f"ev{number}", "mailgun", kind, when, delivery["_id"], 1, by_machine=by_machine, **{**known, **fields})


def tell(store: Store, *events: Event) -> None:
    """As the registry does it."""
    store.events.insert_all([(one, "local") for one in events], now(), RETENTION)
    tallies = store.events.tallies({one.delivery_id for one in events})
    store.tracking.join({name: tracked(found) for name, found in tallies.items()})


def settled(store: Store, row: Delivery, state: State, **fields: Any) -> list[Settlement]:
    gained = Attempt(ended_at=now(), outcome=state.value, detail="Queued.")
    return store.deliveries.settle([Settlement(row["_id"], row["attempt_id"] or "", state, gained, **fields)])


def test_the_row_is_what_the_pure_rules_say_in_any_order_and_repeated(store: Store, delivery: Delivery) -> None:
    dice = Random(11)
    for _ in range(25):
        put(store, State.ACCEPTED)
        events = [
            event(delivery, number, dice.choice(list(EventKind)), by_machine=dice.random() < 0.3)
            for number in range(dice.randint(1, 6))
        ]
        order = [*events, *dice.choices(events, k=4)]
        dice.shuffle(order)
        for one in order:
            tell(store, one)
        expected = tracked(tallied(events))
        row = row_of(store, delivery)
        assert row.get("tracking", {}) == expected
        told = State(expected["told"]) if "told" in expected else None
        assert row["state"] == moved(State.ACCEPTED, told)


def test_the_servers_join_is_the_pure_one(store: Store, delivery: Delivery) -> None:
    opened = [event(delivery, number, EventKind.OPENED) for number in range(3)]
    one, two = tracked(tallied(opened[:2])), tracked(tallied(opened[1:]))
    put(store, State.ACCEPTED)
    for each in (one, two, one):
        store.tracking.join({delivery["_id"]: each})
    assert row_of(store, delivery)["tracking"] == joined(one, two)


def test_the_same_event_of_two_registries_at_once_counts_once(store: Store, delivery: Delivery) -> None:
    put(store, State.ACCEPTED)
    events = [event(delivery, number, EventKind.OPENED) for number in range(12)]
    with ThreadPoolExecutor(4) as registries:
        list(registries.map(lambda one: tell(store, one), [*events, *events, *events[::-1]]))
    assert row_of(store, delivery)["tracking"]["opens"] == 12


def test_a_repetition_changes_nothing_at_all(store: Store, delivery: Delivery) -> None:
    put(store, State.ACCEPTED)
    one = event(delivery, 1, EventKind.OPENED)
    tell(store, one)
    before = row_of(store, delivery)
    tell(store, one)
    assert row_of(store, delivery) == before


def test_an_event_whose_registry_died_before_the_row_is_made_up_for_by_the_next(
    store: Store, delivery: Delivery
) -> None:
    put(store, State.ACCEPTED)
    store.events.insert(event(delivery, 1, EventKind.OPENED), "local", now(), RETENTION)
    tell(store, event(delivery, 2, EventKind.CLICKED))
    tracking = row_of(store, delivery)["tracking"]
    assert (tracking["opens"], tracking["clicks"]) == (1, 1)


@pytest.mark.parametrize(
    ("kind", "state"),
    [(EventKind.DELIVERED, "delivered"), (EventKind.BOUNCED, "bounced"), (EventKind.DEFERRED, "accepted")],
)
def test_what_is_told_while_it_is_sending_is_taken_when_it_is_accepted(
    store: Store, delivery: Delivery, kind: EventKind, state: str
) -> None:
    tell(store, event(delivery, 1, kind))
    assert row_of(store, delivery)["state"] == "sending"
    assert settled(store, delivery, State.ACCEPTED) == []
    assert row_of(store, delivery)["state"] == state
    assert settled(store, delivery, State.ACCEPTED) == [], "its owner repeats it after a lost answer"
    assert settled(store, delivery, State.UNKNOWN) == [], "and nobody who knows less has a say"


@pytest.mark.parametrize("state", [State.UNKNOWN, State.HELD])
def test_what_is_settled_late_takes_what_was_told_before(store: Store, delivery: Delivery, state: State) -> None:
    tell(store, event(delivery, 1, EventKind.COMPLAINED))
    store.database.deliveries.update_many({}, {"$set": {"state": state.value}})
    verdict = Verdict(at=now(), state="accepted", by="reconciler", why="found")
    assert settled(store, delivery, State.ACCEPTED, author=Author.RECONCILER, verdict=verdict) == []
    assert row_of(store, delivery)["state"] == "complained"


@pytest.mark.parametrize(
    ("state", "kind"),
    [
        (State.UNKNOWN, EventKind.DELIVERED),
        (State.HELD, EventKind.DELIVERED),
        (State.FAILED, EventKind.REJECTED),
        (State.FAILED, EventKind.DEFERRED),
    ],
)
def test_every_other_end_that_denies_nothing_is_as_its_owner_says(
    store: Store, delivery: Delivery, state: State, kind: EventKind
) -> None:
    tell(store, event(delivery, 1, kind))
    assert settled(store, delivery, state) == []
    assert row_of(store, delivery)["state"] == state.value


def test_no_state_outside_the_table_is_moved(store: Store, delivery: Delivery) -> None:
    for state in State:
        put(store, state)
        tell(store, event(delivery, 1, EventKind.COMPLAINED))
        assert row_of(store, delivery)["state"] == ("complained" if state in RANK else state.value)


def test_an_owners_events_are_found_by_either_name_of_the_message(store: Store, delivery: Delivery) -> None:
    tell(store, event(delivery, 1, EventKind.DELIVERED), event(delivery, 2, EventKind.OPENED))
    for field, value in (("receipt", "r-1"), ("message_id", "m-1@example.com")):
        assert [one.id for one in store.events.look_up("local", field, value)] == ["ev1", "ev2"]  # type: ignore[arg-type]
        assert store.events.look_up("another", field, value) == []  # type: ignore[arg-type]
        plan = store.database.events.find({"owner_id": "local", field: value}).sort("at", 1).explain()
        stages = str(plan["queryPlanner"]["winningPlan"])
        assert f"by_{field}" in stages
        assert "COLLSCAN" not in stages
        assert "'SORT'" not in stages


def test_counting_a_deliverys_events_reads_no_others(store: Store, delivery: Delivery) -> None:
    others = [event(delivery, number, EventKind.OPENED) for number in range(50)]
    tell(store, *[Event(**{**_fields(one), "delivery_id": f"eml_{one.id}"}) for one in others])
    tell(store, event(delivery, 99, EventKind.OPENED))
    pipeline = [{"$match": {"delivery_id": {"$in": [delivery["_id"]]}}}]
    plan = store.database.command(
        "explain", {"aggregate": "events", "pipeline": pipeline, "cursor": {}}, verbosity="executionStats"
    )
    assert plan["executionStats"]["totalDocsExamined"] == 1


def _fields(one: Event) -> dict[str, Any]:
    return {name: getattr(one, name) for name in one.__dataclass_fields__}
