"""/schedules/{id}/occurrences, /emails and /reports: what became of what was due."""

from dataclasses import replace
from typing import Any

import pytest

from fencepost.coordination.cluster import ClusterView, Member, Membership, ShardView
from fencepost.coordination.tokens import Token
from fencepost.store import Store
from registry.app import create_app
from registry.parts import Parts
from tests.support.api import Api, MovableClock
from tests.support.progress import advance
from tests.support.schedules import at


def settle(store: Store, state: str, **query: Any) -> None:
    store.database.deliveries.update_many(query, {"$set": {"state": state}})


def test_what_ran_and_what_was_skipped_is_listed_newest_first(api: Api, store: Store, clock: MovableClock) -> None:
    made = api.create(message={"to": ["a@example.com", "b@example.com"]})
    path = f"/schedules/{made['id']}"
    clock.move(hours=1, minutes=1)
    advance(store, made["id"], clock.now())
    api.post(f"{path}/pause", {"reason": "holiday"})
    clock.move(days=3)
    advance(store, made["id"], clock.now())
    skipped, ran = api.get(f"{path}/occurrences")["data"]
    assert (ran["at"], ran["state"], ran["origin"], ran["version"]) == ("2026-03-02T09:00:00Z", "done", "schedule", 1)
    assert ran["emails"] == {"total": 2, "by_state": {"cancelled": 2}}
    assert (skipped["state"], skipped["reason"], skipped["count"]) == ("skipped", "paused", 3)
    assert (skipped["at"], skipped["to"]) == ("2026-03-03T09:00:00Z", "2026-03-05T09:00:00Z")
    assert skipped["emails"] == {"total": 0, "by_state": {}}


def test_an_occurrence_is_done_when_nothing_of_it_is_open(api: Api, store: Store) -> None:
    made = api.create(message={"to": ["a@example.com", "b@example.com"]})
    path = f"/schedules/{made['id']}/occurrences"
    api.post(f"/schedules/{made['id']}/trigger", status=202)
    for state, shown in (("sending", "planned"), ("unknown", "planned"), ("held", "planned"), ("accepted", "done")):
        settle(store, state, recipient="a@example.com")
        settle(store, "failed", recipient="b@example.com")
        assert api.get(path)["data"][0]["state"] == shown
    assert len(api.get(f"{path}?state=done")["data"]) == 1
    assert api.get(f"{path}?state=planned")["data"] == []
    assert api.get(f"{path}?state=skipped")["data"] == []


def test_occurrences_are_paged(api: Api, clock: MovableClock) -> None:
    made = api.create()
    for _ in range(3):
        clock.move(seconds=1)
        api.post(f"/schedules/{made['id']}/trigger", status=202)
    seen, path = [], f"/schedules/{made['id']}/occurrences?limit=2"
    while path:
        answer = api.call("GET", path)
        seen += [one["at"] for one in answer.get_json()["data"]]
        path = answer.headers.get("Link", "")[1:].partition(">")[0]
    assert seen == ["2026-03-02T08:00:03.250Z", "2026-03-02T08:00:02.250Z", "2026-03-02T08:00:01.250Z"]


def test_there_are_no_occurrences_of_no_schedule(api: Api) -> None:
    api.get("/schedules/sch_01JDZZZZZZZZZZZZZZZZZZZZZZ/occurrences", status=404)


def test_a_trigger_plans_a_mail_for_each_recipient_at_once(api: Api, store: Store, clock: MovableClock) -> None:
    made = api.create(message={"to": ["a@example.com", "b@example.com"]})
    api.post(f"/schedules/{made['id']}/pause")
    occurrence = api.post(f"/schedules/{made['id']}/trigger", status=202)
    assert (occurrence["origin"], occurrence["at"], occurrence["state"]) == (
        "trigger",
        "2026-03-02T08:00:00.250Z",
        "planned",
    )
    assert occurrence["emails"] == {"total": 2, "by_state": {"pending": 2}}
    stored = store.schedules.get("local", made["id"])
    rows = store.deliveries.pending([stored.shard], clock.now(), 10)
    assert sorted(row["recipient"] for row in rows) == ["a@example.com", "b@example.com"]
    assert {(row["origin"], row["revision_id"]) for row in rows} == {("trigger", stored.versions[-1].revision_id)}
    assert stored.next_run_at == at("2026-03-02 09:00")


def test_a_triggered_list_is_shared_by_all_shards(api: Api, store: Store) -> None:
    made = api.create(message={"to": [f"person{number}@example.com" for number in range(200)]})
    api.post(f"/schedules/{made['id']}/trigger", status=202)
    assert len(store.database.deliveries.distinct("shard")) > 30


def test_an_email_is_shown_as_it_is_rendered(api: Api) -> None:
    recipient = {"email": "ann@example.com", "name": "Ann", "variables": {"city": "Rome & Bari"}}
    made = api.create(message={"to": [recipient], "subject": "{{ name }} in {{ city }}", "html": "<p>{{ city }}</p>"})
    occurrence = api.post(f"/schedules/{made['id']}/trigger", status=202)
    [listed] = api.get("/emails")["data"]
    email = api.get(f"/emails/{listed['id']}")
    assert email["subject"] == listed["subject"] == "Ann in Rome & Bari"
    assert (email["text"], email["html"]) == ("Here they are.", "<p>Rome &amp; Bari</p>")
    assert not listed.keys() & {"text", "html"}
    assert (email["from"], email["to"]) == (
        {"email": "post@example.com", "name": "Fence Post"},
        [{"email": "ann@example.com", "name": "Ann"}],
    )
    assert (email["schedule_id"], email["schedule_name"]) == (made["id"], "Figures")
    assert (email["occurrence_id"], email["state"], email["origin"]) == (occurrence["id"], "pending", "trigger")
    assert email["message_id"] == f"{email['id']}@example.com"
    assert [event["event"] for event in email["timeline"]] == ["planned"]


def test_an_email_keeps_the_text_of_its_version(api: Api) -> None:
    made = api.create()
    api.post(f"/schedules/{made['id']}/trigger", status=202)
    api.patch(f"/schedules/{made['id']}", {"message": {"subject": "Something else", "to": ["new@example.com"]}})
    [listed] = api.get("/emails")["data"]
    assert listed["subject"] == "Weekly figures"


def test_an_email_shows_its_attempts(api: Api, store: Store) -> None:
    api.post(f"/schedules/{api.create()['id']}/trigger", status=202)
    record = {
        "id": "att_1", "no": 1, "provider": "mailgun", "sender": "host-7", "token": Token(2, 41).number,
        "claimed_at": at("2026-03-02 08:00:01"), "fence": "OK", "fenced_at": at("2026-03-02 08:00:02"),
        "called_at": at("2026-03-02 08:00:02"), "ended_at": at("2026-03-02 08:00:03"), "outcome": "accepted",
        "detail": "Queued.", "status": 200,
    }  # fmt: skip
    store.database.deliveries.update_one(
        {},
        {
            "$set": {
                "state": "accepted",
                "attempts": [record],
                "attempt_no": 1,
                "receipt": "<1@mg>",
                "provider": "mailgun",
            }
        },
    )
    email = api.get(f"/emails/{api.get('/emails')['data'][0]['id']}")
    assert email["attempts"] == [
        {
            "id": "att_1", "number": 1, "provider": "mailgun", "sender": "host-7",
            "token": {"generation": 2, "revision": 41}, "claimed_at": "2026-03-02T08:00:01Z", "fence": "ok",
            "fenced_at": "2026-03-02T08:00:02Z", "called_at": "2026-03-02T08:00:02Z",
            "ended_at": "2026-03-02T08:00:03Z", "outcome": "accepted", "detail": "Queued.", "status": 200,
            "settlements": [],
        }
    ]  # fmt: skip
    assert (email["receipt"], email["provider"]) == ("<1@mg>", "mailgun")
    assert (email["unknown_since"], email["look_up_at"], email["decision_due_at"]) == (None, None, None)
    assert [event["event"] for event in email["timeline"]] == ["planned", "claimed", "fenced", "called", "accepted"]


def test_an_email_whose_text_is_not_decided_yet_is_shown_without_it(api: Api, store: Store) -> None:
    api.post(f"/schedules/{api.create()['id']}/trigger", status=202)
    store.database.deliveries.update_many({}, {"$set": {"revision_id": None}})
    [listed] = api.get("/emails")["data"]
    email = api.get(f"/emails/{listed['id']}")
    assert (email["subject"], email["from"], email["text"], email["message_id"]) == (None, None, None, None)
    assert email["to"] == [{"email": "ann@example.com", "name": ""}]


def test_emails_are_found_by_what_they_are(api: Api, store: Store, clock: MovableClock) -> None:
    first = api.create(message={"to": ["Ann@example.com"]})
    second = api.create(message={"to": ["bob@example.com"]})
    early = api.post(f"/schedules/{first['id']}/trigger", status=202)
    clock.move(hours=1)
    api.post(f"/schedules/{second['id']}/trigger", status=202)
    settle(store, "held", schedule_id=second["id"])

    def found(query: str) -> list[str]:
        return [email["to"][0]["email"] for email in api.get(f"/emails?{query}")["data"]]

    assert found("") == ["bob@example.com", "Ann@example.com"]
    assert found(f"schedule_id={first['id']}") == ["Ann@example.com"]
    assert found(f"occurrence_id={early['id']}") == ["Ann@example.com"]
    assert found("state=held") == ["bob@example.com"]
    assert found("to=Ann@example.com") == ["Ann@example.com"]
    assert found("to=Bob@example.com") == ["bob@example.com"]
    assert found("provider=mailgun") == []
    assert found("from=2026-03-02T08:00:01Z") == ["bob@example.com"]
    assert found("until=2026-03-02T08:00:01Z") == ["Ann@example.com"]
    assert found("from=2026-03-02T08:00:00.250Z&until=2026-03-02T09:00:00.250Z") == ["Ann@example.com"]
    assert found("limit=1") == ["bob@example.com"]
    assert found("sort=due_at") == ["Ann@example.com", "bob@example.com"]
    cursor = api.get("/emails?sort=due_at&limit=1")["next_cursor"]
    assert found(f"sort=due_at&cursor={cursor}") == ["bob@example.com"]


def test_there_is_no_email_of_somebody_else(api: Api, store: Store) -> None:
    api.post(f"/schedules/{api.create()['id']}/trigger", status=202)
    [listed] = api.get("/emails")["data"]
    store.database.deliveries.update_many({}, {"$set": {"owner_id": "somebody"}})
    api.get(f"/emails/{listed['id']}", status=404)
    assert api.get("/emails")["data"] == []


def test_the_last_minutes_are_counted_by_what_became_of_them(api: Api, store: Store, clock: MovableClock) -> None:
    made = api.create(message={"to": [f"person{number}@example.com" for number in range(5)]})
    api.post(f"/schedules/{made['id']}/trigger", status=202)
    for number, state in enumerate(("accepted", "failed", "held", "cancelled")):
        settle(store, state, recipient=f"person{number}@example.com")
    clock.move(minutes=2)
    assert api.get("/reports/activity?minutes=3")["data"] == [
        {"at": "2026-03-02T08:00:00Z", "accepted": 1, "failed": 1, "unknown": 1, "skipped": 1},
        {"at": "2026-03-02T08:01:00Z", "accepted": 0, "failed": 0, "unknown": 0, "skipped": 0},
        {"at": "2026-03-02T08:02:00Z", "accepted": 0, "failed": 0, "unknown": 0, "skipped": 0},
    ]


def test_the_cluster_shows_members_shards_and_what_waits(parts: Parts, store: Store, clock: MovableClock) -> None:
    member = Member("host-7", "host", 7, at("2026-03-02 07:00"), 128, "127.0.0.1:9100")
    view = ClusterView(
        (Membership(member, draining=False, lease=1),),
        (ShardView(0, "host-7", Token(2, 41)), ShardView(1, None, None), ShardView(2, "host-7", Token(2, 41))),
    )
    api = Api(create_app(replace(parts, read_cluster=lambda: view)).test_client())
    made = api.create()
    api.post(f"/schedules/{made['id']}/trigger", status=202)
    store.database.deliveries.update_one({}, {"$set": {"state": "sending", "sender": "host-7"}})
    store.cluster.count_refusals({"stale": 2, "taken": 1})
    store.cluster.raise_alarm("provider.mailgun", "It refuses the key.", at("2026-03-02 07:30"))
    clock.move(hours=1, minutes=1)
    answer = api.get("/cluster")
    assert answer["members"] == [
        {
            "id": "host-7", "host": "host", "pid": 7, "started_at": "2026-03-02T07:00:00Z", "seats": 128,
            "draining": False, "shards": [0, 2], "in_flight": 1,
        }
    ]  # fmt: skip
    assert answer["shards"][1] == {"shard": 1, "holder": None, "token": None}
    assert answer["shards"][2] == {"shard": 2, "holder": "host-7", "token": {"generation": 2, "revision": 41}}
    assert (answer["due_schedules"], answer["lag_seconds"]) == (1, pytest.approx(60.25))
    assert answer["emails_by_state"] == {"pending": 0, "sending": 1, "unknown": 0, "held": 0}
    assert answer["double_sends_prevented"] == {"total": 3, "stale": 2, "killed": 0, "taken": 1, "epoch": 0}
    assert answer["alarms"] == [
        {"since": "2026-03-02T07:30:00Z", "kind": "provider.mailgun", "detail": "It refuses the key."}
    ]
    assert (answer["shard_count"], answer["notes"]) == (64, [])
