"""POST /emails: what is answered with 202 is on record, each recipient's own, and nothing twice."""

import threading
from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest

from fencepost.errors import Unreachable
from fencepost.store import Store
from fencepost.store.deliveries import Deliveries
from fencepost.store.messages import Messages
from registry.app import create_app
from registry.parts import Parts
from tests.support.api import MESSAGE, Api, MovableClock

KEY = {"Idempotency-Key": "order-4711"}
THREE = ["ann@example.com", "Bob <bob@example.com>", "cid@example.com"]


def mail(**changes: Any) -> dict[str, Any]:
    return {name: value for name, value in {**MESSAGE, **changes}.items() if value is not None}


def send(api: Api, *, headers: dict[str, str] | None = None, **changes: Any) -> Any:
    answer = api.call("POST", "/emails", mail(**changes), headers=headers)
    assert answer.status_code == 202, answer.get_data(as_text=True)
    return answer.get_json()


def test_a_mail_is_on_record_before_it_is_answered(api: Api, nudges: list[None], clock: MovableClock) -> None:
    made = send(api, tags=["welcome"], priority="high", ttl_seconds=600)
    assert nudges == [None]
    [email] = made["emails"]
    shown = api.call("GET", f"/emails/{email['id']}").get_json()
    assert (shown["state"], shown["origin"], shown["batch_id"]) == ("pending", "api", made["id"])
    assert (shown["schedule_id"], shown["occurrence_id"]) == (None, None)
    assert (shown["priority"], shown["tags"]) == ("high", ["welcome"])
    assert (shown["due_at"], shown["expires_at"]) == ("2026-03-02T08:00:00.250Z", "2026-03-02T08:10:00.250Z")
    assert (shown["subject"], shown["text"]) == (MESSAGE["subject"], MESSAGE["text"])
    assert shown["timeline"][0]["detail"] == "Asked for by API."


def test_each_recipient_gets_a_mail_of_their_own_and_the_batch_counts_them(api: Api) -> None:
    made = send(api, to=THREE)
    assert [email["to"] for email in made["emails"]] == ["ann@example.com", "bob@example.com", "cid@example.com"]
    batch = api.call("GET", f"/batches/{made['id']}").get_json()
    assert (batch["count"], batch["by_state"], batch["subject"]) == (3, {"pending": 3}, MESSAGE["subject"])
    listed = api.call("GET", f"/emails?batch_id={made['id']}").get_json()["data"]
    assert {email["id"] for email in listed} == {email["id"] for email in made["emails"]}


def test_those_who_get_it_together_get_one(api: Api) -> None:
    [email] = send(api, to=THREE, together=True)["emails"]
    assert len(api.call("GET", f"/emails/{email['id']}").get_json()["to"]) == 3


def test_braces_are_sent_as_they_stand_unless_somebody_has_variables(api: Api) -> None:
    [plain] = send(api, text="{{ not_a_template }}")["emails"]
    assert api.call("GET", f"/emails/{plain['id']}").get_json()["text"] == "{{ not_a_template }}"
    [filled] = send(api, to=[{"email": "ann@example.com", "variables": {"n": 3}}], text="You have {{ n }}.")["emails"]
    assert api.call("GET", f"/emails/{filled['id']}").get_json()["text"] == "You have 3."


@pytest.mark.parametrize(
    ("change", "pointer", "says"),
    [
        ({"to": []}, "/to", "at least 1"),
        ({"from": "nobody"}, "/from/email", "address"),
        ({"subject": "a\nb"}, "/subject", "one line"),
        ({"text": None}, "", "`text`"),
        ({"priority": "urgent"}, "/priority", "'high', 'normal' or 'low'"),
        ({"ttl_seconds": 0}, "/ttl_seconds", "greater than or equal to 1"),
        ({"scheduled_at": "2026-03-02T07:00:00Z"}, "/scheduled_at", "lies in the past"),
        ({"scheduled_at": "2028-03-02T07:00:00Z"}, "/scheduled_at", "write a schedule"),
        ({"providers": ["pigeon"]}, "/providers/0", "choose from mailgun"),
        ({"providers": ["mailgun", "mailgun"]}, "/providers/1", "named twice"),
        ({"to": ["ann@example.com", "Ann@example.com"]}, "/to/1/email", "the same address as /to/0/email"),
        ({"to": THREE, "cc": ["dan@example.com"]}, "/cc", "together"),
        ({"sujet": "Figures"}, "/sujet", "spelling"),
        (
            {"to": [{"email": "ann@example.com", "variables": {"n": 1}}], "text": "{{ m }}"},
            "/to/0/variables",
            "uses it",
        ),
    ],
)
def test_what_is_wrong_is_named(api: Api, store: Store, change: dict[str, Any], pointer: str, says: str) -> None:
    refused = api.call("POST", "/emails", mail(**change))
    assert refused.status_code == 422
    problems = {problem["pointer"]: problem["detail"] for problem in refused.get_json(force=True)["errors"]}
    assert says in problems[pointer]
    assert store.database.deliveries.count_documents({}) == store.database.messages.count_documents({}) == 0


def test_one_bad_item_does_not_sink_the_others(api: Api) -> None:
    answer = api.call("POST", "/emails/batch", {"emails": [mail(), mail(subject=""), mail(to=THREE)]}, headers=KEY)
    made = answer.get_json()
    assert [result["status"] for result in made["results"]] == ["accepted", "refused", "accepted"]
    assert made["results"][1]["errors"] == [{"pointer": "/subject", "detail": "must not be empty"}]
    assert [len(result["emails"]) for result in made["results"]] == [1, 0, 3]
    assert api.call("GET", f"/batches/{made['id']}").get_json()["count"] == 4
    again = api.call("POST", "/emails/batch", {"emails": [mail(), mail(subject=""), mail(to=THREE)]}, headers=KEY)
    assert again.get_json() == made


def test_when_all_items_are_bad_nothing_is_taken(api: Api, store: Store) -> None:
    refused = api.call("POST", "/emails/batch", {"emails": [mail(subject=""), mail(to=["nobody"])]})
    assert refused.status_code == 422
    pointers = [problem["pointer"] for problem in refused.get_json(force=True)["errors"]]
    assert pointers == ["/emails/0/subject", "/emails/1/to/0/email"]
    assert store.database.deliveries.count_documents({}) == 0


@pytest.mark.parametrize("body", [{}, {"emails": []}, {"emails": "x"}, {"emails": [mail()] * 101}, {"mails": [mail()]}])
def test_an_envelope_that_is_wrong_is_refused(api: Api, body: dict[str, Any]) -> None:
    assert api.call("POST", "/emails/batch", body).status_code == 422


def test_fifty_equal_requests_at_two_workers_make_one_mail(parts: Parts, store: Store) -> None:
    """Two applications on one store stand for two worker processes: they share nothing else."""
    workers = [create_app(replace(parts)), create_app(replace(parts))]
    start = threading.Barrier(50)

    def post(number: int) -> tuple[int, Any]:
        start.wait()
        answer = Api(workers[number % 2].test_client()).call("POST", "/emails", mail(), headers=KEY)
        return answer.status_code, answer.get_json(force=True)

    with ThreadPoolExecutor(50) as pool:
        answers = list(pool.map(post, range(50)))
    assert {status for status, _ in answers} <= {202, 409}
    assert len({str(body) for status, body in answers if status == 202}) == 1
    assert store.database.deliveries.count_documents({}) == store.database.messages.count_documents({}) == 1


class _DiesAfterTheRecord(Deliveries):
    def insert(self, rows: Any) -> set[str]:
        super().insert(rows)
        raise Unreachable("mongodb", "the answer was lost")


def test_a_repetition_after_a_lost_answer_names_the_same_mail(parts: Parts, store: Store) -> None:
    breaking = replace(parts, store=replace(store, deliveries=_DiesAfterTheRecord(store.database)))
    first = Api(create_app(breaking).test_client()).call("POST", "/emails", mail(to=THREE), headers=KEY)
    assert first.status_code == 503
    on_record = {row["_id"] for row in store.database.deliveries.find()}
    again = send(Api(create_app(parts).test_client()), headers=KEY, to=THREE)
    assert {email["id"] for email in again["emails"]} == on_record
    assert store.database.deliveries.count_documents({}) == 3


def test_another_body_under_the_same_key_is_refused(api: Api) -> None:
    send(api, headers=KEY)
    assert api.call("POST", "/emails", mail(subject="Other"), headers=KEY).status_code == 422


def test_cancelling_wins_while_it_is_pending_and_says_when_it_lost(api: Api, store: Store) -> None:
    [won, lost, gone] = send(api, to=THREE)["emails"]
    cancelled = api.call("POST", f"/emails/{won['id']}/cancel", {"reason": "called off"}).get_json()
    assert (cancelled["state"], cancelled["reason"]) == ("cancelled", "Cancelled: called off")
    store.database.deliveries.update_one({"_id": lost["id"]}, {"$set": {"state": "sending"}})
    refused = api.call("POST", f"/emails/{lost['id']}/cancel")
    assert refused.status_code == 409
    assert "being sent right now" in refused.get_json(force=True)["detail"]
    store.database.deliveries.update_one({"_id": gone["id"]}, {"$set": {"state": "accepted"}})
    assert "is accepted" in api.call("POST", f"/emails/{gone['id']}/cancel").get_json(force=True)["detail"]


def test_rescheduling_moves_the_instant_and_the_time_to_live(api: Api, store: Store) -> None:
    [email] = send(api, scheduled_at="2026-03-03T09:00:00Z", ttl_seconds=600)["emails"]
    moved = api.call("POST", f"/emails/{email['id']}/reschedule", {"scheduled_at": "2026-03-04T09:00:00Z"}).get_json()
    assert (moved["due_at"], moved["expires_at"]) == ("2026-03-04T09:00:00Z", "2026-03-04T09:10:00Z")
    row = store.database.deliveries.find_one({"_id": email["id"]})
    assert row
    assert row["not_before"] == row["queue_at"] == row["due_at"]
    message = store.database.messages.find_one({"_id": row["revision_id"]})
    assert message
    assert message["purge_at"] == row["purge_at"]
    past = api.call("POST", f"/emails/{email['id']}/reschedule", {"scheduled_at": "2026-03-01T09:00:00Z"})
    assert past.status_code == 422


class _KeepsNothing(Messages):
    def keep_until(self, message_ids: Collection[str], purge_at: datetime) -> None:
        raise Unreachable("mongodb", "the connection broke")


def test_no_mail_is_put_off_before_its_text_is_kept_as_long(parts: Parts, store: Store) -> None:
    breaking = Api(
        create_app(replace(parts, store=replace(store, messages=_KeepsNothing(store.database)))).test_client()
    )
    [email] = send(breaking)["emails"]
    before = store.database.deliveries.find_one({"_id": email["id"]})
    breaking.post(f"/emails/{email['id']}/reschedule", {"scheduled_at": "2026-09-04T09:00:00Z"}, status=503)
    assert store.database.deliveries.find_one({"_id": email["id"]}) == before


def test_a_replay_touches_only_what_failed_or_expired(api: Api, store: Store) -> None:
    states = ["failed", "expired", "accepted", "cancelled", "unknown", "held", "sending", "bounced"]
    made = send(api, to=[f"{state}@example.com" for state in states])
    for email, state in zip(made["emails"], states, strict=True):
        store.database.deliveries.update_one({"_id": email["id"]}, {"$set": {"state": state}})
    answer = api.call("POST", f"/batches/{made['id']}/replay", {"reason": "mended", "by": "Ann"})
    assert (answer.status_code, answer.get_json()) == (202, {"replayed": 2})
    now = [row["state"] for row in store.database.deliveries.find().sort("recipient", 1)]
    expected = ["pending" if state in ("failed", "expired") else state for state in sorted(states)]
    assert now == expected
    assert api.call("POST", f"/batches/{made['id']}/replay").status_code == 409
    assert api.call("POST", f"/emails/{made['emails'][2]['id']}/replay").status_code == 409


def test_a_flood_of_one_caller_queues_behind_itself(api: Api, store: Store) -> None:
    for _ in range(3):
        send(api, to=[f"n{number}@example.com" for number in range(50)])
    rows = list(store.database.deliveries.find().sort("queue_at", 1))
    lead = (rows[-1]["queue_at"] - rows[0]["queue_at"]).total_seconds()
    assert lead == pytest.approx(14.9)


def test_priorities_are_an_hour_of_waiting_apart(api: Api, store: Store) -> None:
    for priority in ("low", "high", "normal"):
        send(api, priority=priority)
    order = [row["priority"] for row in store.database.deliveries.find().sort("queue_at", 1)]
    assert order == ["high", "normal", "low"]


def test_mails_are_found_by_batch_and_tag(api: Api) -> None:
    send(api, tags=["a", "b"])
    send(api, tags=["b"])
    assert len(api.call("GET", "/emails?tag=b").get_json()["data"]) == 2
    assert len(api.call("GET", "/emails?tag=a").get_json()["data"]) == 1


def test_what_does_not_exist_is_404(api: Api) -> None:
    nowhere = "0" * 26
    for method, path in [
        ("GET", f"/batches/bat_{nowhere}"),
        ("POST", f"/batches/bat_{nowhere}/replay"),
        ("POST", f"/emails/eml_{nowhere}/cancel"),
        ("POST", f"/emails/eml_{nowhere}/replay"),
    ]:
        assert api.call(method, path).status_code == 404, path
