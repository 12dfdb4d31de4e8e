"""The audit as JSON."""

from collections.abc import Sequence
from typing import Literal

from pydantic import with_config
from typing_extensions import TypedDict

from fencepost.clock import iso
from fencepost.findings import Recorded
from fencepost.store.audit import Progress
from registry.answers.common import EXACT, Instant, maybe_iso


@with_config(EXACT)
class FindingAnswer(TypedDict):
    """Something of which the record does not show what its definition promises."""

    id: str
    kind: Literal["silent", "late", "missing_mail", "stuck", "extra", "twice"]
    schedule_id: str
    schedule_name: str
    at: Instant
    """The instant that it is about."""
    detail: str
    first_seen: Instant
    last_seen: Instant
    resolved_at: Instant | None
    """Null while it is open."""


@with_config(EXACT)
class ProvedOccurrences(TypedDict):
    """Instants that were looked for in the last 24 hours: `expected` is the sum of the others."""

    expected: int
    on_record: int
    """They became occurrences."""
    skipped: int
    """They are on record as skipped, with the reason."""
    missing: int
    """They were on record in no way; each schedule of these is or was a finding."""


@with_config(EXACT)
class AuditAnswer(TypedDict):
    """What the auditor proved, and what it found."""

    last_round_at: Instant | None
    """When its last round ended; null before the first one."""
    seconds: float | None
    """How long that round took."""
    schedules: int
    """How many live schedules it walked over."""
    occurrences: ProvedOccurrences
    findings: list[FindingAnswer]
    """Those that are open, the newest first; then those that were resolved in the last 24 hours. At most 200 of each."""
    open: int
    """How many are open."""


def finding_answer(recorded: Recorded) -> FindingAnswer:
    finding = recorded.finding
    return {
        "id": finding.id,
        "kind": finding.kind.value,
        "schedule_id": finding.schedule_id,
        "schedule_name": recorded.schedule_name,
        "at": iso(finding.at),
        "detail": finding.detail,
        "first_seen": iso(recorded.first_seen),
        "last_seen": iso(recorded.last_seen),
        "resolved_at": maybe_iso(recorded.resolved_at),
    }


def audit_answer(progress: Progress | None, findings: Sequence[Recorded], open_count: int) -> AuditAnswer:
    """`progress` is None before the first auditor."""
    progress = progress or Progress()
    hours = progress.hours.values()
    expected, on_record, skipped = (sum(hour[name] for hour in hours) for name in ("expected", "on_record", "skipped"))
    return {
        "last_round_at": maybe_iso(progress.last_round_at),
        "seconds": progress.seconds if progress.last_round_at else None,
        "schedules": progress.schedules,
        "occurrences": {
            "expected": expected,
            "on_record": on_record,
            "skipped": skipped,
            "missing": expected - on_record - skipped,
        },
        "findings": [finding_answer(one) for one in findings],
        "open": open_count,
    }
