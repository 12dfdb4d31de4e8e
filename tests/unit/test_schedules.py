"""Edits and their history (R9 to R11): who owns an instant, what an edit keeps, and what becomes of a mail that was planned."""

from datetime import datetime

from hypothesis import given
from hypothesis import strategies as st

from fencepost.planning import Limits, plan
from fencepost.schedules import Ruling, Schedule, SkipReason, Status, Stop, edited, judge, next_instant
from tests.support.schedules import Texts, at, definition, schedule

CREATED = at("2026-03-02 11:58")
ALL = {"policy": "all", "window_seconds": 86_400}
EVEN = definition(
    recurrence={"type": "cron", "expression": "*/10 * * * *", "timezone": "UTC"}, message={"subject": "Even"}
)


def edit(
    made: Schedule, texts: Texts, now: datetime, text: dict[str, object] | None = None, **stops: object
) -> Schedule:
    revision_id = texts.add(text) if text else made.versions[-1].revision_id
    return edited(made, texts.rules, now=now, revision_id=revision_id, definition=text, **stops)


def test_an_edit_keeps_an_instant_that_is_due_and_not_fired() -> None:
    made = schedule(CREATED)
    texts = Texts(made)
    changed = edit(made, texts, at("2026-03-02 12:00:03"), EVEN)
    assert changed.next_run_at == at("2026-03-02 12:00")
    result = plan(changed, texts.rules, at("2026-03-02 12:00:04"), Limits())
    assert result is not None
    [(instant, version)] = result.runs
    assert (instant, version.no) == (at("2026-03-02 12:00"), 1)
    assert result.after.next_run_at == at("2026-03-02 12:10")


def test_an_edit_after_the_instant_counts_from_the_edit() -> None:
    made = schedule(CREATED)
    texts = Texts(made)
    changed = edit(made, texts, at("2026-03-02 11:59"), EVEN)
    assert (changed.next_run_at, changed.version) == (at("2026-03-02 12:00"), 2)
    owner = changed.owner_of(at("2026-03-02 12:00"))
    assert owner is not None
    assert owner.no == 2


def test_an_edit_by_a_slow_clock_takes_back_nothing_that_was_planned() -> None:
    made = schedule(CREATED)
    texts = Texts(made)
    result = plan(made, texts.rules, at("2026-03-02 12:05"), Limits())
    assert result is not None
    changed = edit(result.after, texts, at("2026-03-02 12:04:58"), EVEN)
    assert changed.versions[-1].since == at("2026-03-02 12:05")
    assert changed.next_run_at == at("2026-03-02 12:10")


def test_a_mail_waits_until_its_instant_is_frozen() -> None:
    made = schedule(CREATED)
    texts = Texts(made)
    assert judge(made, texts.rules, at("2026-03-02 12:00"), skipped=False).ruling is Ruling.WAIT


def test_a_mail_of_a_frozen_instant_goes_with_the_text_of_the_version_that_owns_it() -> None:
    made = schedule(CREATED)
    texts = Texts(made)
    planned = plan(made, texts.rules, at("2026-03-02 12:00:01"), Limits())
    assert planned is not None
    changed = edit(planned.after, texts, at("2026-03-02 12:00:03"), EVEN)
    judgement = judge(changed, texts.rules, at("2026-03-02 12:00"), skipped=False)
    assert judgement.ruling is Ruling.SEND
    assert judgement.version is not None
    assert judgement.version.no == 1


def test_a_mail_whose_instant_no_plan_has_decided_about_waits_though_an_edit_has_fixed_its_text() -> None:
    made = schedule(CREATED)
    texts = Texts(made)
    changed = edit(made, texts, at("2026-03-02 12:00:03"), EVEN)
    assert judge(changed, texts.rules, at("2026-03-02 12:00"), skipped=False).ruling is Ruling.WAIT


def test_a_mail_that_no_plan_will_decide_about_any_more_is_cancelled() -> None:
    """It was planned with others by a pass that broke off, and an edit since allows but one."""
    made = schedule(CREATED)
    texts = Texts(made)
    changed = edit(made, texts, at("2026-03-02 12:06"), definition(max_occurrences=1, misfire=ALL))
    result = plan(changed, texts.rules, at("2026-03-02 12:07"), Limits())
    assert result is not None
    assert (result.after.last_run_at, result.after.next_run_at) == (at("2026-03-02 12:00"), None)
    assert judge(result.after, texts.rules, at("2026-03-02 12:05"), skipped=False).ruling is Ruling.CANCEL


def test_a_mail_whose_instant_an_edit_took_away_is_cancelled() -> None:
    made = schedule(CREATED)
    texts = Texts(made)
    changed = edit(made, texts, at("2026-03-02 12:01"), EVEN)  # 12:05 is gone
    later = edit(changed, texts, at("2026-03-02 12:06"), EVEN)
    assert judge(later, texts.rules, at("2026-03-02 12:05"), skipped=False).ruling is Ruling.CANCEL


def test_pause_and_delete_cancel_what_is_frozen() -> None:
    made = schedule(CREATED)
    texts = Texts(made)
    stop = Stop(at("2026-03-02 12:00:01"), "wrong text")
    paused = edit(made, texts, stop.at, paused=stop)
    deleted = edit(made, texts, stop.at, deleted=stop)
    assert judge(paused, texts.rules, at("2026-03-02 12:00"), skipped=False).reason == SkipReason.PAUSED
    assert judge(deleted, texts.rules, at("2026-03-02 12:00"), skipped=False).reason == SkipReason.DELETED
    assert (paused.status, deleted.status) == (Status.PAUSED, Status.ARCHIVED)


def test_a_deleted_schedule_records_what_was_due_and_then_ends() -> None:
    made = schedule(CREATED)
    texts = Texts(made)
    deleted = edit(made, texts, at("2026-03-02 12:00:01"), deleted=Stop(at("2026-03-02 12:00:01"), ""))
    result = plan(deleted, texts.rules, at("2026-03-02 12:00:02"), Limits())
    assert result is not None
    assert [(skip.reason, skip.count) for skip in result.skips] == [(SkipReason.DELETED, 1)]
    assert result.after.next_run_at is None
    assert result.after.finished_at is not None


def test_a_skipped_instant_cancels_the_mail_of_somebody_who_lost_the_race() -> None:
    made = schedule(CREATED)
    texts = Texts(made)
    changed = edit(made, texts, at("2026-03-02 12:01"), EVEN)
    assert judge(changed, texts.rules, at("2026-03-02 12:00"), skipped=True).ruling is Ruling.CANCEL


def test_a_resumed_quarantine_goes_on_where_it_stopped() -> None:
    stop = Stop(at("2026-03-02 12:00"), "broke")
    made = schedule(CREATED, next_run_at=None, quarantined=stop, quarantined_instant=at("2026-03-02 12:00"))
    texts = Texts(made)
    changed = edit(made, texts, at("2026-03-02 12:30"), quarantined=None)
    assert (changed.status, changed.next_run_at) == (Status.ACTIVE, at("2026-03-02 12:00"))


@given(st.lists(st.tuples(st.integers(0, 900), st.booleans(), st.booleans()), min_size=1, max_size=8))
def test_last_run_and_since_never_fall_and_each_instant_has_one_owner(steps: list[tuple[int, bool, bool]]) -> None:
    made = schedule(CREATED)
    texts = Texts(made)
    now = CREATED
    fired: list[datetime] = []
    for seconds, edits, even in steps:
        now = datetime.fromtimestamp(now.timestamp() + seconds, now.tzinfo)
        before = made
        if edits:
            made = edit(made, texts, now, EVEN if even else definition())
        elif (result := plan(made, texts.rules, now, Limits())) is not None:
            fired += [instant for instant, _ in result.runs]
            made = result.after
        assert made.versions[-1].since >= before.versions[-1].since
        assert before.last_run_at is None or (made.last_run_at is not None and made.last_run_at >= before.last_run_at)
        assert made.last_run_at is None or made.next_run_at is None or made.last_run_at < made.next_run_at
    assert len(fired) == len(set(fired))
    following = next_instant(made, texts.rules, made.last_run_at or CREATED)
    assert following == made.next_run_at
