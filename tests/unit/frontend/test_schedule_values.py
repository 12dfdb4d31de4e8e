"""The schedule form, against the shapes that the registry checks."""

from datetime import UTC, datetime
from typing import Any

import pytest
from werkzeug.datastructures import MultiDict

from fencepost import definitions
from fencepost.errors import Invalid
from fencepost.schedules import Schedule, Version
from frontend.registry_client import FieldProblem
from frontend.schedule_values import DEFAULTS, LABELS, body, field_of, from_form, from_schedule, place
from registry.answers.schedules import schedule_answer

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
FILLED = DEFAULTS | {
    "name": "Report",
    "timezone": "Europe/Berlin",
    "from": "Harbour News <news@example.com>",
    "to": "Ada <ada@example.com>",
    "cc": "b@example.com",
    "reply_to": "c@example.com",
    "subject": "Hello {{ name }}",
    "text": "Hello",
    "html": "<p>Hello</p>",
    "starts_at": "2027-01-01T00:00",
    "ends_at": "2027-06-30T23:59:30",
    "max_occurrences": "7",
    "misfire_policy": "all",
    "misfire_window": "90.5",
    "jitter": "90",
    "overlap": "queue_one",
    "dst_gap": "skip",
    "dst_repeat": "both",
    "on_unknown": "resend",
}


def stored(definition: dict[str, Any]) -> Any:
    """The definition as the registry would answer it."""
    schedule = Schedule(
        id="sch_01JDQ8K2M4N6P8R0S2T4V6W8X0",
        owner_id="local",
        shard=0,
        definition=definition,
        versions=(Version(3, NOW, "rev_1"),),
        created_at=NOW,
        updated_at=NOW,
        next_run_at=None,
    )
    return schedule_answer(schedule)


def test_a_filled_form_is_a_schedule_and_comes_back_as_it_was() -> None:
    definition = definitions.parse(body(FILLED))
    assert from_schedule(stored(definition)) == FILLED


def test_local_times_are_read_in_the_zone_of_the_schedule() -> None:
    sent = body(FILLED)
    assert (sent["starts_at"], sent["ends_at"]) == ("2026-12-31T23:00:00Z", "2027-06-30T21:59:30Z")


def test_an_edit_keeps_what_the_form_does_not_show() -> None:
    definition = definitions.parse(body(FILLED))
    definition["message"] |= {"headers": {"X-Campaign": "1"}, "tags": ["spring"]}
    definition["message"]["to"][0]["variables"] = {"city": "Rome"}
    saved = stored(definition)
    sent = body(from_schedule(saved) | {"subject": "New", "misfire_window": "", "jitter": ""}, saved)
    assert sent["message"]["headers"] == {"X-Campaign": "1"}
    assert sent["message"]["tags"] == ["spring"]
    assert sent["message"]["to"][0]["variables"] == {"city": "Rome"}
    assert sent["message"]["subject"] == "New"
    assert sent["misfire"] == {"policy": "all", "window_seconds": None}
    assert sent["jitter_seconds"] is None


FILE = {"filename": "a.pdf", "content_type": "application/pdf", "content_id": None, "size": 5, "file_id": "0" * 64}


def test_an_edit_and_a_copy_keep_the_attachments() -> None:
    definition = definitions.parse(body(FILLED))
    definition["message"]["attachments"] = [FILE]
    saved = stored(definition)
    values = from_schedule(saved)
    edited = body(from_form(MultiDict(values)) | {"subject": "New"}, saved)
    assert edited["message"]["attachments"] == [FILE]
    assert body(values)["message"]["attachments"] == [FILE], "a copy has them too"
    assert definitions.parse(edited)["message"]["attachments"][0]["file_id"] == FILE["file_id"]


def test_attachments_that_somebody_garbled_are_refused_and_not_dropped() -> None:
    with pytest.raises(Invalid) as caught:
        definitions.parse(body(FILLED | {"attachments": "[{"}))
    problems = [FieldProblem(each.pointer, each.detail) for each in caught.value.problems]
    assert place(problems, FILLED)[0].keys() == {"attachments"}


def test_boxes_that_are_not_ticked_are_off() -> None:
    form = MultiDict(
        [("kind", "repeat"), ("unit", "weeks"), ("weekdays", "MO"), ("weekdays", "FR"), ("weekdays", "<b>")]
    )
    values = from_form(form)
    assert values["weekdays"] == "MO,FR"
    assert values["together"] == ""
    assert from_form(MultiDict([("kind", "repeat")]))["weekdays"] == ""


def test_every_problem_of_an_empty_form_has_its_place() -> None:
    values = DEFAULTS | {
        "to": "nonsense\nx@example.com\nx@example.com",
        "max_occurrences": "many",
        "misfire_window": "long",
        "jitter": "4000",
    }
    with pytest.raises(Invalid) as caught:
        definitions.parse(body(values))
    at_fields, others = place([FieldProblem(each.pointer, each.detail) for each in caught.value.problems], values)
    assert others == []
    assert {"name", "from", "to", "subject", "max_occurrences", "misfire_window", "jitter"} <= at_fields.keys()
    assert at_fields["to"][0].startswith("Line 1: ")


@pytest.mark.parametrize(
    ("pointer", "changed", "field"),
    [
        ("/recurrence/expression", {"kind": "cron"}, "expression"),
        ("/recurrence/rule", {"unit": "months"}, "every"),
        ("/recurrence/rule", {"unit": "rule"}, "rule"),
        ("/recurrence", {"kind": "once"}, "once_at"),
        ("/recurrence/timezone", {}, "timezone"),
        ("/message/to/3/email", {}, "to"),
        ("/message/together", {}, "text"),
        ("/dst/repeat", {}, "dst_repeat"),
        ("/names", {}, None),
        ("", {}, None),
    ],
)
def test_a_pointer_leads_to_a_field(pointer: str, changed: dict[str, str], field: str | None) -> None:
    assert field_of(pointer, DEFAULTS | changed) == field


def test_every_field_has_a_label() -> None:
    assert DEFAULTS.keys() == LABELS.keys()
