"""One schedule that can't be worked with is set aside with its reason; all others go on."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from fencepost.schedules import Schedule, Status
from tests.support.eventually import eventually
from tests.support.world import World

RECURRENCES: list[Any] = [
    {"type": "lunar", "phase": "full"},
    {"type": "cron", "expression": "0 9 * * *", "timezone": "Mars/Olympus"},
    {"type": "cron", "expression": "0 99 * * *", "timezone": "UTC"},
    {},
    [],
]
RECIPIENTS: list[Any] = ["nobody", [{"name": "no address"}], None]
MAILS: list[dict[str, Any]] = [
    {"text": "{{ 1 | divided_by: 0 }}"},
    {"text": "{% for x in (1..100000000) %}x{% endfor %}"},
    {"text": "{{ missing }}"},
    {"text": "{% nonsense"},
    {"subject": "{{ 'a\nb' }}"},
    {"html": 17, "text": None},
    {"headers": None},
    {"from": "nobody"},
    {"tags": ["umlaut ä"]},
]


def test_what_cannot_be_planned_is_quarantined_alone(world: World) -> None:
    due = world.soon()
    bad_rules = [poisoned(world, due, {"recurrence": recurrence}) for recurrence in RECURRENCES]
    bad_lists = [poisoned(world, due, {}, {"to": recipients}) for recipients in RECIPIENTS]
    world.put([*bad_rules, *bad_lists])
    world.once(20, due)
    world.start()
    world.settled()
    for one in (*bad_rules, *bad_lists):
        eventually(lambda: state(world, one) is Status.QUARANTINED)  # noqa: B023
        stop = world.store.schedules.get("local", one.id).quarantined
        assert stop
        assert stop.reason
    # What comes later is not in their way either.
    world.once(20, world.soon(0))
    world.settled()
    world.judge()


def test_a_mail_that_cannot_be_written_fails_alone(world: World) -> None:
    due = world.soon()
    bad_mails = [poisoned(world, due, {}, message) for message in MAILS]
    world.put(bad_mails)
    world.expect(bad_mails, due)
    world.once(20, due)
    [sender] = world.start(1, SEATS="4")
    world.settled()
    rows = world.judge()
    failed = {row["schedule_id"]: row["reason"] for row in rows if row["state"] == "failed"}
    assert failed.keys() == {one.id for one in bad_mails}
    assert all(failed.values()), failed
    # No seat was lost over them.
    world.once(20, world.soon(0))
    world.settled()
    world.judge()
    assert world.readiness(sender)["status"] == "ready"


def poisoned(
    world: World, due: datetime, definition: dict[str, Any], message: dict[str, Any] | None = None
) -> Schedule:
    """A schedule that is due once, with a text that never came through the front door."""
    [one] = world.make(1, due - timedelta(hours=1), recurrence={"type": "once", "at": due.isoformat()})
    text = {**one.definition, **definition, "message": {**one.definition["message"], **(message or {})}}
    return replace(one, definition=text)


def state(world: World, one: Schedule) -> Status:
    return world.store.schedules.get("local", one.id).status
