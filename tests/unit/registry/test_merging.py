"""JSON merge patch, by the examples of RFC 7396's appendix A."""

from typing import Any

import pytest

from registry.merging import changed, merged


@pytest.mark.parametrize(
    ("target", "patch", "result"),
    [
        ({"a": "b"}, {"a": "c"}, {"a": "c"}),
        ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
        ({"a": "b"}, {"a": None}, {}),
        ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
        ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
        ({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}),
        ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
        ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
        (["a", "b"], ["c", "d"], ["c", "d"]),
        ({"a": "b"}, ["c"], ["c"]),
        ({"a": "foo"}, None, None),
        ({"a": "foo"}, "bar", "bar"),
        ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
        ([1, 2], {"a": "b", "c": None}, {"a": "b"}),
        ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
    ],
)
def test_a_merge_patch_does_what_the_rfc_shows(target: Any, patch: Any, result: Any) -> None:
    assert merged(target, patch) == result


def test_a_patch_leaves_what_it_is_merged_into_as_it_was() -> None:
    target = {"a": {"b": 1}}
    merged(target, {"a": {"b": 2, "c": 3}})
    assert target == {"a": {"b": 1}}


CRON = {"type": "cron", "expression": "0 9 * * *", "timezone": "Europe/Berlin"}


@pytest.mark.parametrize(
    ("patch", "result"),
    [
        ({"expression": "0 8 * * *"}, {**CRON, "expression": "0 8 * * *"}),
        ({"type": "cron", "expression": "0 8 * * *"}, {**CRON, "expression": "0 8 * * *"}),
        ({"type": "interval", "every": "1h"}, {"type": "interval", "every": "1h"}),
    ],
)
def test_a_recurrence_is_merged_unless_its_type_changes(patch: Any, result: Any) -> None:
    assert changed({"name": "n", "recurrence": CRON}, {"recurrence": patch}) == {"name": "n", "recurrence": result}


def test_a_recurrence_may_be_taken_away_to_be_refused_later() -> None:
    assert changed({"recurrence": CRON}, {"recurrence": None}) == {}
