"""GET /reports/mail: what is counted, that it is counted once, for whom, and in which zone's days."""

import random
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

import pytest

from auditor.counting import Counter
from fencepost import ids
from fencepost.deliveries import Delivery, State, pending
from fencepost.mail_counts import COUNTS
from fencepost.settings import Settings
from fencepost.store import Store
from fencepost.store.counting import SETTLED, Counting
from tests.support.api import Api, MovableClock
from tests.support.rows import now

Count = Callable[[], int]
NOW = now()


@pytest.fixture
def clock() -> MovableClock:
    """The true time: the counter goes by the server's."""
    return MovableClock(NOW)


@pytest.fixture
def count(registry_settings: Settings, store: Store) -> Count:
    """Counts what has changed; how many quarters of an hour were made anew."""
    return Counter(registry_settings.retention, store.counting).run


def mail(at: datetime, state: str = "accepted", **changes: Any) -> Delivery:
    """The row of one that was due then. `tracking` and the like are as given."""
    row = pending(
        ids.new_id(ids.DELIVERY, at),
        owner_id=changes.pop("owner_id", "local"),
        shard=3,
        revision_id=None,
        version=1,
        origin="api",
        recipient="ann@example.com",
        to=[{"email": "ann@example.com", "name": ""}],
        due_at=at,
        not_before=at,
        queue_at=at,
        now=changes.pop("updated_at", now()),
        purge_at=NOW + timedelta(days=90),
    )
    return {**row, "state": state, "provider": "mailgun", **changes}  # type: ignore[typeddict-item]


def report(api: Api, **asked: Any) -> Any:
    return api.get(f"/reports/mail?{urlencode(asked)}")


def change(store: Store, row: Delivery, **fields: Any) -> None:
    """As everything that changes a row does it: with the server's time."""
    store.database.deliveries.update_one({"_id": row["_id"]}, [{"$set": {**fields, "updated_at": "$$NOW"}}])


def test_what_became_of_mail_is_counted_with_rates(api: Api, store: Store, count: Count) -> None:
    read = {"opened_at": NOW, "opens": 3, "clicked_at": NOW, "clicks": 2}
    rows = [
        mail(NOW, "accepted"),
        *(mail(NOW, "delivered", tracking=tracking) for tracking in ({}, read, {"machine_opens": 1})),
        mail(NOW, "delivered", tracking={"unsubscribed_at": NOW}),
        mail(NOW, "complained", tracking={"opened_at": NOW, "opens": 1, "machine_opens": 4}),
        mail(NOW, "bounced"),
        *(mail(NOW, state) for state in ("failed", "expired", "suppressed", "cancelled", "skipped", "unknown", "held")),
        *(mail(NOW, state) for state in ("pending", "sending")),
        mail(NOW, "delivered", test=True),
    ]
    store.deliveries.insert(rows)
    count()
    found = report(api)
    assert found["counts"] == {
        **{"sent": 7, "delivered": 5, "bounced": 1, "complained": 1, "failed": 1, "expired": 1, "suppressed": 1},
        **{"cancelled": 2, "in_doubt": 2, "opened": 2, "machine_opened": 2, "clicked": 1, "unsubscribed": 1},
        **{"opens": 4, "clicks": 2},
    }
    assert found["rates"] == {
        **{"delivery_rate": 0.7143, "bounce_rate": 0.1429, "complaint_rate": 0.2},
        **{"open_rate": 0.4, "click_rate": 0.2, "unsubscribe_rate": 0.2},
    }
    assert len(found["data"]) == 30
    assert found["data"][-1]["counts"] == found["counts"]
    assert found["data"][0]["counts"] == dict.fromkeys(COUNTS, 0)
    assert set(found["data"][0]["rates"].values()) == {None}
    assert found["counted_at"]


def test_it_follows_each_change_and_counts_no_change_twice(api: Api, store: Store, count: Count) -> None:
    row = mail(NOW - timedelta(days=3), "sending")
    store.deliveries.insert([row])
    assert (count(), report(api)["counts"]["sent"]) == (0, 0)
    change(store, row, state="accepted")
    assert count() > 0
    assert report(api)["counts"]["sent"] == 1
    assert count() == 0, "what is counted as it is is left alone"
    for tracking in ({"opened_at": NOW, "opens": 1}, {"opened_at": NOW, "opens": 2}):
        change(store, row, state="delivered", tracking=tracking)
        count()
    counts = report(api)["counts"]
    assert (counts["sent"], counts["delivered"], counts["opened"], counts["opens"]) == (1, 1, 1, 2)
    change(store, row, state="failed", tracking=None)
    count()
    counts = report(api)["counts"]
    assert (counts["sent"], counts["failed"], counts["opens"]) == (0, 1, 0)


def test_a_counter_takes_up_where_the_last_one_ended(api: Api, store: Store, count: Count) -> None:
    old = mail(NOW - timedelta(days=40), updated_at=NOW - timedelta(days=40))
    older = mail(NOW - timedelta(days=80), updated_at=NOW - timedelta(days=80))
    store.deliveries.insert([old, older])
    since = f"{NOW - timedelta(days=85):%Y-%m-%d}"
    store.counting.begin()
    store.counting.end(NOW - timedelta(days=60), NOW)
    count()
    assert report(api, **{"from": since})["counts"]["sent"] == 1, "what is counted for good is not looked at again"
    store.database.mail_counts.delete_one({"_id": "progress"})
    count()
    assert report(api, **{"from": since})["counts"]["sent"] == 2


def test_who_read_the_rows_later_wins(api: Api, store: Store, count: Count) -> None:
    row = mail(NOW)
    store.deliveries.insert([row])
    _, early = store.counting.begin()
    change(store, row, state="bounced")
    count()
    assert report(api)["counts"]["bounced"] == 1
    change(store, row, state="accepted")
    quarter = store.database.mail_counts.find_one({"span": "quarter"})
    assert quarter
    store.counting.count_quarters([quarter["at"]], early, timedelta(days=400))
    assert report(api)["counts"]["bounced"] == 1, "a counter that was frozen for a while changes nothing"


def test_days_whose_mail_is_purged_stay_as_they_were_counted(
    api: Api, store: Store, count: Count, registry_settings: Settings
) -> None:
    at = NOW - timedelta(days=90)
    kept, purged = mail(at, updated_at=NOW), mail(at, updated_at=NOW)
    store.deliveries.insert([kept, purged])
    longer = registry_settings.retention.model_copy(update={"days": 120})
    Counter(longer, store.counting).run()
    store.database.deliveries.delete_one({"_id": purged["_id"]})
    change(store, kept, state="delivered")
    count()
    days = {"from": f"{at:%Y-%m-%d}", "to": f"{at:%Y-%m-%d}"}
    assert report(api, **days)["counts"]["sent"] == 2
    Counter(longer, store.counting).run()  # the negative control: had it been counted, it would be one
    assert report(api, **days)["counts"]["sent"] == 1


ZONES = ("UTC", "Asia/Kathmandu", "America/New_York", "Australia/Lord_Howe")


def test_every_report_is_what_counting_by_hand_gives(api: Api, store: Store, count: Count) -> None:
    chance = random.Random(7)
    start = NOW - timedelta(days=30)
    schedules = [ids.new_id(ids.SCHEDULE) for _ in range(3)]
    rows = [
        mail(
            start + timedelta(seconds=chance.randrange(30 * 86_400)),
            chance.choice(SETTLED),
            provider=chance.choice(["mailgun", "ses", None]),
            schedule_id=chance.choice([*schedules, None]),
            tags=chance.sample(["news", "billing", "=1+1"], chance.randrange(3)),
            tracking={"opened_at": NOW, "opens": 2} if chance.random() < 0.3 else {},
            owner_id=chance.choice(["local", "local", "local", "bob"]),
        )
        for _ in range(1000)
    ]
    store.deliveries.insert(rows)
    count()
    for _ in range(40):
        zone, group = chance.choice(ZONES), chance.choice(["day", "provider", "tag", "schedule"])
        first = start.date() + timedelta(days=chance.randrange(25))
        last = first + timedelta(days=chance.randrange(12))
        filters = {
            name: value
            for name, value in {"provider": "ses", "tag": "news", "schedule_id": schedules[0]}.items()
            if chance.random() < 0.3
        }
        found = report(api, **{"from": first, "to": last, "timezone": zone, "group": group}, **filters)
        wanted = [
            row
            for row in rows
            if row["owner_id"] == "local"
            and first <= local_day(row, zone) <= last
            and filters.get("provider") in (None, row["provider"])
            and filters.get("schedule_id") in (None, row["schedule_id"])
            and (filters.get("tag") is None or filters["tag"] in row["tags"])
        ]
        by_hand: dict[str | None, int] = {}
        for row in wanted:
            for key in keys_of(row, group, zone):
                by_hand[key] = by_hand.get(key, 0) + sent(row)
        asked = (zone, group, first, last, filters)
        assert found["counts"]["sent"] == sum(map(sent, wanted)), asked
        assert found["counts"]["opens"] == sum(2 for row in wanted if row["tracking"]), asked
        assert {line["key"]: line["counts"]["sent"] for line in found["data"] if line["counts"]["sent"]} == {
            key: number for key, number in by_hand.items() if number
        }, asked


def local_day(row: Delivery, zone: str) -> Any:
    return row["due_at"].astimezone(ZoneInfo(zone)).date()


def keys_of(row: Delivery, group: str, zone: str) -> list[str | None]:
    match group:
        case "day":
            return [str(local_day(row, zone))]
        case "tag":
            return [*row["tags"]] or [None]
    return [row["provider"] if group == "provider" else row["schedule_id"]]


def sent(row: Delivery) -> int:
    return int(row["state"] in (State.ACCEPTED, State.DELIVERED, State.BOUNCED, State.COMPLAINED))


def test_a_list_larger_than_one_document_is_counted_in_parts(
    api: Api, store: Store, registry_settings: Settings
) -> None:
    count = Counter(registry_settings.retention, Counting(store.database, cells_of_a_part=2)).run
    rows = [mail(NOW, tags=[f"t{number}"]) for number in range(5)]
    store.deliveries.insert(rows)
    count()
    assert report(api)["counts"]["sent"] == 5
    assert len(report(api, group="tag")["data"]) == 5
    for row in rows[1:]:
        change(store, row, tags=["t0"])
    count()
    assert report(api, group="tag")["data"][0]["counts"]["sent"] == 5
    assert len(report(api, group="tag")["data"]) == 1
    assert report(api)["counts"]["sent"] == 5


def test_a_mail_that_has_a_tag_twice_counts_once_under_it(api: Api, store: Store, count: Count) -> None:
    store.deliveries.insert([mail(NOW, tags=["news", "news", "b"])])
    count()
    found = report(api, group="tag")
    assert {each["key"]: each["counts"]["sent"] for each in found["data"]} == {"news": 1, "b": 1}


def test_schedules_are_named_and_the_most_mail_comes_first(api: Api, store: Store, count: Count) -> None:
    schedule = api.create(name="Newsletter")
    store.deliveries.insert([mail(NOW), *(mail(NOW, schedule_id=schedule["id"]) for _ in range(3))])
    count()
    assert [(line["key"], line["name"], line["counts"]["sent"]) for line in report(api, group="schedule")["data"]] == [
        (schedule["id"], "Newsletter", 3),
        (None, None, 1),
    ]


def test_without_a_count_it_says_so(api: Api) -> None:
    found = report(api)
    assert found["counted_at"] is None
    assert found["counts"] == dict.fromkeys(COUNTS, 0)


def test_what_changed_is_read_from_the_index_alone(store: Store) -> None:
    store.deliveries.insert([mail(NOW - timedelta(hours=hour)) for hour in range(50)])
    plan = store.database.command(
        "explain",
        {
            "aggregate": "deliveries",
            "pipeline": [
                {"$match": {"state": {"$in": SETTLED}, "updated_at": {"$gte": NOW, "$lt": NOW + timedelta(hours=1)}}},
                {"$group": {"_id": {"$substrBytes": ["$_id", 0, 11]}}},
            ],
            "hint": "settled",
            "cursor": {},
        },
        verbosity="executionStats",
    )
    stages = set(names_in(plan))
    assert "FETCH" not in stages
    assert "IXSCAN" in stages or "ixscan" in stages


def names_in(plan: Any) -> Iterator[str]:
    if isinstance(plan, dict):
        if isinstance(plan.get("stage"), str):
            yield plan["stage"]
        for value in plan.values():
            yield from names_in(value)
    elif isinstance(plan, list):
        for value in plan:
            yield from names_in(value)
