"""Explain: for each cause that keeps a mail back, the first gate that holds is that cause."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from fencepost import ids
from fencepost.caps import Cap
from fencepost.clock import as_utc
from fencepost.coordination.breakers import Breaker
from fencepost.coordination.cluster import ClusterView, Member, Membership, ShardView
from fencepost.coordination.tokens import Token
from fencepost.errors import Unreachable
from fencepost.store import Store
from fencepost.suppression import Reason, suppress
from registry.app import create_app
from registry.parts import Parts
from tests.support.api import MESSAGE, Api, MovableClock, text

MINUTE = timedelta(minutes=1)


@dataclass
class Stage:
    """A registry whose surroundings a case sets."""

    parts: Parts
    store: Store
    clock: MovableClock

    @property
    def api(self) -> Api:
        return Api(create_app(self.parts).test_client())

    @property
    def now(self) -> datetime:
        return self.clock.now()

    def mail(self, /, _set: dict[str, Any] | None = None, **fields: Any) -> str:
        """A mail of POST /emails, and what happened to its row since."""
        [email] = self.api.call("POST", "/emails", {**MESSAGE, **fields}).get_json()["emails"]
        if _set:
            self.store.database.deliveries.update_one({"_id": email["id"]}, {"$set": _set})
        return f"/emails/{email['id']}/explain"

    def run(self, **changes: Any) -> tuple[dict[str, Any], str]:
        """A schedule whose next instant is today at nine, and the explanation of a mail that is planned for it."""
        made = self.schedule(**changes)
        self.api.call("POST", f"/schedules/{made['id']}/trigger")
        row = self.store.database.deliveries.find_one({"schedule_id": made["id"]})
        assert row
        self.store.database.deliveries.update_one({"_id": row["_id"]}, {"$set": {"origin": "schedule"}})
        return made, f"/emails/{row['_id']}/explain"

    def schedule(self, **changes: Any) -> dict[str, Any]:
        made: dict[str, Any] = self.api.call("POST", "/schedules", text(**changes)).get_json()
        return made

    def set_schedule(self, schedule_id: str, **fields: Any) -> None:
        self.store.database.schedules.update_one({"_id": schedule_id}, {"$set": fields})


@pytest.fixture
def stage(parts: Parts, store: Store, clock: MovableClock) -> Stage:
    member = Membership(Member("sender-1", "host", 1, clock.now(), 8, "127.0.0.1:1"), draining=False, lease=1)
    every = ClusterView(
        (member,), tuple(ShardView(shard, "sender-1", Token(1, 2)) for shard in range(parts.settings.sender.shards))
    )
    return Stage(replace(parts, read_cluster=lambda: every), store, clock)


def unreachable() -> Any:
    raise Unreachable("redis", "no answer")


# -- mails ---------------------------------------------------------------------------------------------------------------


def accepted(stage: Stage) -> str:
    return stage.mail({"state": "accepted", "provider": "mailgun"})


def on_its_way(stage: Stage) -> str:
    return stage.mail()


def failed(stage: Stage) -> str:
    return stage.mail({"state": "failed", "reason": "Mailgun refused it: 400"})


def cancelled(stage: Stage) -> str:
    return stage.mail({"state": "cancelled", "reason": "paused"})


def expired(stage: Stage) -> str:
    return stage.mail({"state": "expired", "reason": "Its time to live ended."})


def suppressed_before(stage: Stage) -> str:
    return stage.mail({"state": "suppressed", "reason": "The recipient is suppressed."})


def held(stage: Stage) -> str:
    return stage.mail({"state": "held", "reason": "no trace"})


def unknown(stage: Stage) -> str:
    return stage.mail({"state": "unknown", "provider": "mailgun", "unknown_since": stage.now})


def unknown_and_resent(stage: Stage) -> str:
    return stage.mail({"state": "unknown", "provider": "mailgun", "unknown_since": stage.now}, on_unknown="resend")


def sending(stage: Stage) -> str:
    return stage.mail({"state": "sending", "sender": "sender-1", "deadline": stage.now + MINUTE, "provider": "mailgun"})


def sender_lost(stage: Stage) -> str:
    return stage.mail({"state": "sending", "sender": "sender-9", "deadline": stage.now - MINUTE, "provider": "mailgun"})


def suppressed(stage: Stage) -> str:
    stage.store.suppressions.add(suppress("local", "ann@example.com", Reason.COMPLAINT, "", stage.now))
    return stage.mail()


def unsubscribed_from_bulk(stage: Stage) -> str:
    stage.store.suppressions.add(suppress("local", "ann@example.com", Reason.UNSUBSCRIBE, "", stage.now))
    return stage.mail(bulk=True)


def unsubscribed_but_transactional(stage: Stage) -> str:
    stage.store.suppressions.add(suppress("local", "ann@example.com", Reason.UNSUBSCRIBE, "", stage.now))
    return stage.mail()


def worthless(stage: Stage) -> str:
    return stage.mail({"expires_at": stage.now})


def not_due(stage: Stage) -> str:
    return stage.mail(scheduled_at="2026-03-03T09:00:00Z")


def jitter(stage: Stage) -> str:
    made, path = stage.run()
    stage.set_schedule(made["id"], last_run_at=stage.now + MINUTE)
    later = {"jitter_ms": 60_000, "not_before": stage.now + MINUTE}
    stage.store.database.deliveries.update_one({"schedule_id": made["id"]}, {"$set": later})
    return path


def paused(stage: Stage) -> str:
    made, path = stage.run()
    stage.set_schedule(made["id"], paused={"at": stage.now, "reason": "holidays", "frozen": False})
    return path


def deleted(stage: Stage) -> str:
    made, path = stage.run()
    stage.store.database.schedules.delete_one({"_id": made["id"]})
    return path


def frozen(stage: Stage) -> str:
    made, path = stage.run()
    stage.set_schedule(made["id"], quarantined={"at": stage.now, "reason": "a copy", "frozen": True})
    return path


def undecided(stage: Stage) -> str:
    return stage.run()[1]


def overlapping(stage: Stage) -> str:
    made, path = stage.run(overlap="queue_one")
    stage.set_schedule(made["id"], last_run_at=stage.now + MINUTE)
    rows = stage.store.database.deliveries
    row = rows.find_one({"schedule_id": made["id"]})
    assert row
    rows.insert_one({**row, "_id": f"{row['_id'][:-1]}0", "occurrence_id": "occ_before"})
    rows.update_one({"_id": row["_id"]}, {"$set": {"after_occurrence": "occ_before"}})
    return path


def retried(stage: Stage) -> str:
    attempt = {"id": "att_1", "no": 1, "provider": "mailgun", "outcome": "throttled", "detail": "too fast"}
    return stage.mail({"not_before": stage.now + MINUTE, "attempts": [attempt], "attempt_no": 1})


def no_sender(stage: Stage) -> str:
    stage.parts = replace(stage.parts, read_cluster=lambda: ClusterView((), ()))
    return stage.mail()


def shard_free(stage: Stage) -> str:
    view = stage.parts.read_cluster()
    stage.parts = replace(stage.parts, read_cluster=lambda: ClusterView(view.members, ()))
    return stage.mail()


def redis_away(stage: Stage) -> str:
    stage.parts = replace(stage.parts, ping_redis=unreachable)
    return stage.mail()


def provider_away(stage: Stage) -> str:
    stage.store.cluster.raise_alarm("provider.mailgun", "Mailgun refuses the key", stage.now)
    return stage.mail()


def provider_asked_for_a_wait(stage: Stage) -> str:
    stage.parts = replace(stage.parts, read_breakers=lambda: {"mailgun": Breaker(wait_seconds=3599.5)})
    return stage.mail()


def provider_set_up_no_more(stage: Stage) -> str:
    return stage.mail({"route": ["pigeon"]})


def provider_unfit(stage: Stage) -> str:
    attempt = {"id": "att_1", "no": 1, "provider": "mailgun", "outcome": "unfit", "detail": "too many"}
    return stage.mail({"attempts": [attempt], "attempt_no": 1})


def spent(stage: Stage) -> str:
    stage.parts = replace(stage.parts, read_caps=lambda _now: {"mailgun": Cap(2000, 2000)})
    return stage.mail()


def nearly_spent(stage: Stage) -> str:
    stage.parts = replace(stage.parts, read_caps=lambda _now: {"mailgun": Cap(2000, 1999)})
    return stage.mail()


def in_a_queue(stage: Stage) -> str:
    rows = stage.store.database.deliveries
    path = stage.mail()
    row = rows.find_one({})
    assert row
    rows.insert_one({**row, "_id": "eml_00000000000000000000000000", "queue_at": row["queue_at"] - MINUTE})
    return path


MAILS: list[tuple[Callable[[Stage], str], str | None, str]] = [
    (accepted, None, "Mailgun accepted it"),
    (on_its_way, None, "within seconds"),
    (sending, None, "by sender-1 through Mailgun"),
    (failed, "ended", "Mailgun refused it"),
    (cancelled, "ended", "cancelled: paused"),
    (expired, "ended", "expired"),
    (suppressed_before, "ended", "suppressed"),
    (held, "decision", "person"),
    (unknown, "settlement", "held for a person"),
    (unknown_and_resent, "settlement", "sent again then"),
    (sender_lost, "fence", "sender-9"),
    (suppressed, "suppressed", "suppressed"),
    (unsubscribed_from_bulk, "suppressed", "suppressed"),
    (unsubscribed_but_transactional, None, "within seconds"),
    (worthless, "expired", "time to live"),
    (not_due, "due", "2026-03-03T09:00:00Z"),
    (paused, "paused", "holidays"),
    (deleted, "paused", "no longer exists"),
    (frozen, "paused", "a copy"),
    (jitter, "jitter", "60 s"),
    (undecided, "decided", "moved on"),
    (overlapping, "overlap", "1 to go"),
    (retried, "retry", "too fast"),
    (no_sender, "sender", "start one"),
    (shard_free, "sender", "takes it soon"),
    (redis_away, "redis", "Redis"),
    (spent, "cap", "Mailgun has had all its 2,000 calls of today"),
    (nearly_spent, None, "within seconds"),
    (provider_away, "breaker", "refuses the key"),
    (provider_asked_for_a_wait, "breaker", "asked for a pause, and 3,600 s of it are left"),
    (provider_set_up_no_more, "breaker", "Pigeon: it is not set up any more"),
    (provider_unfit, "breaker", "Mailgun: it takes no such mail"),
    (in_a_queue, "turn", "1 mails"),
]


@pytest.mark.parametrize(("case", "reason", "says"), MAILS, ids=[case.__name__ for case, _, _ in MAILS])
def test_the_first_gate_that_holds_is_the_cause(
    stage: Stage, case: Callable[[Stage], str], reason: str | None, says: str
) -> None:
    path = case(stage)
    found = stage.api.call("GET", path).get_json()
    assert (found["reason"], says in found["verdict"]) == (reason, True), found["verdict"]
    holding = [gate for gate in found["gates"] if gate["holds"]]
    assert not holding or holding[0]["gate"] == reason


# -- instants ------------------------------------------------------------------------------------------------------------

NINE = "2026-03-02T09:00:00Z"


def ran(stage: Stage) -> tuple[str, str]:
    made, _ = stage.run()
    stage.clock.move(hours=2)
    occurrence_id = ids.occurrence_id(made["id"], as_utc(datetime.fromisoformat(NINE)))
    stage.store.database.deliveries.update_one(
        {"schedule_id": made["id"]}, {"$set": {"occurrence_id": occurrence_id, "state": "accepted"}}
    )
    return made["id"], NINE


def not_named(stage: Stage) -> tuple[str, str]:
    return stage.schedule()["id"], "2026-03-02T10:00:00Z"


def before_it_was(stage: Stage) -> tuple[str, str]:
    return stage.schedule()["id"], "2026-03-01T09:00:00Z"


def to_come(stage: Stage) -> tuple[str, str]:
    return stage.schedule()["id"], NINE


def paused_then(stage: Stage) -> tuple[str, str]:
    made = stage.schedule()
    stage.api.call("POST", f"/schedules/{made['id']}/pause", {"reason": "holidays"})
    stage.clock.move(hours=2)
    return made["id"], NINE


def skipped(stage: Stage) -> tuple[str, str]:
    made = stage.schedule()
    stage.clock.move(hours=2)
    nine = stage.now.replace(hour=9, minute=0, second=0, microsecond=0)
    stage.store.database.occurrences.insert_one(
        {"_id": "occ_1", "schedule_id": made["id"], "owner_id": "local", "state": "skipped", "at": nine, "to": nine}
        | {"reason": "misfire"}
    )
    return made["id"], NINE


def quarantined(stage: Stage) -> tuple[str, str]:
    made = stage.schedule()
    stage.set_schedule(made["id"], quarantined={"at": stage.now, "reason": "ZeroDivisionError", "frozen": False})
    stage.clock.move(hours=2)
    return made["id"], NINE


def used_up(stage: Stage) -> tuple[str, str]:
    made = stage.schedule(max_occurrences=3)
    stage.set_schedule(made["id"], occurrence_count=3)
    stage.clock.move(hours=2)
    return made["id"], NINE


def nobody_there(stage: Stage) -> tuple[str, str]:
    made = stage.schedule()
    stage.parts = replace(stage.parts, read_cluster=lambda: ClusterView((), ()))
    stage.clock.move(hours=2)
    return made["id"], NINE


def not_planned_yet(stage: Stage) -> tuple[str, str]:
    made = stage.schedule()
    stage.clock.move(hours=2)
    return made["id"], NINE


INSTANTS: list[tuple[Callable[[Stage], tuple[str, str]], str | None, str]] = [
    (ran, None, "1 accepted"),
    (not_named, "named", "the next is 2026-03-03T09:00:00Z"),
    (before_it_was, "began", "later"),
    (to_come, "due", "still to come"),
    (paused_then, "paused", "holidays"),
    (skipped, "skipped", "found late"),
    (quarantined, "quarantined", "ZeroDivisionError"),
    (used_up, "cap", "3 times"),
    (nobody_there, "planned", "start one"),
    (not_planned_yet, "planned", "takes seconds"),
]


@pytest.mark.parametrize(("case", "reason", "says"), INSTANTS, ids=[case.__name__ for case, _, _ in INSTANTS])
def test_an_instant_is_explained_by_its_first_cause(
    stage: Stage, case: Callable[[Stage], tuple[str, str]], reason: str | None, says: str
) -> None:
    schedule_id, at = case(stage)
    found = stage.api.call("GET", f"/schedules/{schedule_id}/explain?at={at}").get_json()
    assert (found["reason"], says in found["verdict"], found["at"]) == (reason, True, at), found["verdict"]


def test_without_an_instant_the_next_run_is_explained(stage: Stage) -> None:
    found = stage.api.call("GET", f"/schedules/{stage.schedule()['id']}/explain").get_json()
    assert (found["at"], found["reason"], found["next_try_at"]) == (NINE, "due", NINE)
