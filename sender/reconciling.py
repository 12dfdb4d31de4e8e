"""Settling what is in doubt: mails that are unknown or held, by what providers told us and by what their records say."""

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime

from fencepost.deliveries import Delivery, schedule_of
from fencepost.events import Event
from fencepost.messages import message_id
from fencepost.occurrences import Origin
from fencepost.reconciliation import (
    Evidence,
    Policy,
    Postponed,
    Reference,
    Trace,
    Window,
    policy_of,
    reconcile,
    told,
    wants_look_up,
)
from fencepost.settlements import Settlement
from fencepost.store.revisions import Revision
from sender.effects import Decisions, LookAgain, LookUp, ReadEvents, ReadRevisions, ReadSkips, SettleAll

_NO_TEXT = Trace(Evidence.NO_RECORDS, "Its text is not on record, so the provider's records can't be searched for it.")


def reconcile_all(
    rows: Sequence[Delivery], window: Window, now: datetime, look_ups: Callable[[str], int]
) -> Decisions[list[Settlement]]:
    """Settle what can be settled of these; what was. `now` is the database server's clock, read before the rows were: the
    settling window must not hang on a sender's. At most so many are looked up at each provider, by its name; the others come in a
    later round."""
    texts: dict[str, Revision] = yield ReadRevisions({row["revision_id"] for row in rows if row["revision_id"]})
    policies = {row["_id"]: _policy(row, texts) for row in rows}
    unsure = {(schedule_of(row), row["due_at"]) for row in rows if _may_be_skipped(row)}
    skipped: set[tuple[str, datetime]] = (yield ReadSkips(unsure)) if unsure else set()
    never_called = {row["_id"] for row in rows if _may_be_skipped(row) and (schedule_of(row), row["due_at"]) in skipped}
    events: dict[str, list[Event]] = yield ReadEvents([row["_id"] for row in rows])
    traces = {row["_id"]: told(events.get(row["_id"], [])) for row in rows}
    wanting = [
        row
        for row in rows
        if traces[row["_id"]] is None
        and row["_id"] not in never_called
        and wants_look_up(row, policies[row["_id"]], window.of(row["provider"]), now)
    ]
    asked = _first_of_each(wanting, look_ups)
    later = {row["_id"] for row in wanting} - {row["_id"] for row in asked}
    references = [reference for row in asked if (reference := _reference(row, texts))]
    found: dict[str, Trace] = (yield LookUp(references)) if references else {}
    traces |= {row["_id"]: found.get(row["_id"], _NO_TEXT) for row in asked}
    verdicts = [
        reconcile(
            row,
            traces[row["_id"]],
            policies[row["_id"]],
            window.of(row["provider"]),
            now,
            skipped=row["_id"] in never_called,
        )
        for row in rows
        if row["_id"] not in later
    ]
    settlements = [verdict for verdict in verdicts if isinstance(verdict, Settlement)]
    postponed = [verdict for verdict in verdicts if isinstance(verdict, Postponed)]
    missed: list[Settlement] = (yield SettleAll(settlements)) if settlements else []
    if postponed:
        yield LookAgain(postponed)
    return [settlement for settlement in settlements if settlement not in missed]


def _first_of_each(rows: Sequence[Delivery], most: Callable[[str], int]) -> list[Delivery]:
    """The first of each provider's, as many as may be looked up there."""
    first, taken = list[Delivery](), Counter[str]()
    for row in rows:
        name = row["provider"] or ""
        if taken[name] < most(name):
            taken[name] += 1
            first.append(row)
    return first


def _may_be_skipped(row: Delivery) -> bool:
    """Whether its only attempt is that of the pass that inserted it. Such an attempt calls nobody before its schedule has
    moved on; if the sender is lost in between, another plan may skip the instant."""
    return row["origin"] == Origin.SCHEDULE and row["attempt_no"] == 1 and not row.get("ordered")


def _policy(row: Delivery, texts: dict[str, Revision]) -> Policy:
    text = texts.get(row["revision_id"] or "")
    return policy_of(text.definition if text else None)


def _reference(row: Delivery, texts: dict[str, Revision]) -> Reference | None:
    text = texts.get(row["revision_id"] or "")
    if text is None:
        return None
    return Reference(row["_id"], message_id(row["_id"], text.definition["message"]), row["provider"] or "")
