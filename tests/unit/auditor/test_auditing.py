"""The auditor's checks: what the senders' own plans leave on record shows nothing, and any one record less shows exactly itself."""

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auditor.auditing import History, Proof, audit_instants, audit_occurrence, goes_on
from fencepost import ids
from fencepost.findings import Finding, Kind, Mails
from fencepost.occurrences import Origin
from fencepost.planning import Limits, plan
from fencepost.schedules import Schedule, Skip, Stop, edited
from tests.support.rows import planned as rows_of
from tests.support.schedules import Texts, at, definition, schedule

SHARDS = 64
START = at("2026-03-02 08:00")
RECURRENCES = [
    {"type": "cron", "expression": "*/5 * * * *"},
    {"type": "cron", "expression": "0,7,30 * * * *", "timezone": "Asia/Kolkata"},
    {"type": "interval", "every": "11m"},
    {"type": "rrule", "rule": "FREQ=MINUTELY;INTERVAL=9"},
    {"type": "once", "at": "2026-03-02T09:30:00Z"},
]


@dataclass
class Life:
    """A schedule and what its senders put on record: decided by the real plans, at whatever time they come."""

    schedule: Schedule
    texts: Texts
    now: datetime = START
    planned: set[datetime] = field(default_factory=set)
    skips: dict[datetime, Skip] = field(default_factory=dict)

    @classmethod
    def begin(cls, **changes: Any) -> "Life":
        one = schedule(START, definition(**changes), shards=SHARDS)
        return cls(one, Texts(one))

    @property
    def history(self) -> History:
        return History(self.schedule, self.texts.rules, lambda version: self.texts.text(version).get("max_occurrences"))

    def plan(self) -> None:
        while decided := plan(self.schedule, self.texts.rules, self.now, Limits(instants=7)):
            self.planned |= {instant for instant, _ in decided.runs}
            self.skips |= {skip.first: skip for skip in decided.skips}
            self.schedule = decided.after

    def edit(self, text: dict[str, Any] | None = None, **stops: Any) -> None:
        revision_id = self.texts.add(text) if text else self.schedule.versions[-1].revision_id
        self.schedule = edited(
            self.schedule, self.texts.rules, now=self.now, revision_id=revision_id, definition=text, **stops
        )

    def audit(self, without: datetime | None = None) -> Proof:
        return audit_instants(self.history, self.planned - {without}, self.skips.values(), START, self.now, SHARDS)


def texts() -> st.SearchStrategy[dict[str, Any]]:
    return st.builds(
        lambda recurrence, policy, window, limit: definition(
            recurrence=recurrence,
            misfire={"policy": policy, "window_seconds": window},
            **({"max_occurrences": limit} if limit else {}),
        ),
        st.sampled_from(RECURRENCES),
        st.sampled_from(["skip", "latest", "all"]),
        st.sampled_from([0, 600, 86_400]),
        st.sampled_from([None, None, 1, 5]),
    )


@st.composite
def lives(draw: st.DrawFn) -> Life:
    one = schedule(START, draw(texts()), shards=SHARDS)
    life = Life(one, Texts(one))
    for action in draw(st.lists(st.sampled_from(["plan", "plan", "edit", "pause", "resume", "delete"]), max_size=8)):
        life.now += timedelta(seconds=draw(st.integers(0, 4000)))
        match action:
            case "plan":
                life.plan()
            case "edit" if not life.schedule.deleted:
                life.edit(draw(texts()))
            case "pause" if not life.schedule.deleted:
                life.edit(paused=Stop(life.now, "a test"))
            case "resume" if not life.schedule.deleted:
                life.edit(paused=None)
            case "delete" if not life.schedule.deleted:
                life.edit(deleted=Stop(life.now, "a test"))
            case "resume":
                life.edit(deleted=None, paused=Stop(life.now, "restored"))
    life.plan()
    return life


@settings(max_examples=120, deadline=None)
@given(life=lives())
def test_what_the_plans_put_on_record_is_what_is_due(life: Life) -> None:
    proof = life.audit()
    assert proof.findings == ()
    assert proof.expected == proof.on_record + proof.skipped
    assert proof.on_record == len(life.planned)


@settings(max_examples=80, deadline=None)
@given(life=lives(), data=st.data())
def test_a_record_less_shows_exactly_itself(life: Life, data: st.DataObject) -> None:
    edited_away = {version.since for version in life.schedule.versions[1:]}
    # A limit that an edit raised or lowered may hide one of those before it; nothing else may.
    sure = {
        instant for instant in life.planned if not edited_away or not life.history.limit(life.schedule.versions[-1])
    }
    sure = {
        instant for instant in sure if all(not life.history.limit(version) for version in life.schedule.versions[:-1])
    }
    if not sure:
        return
    lost = data.draw(st.sampled_from(sorted(sure)))
    owner = life.schedule.owner_of(lost)
    proof = life.audit(without=lost)
    if owner is None or not owner.runs:
        return
    assert [(finding.kind, finding.at) for finding in proof.findings] == [(Kind.SILENT, lost)]
    assert proof.expected == proof.on_record + proof.skipped + 1


def silenced(life: Life, **fields: Any) -> list[Finding]:
    """What is found at ten if nothing was planned, and the timer is as it is said."""
    life.schedule = replace(life.schedule, **fields)
    life.now = START + timedelta(minutes=6)
    return list(life.audit().findings)


@pytest.mark.parametrize(
    ("fields", "kind", "says"),
    [
        ({"next_run_at": None}, Kind.SILENT, "Its timer is gone."),
        ({"next_run_at": START + timedelta(days=9)}, Kind.SILENT, "Its timer stands at 2026-03-11T08:00:00Z"),
        ({"next_run_at": None, "finished_at": START}, Kind.SILENT, "It counts as ended"),
        ({"shard": -1}, Kind.SILENT, "Its shard is -1, and should be"),
        ({}, Kind.LATE, "waits for a sender of shard"),
    ],
)
def test_an_instant_that_nobody_will_make_up_is_silent_and_one_that_waits_is_late(
    fields: dict[str, Any], kind: Kind, says: str
) -> None:
    [finding] = silenced(Life.begin(), **fields)
    assert (finding.kind, finding.at) == (kind, at("2026-03-02 08:05"))
    assert says in finding.detail


def test_a_quarantine_is_its_own_alarm_and_no_silence() -> None:
    stop = Stop(START, "a test")
    assert not silenced(Life.begin(), next_run_at=None, quarantined=stop, quarantined_instant=at("2026-03-02 08:05"))
    life = Life.begin()
    life.now = START + timedelta(minutes=1)
    life.edit(paused=stop)
    assert not silenced(life, next_run_at=None), "nor is a pause"


def test_a_schedule_goes_on_when_its_timer_is_where_its_rule_says() -> None:
    life = Life.begin()
    [missed] = silenced(life, next_run_at=None)
    assert not goes_on(life.history, missed, life.now)
    life.schedule = replace(life.schedule, next_run_at=at("2026-03-02 12:00"))
    assert not goes_on(life.history, missed, life.now)
    life.schedule = replace(life.schedule, next_run_at=at("2026-03-02 08:10"))
    assert goes_on(life.history, missed, life.now)


NINE = at("2026-03-02 09:00")


def audited(mails: Mails | None, *, due: datetime = NINE, recipients: int = 2, **changes: Any) -> list[Kind]:
    life = Life.begin(to=2)
    life.now = NINE
    life.plan()
    occurrence = {**rows_of(life.schedule, due)[0], **changes}
    return [
        finding.kind
        for finding in audit_occurrence(occurrence, life.history, lambda _revision: recipients, mails)  # type: ignore[arg-type]
    ]


def test_an_occurrence_with_a_mail_for_each_recipient_shows_nothing() -> None:
    assert audited(Mails({"accepted": 1, "failed": 1})) == []


@pytest.mark.parametrize("mails", [None, Mails({"accepted": 1})])
def test_an_occurrence_with_fewer_mails_than_recipients_is_named(mails: Mails | None) -> None:
    assert audited(mails) == [Kind.MISSING_MAIL]
    assert audited(mails, origin=Origin.TRIGGER.value) == [Kind.MISSING_MAIL]


def test_more_than_one_accepted_attempt_is_named() -> None:
    assert audited(Mails({"accepted": 2}, ["eml_1"])) == [Kind.TWICE]


def test_a_second_record_for_an_instant_is_extra_even_if_nothing_went_out() -> None:
    other = ids.triggered_occurrence_id("sch", NINE, "a bug")
    assert audited(Mails({"held": 2}), _id=other) == [Kind.EXTRA]


def test_an_instant_that_is_not_due_is_extra_unless_it_was_taken_away_in_time() -> None:
    off = at("2026-03-02 08:58")
    assert audited(Mails({"accepted": 2}), due=off) == [Kind.EXTRA]
    assert audited(Mails({"cancelled": 2}), due=off) == []
    assert audited(Mails({"accepted": 2}), due=off, origin=Origin.TRIGGER.value) == []
