"""R9: each edit is one compare-and-set that appends a version, and takes nothing away that was due before it."""

import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest

from fencepost.clock import iso
from fencepost.schedules import Schedule, due_instants
from fencepost.store import Store
from fencepost.store.schedules import Schedules
from registry.app import create_app
from registry.parts import Parts
from tests.support.api import DAILY, Api, MovableClock
from tests.support.progress import advance, rules_of
from tests.support.rows import planned
from tests.support.schedules import at

HOURLY = {"type": "cron", "expression": "0 * * * *", "timezone": "UTC"}
HALF_PAST = {"type": "cron", "expression": "30 * * * *", "timezone": "UTC"}


def read(store: Store, schedule_id: str) -> Schedule:
    return store.schedules.get("local", schedule_id)


def insert_emails(store: Store, schedule: Schedule, states: Sequence[str]) -> list[str]:
    """Emails of a schedule's own occurrence, one in each of these states."""
    to = [{"email": f"person{number}@example.com"} for number in range(len(states))]
    text = {**schedule.definition, "message": {**schedule.definition["message"], "to": to}}
    _, rows = planned(replace(schedule, definition=text), at("2026-03-02 08:00"))
    for row, state in zip(rows, states, strict=True):
        row["state"] = state
    store.deliveries.insert(rows)
    return [row["_id"] for row in rows]


def states(store: Store, email_ids: Sequence[str]) -> list[tuple[str, str | None]]:
    rows = [store.deliveries.get("local", email_id) for email_id in email_ids]
    return [(row["state"], row["reason"]) for row in rows]


def test_an_instant_that_is_due_and_not_fired_stays_next(api: Api, store: Store, clock: MovableClock) -> None:
    made = api.create(recurrence=HOURLY)
    clock.move(hours=1, minutes=10)
    changed = api.patch(f"/schedules/{made['id']}", {"recurrence": HALF_PAST})
    assert changed["next_run_at"] == "2026-03-02T09:00:00Z"
    stored = read(store, made["id"])
    assert list(due_instants(stored, rules_of(store, stored), at("2026-03-02 08:59"), at("2026-03-02 10:45"))) == [
        (at("2026-03-02 09:00"), stored.versions[0]),
        (at("2026-03-02 09:30"), stored.versions[1]),
        (at("2026-03-02 10:30"), stored.versions[1]),
    ]
    assert advance(store, made["id"], clock.now()).next_run_at == at("2026-03-02 09:30")


@pytest.mark.parametrize("verb", ["pause", "resume", "delete"])
def test_stopping_and_going_on_keep_a_due_instant_too(api: Api, store: Store, clock: MovableClock, verb: str) -> None:
    made = api.create(recurrence=HOURLY)
    path = f"/schedules/{made['id']}"
    if verb == "resume":
        api.post(f"{path}/pause")
    clock.move(hours=1, minutes=10)
    answer = api.delete(path) if verb == "delete" else api.post(f"{path}/{verb}")
    assert answer["next_run_at"] == "2026-03-02T09:00:00Z"
    after = advance(store, made["id"], clock.now())
    assert [skip.first for skip in after.skips] == [at("2026-03-02 09:00")]
    assert after.next_run_at == (None if verb == "delete" else at("2026-03-02 10:00"))


def test_without_a_due_instant_the_next_one_is_the_new_rules(api: Api, clock: MovableClock) -> None:
    made = api.create(recurrence=HOURLY)
    clock.move(minutes=10)
    assert api.patch(f"/schedules/{made['id']}", {"recurrence": HALF_PAST})["next_run_at"] == "2026-03-02T08:30:00Z"


def test_a_version_counts_from_what_was_decided_before_it(api: Api, store: Store, clock: MovableClock) -> None:
    """A sender's clock that is ahead has fired 09:00 already: the edit may not own an instant before that."""
    made = api.create(recurrence=HOURLY)
    clock.move(hours=1, seconds=5)
    advance(store, made["id"], clock.now())
    clock.move(seconds=-30)
    api.patch(f"/schedules/{made['id']}", {"name": "New"})
    last = read(store, made["id"]).versions[-1]
    assert (last.no, last.since) == (2, at("2026-03-02 09:00"))
    clock.move(seconds=-30)
    api.patch(f"/schedules/{made['id']}", {"name": "Newer"})
    assert read(store, made["id"]).versions[-1].since == at("2026-03-02 09:00")


def test_a_revision_is_on_record_before_the_version_that_names_it(api: Api, store: Store, parts: Parts) -> None:
    """Whoever reads the schedule at any moment finds the text of every version."""
    made = api.create()
    seen: list[bool] = []

    class Looking(Schedules):
        def write_edit(self, before: Schedule, after: Schedule) -> None:
            named = {version.revision_id for version in after.versions}
            seen.append(store.revisions.find(named).keys() == named)
            super().write_edit(before, after)

    watched = replace(parts, store=replace(store, schedules=Looking(store.database)))
    Api(create_app(watched).test_client()).patch(f"/schedules/{made['id']}", {"name": "New"})
    assert seen == [True]


class Interfering(Schedules):
    """Lets somebody else write in between an edit's reading and its writing, once."""

    interference: Callable[[], object] | None = None

    def write_edit(self, before: Schedule, after: Schedule) -> None:
        act, type(self).interference = type(self).interference, None
        if act:
            act()
        super().write_edit(before, after)


@pytest.fixture
def interfered(parts: Parts, store: Store) -> Callable[[Callable[[], object]], Api]:
    def prepare(act: Callable[[], object]) -> Api:
        Interfering.interference = staticmethod(act)
        schedules = Interfering(store.database)
        return Api(create_app(replace(parts, store=replace(store, schedules=schedules))).test_client())

    return prepare


def test_an_edit_goes_through_though_a_sender_advances_meanwhile(
    api: Api, store: Store, clock: MovableClock, interfered: Callable[[Callable[[], object]], Api]
) -> None:
    made = api.create(recurrence=HOURLY)
    clock.move(hours=1, minutes=10)
    slowed = interfered(lambda: advance(store, made["id"], clock.now()))
    changed = slowed.patch(f"/schedules/{made['id']}", {"recurrence": HALF_PAST}, If_Match='"1"')
    assert (changed["version"], changed["last_run_at"]) == (2, "2026-03-02T09:00:00Z")
    assert changed["next_run_at"] == "2026-03-02T09:30:00Z"


def test_a_guarded_edit_fails_when_somebody_else_edits_meanwhile(
    api: Api, store: Store, interfered: Callable[[Callable[[], object]], Api]
) -> None:
    made = api.create()
    path = f"/schedules/{made['id']}"
    slowed = interfered(lambda: api.patch(path, {"name": "Theirs"}))
    refused = slowed.patch(path, {"name": "Mine"}, status=412, If_Match='"1"')
    assert "version 2" in refused["detail"]
    assert read(store, made["id"]).definition["name"] == "Theirs"


def test_an_unguarded_edit_follows_the_others(api: Api, interfered: Callable[[Callable[[], object]], Api]) -> None:
    made = api.create()
    path = f"/schedules/{made['id']}"
    slowed = interfered(lambda: api.patch(path, {"max_occurrences": 7}))
    changed = slowed.patch(path, {"name": "Mine"})
    assert (changed["version"], changed["name"], changed["max_occurrences"]) == (3, "Mine", 7)


def test_of_concurrent_guarded_edits_exactly_one_wins(api: Api, store: Store, parts: Parts) -> None:
    made = api.create()
    answers = concurrently(parts, made["id"], [{"name": f"Name {number}"} for number in range(6)], {"If-Match": '"1"'})
    assert sorted(answers) == [200, 412, 412, 412, 412, 412]
    assert read(store, made["id"]).version == 2


def test_concurrent_unguarded_edits_all_count_one_after_the_other(api: Api, store: Store, parts: Parts) -> None:
    made = api.create()
    patches: list[dict[str, Any]] = [
        {"name": "Renamed"},
        {"max_occurrences": 9},
        {"on_unknown": "resend"},
        {"misfire": {"policy": "all"}},
        {"message": {"subject": "Changed"}},
    ]
    assert concurrently(parts, made["id"], patches, {}) == [200] * 5
    stored = read(store, made["id"])
    assert [version.no for version in stored.versions] == [1, 2, 3, 4, 5, 6]
    text = stored.definition
    assert (text["name"], text["max_occurrences"], text["on_unknown"]) == ("Renamed", 9, "resend")
    assert (text["misfire"]["policy"], text["message"]["subject"]) == ("all", "Changed")
    assert sorted(version.since for version in stored.versions) == [version.since for version in stored.versions]


def concurrently(
    parts: Parts, schedule_id: str, patches: Sequence[Mapping[str, Any]], headers: Mapping[str, str]
) -> list[int]:
    """The statuses of these patches, sent at the same time."""
    app, together = create_app(parts), threading.Barrier(len(patches))

    def send(patch: Mapping[str, Any]) -> int:
        client = Api(app.test_client())
        together.wait()
        return client.call("PATCH", f"/schedules/{schedule_id}", patch, headers=headers).status_code

    with ThreadPoolExecutor(len(patches)) as pool:
        return list(pool.map(send, patches))


@pytest.mark.parametrize("verb", ["pause", "delete"])
def test_stopping_cancels_what_waits_and_names_what_is_in_flight(api: Api, store: Store, verb: str) -> None:
    made = api.create()
    path = f"/schedules/{made['id']}"
    emails = insert_emails(store, read(store, made["id"]), ["pending", "sending", "accepted", "pending", "unknown"])
    answer = api.post(f"{path}/pause", {"reason": "holiday"}) if verb == "pause" else api.delete(path)
    reason = "paused" if verb == "pause" else "deleted"
    assert answer["in_flight"] == [emails[1]]
    assert states(store, emails) == [
        ("cancelled", reason),
        ("sending", None),
        ("accepted", None),
        ("cancelled", reason),
        ("unknown", None),
    ]


def test_a_pause_leaves_alone_what_people_triggered(api: Api, store: Store) -> None:
    made = api.create()
    api.post(f"/schedules/{made['id']}/trigger", status=202)
    api.post(f"/schedules/{made['id']}/pause")
    assert store.reports.open_by_state()["pending"] == 1


def test_a_repeated_pause_finishes_what_the_first_one_left(api: Api, store: Store) -> None:
    """The first was cut off after its edit: the mail that it did not cancel any more is cancelled by the second."""
    made = api.create()
    path = f"/schedules/{made['id']}"
    paused = api.post(f"{path}/pause", {"reason": "holiday"})
    emails = insert_emails(store, read(store, made["id"]), ["pending"])
    again = api.post(f"{path}/pause", {"reason": "another"})
    assert (again["version"], again["status_reason"]) == (paused["version"], "holiday")
    assert states(store, emails) == [("cancelled", "paused")]


def test_an_edit_names_what_is_in_flight_and_leaves_what_waits(api: Api, store: Store) -> None:
    made = api.create()
    emails = insert_emails(store, read(store, made["id"]), ["pending", "sending"])
    assert api.patch(f"/schedules/{made['id']}", {"name": "New"})["in_flight"] == [emails[1]]
    assert states(store, emails)[0] == ("pending", None)


def test_an_edit_that_changes_nothing_makes_no_version(api: Api) -> None:
    made = api.create()
    path = f"/schedules/{made['id']}"
    for patch in ({}, {"name": made["name"]}, {"recurrence": DAILY}, {"starts_at": None}):
        assert api.patch(path, patch)["version"] == 1
    assert api.post(f"{path}/resume")["version"] == 1


def test_a_patch_merges_objects_replaces_lists_and_null_sets_the_default(api: Api) -> None:
    made = api.create(max_occurrences=5, misfire={"policy": "all"}, message={"to": ["a@example.com", "b@example.com"]})
    patch = {
        "max_occurrences": None,
        "misfire": {"window_seconds": 60},
        "message": {"to": ["c@example.com"], "html": "<p>Hi</p>", "text": None},
    }
    changed = api.patch(f"/schedules/{made['id']}", patch)
    assert changed["max_occurrences"] is None
    assert changed["misfire"] == {"policy": "all", "window_seconds": 60}
    assert [to["email"] for to in changed["message"]["to"]] == ["c@example.com"]
    assert (changed["message"]["text"], changed["message"]["subject"]) == (None, "Weekly figures")


def test_a_recurrence_of_another_type_replaces_the_old_one_whole(api: Api) -> None:
    made = api.create()
    changed = api.patch(f"/schedules/{made['id']}", {"recurrence": {"type": "interval", "every": "2h"}})
    assert changed["recurrence"] == {"type": "interval", "every": "2h"}


def test_a_patch_is_checked_as_a_whole(api: Api) -> None:
    made = api.create(message={"cc": ["boss@example.com"]})
    refused = api.patch(f"/schedules/{made['id']}", {"message": {"to": ["a@example.com", "b@example.com"]}}, status=422)
    assert [error["pointer"] for error in refused["errors"]] == ["/message/cc"]
    assert api.get(f"/schedules/{made['id']}") == made


def test_an_edit_after_which_nothing_comes_is_refused_at_its_field(api: Api, store: Store, clock: MovableClock) -> None:
    made = api.create()
    path = f"/schedules/{made['id']}"
    clock.move(days=2)
    advance(store, made["id"], clock.now())
    cases: list[tuple[dict[str, Any], str]] = [
        ({"ends_at": iso(clock.now().replace(microsecond=0))}, "/ends_at"),
        ({"max_occurrences": 1}, "/max_occurrences"),
        ({"recurrence": {"type": "once", "at": "2026-03-03T09:00:00"}}, "/recurrence/at"),
        ({"recurrence": {"type": "rrule", "rule": "FREQ=DAILY;COUNT=1"}}, "/recurrence/rule"),
    ]
    for patch, pointer in cases:
        refused = api.patch(path, patch, status=422)
        assert [error["pointer"] for error in refused["errors"]] == [pointer]
    assert api.get(path)["version"] == 1


@pytest.mark.parametrize("etag", ['"2"', 'W/"1"', "nonsense", '"11"'])
def test_every_edit_honours_if_match(api: Api, etag: str) -> None:
    made = api.create()
    path = f"/schedules/{made['id']}"
    api.patch(path, {"name": "New"}, status=412, If_Match=etag)
    api.delete(path, status=412, If_Match=etag)
    for verb in ("pause", "resume", "restore"):
        api.post(f"{path}/{verb}", status=412, If_Match=etag)
    assert api.get(path)["version"] == 1


@pytest.mark.parametrize("etag", ['"1"', "*", '"7", "1"'])
def test_an_edit_with_the_current_version_passes(api: Api, etag: str) -> None:
    made = api.create()
    answer = api.call("PATCH", f"/schedules/{made['id']}", {"name": "New"}, headers={"If-Match": etag})
    assert (answer.status_code, answer.headers["ETag"]) == (200, '"2"')
