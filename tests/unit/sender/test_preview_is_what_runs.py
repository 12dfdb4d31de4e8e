"""What the preview shows is what the senders then do: the same instants, for random rules and random wakings."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import bson
from bson.codec_options import CodecOptions
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from fencepost import ids
from fencepost.definitions import rule_of
from fencepost.errors import Invalid
from fencepost.planning import Limits
from fencepost.recurrence import parse_rule, preview
from fencepost.rules import RuleCache
from fencepost.schedules import Schedule, Version
from fencepost.store.schedule_documents import from_document, to_document
from sender.effects import Advance, Effect, Insert, Quarantine
from sender.passes import Terms
from sender.planning import plan_due
from tests.support.routes import Always
from tests.support.schedules import definition
from tests.unit.recurrence.strategies import DST, MADE, RECURRENCES

SHOWN = 10
WINDOW = {"policy": "all", "window_seconds": 31 * 86_400}


def registered(recurrence: Mapping[str, Any], dst: Mapping[str, Any]) -> Schedule:
    """As the registry writes it, through the bytes that MongoDB keeps."""
    try:
        text = definition(recurrence=recurrence, dst=dst, misfire=WINDOW)
        first = rule_of(text, MADE).after(MADE)
    except Invalid:
        assume(False)
        raise
    version = Version(1, MADE, ids.new_id(ids.REVISION))
    made = Schedule(
        id=ids.new_id(ids.SCHEDULE),
        owner_id="local",
        shard=0,
        definition=text,
        versions=(version,),
        created_at=MADE,
        updated_at=MADE,
        next_run_at=first,
    )
    return stored(made)


def stored(made: Schedule) -> Schedule:
    return from_document(bson.decode(bson.encode(to_document(made)), CodecOptions(tz_aware=True)))


def is_due(made: Schedule, now: datetime) -> bool:
    return made.next_run_at is not None and made.next_run_at <= now


def woken(made: Schedule, now: datetime, cache: RuleCache, limits: Limits) -> tuple[Schedule, list[datetime]]:
    """One pass of a sender at that moment: the schedule after it, and the instants of the occurrences it made."""
    terms = Terms(
        now=now,
        sender="sender-1",
        tokens={0: 7},
        epoch="run:1",
        router=Always(),
        claim_id="clm_1",
        deadline=now + timedelta(seconds=30),
        deadline_steady=30.0,
        room=1000,
        shards=64,
        limits=limits,
        retention=timedelta(days=90),
    )
    made_instants: list[datetime] = []
    after = made
    decisions = plan_due([made], terms, cache)
    answer: Any = None
    try:
        while True:
            effect: Effect = decisions.send(answer)
            answer = None
            match effect:
                case Insert(occurrences, deliveries):
                    made_instants += [occurrence["at"] for occurrence in occurrences]
                    answer = {row["_id"] for row in deliveries}
                case Advance(plans):
                    after = stored(plans[0].after)
                    answer = {made.id}
                case Quarantine(_, reason):
                    raise AssertionError(reason)
                case _:
                    answer = {}
    except StopIteration:
        return after, made_instants


@settings(max_examples=150, deadline=None)
@given(RECURRENCES, DST, st.lists(st.integers(0, 40 * 3600), min_size=SHOWN, max_size=SHOWN), st.integers(1, 20))
def test_the_senders_run_what_the_preview_showed(
    recurrence: dict[str, Any], dst: dict[str, str], delays: list[int], most: int
) -> None:
    made, cache = registered(recurrence, dst), RuleCache()
    shown = [row.at for row in preview(parse_rule(recurrence, dst=dst, anchor=MADE), after=MADE, count=SHOWN)]
    ran: list[datetime] = []
    for delay in delays:
        if made.next_run_at is None:
            break
        now = made.next_run_at + timedelta(seconds=delay)
        while is_due(made, now) and len(ran) < SHOWN:
            made, instants = woken(made, now, cache, Limits(instants=most))
            ran += instants
    assert ran[: len(shown)] == shown
    assert made.next_run_at is not None or len(ran) == len(shown)


def test_a_preview_of_another_rule_would_be_noticed() -> None:
    hourly = {"type": "cron", "expression": "0 * * * *", "timezone": "UTC"}
    made = registered(hourly, {"gap": "shift", "repeat": "first"})
    assert made.next_run_at is not None
    other = definition(recurrence={**hourly, "expression": "5 * * * *"}, misfire=WINDOW)
    now = made.next_run_at + timedelta(minutes=5)
    _, ran = woken(replace(made, definition=other), now, RuleCache(), Limits())
    assert ran != [row.at for row in preview(parse_rule(hourly, anchor=MADE), after=MADE, count=1)]
