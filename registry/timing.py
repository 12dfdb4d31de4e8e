"""A schedule's text with its rule: all that is wrong with both at once, and whether anything is left to come. Pure."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from pydantic import ValidationError

from fencepost.clock import iso
from fencepost.definitions import TimingInput, parse, rule_of
from fencepost.errors import Invalid, Problem
from fencepost.recurrence import Rule

TIMING = tuple(TimingInput.model_fields)
"""The fields of a schedule that say when."""

_FIELDS = {"cron": "expression", "interval": "every", "rrule": "rule", "once": "at"}


def read_definition(text: Mapping[str, Any], anchor: datetime) -> tuple[dict[str, Any], Rule]:
    """The text as it is stored, and its rule; `anchor` is the schedule's creation. Raises Invalid with every problem."""
    try:
        definition = parse(text)
    except Invalid as error:
        raise Invalid(*error.problems, *_rule_problems(text, anchor)) from None
    return definition, rule_of(definition, anchor)


def refuse_ended(rule: Rule, definition: Mapping[str, Any], after: datetime, occurrence_count: int = 0) -> None:
    """Raises Invalid, at the field to change, if no occurrence is left after that instant."""
    most = definition["max_occurrences"]
    if most is not None and most <= occurrence_count:
        detail = f"must be more than {occurrence_count}, the occurrences that were; to end the schedule, delete it"
        raise Invalid(Problem("/max_occurrences", detail))
    if rule.after(after) is not None:
        return
    now = iso(after)
    if rule.type == "once":
        raise Invalid(Problem("/recurrence/at", f"lies in the past; give an instant later than now, {now}"))
    if rule.ends_at is not None:
        raise Invalid(Problem("/ends_at", f"lets nothing come any more; choose a later end than {iso(rule.ends_at)}"))
    detail = f"lets nothing come after now, {now}; choose a later end"
    raise Invalid(Problem(f"/recurrence/{_FIELDS[rule.type]}", detail))


def _rule_problems(text: Mapping[str, Any], anchor: datetime) -> tuple[Problem, ...]:
    """What is wrong with the rule, if its fields can be read at all: that was reported already."""
    try:
        timing = TimingInput.model_validate({name: text[name] for name in TIMING if name in text})
    except ValidationError:
        return ()
    try:
        rule_of(timing.model_dump(), anchor)
    except Invalid as error:
        return error.problems
    return ()
