"""Backfills: which past instants of a range a schedule is still to run. Pure."""

from collections.abc import Collection
from datetime import datetime, timedelta
from itertools import islice

from fencepost.clock import iso
from fencepost.errors import Invalid, Problem
from fencepost.occurrences import recipients
from fencepost.schedules import Rule, Schedule

MAX_OCCURRENCES = 1_000
MAX_EMAILS = 20_000
MAX_INSTANTS = 10_000
"""How many due instants of a range are looked at, whether they ran or not."""

_SECOND = timedelta(seconds=1)
_PURGED_BY_ANOTHER_CLOCK = timedelta(hours=1)


def range_of(
    schedule: Schedule, rule: Rule, begin: datetime, until: datetime, *, now: datetime, retention: timedelta
) -> list[datetime]:
    """The rule's instants from `begin` to `until` (whole seconds), both included, that lie in the past and are decided: what
    the schedule is still to decide by itself is none of a backfill's. Raises Invalid, saying how to narrow the range."""
    if until < begin:
        raise Invalid(Problem("/until", f"must not be before from, {iso(begin)}"))
    oldest = now.replace(microsecond=0) - retention + _PURGED_BY_ANOTHER_CLOCK
    if begin < oldest:
        detail = f"lies further back than the records do, so what ran then isn't known; begin at {iso(oldest)} or later"
        raise Invalid(Problem("/from", detail))
    undecided = schedule.next_run_at or schedule.quarantined_instant
    end = min(filter(None, (until, now, undecided and undecided - _SECOND)))
    found = list(islice(rule.instants(begin - _SECOND, end), MAX_INSTANTS + 1))
    if len(found) > MAX_INSTANTS:
        raise Invalid(_too_far(f"more than {MAX_INSTANTS:,} due instants", found[MAX_INSTANTS - 1]))
    return found


def still_to_run(schedule: Schedule, instants: list[datetime], on_record: Collection[datetime]) -> list[datetime]:
    """Those of these instants that neither ran nor were backfilled. Raises Invalid if they are too many for one request."""
    missing = [instant for instant in instants if instant not in on_record]
    each = len(recipients(schedule.definition))
    most = min(MAX_OCCURRENCES, MAX_EMAILS // each)
    if len(missing) > most:
        what = f"{len(missing):,} runs with {len(missing) * each:,} emails"
        raise Invalid(_too_far(f"{what}; {MAX_OCCURRENCES:,} and {MAX_EMAILS:,} are the most", missing[most - 1]))
    return missing


def _too_far(what: str, reachable: datetime) -> Problem:
    return Problem("/until", f"takes in {what}: go in steps, the first until {iso(reachable)}")
