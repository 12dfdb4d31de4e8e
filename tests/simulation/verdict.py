"""The verdict at the end of a run: nothing lost, nothing that was not due, and every state true. The oracle knows texts as a few
numbers, and the versions that edits wrote; it shares no code with what it judges."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from fencepost import ids
from fencepost.deliveries import Delivery, schedule_of
from fencepost.schedules import Version
from tests.simulation.clocks import BEGINNING
from tests.simulation.store import SimulatedStore
from tests.simulation.texts import ENDS_SECONDS, TEXTS, Text
from tests.simulation.watch import Violation, Watch, short

_THE_END = BEGINNING + timedelta(seconds=ENDS_SECONDS)
_SETTLED = {"accepted", "failed", "cancelled", "held"}


def unfinished(store: SimulatedStore) -> str:
    """What is still to be done; empty if nothing is."""
    for schedule in store.schedules.rows.values():
        if schedule.quarantined:
            return f"schedule {schedule.id} is quarantined: {schedule.quarantined.reason}"
        if schedule.next_run_at:
            return f"schedule {schedule.id} has a next run"
        for skip in schedule.skips:
            if not (_skip(store, schedule.id, skip.first) and _skip(store, schedule.id, skip.last)):
                return f"what schedule {schedule.id} skipped last is not on record"
    for row in store.deliveries.rows.values():
        if row["state"] not in _SETTLED:
            return f"{short(row['_id'])} is {row['state']}"
        if row["state"] == "held" and row["attempt_no"] == 1 and _skip(store, schedule_of(row), row["due_at"]):
            # The plan that skipped it came after it was held; the next look at what is held finds that out.
            return f"{short(row['_id'])} is held, and its instant was skipped"
    return ""


def judge_run(store: SimulatedStore, watch: Watch, until: datetime = _THE_END) -> None:
    """Judge all that was due by then. Raises Violation."""
    for schedule_id, versions in watch.edits.items():
        for instant, version in _expected(watch, versions):
            if instant > until:
                continue
            _judge_instant(store, watch, schedule_id, instant, version)
    for row in store.deliveries.rows.values():
        _judge_row(watch, row)


def _expected(watch: Watch, versions: list[Version]) -> Iterator[tuple[datetime, Version]]:
    """Each instant that the history has, with the version that owns it."""
    for version, later in zip(versions, [*versions[1:], None], strict=True):
        for instant in TEXTS[watch.text(version)].instants():
            if version.since < instant and (later is None or instant <= later.since):
                yield instant, version


def _judge_instant(store: SimulatedStore, watch: Watch, schedule_id: str, instant: datetime, version: Version) -> None:
    schedule = store.schedules.rows[schedule_id]
    text = TEXTS[watch.text(version)]
    stopped = not version.runs or any(later.no > version.no and not later.runs for later in watch.edits[schedule_id])
    skip = _skip(store, schedule_id, instant)
    if skip:
        # The policy of the text that is in force when it is planned, be it a later one than the instant's own.
        in_force = [TEXTS[watch.text(later)] for later in watch.edits[schedule_id] if later.no >= version.no]
        late = skip in ("misfire", "window") and any(text.misfire != "all" for text in in_force)
        gives_way = skip == "overlap" and any(text.overlap != "allow" for text in in_force)
        gives_way = gives_way and watch.pacing.was_in_the_way(schedule_id, instant)
        if not late and not gives_way and not (skip in ("paused", "deleted") and stopped):
            raise Violation(f"{schedule_id} at {instant} was skipped ({skip}), and should have run")
        for mail in store.deliveries.rows.values():
            of_instant = (mail["schedule_id"], mail["due_at"]) == (schedule_id, instant)
            if of_instant and mail["state"] != "cancelled" and not watch.people.decided(mail["_id"]):
                raise Violation(f"{short(mail['_id'])} is {mail['state']}, and its instant was skipped ({skip})")
        return
    if not version.runs and schedule.deleted and version.no == schedule.version:
        return
    for recipient in text.to:
        name = ids.delivery_id(ids.occurrence_id(schedule_id, instant), instant, recipient)
        row = store.deliveries.rows.get(name)
        if row is None:
            raise Violation(f"LOST: {schedule_id} at {instant} has no mail to {recipient}, and no skip on record")
        if row["state"] == "cancelled" and not stopped and name not in watch.people.cancelled:
            raise Violation(f"LOST: {short(name)} is cancelled ({row['reason']}), though nobody asked for it")
        if row["state"] == "failed" and not _was_refused(row):
            raise Violation(f"LOST: {short(name)} failed, though the provider never refused it: {row['reason']}")


def _skip(store: SimulatedStore, schedule_id: str, instant: datetime) -> str | None:
    for row in store.occurrences.rows.values():
        if row["schedule_id"] == schedule_id and row["state"] == "skipped" and row["at"] <= instant <= row["to"]:
            return str(row["reason"])
    return None


def _was_refused(row: Delivery) -> bool:
    return any(attempt.get("outcome") == "rejected" for attempt in row["attempts"])


def _judge_row(watch: Watch, row: Delivery) -> None:
    state, entries = row["state"], watch.provider.ledger[row["_id"]]
    people = watch.people
    if state == "accepted" and not entries and not people.said_sent(row["_id"]):
        raise Violation(f"{short(row['_id'])} counts as accepted, and the provider never took it")
    if state == "cancelled" and people.orders[row["_id"]] and row["_id"] not in people.cancelled:
        raise Violation(f"{short(row['_id'])} was sent again at somebody's word, and is cancelled ({row['reason']})")
    if state in ("failed", "cancelled") and entries and not watch.excused(row) and not people.decided(row["_id"]):
        raise Violation(f"{short(row['_id'])} counts as {state}, and the provider took it")
    owner = watch.owner(row)
    text: Text | None = TEXTS[watch.text(owner)] if owner and owner.runs else None
    if entries and not people.orders[row["_id"]] and (text is None or row["due_at"] not in text.instants()):
        raise Violation(f"{short(row['_id'])} was sent for an instant that is not due")
    if len(entries) > 1 + people.orders[row["_id"]] and not watch.excused(row):
        raise Violation(f"{short(row['_id'])} was accepted {len(entries)} times")
