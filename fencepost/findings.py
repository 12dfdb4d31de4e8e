"""What the auditor finds: a schedule or a mail of which the record does not show what its definition promises."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from fencepost.clock import iso


class Kind(StrEnum):
    """What is wrong, by what its reader does next. docs/runbook.md has an entry for each."""

    SILENT = "silent"
    """An instant was due, nothing of it is on record, and nobody will make it up."""
    LATE = "late"
    """An instant was due and is not on record yet; its schedule still waits for it. Resolves by itself."""
    MISSING_MAIL = "missing_mail"
    """An occurrence has fewer deliveries than recipients."""
    STUCK = "stuck"
    """A delivery stays where it should have left long ago."""
    EXTRA = "extra"
    """An occurrence that is not due under the schedule's history."""
    TWICE = "twice"
    """A provider accepted more than one attempt of a delivery."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong. `detail` is a sentence for people, without addresses."""

    kind: Kind
    schedule_id: str
    at: datetime
    detail: str

    @property
    def id(self) -> str:
        """The same whenever it is found again."""
        return f"{self.kind}:{self.schedule_id}:{iso(self.at)}"


@dataclass(frozen=True, slots=True)
class Recorded:
    """A finding on record; open while `resolved_at` is None."""

    finding: Finding
    schedule_name: str
    first_seen: datetime
    last_seen: datetime
    resolved_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Mails:
    """The deliveries of one occurrence: how many are in which state, and those of which more than one attempt was accepted."""

    states: Mapping[str, int]
    twice: Sequence[str] = ()
