"""The side of the record: what is there, compared with the definitions; and what has been standing still."""

from collections.abc import Callable, Collection, Sequence
from datetime import datetime

from auditor.auditing import History, audit_occurrence
from auditor.histories import Histories
from fencepost import ids
from fencepost.findings import Finding
from fencepost.occurrences import Occurrence, Origin
from fencepost.store import Store

_PAGE = 1000


class Records:
    """Compares occurrences on record, and their deliveries, with the definitions."""

    def __init__(self, store: Store, histories: Histories) -> None:
        self._store, self._histories = store, histories

    def read(self, since: datetime, until: datetime, beat: Callable[[], bool]) -> tuple[list[Finding], bool]:
        """What is wrong with the occurrences in [since, until), and whether all of them were looked at. Raises Unreachable."""
        found: list[Finding] = []
        after = ids.first_id(ids.OCCURRENCE, since)
        while page := self._store.audits.page(after, until, _PAGE):
            found += self.audit(page)
            after = page[-1]["_id"]
            if not beat():
                return found, False
        return found, True

    def audit(self, occurrences: Sequence[Occurrence]) -> list[Finding]:
        """What is wrong with these."""
        planned = [one for one in occurrences if one["state"] == "planned"]
        if not planned:
            return []
        histories = self._histories.of(self._store.audits.schedules({one["schedule_id"] for one in planned}).values())
        mails = self._store.audits.mails([one["_id"] for one in planned])
        wanted = {_revision(one, histories.get(one["schedule_id"])) for one in planned}
        recipients = self._store.audits.recipients(wanted)
        found: list[Finding] = []
        for one in planned:
            try:
                found += audit_occurrence(one, histories.get(one["schedule_id"]), recipients.get, mails.get(one["_id"]))
            except Exception:  # noqa: BLE001 the arithmetic of one rule must not stop the others; its sender quarantines it
                continue
        return found

    def audit_again(self, findings: Collection[Finding]) -> set[str]:
        """The ids of those of these that still stand."""
        if not findings:
            return set()
        instants = {(finding.schedule_id, finding.at) for finding in findings}
        stand = {finding.id for finding in self.audit(self._store.audits.occurrences_at(instants))}
        return {finding.id for finding in findings} & stand


def _revision(one: Occurrence, history: History | None) -> str:
    """Whose recipients it should have: those of the version that owns its instant."""
    owner = history.schedule.owner_of(one["at"]) if history and one["origin"] == Origin.SCHEDULE else None
    return (owner.revision_id if owner else one["revision_id"]) or ""
