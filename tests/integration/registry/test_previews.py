"""/schedules/preview: what a rule says and when it is due, before anything is saved."""

from typing import Any

from tests.support.api import DAILY, Api, MovableClock


def runs(answer: Any) -> list[str]:
    return [run["at"] for run in answer["occurrences"]]


def test_a_rule_is_said_and_shown_from_now_on(api: Api) -> None:
    answer = api.post("/schedules/preview", {"recurrence": DAILY, "count": 2})
    assert answer["words"] == "At 09:00 every day, UTC"
    assert answer["occurrences"] == [
        {"at": "2026-03-02T09:00:00Z", "local": "2026-03-02T09:00:00+00:00", "dst": None},
        {"at": "2026-03-03T09:00:00Z", "local": "2026-03-03T09:00:00+00:00", "dst": None},
    ]


def test_nights_on_which_the_clock_changes_are_marked(api: Api) -> None:
    nightly = {"type": "cron", "expression": "30 2 * * *", "timezone": "Europe/Berlin"}
    spring = api.post("/schedules/preview", {"recurrence": nightly, "after": "2026-03-28T12:00:00Z", "count": 2})
    assert [(run["local"], run["dst"]) for run in spring["occurrences"]] == [
        ("2026-03-29T03:00:00+02:00", "gap"),
        ("2026-03-30T02:30:00+02:00", None),
    ]
    autumn = {"recurrence": nightly, "after": "2026-10-24T12:00:00Z", "count": 2, "dst": {"repeat": "both"}}
    assert [run["dst"] for run in api.post("/schedules/preview", autumn)["occurrences"]] == ["repeat", "repeat"]


def test_an_interval_counts_from_after_else_from_its_start(api: Api) -> None:
    every = {"recurrence": {"type": "interval", "every": "6h"}, "after": "2026-04-01T00:00:00Z", "count": 2}
    assert runs(api.post("/schedules/preview", every)) == ["2026-04-01T06:00:00Z", "2026-04-01T12:00:00Z"]
    started = {**every, "starts_at": "2026-03-31T23:00:00Z"}
    assert runs(api.post("/schedules/preview", started)) == ["2026-04-01T05:00:00Z", "2026-04-01T11:00:00Z"]


def test_a_preview_of_a_schedule_that_exists_shows_what_it_does(api: Api, clock: MovableClock) -> None:
    made = api.create(recurrence={"type": "interval", "every": "25m"})
    clock.move(hours=10, minutes=3)
    timing = {name: made[name] for name in ("recurrence", "starts_at", "ends_at", "dst", "max_occurrences")}
    answer = api.post("/schedules/preview", {**timing, "anchor": made["created_at"], "count": 1})
    assert runs(answer) == ["2026-03-02T18:25:00Z"]


def test_it_shows_no_more_than_will_be(api: Api) -> None:
    assert len(runs(api.post("/schedules/preview", {"recurrence": DAILY, "max_occurrences": 3}))) == 3
    assert len(runs(api.post("/schedules/preview", {"recurrence": DAILY, "ends_at": "2026-03-04T09:00:00Z"}))) == 3
    assert len(runs(api.post("/schedules/preview", {"recurrence": DAILY}))) == 10
    assert len(runs(api.post("/schedules/preview", {"recurrence": DAILY, "count": 500}))) == 500


def test_what_is_previewed_is_what_is_created(api: Api) -> None:
    for recurrence in (
        DAILY,
        {"type": "interval", "every": "7m"},
        {"type": "rrule", "rule": "FREQ=MONTHLY;BYDAY=-1FR;BYHOUR=9;BYMINUTE=0;BYSECOND=0", "timezone": "Asia/Tokyo"},
        {"type": "once", "at": "2026-12-01T09:00:00", "timezone": "America/New_York"},
    ):
        first = runs(api.post("/schedules/preview", {"recurrence": recurrence, "count": 1}))
        assert [api.create(recurrence=recurrence)["next_run_at"]] == first
